//! Encrypted values of Secrets, replaced by a mask before anything is printed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use objects::{Map, Object, Value};

use crate::error::{CliError, CliResult};

const MASK: &str = "**SOPS**";
const DOCKER_MASK: &str = "{\"mask\":\"**SOPS**\"}";
const DOCKER_TYPE: &str = "kubernetes.io/dockerconfigjson";

/// Masks what is encrypted with SOPS: everything of an encrypted manifest, else single encrypted values.
pub fn mask(object: &mut Object) -> CliResult {
    if object.kind() != "Secret" {
        return Ok(());
    }
    let mac = object.str_at(&["sops", "mac"]).starts_with("ENC[");
    if !mac {
        return mask_values(object);
    }
    object.0.remove("sops");
    let words = match object.str_at(&["type"]) {
        DOCKER_TYPE => DOCKER_MASK,
        _ => MASK,
    };
    for (field, value) in [
        ("data", STANDARD.encode(words)),
        ("stringData", words.to_owned()),
    ] {
        if let Some(Value::Object(map)) = object.0.get_mut(field) {
            map.values_mut().for_each(|old| *old = value.clone().into());
        }
    }
    Ok(())
}

fn mask_values(object: &mut Object) -> CliResult {
    let encoded = STANDARD.encode(MASK);
    if let Some(Value::Object(map)) = object.0.get_mut("data") {
        for value in map.values_mut() {
            // Line breaks within base64 are none of ours.
            let text: String = value
                .as_str()
                .unwrap_or_default()
                .split_whitespace()
                .collect();
            let decoded = STANDARD
                .decode(&text)
                .map_err(|error| CliError::user(format!("illegal base64 data: {error}")))?;
            if is_encrypted(&decoded) {
                *value = encoded.clone().into();
            }
        }
    }
    if let Some(Value::Object(map)) = object.0.get_mut("stringData") {
        mask_text(map, &encoded);
    }
    Ok(())
}

fn mask_text(map: &mut Map, mask: &str) {
    for value in map.values_mut() {
        if is_encrypted(value.as_str().unwrap_or_default().as_bytes()) {
            *value = mask.into();
        }
    }
}

fn is_encrypted(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.contains("sops") && text.contains("ENC[")
}
