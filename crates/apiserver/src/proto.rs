//! Protobuf request bodies of built-in kinds.

use objects::Map;

/// Decodes a body in the Kubernetes envelope into a JSON object.
pub fn decode(bytes: &[u8]) -> Result<Map, String> {
    let _ = bytes;
    Err("protobuf bodies are not understood yet".into())
}
