//! Bringing a request body into the form of its kind, by its schema.
//!
//! What decoding into Go structs and encoding again does to an object: unknown fields and nulls go, quantities and times get
//! their normal form, structs and zero values that Go always prints appear, and a value of the wrong type is an error. Custom
//! kinds are only pruned. Unknown fields are reported so that the server can warn or refuse.

mod printed;

use crate::quantity::Quantity;
use crate::schema::{Form, Map as MapType, Schema, Type, TypeId};
use crate::smd::gotext::push_json_value;
use crate::{Map, Value};

pub use printed::drop_empty;
use printed::{is_empty_value, is_plain_scalar};
pub(crate) use printed::{printed_zero, prints_null};

/// How an object is brought into form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// As a Go struct of a built-in kind.
    Builtin,
    /// Pruned as a custom resource.
    Custom,
}

/// A value that does not fit its type; the text resembles Go's decoder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A value of another JSON type.
    #[error("json: cannot unmarshal {found} into Go struct field {place} of type {expected}")]
    WrongType {
        /// JSON type found: `string`, `number`, `bool`, `object` or `array`; a number that does not fit with its digits.
        found: String,
        /// Struct and path, such as `DeploymentSpec.spec.replicas`.
        place: String,
        /// Go type.
        expected: String,
    },
    /// Text that is no quantity.
    #[error("{0}")]
    Quantity(#[from] crate::quantity::ParseQuantityError),
    /// Text that is no time.
    #[error("parsing time {0:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {0:?} as \"2006\"")]
    Time(String),
    /// Text that is no base64.
    #[error("illegal base64 data at input byte {0}")]
    Base64(usize),
    /// Deeper than 500 levels.
    #[error("exceeded max depth")]
    TooDeep,
}

/// Bound on nesting.
const DEPTH_MAX: usize = 500;

/// Brings an object into form; returns the paths of unknown fields, such as `spec.containers[0].bogus`, in walking order.
///
/// # Errors
/// Fails on a value whose type cannot be brought into that of its field; names the field.
pub fn decode(
    schema: &Schema,
    ty: TypeId,
    object: &mut Map,
    rules: Rules,
) -> Result<Vec<String>, DecodeError> {
    let mut decoder = Decoder {
        schema,
        rules,
        unknown: Vec::new(),
        path: Vec::new(),
        structs: Vec::new(),
    };
    let ty = schema.get(ty);
    if let Some(map) = &ty.map {
        decoder.map(ty, map, object)?;
    }
    Ok(decoder.unknown)
}

enum Step {
    /// Member of a struct.
    Field(String),
    /// Key of a plain map; Go's errors leave it out.
    Key(String),
    Index(usize),
}

struct Decoder<'a> {
    schema: &'a Schema,
    rules: Rules,
    unknown: Vec<String>,
    path: Vec<Step>,
    /// Names of the structs around the present place.
    structs: Vec<&'a str>,
}

impl<'a> Decoder<'a> {
    fn map(&mut self, ty: &'a Type, map: &'a MapType, object: &mut Map) -> Result<(), DecodeError> {
        if self.path.len() > DEPTH_MAX {
            return Err(DecodeError::TooDeep);
        }
        let is_struct = !map.fields.is_empty();
        if is_struct {
            self.structs.push(ty.name.as_deref().unwrap_or(""));
        }
        let outcome = self.members(ty, map, object);
        if is_struct {
            self.structs.pop();
        }
        outcome
    }

