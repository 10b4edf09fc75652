//! Digests of parts of the spec, as Go's JSON encoder writes them.

use api::{CommonMetadata, HelmReleaseSpec};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Returns `sha256:` and the digest of the JSON text that Go writes for a value, line end included.
pub fn json_digest(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).expect("specs are plain data");
    let mut escaped = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                escaped.push_str(&format!("\\u{:04x}", c as u32));
            }
            c => escaped.push(c),
        }
    }
    escaped.push('\n');
    format!("sha256:{}", hex::encode(Sha256::digest(escaped.as_bytes())))
}

/// Returns the digest of `spec.postRenderers`; "" where there are none.
pub fn post_renderers_digest(spec: &HelmReleaseSpec) -> String {
    spec.post_renderers
        .as_ref()
        .map(json_digest)
        .unwrap_or_default()
}

/// Returns the digest of `spec.commonMetadata`; "" where there is none.
pub fn common_metadata_digest(spec: &HelmReleaseSpec) -> String {
    /// Upstream's order of fields.
    #[derive(Serialize)]
    struct Ordered<'a> {
        #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
        annotations: &'a std::collections::BTreeMap<String, String>,
        #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
        labels: &'a std::collections::BTreeMap<String, String>,
    }
    let ordered = |metadata: &CommonMetadata| {
        json_digest(&Ordered {
            annotations: &metadata.annotations,
            labels: &metadata.labels,
        })
    };
    spec.common_metadata
        .as_ref()
        .map(ordered)
        .unwrap_or_default()
}
