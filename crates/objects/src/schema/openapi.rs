//! Schemas from OpenAPI v3: the components of the built-in kinds, and the structural schemas of custom resources.
//!
//! The rules are those of kube-openapi's conversion to merge schemas: a schema without a type may be anything; a list is
//! atomic unless `x-kubernetes-list-type`, or else the patch strategy, says otherwise; an object without properties takes
//! any key; quantities and raw extensions have no inner schema.

use serde_json::Map as JsonMap;

use crate::{Gvk, Value};

use super::{
    DEDUCED, Field, Form, List, Map, PatchRule, Relationship, Scalar, Schema, Type, TypeId, UNTYPED,
};

/// Name of the type of `metadata`.
pub const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
/// Name of the type of `metadata` of lists.
pub const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";
const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const RAW_EXTENSION: &str = "io.k8s.apimachinery.pkg.runtime.RawExtension";
const GVK_EXTENSION: &str = "x-kubernetes-group-version-kind";

/// Bound on inline nesting; CRDs of the wild stay below 60.
const DEPTH_MAX: usize = 200;

/// Builds the graph of named component schemas.
pub fn load_components<'a>(components: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Schema {
    let mut loader = Loader::new();
    for (name, spec) in components {
        loader.component(name, spec);
    }
    loader.finish()
}

/// Builds the graph of one version of a custom resource; `None` stands for a version without a schema.
///
/// `preserve_unknown_fields` is the field of that name of the CRD.
pub fn load_custom_resource(
    gvk: &Gvk,
    spec: Option<&Value>,
    preserve_unknown_fields: bool,
    object_meta: &[(&str, &Value)],
) -> Schema {
    let mut loader = Loader::new();
    for (name, spec) in object_meta {
        loader.component(name, spec);
    }
    loader.preserve = preserve_unknown_fields;
    let id = loader
        .schema
        .reserve(&format!("{}.{}.{}", gvk.group, gvk.version, gvk.kind));
    let ty = match spec {
        Some(spec) => {
            let mut ty = loader.inline(spec, 0);
            loader.add_object_fields(&mut ty);
            ty
        }
        None => {
            let mut ty = loader.inline(&serde_json::json!({"type": "object"}), 0);
            loader.add_object_fields(&mut ty);
            ty
        }
    };
    loader.schema.define(id, ty);
    loader.schema.add_kind(gvk.clone(), id);
    loader.finish()
}

struct Loader {
    schema: Schema,
    deduced: TypeId,
    untyped: TypeId,
    string: TypeId,
    /// Whether unknown fields are kept at the place being read.
    preserve: bool,
    /// References with a relationship of their own, to be filled when all types are defined.
    overrides: Vec<(TypeId, TypeId, Relationship)>,
}

impl Loader {
    fn new() -> Self {
        let mut schema = Schema::default();
        let deduced = schema.add_common_types();
        let untyped = schema.reserve(UNTYPED);
        let string = schema.add(scalar_type(Scalar::String, Form::String));
        debug_assert_eq!(schema.named(DEDUCED), Some(deduced));
        Self {
            schema,
            deduced,
            untyped,
            string,
            preserve: false,
            overrides: Vec::new(),
        }
    }

    fn finish(mut self) -> Schema {
        for (id, base, relationship) in self.overrides {
            self.schema.types[id.0 as usize] =
                self.schema.get(base).with_relationship(relationship);
        }
        self.schema
    }

