//! Printing of values by Go's `fmt` rules.

use std::borrow::Cow;

use gocompat::fmt::{Printable, View};

use crate::value::{Kind, Value};

impl Printable for Value {
    fn type_name(&self) -> Cow<'static, str> {
        Self::type_name(self)
    }

    fn go_string(&self) -> Option<Vec<u8>> {
        match self {
            Self::Object(object) => object.go_string(),
            _ => None,
        }
    }

    fn view(&self) -> View<'_, Self> {
        match self {
            Self::Nil => View::Nil,
            Self::Bool(flag) => View::Bool(*flag),
            Self::Int(number) | Self::Int64(number) => View::Int(*number),
            Self::Uint8(number) => View::Uint(u64::from(*number)),
            Self::Uint64(number) => View::Uint(*number),
            Self::Float(number) => View::Float(*number),
            Self::Complex(real, imaginary) => View::Complex(*real, *imaginary),
            Self::Text(text) => View::Text(Cow::Borrowed(text)),
            Self::Bytes(bytes) => View::Bytes(Cow::Borrowed(bytes)),
            Self::List(list) => View::List {
                items: list.items().to_vec(),
                nil: list.is_nil(),
            },
            Self::Map(map) => {
                let entries = map.snapshot().into_iter();
                View::Map {
                    entries: entries
                        .map(|(key, value)| (Self::Text(key), value))
                        .collect(),
                    nil: map.is_nil(),
                }
            }
            Self::Object(object) => object_view(&**object),
        }
    }
}

fn object_view(object: &dyn crate::object::Object) -> View<'_, Value> {
    let inner = match object.kind() {
        Kind::Int | Kind::Int64 => View::Int(object.int().unwrap_or_default()),
        Kind::Slice => View::List {
            items: object.elements().unwrap_or_default(),
            nil: object.json().is_nil(),
        },
        Kind::Map => {
            let entries = object.entries().unwrap_or_default().into_iter();
            View::Map {
                entries: entries
                    .map(|(key, value)| (Value::Text(key), value))
                    .collect(),
                nil: false,
            }
        }
        Kind::Ptr => View::Pointer(Box::new(View::Struct(object.fields()))),
        _ => View::Struct(object.fields()),
    };
    match object.string() {
        Some(text) => View::Stringer(text, Box::new(inner)),
        None => inner,
    }
}

/// What an action prints: `%v`, with pointers followed once.
pub(crate) fn display(value: &Value) -> Vec<u8> {
    if let Value::Object(object) = value
        && object.kind() == Kind::Ptr
        && object.string().is_none()
    {
        let shown = gocompat::fmt::sprint(std::slice::from_ref(value));
        return shown
            .strip_prefix(b"&")
            .map(<[u8]>::to_vec)
            .unwrap_or(shown);
    }
    gocompat::fmt::sprint(std::slice::from_ref(value))
}

/// The value as text by sprig's `strval`: strings and bytes as they are, everything else as `%v`.
pub fn strval(value: &Value) -> Vec<u8> {
    match value {
        Value::Text(text) => text.to_vec(),
        Value::Bytes(bytes) => bytes.to_vec(),
        other => gocompat::fmt::sprint(std::slice::from_ref(other)),
    }
}
