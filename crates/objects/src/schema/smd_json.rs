//! Schemas in the form of the merge library: `{"types": [{"name": …, "map": …}]}`.

use crate::Value;

use super::{Field, List, Map, PatchRule, Relationship, Scalar, Schema, Type, TypeId};

/// Text that is no schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed schema: {0}")]
pub struct SchemaError(String);

/// Builds the graph of a type list. References to types that are not in it fail when a value meets them.
///
/// # Errors
/// Fails on a document of another form.
pub fn load(document: &Value) -> Result<Schema, SchemaError> {
    let types = document
        .get("types")
        .and_then(Value::as_array)
        .ok_or_else(|| SchemaError("no list of types".into()))?;
    let mut loader = Loader {
        schema: Schema::default(),
        overrides: Vec::new(),
    };
    for ty in types {
        let name = ty
            .get("name")
            .and_then(Value::as_str)
            .ok_or_else(|| SchemaError("a type without a name".into()))?;
        let id = loader.schema.reserve(name);
        let ty = loader.shape(ty, 0)?;
        loader.schema.define(id, ty);
    }
    for (id, base, relationship) in loader.overrides {
        let ty = loader.schema.get(base).with_relationship(relationship);
        loader.schema.types[id.0 as usize] = ty;
    }
    Ok(loader.schema)
}

/// Bound on inline nesting.
const DEPTH_MAX: usize = 100;

struct Loader {
    schema: Schema,
    /// Types that are another type with another relationship, to be filled when all are defined.
    overrides: Vec<(TypeId, TypeId, Relationship)>,
}

impl Loader {
    fn shape(&mut self, spec: &Value, depth: usize) -> Result<Type, SchemaError> {
        if depth > DEPTH_MAX {
            return Err(SchemaError("nested too deeply".into()));
        }
        let scalar = match spec.get("scalar").and_then(Value::as_str) {
            None => None,
            Some("numeric") => Some(Scalar::Numeric),
            Some("string") => Some(Scalar::String),
            Some("boolean") => Some(Scalar::Boolean),
            Some(_) => Some(Scalar::Untyped),
        };
        let list = match spec.get("list") {
            None | Some(Value::Null) => None,
            Some(list) => Some(List {
                element: self.element(list, depth)?.unwrap_or(TypeId(u32::MAX)),
                relationship: relationship(list),
                keys: list
                    .get("keys")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .filter_map(|key| Some(key.as_str()?.into()))
                    .collect(),
            }),
        };
        let map = match spec.get("map") {
            None | Some(Value::Null) => None,
            Some(map) => Some(self.map(map, depth)?),
        };
        Ok(Type {
            scalar,
            list,
            map,
            ..Type::default()
        })
    }

    fn map(&mut self, spec: &Value, depth: usize) -> Result<Map, SchemaError> {
        let mut fields = Vec::new();
        for field in spec
            .get("fields")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let name = field.get("name").and_then(Value::as_str).unwrap_or("");
            let ty = match field.get("type") {
                Some(ty) => self.reference(ty, depth)?,
                None => None,
            };
            fields.push(Field {
                name: name.into(),
                ty: ty.unwrap_or(TypeId(u32::MAX)),
                default: field.get("default").filter(|d| !d.is_null()).cloned(),
                required: false,
                nullable: false,
                patch: PatchRule::default(),
            });
        }
        let element = self.element(spec, depth)?;
        Ok(Map::new(fields, element, relationship(spec)))
    }

    fn element(&mut self, spec: &Value, depth: usize) -> Result<Option<TypeId>, SchemaError> {
        match spec.get("elementType") {
            Some(element) => self.reference(element, depth),
            None => Ok(None),
        }
    }

    fn reference(&mut self, spec: &Value, depth: usize) -> Result<Option<TypeId>, SchemaError> {
        if spec.as_object().is_none_or(|spec| spec.is_empty()) {
            return Ok(None);
        }
        let overriding = relationship(spec);
        if let Some(name) = spec.get("namedType").and_then(Value::as_str) {
            let base = self.schema.reserve(name);
            if overriding == Relationship::Unsaid {
                return Ok(Some(base));
            }
            let id = self.schema.add(Type::default());
            self.overrides.push((id, base, overriding));
            return Ok(Some(id));
        }
        let mut ty = self.shape(spec, depth + 1)?;
        if overriding != Relationship::Unsaid {
            ty = ty.with_relationship(overriding);
        }
        Ok(Some(self.schema.add(ty)))
    }
}

fn relationship(spec: &Value) -> Relationship {
    match spec.get("elementRelationship").and_then(Value::as_str) {
        Some("atomic") => Relationship::Atomic,
        Some("associative") => Relationship::Associative,
        Some("separable") => Relationship::Separable,
        _ => Relationship::Unsaid,
    }
}