    fn component(&mut self, name: &str, spec: &Value) {
        let id = self.schema.reserve(name);
        let ty = match name {
            QUANTITY => scalar_type(Scalar::Untyped, Form::Quantity),
            RAW_EXTENSION => Type {
                form: Form::Any,
                preserve_unknown_fields: true,
                ..self.schema.get(self.untyped).clone()
            },
            _ => {
                self.preserve = false;
                self.inline(spec, 0)
            }
        };
        self.schema.define(id, ty);
        for gvk in spec
            .get(GVK_EXTENSION)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let text = |key: &str| gvk.get(key).and_then(Value::as_str).unwrap_or("");
            self.schema
                .add_kind(Gvk::new(text("group"), text("version"), text("kind")), id);
        }
    }

    /// Reads a schema in place. Restores the inherited keeping of unknown fields afterwards.
    fn inline(&mut self, spec: &Value, depth: usize) -> Type {
        if depth > DEPTH_MAX {
            return self.schema.get(self.untyped).clone();
        }
        let before = self.preserve;
        let keeps = spec.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
        self.preserve |= keeps;
        let mut ty = self.shape(spec, depth);
        ty.preserve_unknown_fields = self.preserve;
        self.preserve = before;
        ty.embedded_resource =
            spec.get("x-kubernetes-embedded-resource") == Some(&Value::Bool(true));
        if ty.embedded_resource {
            self.add_object_fields(&mut ty);
        }
        if let Some(Value::Array(allowed)) = spec.get("enum") {
            ty.allowed.clone_from(allowed);
        }
        ty
    }

    fn shape(&mut self, spec: &Value, depth: usize) -> Type {
        match spec.get("type").and_then(Value::as_str) {
            Some("object") => Type {
                map: Some(self.map(spec, depth)),
                form: Form::Object,
                ..Type::default()
            },
            Some("array") => Type {
                list: Some(self.list(spec, depth)),
                form: Form::List,
                ..Type::default()
            },
            Some("integer") => scalar_type(Scalar::Numeric, integer_form(spec)),
            Some("number") => scalar_type(Scalar::Numeric, Form::Number),
            Some("boolean") => scalar_type(Scalar::Boolean, Form::Boolean),
            Some("string") => match spec.get("format").and_then(Value::as_str) {
                None => scalar_type(Scalar::String, Form::String),
                Some("byte") => scalar_type(Scalar::String, Form::Bytes),
                Some("date-time") => scalar_type(Scalar::Untyped, Form::DateTime),
                Some("int-or-string") => scalar_type(Scalar::Untyped, Form::IntOrString),
                Some(_) => scalar_type(Scalar::Untyped, Form::String),
            },
            _ => Type {
                scalar: Some(Scalar::Untyped),
                list: Some(self.list(spec, depth)),
                map: Some(self.map(spec, depth)),
                form: if is_int_or_string(spec) {
                    Form::IntOrString
                } else {
                    Form::Any
                },
                ..Type::default()
            },
        }
    }

    fn map(&mut self, spec: &Value, depth: usize) -> Map {
        let properties = spec.get("properties").and_then(Value::as_object);
        let required: Vec<&str> = spec
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut fields = Vec::with_capacity(properties.map_or(0, JsonMap::len));
        for (name, property) in properties.into_iter().flatten() {
            fields.push(Field {
                name: name.into(),
                ty: self.reference(property, depth),
                default: property.get("default").filter(|d| !d.is_null()).cloned(),
                required: required.contains(&name.as_str()),
                nullable: property.get("nullable") == Some(&Value::Bool(true)),
                patch: patch_rule(property),
            });
        }
        let element = match spec.get("additionalProperties") {
            None => (self.preserve || fields.is_empty()).then_some(self.deduced),
            Some(Value::Bool(allowed)) => allowed.then_some(self.deduced),
            Some(schema) => Some(self.reference(schema, depth)),
        };
        Map::new(fields, element, map_relationship(spec))
    }

    fn list(&mut self, spec: &Value, depth: usize) -> List {
        let element = match spec.get("items") {
            Some(items) => self.reference(items, depth),
            None => self.untyped,
        };
        let (relationship, keys) = list_relationship(spec);
        List {
            element,
            relationship,
            keys,
        }
    }

    fn reference(&mut self, spec: &Value, depth: usize) -> TypeId {
        if let Some(name) = reference_name(spec) {
            let base = self.schema.reserve(name);
            let relationship = map_relationship(spec);
            if relationship == Relationship::Unsaid {
                return base;
            }
            let id = self.schema.add(Type::default());
            self.overrides.push((id, base, relationship));
            return id;
        }
        if is_plain_string(spec) {
            return self.string;
        }
        let ty = self.inline(spec, depth + 1);
        self.schema.add(ty)
    }

    /// Gives an object type the fields every object has.
    fn add_object_fields(&mut self, ty: &mut Type) {
        let metadata = self.schema.reserve(OBJECT_META);
        if self.schema.get(metadata).missing {
            let deduced = self.schema.get(self.deduced).clone();
            self.schema.define(metadata, deduced);
        }
        let Some(map) = &mut ty.map else { return };
        for (name, id) in [
            ("apiVersion", self.string),
            ("kind", self.string),
            ("metadata", metadata),
        ] {
            match map.fields.iter_mut().find(|field| field.name == name) {
                Some(field) => field.ty = id,
                None => map.fields.push(Field {
                    name: name.into(),
                    ty: id,
                    default: None,
                    required: false,
                    nullable: false,
                    patch: PatchRule::default(),
                }),
            }
        }
        map.fields.sort_by(|a, b| a.name.cmp(&b.name));
        if map.element == Some(self.deduced) && map.fields.len() == 3 && !ty.preserve_unknown_fields
        {
            map.element = None;
        }
    }
}

