//! Keys that a JSON text has twice in one object.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Most duplicates that are told.
const DUPLICATES_MAX: usize = 100;

/// Finds the paths of repeated keys, such as `data.k`, in the order of their second appearance.
pub fn duplicate_keys(bytes: &[u8]) -> Vec<String> {
    let mut found = Found {
        paths: Vec::new(),
        at: Vec::new(),
    };
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    // A text that is no JSON is refused elsewhere.
    let _ = Seed(&mut found).deserialize(&mut reader);
    found.paths
}

struct Found {
    paths: Vec<String>,
    at: Vec<String>,
}

struct Seed<'a>(&'a mut Found);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let found = self.0;
        for index in 0.. {
            found.at.push(format!("[{index}]"));
            let more = items.next_element_seed(Seed(found))?;
            found.at.pop();
            if more.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let found = self.0;
        let mut seen = HashSet::new();
        while let Some(key) = members.next_key::<String>()? {
            let dot = if found.at.is_empty() { "" } else { "." };
            found.at.push(format!("{dot}{key}"));
            if seen.contains(&key) && found.paths.len() < DUPLICATES_MAX {
                let path = found.at.concat();
                if !found.paths.contains(&path) {
                    found.paths.push(path);
                }
            }
            seen.insert(key);
            members.next_value_seed(Seed(found))?;
            found.at.pop();
        }
        Ok(())
    }
}
