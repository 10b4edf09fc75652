//! A small language for structural schemas: types first, then what narrows them.

use objects::{Value, json};

/// Interval pattern of all Flux kinds.
pub(super) const INTERVAL: &str = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$";
/// Timeout pattern of sources, which has no hours.
pub(super) const TIMEOUT: &str = r"^([0-9]+(\.[0-9]+)?(ms|s|m))+$";

/// A schema under construction.
#[derive(Clone)]
pub(super) struct Schema(pub(super) Value);

pub(super) fn string() -> Schema {
    Schema(json!({"type": "string"}))
}

pub(super) fn boolean() -> Schema {
    Schema(json!({"type": "boolean"}))
}

pub(super) fn integer() -> Schema {
    Schema(json!({"type": "integer", "format": "int64"}))
}

pub(super) fn date_time() -> Schema {
    Schema(json!({"type": "string", "format": "date-time"}))
}

pub(super) fn interval() -> Schema {
    string().pattern(INTERVAL)
}

pub(super) fn one_of(values: &[&str]) -> Schema {
    Schema(json!({"type": "string", "enum": values}))
}

pub(super) fn list(items: Schema) -> Schema {
    Schema(json!({"type": "array", "items": items.0}))
}

pub(super) fn strings_by_key() -> Schema {
    Schema(json!({"type": "object", "additionalProperties": {"type": "string"}}))
}

/// Any object, kept as it is.
pub(super) fn anything() -> Schema {
    Schema(json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}))
}

/// An object; field names that end in `!` are required.
pub(super) fn object<const N: usize>(fields: [(&str, Schema); N]) -> Schema {
    Schema(json!({"type": "object", "properties": {}})).and(fields)
}

impl Schema {
    /// Adds fields to an object; those of the same name replace what was there.
    pub(super) fn and<const N: usize>(mut self, fields: [(&str, Schema); N]) -> Self {
        for (name, field) in fields {
            let bare = name.trim_end_matches('!');
            if bare != name {
                self.push("required", bare.into());
            }
            self.0["properties"][bare] = field.0;
        }
        self
    }

    pub(super) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0[key] = value.into();
        self
    }

    pub(super) fn pattern(self, pattern: &str) -> Self {
        self.with("pattern", pattern)
    }

    pub(super) fn length(self, min: u32, max: u32) -> Self {
        self.with("minLength", min).with("maxLength", max)
    }

    pub(super) fn default(self, value: impl Into<Value>) -> Self {
        self.with("default", value)
    }

    pub(super) fn about(self, text: &str) -> Self {
        self.with("description", text)
    }

    /// Adds a CEL rule with its message.
    pub(super) fn rule(mut self, rule: &str, message: &str) -> Self {
        self.push(
            "x-kubernetes-validations",
            json!({"rule": rule, "message": message}),
        );
        self
    }

    /// Adds to a list of the schema, which need not be there yet.
    fn push(&mut self, key: &str, value: Value) {
        match &mut self.0[key] {
            Value::Array(list) => list.push(value),
            none => *none = json!([value]),
        }
    }
}

/// `{name}` of an object in the same namespace.
pub(super) fn local_reference() -> Schema {
    object([("name!", string())])
}

/// `metav1.Condition` lists.
pub(super) fn conditions() -> Schema {
    list(object([
        ("lastTransitionTime!", date_time()),
        ("message!", string().with("maxLength", 32768)),
        ("observedGeneration", integer().with("minimum", 0)),
        (
            "reason!",
            string()
                .length(1, 1024)
                .pattern("^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"),
        ),
        ("status!", one_of(&["True", "False", "Unknown"])),
        (
            "type!",
            string().with("maxLength", 316).pattern(
                r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
            ),
        ),
    ]))
}

/// The artifact that all sources share.
pub(super) fn artifact() -> Schema {
    object([
        (
            "digest!",
            string().pattern("^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$"),
        ),
        ("lastUpdateTime!", date_time()),
        ("metadata", strings_by_key()),
        ("path!", string()),
        ("revision!", string()),
        ("size", integer()),
        ("url!", string()),
    ])
}