fn scalar_type(scalar: Scalar, form: Form) -> Type {
    Type {
        scalar: Some(scalar),
        form,
        ..Type::default()
    }
}

fn integer_form(spec: &Value) -> Form {
    match spec.get("format").and_then(Value::as_str) {
        Some("int32") => Form::Int32,
        _ => Form::Int64,
    }
}

fn is_int_or_string(spec: &Value) -> bool {
    spec.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true))
        || spec.get("format").and_then(Value::as_str) == Some("int-or-string")
}

/// Tells whether a schema says no more than `type: string`, so that one type can be shared.
fn is_plain_string(spec: &Value) -> bool {
    spec.get("type").and_then(Value::as_str) == Some("string")
        && spec.get("format").is_none()
        && spec.get("enum").is_none()
}

/// Returns the name behind `$ref`, also inside an `allOf` of one.
fn reference_name(spec: &Value) -> Option<&str> {
    let direct = |spec: &'_ Value| -> Option<usize> {
        let text = spec.get("$ref")?.as_str()?;
        Some(text.rfind('/').map_or(0, |at| at + 1))
    };
    if let Some(at) = direct(spec) {
        return spec.get("$ref")?.as_str()?.get(at..);
    }
    let [only] = spec.get("allOf")?.as_array()?.as_slice() else {
        return None;
    };
    let at = direct(only)?;
    only.get("$ref")?.as_str()?.get(at..)
}

fn map_relationship(spec: &Value) -> Relationship {
    match spec.get("x-kubernetes-map-type").and_then(Value::as_str) {
        Some("atomic") => Relationship::Atomic,
        Some("granular") => Relationship::Separable,
        _ => Relationship::Unsaid,
    }
}

fn list_relationship(spec: &Value) -> (Relationship, Vec<compact_str::CompactString>) {
    let keys = || {
        spec.get("x-kubernetes-list-map-keys")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|key| Some(key.as_str()?.into()))
            .collect()
    };
    match spec.get("x-kubernetes-list-type").and_then(Value::as_str) {
        Some("set") => return (Relationship::Associative, Vec::new()),
        Some("map") => return (Relationship::Associative, keys()),
        Some(_) => return (Relationship::Atomic, Vec::new()),
        None => {}
    }
    let rule = patch_rule(spec);
    if rule.merge {
        (
            Relationship::Associative,
            rule.merge_key.into_iter().collect(),
        )
    } else {
        (Relationship::Atomic, Vec::new())
    }
}

fn patch_rule(spec: &Value) -> PatchRule {
    let mut rule = PatchRule {
        merge_key: spec
            .get("x-kubernetes-patch-merge-key")
            .and_then(Value::as_str)
            .map(Into::into),
        ..PatchRule::default()
    };
    let strategy = spec
        .get("x-kubernetes-patch-strategy")
        .and_then(Value::as_str);
    for word in strategy.unwrap_or("").split(',') {
        match word {
            "merge" => rule.merge = true,
            "retainKeys" => rule.retain_keys = true,
            "replace" => rule.replace = true,
            _ => {}
        }
    }
    rule
}