    fn members(
        &mut self,
        ty: &'a Type,
        map: &'a MapType,
        object: &mut Map,
    ) -> Result<(), DecodeError> {
        let builtin = self.rules == Rules::Builtin;
        let mut drop: Vec<String> = Vec::new();
        for (key, value) in object.iter_mut() {
            let field = map.field(key);
            let Some(id) = field.map(|f| f.ty).or(map.element) else {
                if ty.preserve_unknown_fields {
                    continue;
                }
                self.unknown.push(self.path_text(key));
                drop.push(key.clone());
                continue;
            };
            if value.is_null() && builtin {
                // A key of a plain map keeps its null as the zero value of its type.
                match field {
                    Some(_) => drop.push(key.clone()),
                    None => *value = self.zero(id),
                }
                continue;
            }
            if is_plain_scalar(self.schema.get(id), value) {
                continue;
            }
            self.path.push(match field {
                Some(_) => Step::Field(key.clone()),
                None => Step::Key(key.clone()),
            });
            self.value(id, value)?;
            self.path.pop();
            if builtin
                && let Some(field) = field
                && is_empty_value(self.schema, self.schema.get(id), value)
                && !prints_null(self.schema, ty, field)
            {
                drop.push(key.clone());
            }
        }
        for key in drop {
            object.remove(&key);
        }
        if builtin {
            self.complete(ty, map, object)?;
        }
        Ok(())
    }

