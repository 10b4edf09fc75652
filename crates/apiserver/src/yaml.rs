//! YAML bodies as JSON values, and back.

use objects::Value;

/// Parses the first document of a text by YAML 1.1 rules.
pub fn to_json(bytes: &[u8]) -> Result<Value, String> {
    kyaml::yaml_to_json(bytes).map_err(|error| error.to_string())
}

/// Writes JSON bytes as YAML.
pub fn from_json(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    kyaml::emit_sigs(&value)
        .map(String::into_bytes)
        .map_err(|error| error.to_string())
}
