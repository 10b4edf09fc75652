//! Protobuf forms of built-in kinds: bodies are decoded into JSON objects, answers encoded from them.
//!
//! The field tables come from the packed asset: message name → fields `[number, JSON name, type, "inline"?]`. A body
//! is the four bytes `k8s\0` and then `runtime.Unknown` (type, raw object). Watch frames are a length and a
//! `WatchEvent`. Custom kinds have no protobuf form but for their metadata alone.

mod order;
mod read;
mod write;

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::LazyLock;

use flate2::read::GzDecoder;
use objects::{Gvk, Value};

pub use order::print;
pub use read::decode;
pub use write::{encode, frame};
pub(crate) use write::{put_bytes, put_double, put_varint};

static ASSET: &[u8] = include_bytes!("../../assets/proto.json.gz");

/// First bytes of every body.
const MAGIC: &[u8] = b"k8s\0";
/// Bound on nesting of messages.
const DEPTH_MAX: usize = 100;

/// Messages without an OpenAPI component: the metadata-only forms and those of aggregated discovery.
const WITHOUT_COMPONENT: &[(&str, &str)] = &[
    (
        "APIGroupDiscoveryList",
        r#"[[1,"metadata","io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"],[2,"items","[]APIGroupDiscovery"]]"#,
    ),
    (
        "APIGroupDiscovery",
        r#"[[1,"metadata","io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"],[2,"versions","[]APIVersionDiscovery"]]"#,
    ),
    (
        "APIVersionDiscovery",
        r#"[[1,"version","string"],[2,"resources","[]APIResourceDiscovery"],[3,"freshness","string"]]"#,
    ),
    (
        "APIResourceDiscovery",
        r#"[[1,"resource","string"],[2,"responseKind","GroupVersionKind"],[3,"scope","string"],[4,"singularResource","string"],
            [5,"verbs","[]string"],[6,"shortNames","[]string"],[7,"categories","[]string"],[8,"subresources","[]APISubresourceDiscovery"]]"#,
    ),
    (
        "APISubresourceDiscovery",
        r#"[[1,"subresource","string"],[2,"responseKind","GroupVersionKind"],[3,"acceptedTypes","[]GroupVersionKind"],[4,"verbs","[]string"]]"#,
    ),
    (
        "GroupVersionKind",
        r#"[[1,"group","string"],[2,"version","string"],[3,"kind","string"]]"#,
    ),
    (
        "PartialObjectMetadata",
        r#"[[1,"metadata","io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"]]"#,
    ),
    (
        "PartialObjectMetadataList",
        r#"[[1,"metadata","io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"],[2,"items","[]PartialObjectMetadata"]]"#,
    ),
];

type Field = (u64, String, String, bool);

/// Fields by message name, by number.
static MESSAGES: LazyLock<HashMap<String, Vec<Field>>> = LazyLock::new(|| {
    let raw = unpack(ASSET);
    let read = |field: Vec<Value>| -> Field {
        let text = |at: usize| {
            field
                .get(at)
                .and_then(Value::as_str)
                .unwrap_or("")
                .to_owned()
        };
        let number = field.first().and_then(Value::as_u64).unwrap_or(0);
        (number, text(1), text(2), text(3) == "inline")
    };
    let more = WITHOUT_COMPONENT.iter().map(|(name, fields)| {
        let fields = serde_json::from_str(fields).expect("the constant has this shape");
        ((*name).to_owned(), fields)
    });
    raw.into_iter()
        .chain(more)
        .map(|(name, fields)| {
            let mut fields: Vec<Field> = fields.into_iter().map(read).collect();
            fields.sort_by_key(|field| field.0);
            (name, fields)
        })
        .collect()
});

/// Unpacks the field tables, fields in declared order.
fn unpack(asset: &[u8]) -> HashMap<String, Vec<Vec<Value>>> {
    let mut text = Vec::new();
    GzDecoder::new(asset)
        .read_to_end(&mut text)
        .expect("the committed asset is gzip");
    serde_json::from_slice(&text).expect("the committed asset has this shape")
}

/// Full message names by their last segment, for references that leave the package out.
static BY_SUFFIX: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let mut names = HashMap::new();
    for name in MESSAGES.keys() {
        let suffix = name.rsplit('.').next().unwrap_or(name);
        // The few messages that are meant (`Status`, `JSONSchemaProps`, …) have a suffix of their own.
        names.insert(suffix, name.as_str());
    }
    names
});

/// Finds the message of a kind.
fn message_of(gvk: &Gvk) -> Option<&'static str> {
    if matches!(
        gvk.kind.as_str(),
        "DeleteOptions"
            | "Status"
            | "PartialObjectMetadata"
            | "PartialObjectMetadataList"
            | "APIVersions"
            | "APIGroupList"
            | "APIGroup"
            | "APIResourceList"
            | "APIGroupDiscoveryList"
    ) {
        return BY_SUFFIX.get(gvk.kind.as_str()).copied();
    }
    let name = crate::http::component_of(gvk)?;
    MESSAGES.get_key_value(name).map(|(name, _)| name.as_str())
}

/// Completes a message name that stands without its package.
fn resolve(kind: &str) -> &str {
    if kind.starts_with("io.") {
        return kind;
    }
    BY_SUFFIX.get(kind).copied().unwrap_or(kind)
}

#[cfg(test)]
mod tests;
