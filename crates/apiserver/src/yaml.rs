//! YAML bodies as JSON values.

use objects::Value;

/// Parses one YAML document.
pub fn to_json(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// Writes JSON bytes as YAML.
pub fn from_json(bytes: &[u8]) -> Result<Vec<u8>, String> {
    // JSON is YAML; a prettier form waits for the emitter.
    Ok(bytes.to_vec())
}
