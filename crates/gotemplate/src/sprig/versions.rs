//! Semantic versions.

use std::any::Any;
use std::borrow::Cow;

use gocompat::semver::{Range, SemverError, Version};

use crate::function::{CallError, Function, Signature, Type};
use crate::object::Object;
use crate::value::{Kind, Value};

const T: Type = Type::Text;
const POINTER: &str = "*semver.Version";

pub(super) const FUNCTIONS: &[Function] = &[
    Function::fixed("semver", &[T], Type::Object(POINTER), |c| {
        Ok(Value::object(Semver(
            Version::parse(&c.str(0)).map_err(plain)?,
            true,
        )))
    }),
    Function::fixed("semverCompare", &[T, T], Type::Bool, |c| {
        let range = Range::parse(&c.str(0)).map_err(plain)?;
        let version = Version::parse(&c.str(1)).map_err(plain)?;
        Ok(Value::Bool(range.matches(&version)))
    }),
];

fn plain(error: SemverError) -> CallError {
    CallError::text(error.to_string())
}

/// A version as a pointer or, as methods that return a new one give it, a struct.
#[derive(Clone, Debug)]
struct Semver(Version, bool);

const fn signature(params: &'static [Type]) -> Signature {
    Signature {
        params,
        variadic: false,
        result: Type::Concrete,
    }
}

static PLAIN: Signature = signature(&[]);
static OTHER: Signature = signature(&[Type::Object(POINTER)]);
static WITH_TEXT: Signature = signature(&[T]);

impl Object for Semver {
    fn type_name(&self) -> Cow<'static, str> {
        if self.1 {
            POINTER.into()
        } else {
            "semver.Version".into()
        }
    }

    fn kind(&self) -> Kind {
        if self.1 { Kind::Ptr } else { Kind::Struct }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn string(&self) -> Option<Vec<u8>> {
        Some(self.0.to_string().into_bytes())
    }

    fn fields(&self) -> Vec<(String, Value)> {
        let v = &self.0;
        let number = |name: &str, number| (name.to_owned(), Value::Uint64(number));
        let text = |name: &str, text: &str| (name.to_owned(), Value::text(text));
        vec![
            number("major", v.major),
            number("minor", v.minor),
            number("patch", v.patch),
            text("pre", &v.pre),
            text("metadata", &v.metadata),
            text("original", &v.original),
        ]
    }

    fn json(&self) -> Value {
        Value::text(self.0.to_string())
    }

    fn plain(&self) -> Value {
        let v = &self.0;
        Value::text(format!("{v} {} {}", v.metadata, v.original))
    }

    fn method(&self, name: &str) -> Option<&'static Signature> {
        match name {
            "Major" | "Minor" | "Patch" | "Prerelease" | "Metadata" | "String" | "IncMajor"
            | "IncMinor" | "IncPatch" => Some(&PLAIN),
            // The rest has pointer receivers, which a returned struct does not reach.
            "Original" if self.1 => Some(&PLAIN),
            "Compare" | "LessThan" | "LessThanEqual" | "GreaterThan" | "GreaterThanEqual"
            | "Equal"
                if self.1 =>
            {
                Some(&OTHER)
            }
            "SetPrerelease" | "SetMetadata" => Some(&WITH_TEXT),
            _ => None,
        }
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, CallError> {
        let v = &self.0;
        let made = |version| Value::object(Self(version, false));
        Ok(match (name, args) {
            ("Major", _) => Value::Uint64(v.major),
            ("Minor", _) => Value::Uint64(v.minor),
            ("Patch", _) => Value::Uint64(v.patch),
            ("Prerelease", _) => v.pre.as_str().into(),
            ("Metadata", _) => v.metadata.as_str().into(),
            ("Original", _) => v.original.as_str().into(),
            ("IncMajor", _) => made(v.inc_major()),
            ("IncMinor", _) => made(v.inc_minor()),
            ("IncPatch", _) => made(v.inc_patch()),
            ("SetPrerelease", [Value::Text(text)]) => {
                made(v.set_prerelease(&text.to_str()).map_err(plain)?)
            }
            ("SetMetadata", [Value::Text(text)]) => {
                made(v.set_metadata(&text.to_str()).map_err(plain)?)
            }
            (_, [Value::Object(other)]) => {
                let Some(other) = other.as_any().downcast_ref::<Self>() else {
                    return Err(CallError::text("not a version"));
                };
                let order = v.cmp(&other.0);
                match name {
                    "Compare" => Value::Int(order as i64),
                    "LessThan" => Value::Bool(order.is_lt()),
                    "LessThanEqual" => Value::Bool(order.is_le()),
                    "GreaterThan" => Value::Bool(order.is_gt()),
                    "GreaterThanEqual" => Value::Bool(order.is_ge()),
                    _ => Value::Bool(order.is_eq()),
                }
            }
            ("String", _) => v.to_string().into(),
            _ => {
                return Err(CallError::text(
                    "runtime error: invalid memory address or nil pointer dereference",
                ));
            }
        })
    }
}
