//! Types of CEL values, and what fits where, as cel-go's checker sees them.

use crate::Value;

/// A type; [`Type::Dyn`] and [`Type::Unknown`] fit everywhere.
#[derive(Clone, Debug, PartialEq)]
pub enum Type<'a> {
    /// Any value; cel-go's checker says so too.
    Dyn,
    /// This checker does not know; cel-go's may.
    Unknown,
    /// `bool`.
    Bool,
    /// `int`, 64 bits.
    Int,
    /// `uint`, 64 bits.
    Uint,
    /// `double`.
    Double,
    /// `string`.
    Text,
    /// `bytes`.
    Bytes,
    /// `null_type`.
    Null,
    /// `google.protobuf.Timestamp`.
    Timestamp,
    /// `google.protobuf.Duration`.
    Duration,
    /// A list of elements of one type.
    List(Box<Type<'a>>),
    /// A map from keys of one type to values of one type.
    Map(Box<Type<'a>>, Box<Type<'a>>),
    /// A value that may be missing.
    Optional(Box<Type<'a>>),
    /// A type as a value.
    Type(Box<Type<'a>>),
    /// An object with the properties of a schema; those of every resource too where the flag is set.
    Object(&'a Value, bool),
}

impl<'a> Type<'a> {
    /// A map from texts to anything: what a whole Kubernetes object is where no schema is known.
    pub fn structure() -> Self {
        Self::Map(Box::new(Self::Text), Box::new(Self::Dyn))
    }

    /// Returns the type of the values of a schema; `resource` adds the fields that every object has.
    pub fn of(schema: &'a Value, resource: bool) -> Self {
        let flag = |key: &str| schema.get(key) == Some(&Value::Bool(true));
        if flag("x-kubernetes-int-or-string") {
            return Self::Dyn;
        }
        let text = |key: &str| schema.get(key).and_then(Value::as_str).unwrap_or("");
        match text("type") {
            "boolean" => Self::Bool,
            "integer" => Self::Int,
            "number" => Self::Double,
            "string" => match text("format") {
                "byte" => Self::Bytes,
                "duration" => Self::Duration,
                "date" | "date-time" => Self::Timestamp,
                _ => Self::Text,
            },
            "array" => {
                let items = schema.get("items");
                Self::List(Box::new(items.map_or(Self::Dyn, |i| Self::of(i, false))))
            }
            "object" => match schema.get("additionalProperties") {
                Some(more) if more.is_object() => {
                    Self::Map(Box::new(Self::Text), Box::new(Self::of(more, false)))
                }
                Some(Value::Bool(true)) => Self::structure(),
                _ => Self::Object(schema, resource || flag("x-kubernetes-embedded-resource")),
            },
            // No schema says so, but what is put together for a checked expression may.
            "unknown" => Self::Unknown,
            _ => Self::Dyn,
        }
    }

    /// Writes a type as errors do; `None` for objects, whose names are made up inside of upstream.
    pub fn name(&self) -> Option<String> {
        Some(match self {
            Self::Null => "null".into(),
            Self::Timestamp => "timestamp".into(),
            Self::Duration => "duration".into(),
            Self::Unknown => "dyn".into(),
            other => return other.written(&Self::name),
        })
    }

    /// Writes a type as cel-go prints the outcome of a whole expression; `None` where it is not known for sure.
    pub fn full_name(&self) -> Option<String> {
        Some(match self {
            Self::Null => "null_type".into(),
            Self::Timestamp => "google.protobuf.Timestamp".into(),
            Self::Duration => "google.protobuf.Duration".into(),
            Self::Unknown => return None,
            other => return other.written(&Self::full_name),
        })
    }

    /// Writes a type whose parts are written by another function.
    fn written(&self, part: &dyn Fn(&Self) -> Option<String>) -> Option<String> {
        Some(match self {
            Self::Dyn => "dyn".into(),
            Self::Bool => "bool".into(),
            Self::Int => "int".into(),
            Self::Uint => "uint".into(),
            Self::Double => "double".into(),
            Self::Text => "string".into(),
            Self::Bytes => "bytes".into(),
            Self::List(element) => format!("list({})", part(element)?),
            Self::Map(key, value) => format!("map({}, {})", part(key)?, part(value)?),
            Self::Optional(value) => format!("optional_type({})", part(value)?),
            Self::Type(of) => format!("type({})", part(of)?),
            _ => return None,
        })
    }

    /// Tells whether any value fits.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Dyn | Self::Unknown)
    }

    /// Tells whether the type or a part of it is not known.
    pub(super) fn is_unsure(&self) -> bool {
        match self {
            Self::Unknown => true,
            Self::List(part) | Self::Optional(part) | Self::Type(part) => part.is_unsure(),
            Self::Map(key, value) => key.is_unsure() || value.is_unsure(),
            _ => false,
        }
    }

    /// Tells whether two types may be the same.
    pub(super) fn fits(&self, other: &Self) -> bool {
        match (self, other) {
            (a, b) if a.is_open() || b.is_open() => true,
            (Self::List(a), Self::List(b))
            | (Self::Optional(a), Self::Optional(b))
            | (Self::Type(a), Self::Type(b)) => a.fits(b),
            (Self::Map(a, b), Self::Map(c, d)) => a.fits(c) && b.fits(d),
            // Objects may be null, and whether two are alike is not known here.
            (Self::Object(..), Self::Object(..) | Self::Null | Self::Map(..))
            | (Self::Null | Self::Map(..), Self::Object(..)) => true,
            (Self::Null, Self::Timestamp | Self::Duration | Self::Optional(_))
            | (Self::Timestamp | Self::Duration | Self::Optional(_), Self::Null) => true,
            (a, b) => a == b,
        }
    }

    /// Returns the one of two fitting types that says less.
    pub(super) fn wider(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Dyn, _) | (_, Self::Dyn) => Self::Dyn,
            (Self::List(a), Self::List(b)) => Self::List(Box::new(a.wider(*b))),
            (Self::Optional(a), Self::Optional(b)) => Self::Optional(Box::new(a.wider(*b))),
            (Self::Map(a, b), Self::Map(c, d)) => {
                Self::Map(Box::new(a.wider(*c)), Box::new(b.wider(*d)))
            }
            (Self::Null, other) | (other, _) => other,
        }
    }

    /// Returns the type of a property, by its name in an expression, escaped or not; `None` where there is no such one.
    pub(super) fn property(schema: &'a Value, resource: bool, field: &str) -> Option<Self> {
        if resource {
            match field {
                "apiVersion" | "kind" => return Some(Self::Text),
                "metadata" => return Some(Self::Object(metadata(), false)),
                _ => {}
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object)?;
        let plain = properties.get(field).filter(|_| !field.contains('-'));
        let found = plain.or_else(|| {
            let mut properties = properties.iter();
            properties
                .find(|(name, _)| escaped(name) == field)
                .map(|(_, property)| property)
        })?;
        Some(Self::of(found, false))
    }
}

/// What rules see of an object's metadata.
fn metadata() -> &'static Value {
    static METADATA: std::sync::LazyLock<Value> = std::sync::LazyLock::new(
        || crate::json!({"type": "object", "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}}}),
    );
    &METADATA
}

/// Words that cannot be names of properties in expressions.
const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// Escapes a property's name as Kubernetes does.
pub fn escaped(name: &str) -> String {
    if RESERVED.contains(&name) {
        return format!("__{name}__");
    }
    name.replace("__", "__underscores__")
        .replace('.', "__dot__")
        .replace('-', "__dash__")
        .replace('/', "__slash__")
}
