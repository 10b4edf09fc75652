//! Name suffixes from contents: ten characters of a SHA-256 of the data of generated objects.

use kyaml::Node;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::Transformer;
use crate::error::Result;
use crate::openapi::Schemas;
use crate::resmap::ResMap;

/// Adds the suffix to every object that asked for it.
pub(crate) struct Hash;

impl Transformer for Hash {
    fn transform(&self, objects: &mut ResMap, schemas: &Schemas) -> Result<()> {
        for index in 0..objects.len() {
            if !objects.list()[index].needs_hash() {
                continue;
            }
            objects.edit(index, |resource| {
                let hash = hash(&resource.node)?;
                resource.store_id(schemas);
                let name = format!("{}-{hash}", resource.name());
                resource.set_name(&name)
            })?;
        }
        Ok(())
    }
}

/// Returns the suffix of an object.
pub(crate) fn hash(node: &Node) -> Result<String> {
    let kind = node.get("kind").map_or("", crate::node::text);
    let encoded = match kind {
        "ConfigMap" => encoded(node, kind, &["data"], "binaryData")?,
        "Secret" => encoded(node, kind, &["data", "type"], "stringData")?,
        _ => node_structure(node).to_string(),
    };
    let digest = hex::encode(Sha256::digest(encoded.as_bytes()));
    Ok(digest.chars().take(10).map(unambiguous).collect())
}

/// Letters and digits that spell no words.
fn unambiguous(c: char) -> char {
    match c {
        '0' => 'g',
        '1' => 'h',
        '3' => 'k',
        'a' => 'm',
        'e' => 't',
        other => other,
    }
}

/// The name counts as empty: upstream looks it up under a key that never exists.
fn encoded(node: &Node, kind: &str, always: &[&str], if_map: &str) -> Result<String> {
    let mut map = Map::new();
    map.insert("kind".into(), kind.into());
    map.insert("name".into(), "".into());
    for field in always {
        map.insert((*field).into(), value(node, field)?);
    }
    let optional = value(node, if_map)?;
    if optional.is_object() {
        map.insert(if_map.into(), optional);
    }
    Ok(crate::emission::go_json(&Value::Object(map)))
}

fn value(node: &Node, field: &str) -> Result<Value> {
    Ok(match node.get(field) {
        None => "".into(),
        Some(scalar) if scalar.as_str().is_some() => crate::node::text(scalar).into(),
        Some(other) => {
            let mut printed = other.clone();
            crate::folded::reprint(&mut printed);
            crate::emission::through_floats(crate::emission::to_json(&printed)?)
        }
    })
}

/// What Go prints for the node structure of other kinds; no generator makes such objects.
fn node_structure(node: &Node) -> Value {
    crate::emission::to_json(node).unwrap_or(Value::Null)
}