    /// Adds what Go always prints: structs, zero values of scalars, and nulls of lists and times.
    fn complete(
        &mut self,
        owner: &Type,
        map: &'a MapType,
        object: &mut Map,
    ) -> Result<(), DecodeError> {
        for field in &map.fields {
            if object.contains_key(field.name.as_str()) {
                continue;
            }
            if let Some(zero) = printed_zero(owner, field) {
                object.insert(field.name.to_string(), zero.into_owned());
                continue;
            }
            match &field.default {
                None if prints_null(self.schema, owner, field) => {
                    object.insert(field.name.to_string(), Value::Null);
                }
                Some(Value::Object(default)) if default.is_empty() => {
                    let mut inner = Map::new();
                    let ty = self.schema.get(field.ty);
                    if let Some(map) = &ty.map {
                        self.path.push(Step::Field(field.name.to_string()));
                        self.map(ty, map, &mut inner)?;
                        self.path.pop();
                    }
                    object.insert(field.name.to_string(), Value::Object(inner));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn value(&mut self, id: TypeId, value: &mut Value) -> Result<(), DecodeError> {
        let ty = self.schema.get(id);
        if self.rules == Rules::Custom {
            return match (self.path.as_slice(), &ty.map, &mut *value) {
                // The metadata of custom kinds are a Go struct too.
                ([Step::Field(name)], Some(map), Value::Object(object)) if name == "metadata" => {
                    self.metadata(ty, map, object)
                }
                _ => self.prune(ty, value),
            };
        }
        match (ty.form, &mut *value) {
            (Form::Any, _) => Ok(()),
            (Form::Quantity, Value::String(text)) => {
                *text = Quantity::parse(text.trim())?.to_string();
                Ok(())
            }
            (Form::Quantity, Value::Number(number)) => {
                let quantity = Quantity::parse(&number.to_string())?;
                *value = quantity.to_string().into();
                Ok(())
            }
            (Form::DateTime, Value::String(text)) => {
                if let Some(normal) = normal_time(text, ty)? {
                    *text = normal;
                }
                Ok(())
            }
            (Form::Bytes, Value::String(text)) => check_base64(text),
            (Form::IntOrString, Value::String(_)) | (Form::String, Value::String(_)) => Ok(()),
            (Form::IntOrString, Value::Number(n)) if n.is_i64() => Ok(()),
            (Form::Int32 | Form::Int64, Value::Number(number)) => match whole(number) {
                Some(_) if number.is_i64() => Ok(()),
                Some(integer) => {
                    *value = integer.into();
                    Ok(())
                }
                None => Err(self.wrong_type(ty, value)),
            },
            (Form::Number, Value::Number(_)) | (Form::Boolean, Value::Bool(_)) => Ok(()),
            (Form::Object, Value::Object(object)) => match &ty.map {
                Some(map) => self.map(ty, map, object),
                None => Ok(()),
            },
            (Form::List, Value::Array(items)) => match &ty.list {
                Some(list) => self.items(list.element, items),
                None => Ok(()),
            },
            _ => Err(self.wrong_type(ty, value)),
        }
    }

    /// Decodes metadata as their own struct: errors know nothing of the object around.
    fn metadata(
        &mut self,
        ty: &'a Type,
        map: &'a MapType,
        object: &mut Map,
    ) -> Result<(), DecodeError> {
        let mut inner = Decoder {
            schema: self.schema,
            rules: Rules::Builtin,
            unknown: Vec::new(),
            path: Vec::new(),
            structs: Vec::new(),
        };
        inner.map(ty, map, object)?;
        let unknown = inner.unknown.into_iter();
        self.unknown
            .extend(unknown.map(|path| format!("metadata.{path}")));
        Ok(())
    }

    fn prune(&mut self, ty: &'a Type, value: &mut Value) -> Result<(), DecodeError> {
        match (value, &ty.map, &ty.list) {
            (Value::Object(object), Some(map), _) => self.map(ty, map, object),
            (Value::Array(items), _, Some(list)) => self.items(list.element, items),
            _ => Ok(()),
        }
    }

    fn items(&mut self, element: TypeId, items: &mut [Value]) -> Result<(), DecodeError> {
        for (at, item) in items.iter_mut().enumerate() {
            if item.is_null() && self.rules == Rules::Builtin {
                *item = self.zero(element);
            }
            if is_plain_scalar(self.schema.get(element), item) {
                continue;
            }
            self.path.push(Step::Index(at));
            self.value(element, item)?;
            self.path.pop();
        }
        Ok(())
    }

    /// The value that Go gives a null item.
    fn zero(&self, id: TypeId) -> Value {
        let ty = self.schema.get(id);
        match ty.form {
            Form::String | Form::Bytes => "".into(),
            Form::Quantity => "0".into(),
            Form::Int32 | Form::Int64 | Form::Number | Form::IntOrString => 0.into(),
            Form::Boolean => false.into(),
            Form::Object if ty.map.as_ref().is_some_and(|m| !m.fields.is_empty()) => {
                Value::Object(Map::new())
            }
            _ => Value::Null,
        }
    }

    fn wrong_type(&self, ty: &Type, value: &Value) -> DecodeError {
        let fields: Vec<&str> = self
            .path
            .iter()
            .filter_map(|step| match step {
                Step::Field(name) => Some(name.as_str()),
                Step::Key(_) | Step::Index(_) => None,
            })
            .collect();
        let owner = self.structs.last().copied().unwrap_or("");
        let owner = owner.rsplit('.').next().unwrap_or("");
        let found = match value {
            Value::Null => "null".to_owned(),
            Value::Bool(_) => "bool".into(),
            Value::Number(number) => match ty.form {
                Form::Int32 | Form::Int64 => format!("number {number}"),
                _ => "number".into(),
            },
            Value::String(_) => "string".into(),
            Value::Array(_) => "array".into(),
            Value::Object(_) => "object".into(),
        };
        DecodeError::WrongType {
            found,
            place: format!("{owner}.{}", fields.join(".")),
            expected: go_type(self.schema, ty),
        }
    }

    fn path_text(&self, last: &str) -> String {
        let mut out = String::new();
        for step in &self.path {
            match step {
                Step::Field(name) | Step::Key(name) => {
                    if !out.is_empty() {
                        out.push('.');
                    }
                    out.push_str(name);
                }
                Step::Index(at) => out.push_str(&format!("[{at}]")),
            }
        }
        if !out.is_empty() {
            out.push('.');
        }
        out.push_str(last);
        out
    }
}

fn whole(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let float = number.as_f64()?;
        (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)
    })
}

/// Returns the time in UTC without what its type cannot hold, where that differs from the text.
fn normal_time(text: &str, ty: &Type) -> Result<Option<String>, DecodeError> {
    if text.len() == 20 && text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok() {
        return Ok(None);
    }
    let micro = ty
        .name
        .as_deref()
        .is_some_and(|name| name.ends_with(".MicroTime"));
    let time: jiff::Timestamp = text
        .parse()
        .map_err(|_| DecodeError::Time(text.to_owned()))?;
    let format = if micro {
        "%Y-%m-%dT%H:%M:%S.%6fZ"
    } else {
        "%Y-%m-%dT%H:%M:%SZ"
    };
    Ok(Some(time.strftime(format).to_string()))
}

fn check_base64(text: &str) -> Result<(), DecodeError> {
    use base64::Engine as _;
    match base64::engine::general_purpose::STANDARD.decode(text.replace(['\r', '\n'], "")) {
        Ok(_) => Ok(()),
        Err(
            base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _),
        ) => Err(DecodeError::Base64(at)),
        Err(_) => Err(DecodeError::Base64(text.len().saturating_sub(1) / 4 * 4)),
    }
}

/// Names the Go type of a schema type, as the decoder prints it.
fn go_type(schema: &Schema, ty: &Type) -> String {
    let short = |name: &str| {
        let mut parts = name.rsplit('.');
        let kind = parts.next().unwrap_or("");
        let version = parts.next().unwrap_or("");
        format!("{version}.{kind}")
    };
    match ty.form {
        Form::Any => "interface {}".into(),
        Form::String => "string".into(),
        Form::Bytes => "[]uint8".into(),
        Form::DateTime => "v1.Time".into(),
        Form::Int32 => "int32".into(),
        Form::Int64 => "int64".into(),
        Form::Number => "float64".into(),
        Form::Boolean => "bool".into(),
        Form::Quantity => "resource.Quantity".into(),
        Form::IntOrString => "intstr.IntOrString".into(),
        Form::List => {
            let element = ty.list.as_ref().map(|list| schema.get(list.element));
            format!(
                "[]{}",
                element.map_or_else(String::new, |e| go_type(schema, e))
            )
        }
        Form::Object => match (&ty.name, ty.map.as_ref().and_then(|m| m.element)) {
            (Some(name), _) => short(name),
            (None, Some(element)) => {
                format!("map[string]{}", go_type(schema, schema.get(element)))
            }
            (None, None) => "struct {}".into(),
        },
    }
}

/// Writes an object as compact JSON, as Go's encoder does (HTML characters escaped, keys sorted).
pub fn go_json(value: &Value) -> String {
    let mut out = String::new();
    push_json_value(&mut out, value);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::builtin::builtin;
    use crate::{Gvk, json};

    fn decoded(group: &str, kind: &str, object: Value) -> (Value, Result<Vec<String>, String>) {
        let ty = builtin().kind(&Gvk::new(group, "v1", kind)).unwrap();
        let Value::Object(mut object) = object else {
            panic!("not a map")
        };
        let outcome = decode(builtin(), ty, &mut object, Rules::Builtin);
        (Value::Object(object), outcome.map_err(|e| e.to_string()))
    }

    #[test]
    fn a_deployment_takes_its_form() {
        let (object, unknown) = decoded(
            "apps",
            "Deployment",
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "creationTimestamp": null},
                "spec": {"bogus": 1, "replicas": 2.0, "selector": {},
                    "template": {"spec": {"containers": [
                        {"name": "c", "nope": 1, "resources": {"limits": {"cpu": 1, "memory": "1024Mi"}}}]}}},
            }),
        );
        assert_eq!(
            unknown.unwrap(),
            ["spec.bogus", "spec.template.spec.containers[0].nope"]
        );
        assert_eq!(
            object,
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"},
                "spec": {"replicas": 2, "selector": {}, "strategy": {},
                    "template": {"metadata": {}, "spec": {"containers": [
                        {"name": "c", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}]}}},
                "status": {},
            })
        );
    }

    #[test]
    fn wrong_types_are_named() {
        let (_, outcome) = decoded("apps", "Deployment", json!({"spec": {"replicas": "3"}}));
        assert_eq!(
            outcome.unwrap_err(),
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"
        );
        let (_, outcome) = decoded("", "ConfigMap", json!({"data": {"a": 1}}));
        assert!(outcome.is_err());
        let (_, outcome) = decoded(
            "",
            "Pod",
            json!({"spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": "x"}}}]}}),
        );
        assert!(outcome.unwrap_err().starts_with("quantities must match"));
    }

    #[test]
    fn times_lose_their_fraction() {
        let (object, _) = decoded(
            "",
            "Namespace",
            json!({"metadata": {"creationTimestamp": "2026-01-01T01:00:00.5+01:00"}}),
        );
        assert_eq!(
            object["metadata"]["creationTimestamp"],
            "2026-01-01T00:00:00Z"
        );
    }
}
