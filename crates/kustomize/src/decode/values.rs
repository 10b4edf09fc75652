//! Plain values, lists and maps as Go's decoder reads them.

use std::collections::BTreeMap;

use kyaml::Text;
use serde_json::Value;

use super::{Decode, Decoder, Step};

impl Decode for String {
    fn go_type() -> String {
        "string".into()
    }

    fn decode(&mut self, value: Value, decoder: &mut Decoder) {
        if let Some(text) = decoder.text::<Self>(value) {
            *self = text;
        }
    }

    fn encode(&self) -> Value {
        encode_text(self)
    }
}

fn encode_text(text: &str) -> Value {
    if text.is_empty() {
        Value::Null
    } else {
        text.into()
    }
}

impl Decode for Text {
    fn go_type() -> String {
        "string".into()
    }

    fn decode(&mut self, value: Value, decoder: &mut Decoder) {
        if let Some(text) = decoder.text::<Self>(value) {
            *self = text.into();
        }
    }

    fn encode(&self) -> Value {
        encode_text(self)
    }
}

impl Decode for bool {
    fn go_type() -> String {
        "bool".into()
    }

    fn decode(&mut self, value: Value, decoder: &mut Decoder) {
        match value {
            Value::Null => {}
            Value::Bool(flag) => *self = flag,
            other => decoder.mismatch::<Self>(&other),
        }
    }

    fn encode(&self) -> Value {
        if *self { true.into() } else { Value::Null }
    }
}

impl Decode for i64 {
    fn go_type() -> String {
        "int64".into()
    }

    fn decode(&mut self, value: Value, decoder: &mut Decoder) {
        match value.as_i64() {
            Some(number) => *self = number,
            None if value.is_null() => {}
            // Of numbers that do not fit, Go shows the digits.
            None if value.is_number() => {
                decoder.mismatched(&format!("number {value}"), &Self::go_type());
            }
            None => decoder.mismatch::<Self>(&value),
        }
    }

    fn encode(&self) -> Value {
        if *self == 0 {
            Value::Null
        } else {
            (*self).into()
        }
    }
}

impl Decode for Value {
    fn go_type() -> String {
        "interface {}".into()
    }

    fn decode(&mut self, value: Value, _: &mut Decoder) {
        *self = value;
    }

    fn encode(&self) -> Value {
        self.clone()
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn go_type() -> String {
        format!("[]{}", T::go_type())
    }

    fn decode(&mut self, value: Value, decoder: &mut Decoder) {
        let items = match value {
            Value::Null => return,
            Value::Array(items) => items,
            other => return decoder.mismatch::<Self>(&other),
        };
        self.clear();
        for (index, item) in items.into_iter().enumerate() {
            let mut element = T::default();
            decoder.within(Step::Index(index), |d| element.decode(item, d));
            self.push(element);
        }
    }

    fn encode(&self) -> Value {
        if self.is_empty() {
            return Value::Null;
        }
        Value::Array(self.iter().map(encode_element).collect())
    }
}

/// Within lists and maps, nothing is left out.
fn encode_element<T: Decode>(element: &T) -> Value {
    match element.encode() {
        Value::Null => "".into(),
        value => value,
    }
}

impl<T: Decode> Decode for BTreeMap<String, T> {
    fn go_type() -> String {
        format!("map[string]{}", T::go_type())
    }

    fn decode(&mut self, value: Value, decoder: &mut Decoder) {
        let entries = match value {
            Value::Null => return,
            Value::Object(entries) => entries,
            other => return decoder.mismatch::<Self>(&other),
        };
        for (key, item) in entries {
            let mut element = T::default();
            decoder.within(Step::Entry(key.clone()), |d| element.decode(item, d));
            self.insert(key, element);
        }
    }

    fn encode(&self) -> Value {
        if self.is_empty() {
            return Value::Null;
        }
        let entries = self
            .iter()
            .map(|(key, value)| (key.clone(), encode_element(value)));
        Value::Object(entries.collect())
    }
}

impl<T: Decode> Decode for Option<T> {
    fn go_type() -> String {
        T::go_type()
    }

    fn decode(&mut self, value: Value, decoder: &mut Decoder) {
        if !value.is_null() {
            self.get_or_insert_default().decode(value, decoder);
        }
    }

    fn encode(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::encode)
    }
}
