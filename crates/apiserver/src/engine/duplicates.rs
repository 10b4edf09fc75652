//! Keys that a text has twice in one object, and the order in which it has them.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Most duplicates that are told.
const DUPLICATES_MAX: usize = 100;

/// What a text says twice.
#[derive(Clone, Debug, Default)]
pub struct Repeated {
    /// Paths of keys that a JSON text has twice.
    pub paths: Vec<String>,
    /// The JSON text, to tell where its keys stand; empty where their order does not count.
    pub text: bytes::Bytes,
    /// Complaints about a YAML text, a line each.
    pub lines: Vec<String>,
    /// Other complaints.
    pub texts: Vec<String>,
}

/// Tells at which place keys stand in a JSON text; for a repeated one its second place counts.
pub fn positions(bytes: &[u8]) -> HashMap<String, usize> {
    let mut found = Found {
        paths: Vec::new(),
        at: Vec::new(),
        places: Some(HashMap::new()),
    };
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    // A text that is no JSON is refused elsewhere.
    let _ = Seed(&mut found).deserialize(&mut reader);
    found.places.unwrap_or_default()
}

/// Finds keys that a YAML text has twice, in the words of Go's library.
pub fn repeated_lines(bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    if let Ok(Some(root)) = kyaml::parse_first(bytes, &kyaml::ReadOptions::v3()) {
        walk(&root, &mut lines);
    }
    lines
}

fn walk(node: &kyaml::Node, lines: &mut Vec<String>) {
    for item in node.items().into_iter().flatten() {
        walk(item, lines);
    }
    let mut seen = HashSet::new();
    for (key, value) in node.entries().into_iter().flatten() {
        walk(value, lines);
        let Some(text) = key.as_str() else { continue };
        if !seen.insert(text) && lines.len() < DUPLICATES_MAX {
            let line = key.mark.line;
            lines.push(format!("line {line}: key \"{text}\" already set in map"));
        }
    }
}

/// Finds the paths of repeated keys, such as `data.k`, in the order of their second appearance.
pub fn duplicate_keys(bytes: &[u8]) -> Vec<String> {
    let mut found = Found {
        paths: Vec::new(),
        at: Vec::new(),
        places: None,
    };
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    // A text that is no JSON is refused elsewhere.
    let _ = Seed(&mut found).deserialize(&mut reader);
    found.paths
}

struct Found {
    paths: Vec<String>,
    at: Vec<String>,
    /// Places of all keys, where they are wanted.
    places: Option<HashMap<String, usize>>,
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
            if let Some(places) = &mut found.places {
                let place = places.len();
                places.insert(found.at.concat(), place);
            }
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
