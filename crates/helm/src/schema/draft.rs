//! The versions of JSON Schema and their metaschemas.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use super::address::split;

/// A version of JSON Schema by its number.
pub(super) type Draft = u32;

/// The newest draft, which schemas without `$schema` follow.
pub(super) const LATEST: Draft = 2020;

/// The metaschemas of all drafts, without their annotations.
pub(super) static METASCHEMAS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("metaschemas.json")).expect("the metaschemas are JSON")
});

/// Address of the metaschema of a draft.
pub(super) fn metaschema(draft: Draft) -> &'static str {
    match draft {
        4 => "http://json-schema.org/draft-04/schema",
        6 => "http://json-schema.org/draft-06/schema",
        7 => "http://json-schema.org/draft-07/schema",
        2019 => "https://json-schema.org/draft/2019-09/schema",
        _ => "https://json-schema.org/draft/2020-12/schema",
    }
}

/// The draft that an address names.
pub(super) fn draft_of(address: &str) -> Option<Draft> {
    let (url, fragment) = split(address);
    if !fragment.is_empty() {
        return None;
    }
    let url = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"))
        .unwrap_or(url);
    match url {
        "json-schema.org/schema" | "json-schema.org/draft/2020-12/schema" => Some(2020),
        "json-schema.org/draft/2019-09/schema" => Some(2019),
        "json-schema.org/draft-07/schema" => Some(7),
        "json-schema.org/draft-06/schema" => Some(6),
        "json-schema.org/draft-04/schema" => Some(4),
        _ => None,
    }
}
