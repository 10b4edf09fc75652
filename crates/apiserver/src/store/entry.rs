//! One stored version of one object: encoded bytes plus the few parsed facts that requests need often.
//!
//! The bytes leave out `apiVersion` and `kind` and begin with `"metadata":{"resourceVersion":"N",…`, so that a
//! list joins bodies, another API version changes only the head, the version is known only at commit, and the
//! metadata-only form is a prefix.

use bytes::Bytes;
use compact_str::CompactString;
use objects::{Map, Value};

const HEAD: &str = "\"metadata\":{\"resourceVersion\":\"";

/// An owner reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Uid of the owner.
    pub uid: CompactString,
    /// `apiVersion` of the owner.
    pub api_version: CompactString,
    /// Kind of the owner.
    pub kind: CompactString,
    /// Name of the owner.
    pub name: CompactString,
    /// Whether the owner's foreground deletion waits for this object.
    pub block: bool,
}

/// Parsed facts about one version of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: CompactString,
    /// Name.
    pub name: CompactString,
    /// Uid.
    pub uid: CompactString,
    /// Labels, sorted by key.
    pub labels: Box<[(CompactString, CompactString)]>,
    /// Values of the kind's selectable fields, name and namespace excepted.
    pub fields: Box<[(CompactString, CompactString)]>,
    /// Owners; mostly empty.
    pub owners: Box<[Owner]>,
    /// Finalizers; mostly empty.
    pub finalizers: Box<[CompactString]>,
    /// Whether `deletionTimestamp` is set.
    pub deleting: bool,
    /// Version part of the `apiVersion` it was written in.
    pub version: CompactString,
}

/// An object as it goes into the store, without its version.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Parsed facts.
    pub meta: Meta,
    /// `…rest of metadata}` then the other fields and the closing brace.
    rest: Vec<u8>,
    /// Where the metadata ends in `rest`.
    metadata_end: usize,
}

/// One stored version of an object. Immutable.
#[derive(Debug)]
pub struct Entry {
    /// Parsed facts.
    pub meta: Meta,
    /// Version, unique in the store.
    pub revision: u64,
    /// Everything after `apiVersion` and `kind`, with the closing brace.
    pub body: Bytes,
    metadata_end: usize,
    rest_start: usize,
}

impl Draft {
    /// Encodes an object; `fields` are the values of its selectable fields.
    pub fn new(object: &Map, fields: Vec<(CompactString, CompactString)>) -> Self {
        let empty = Map::new();
        let metadata = object
            .get("metadata")
            .and_then(Value::as_object)
            .unwrap_or(&empty);
        let mut rest = Vec::with_capacity(512);
        write_members(&mut rest, metadata, &["resourceVersion"], true);
        rest.push(b'}');
        let metadata_end = rest.len();
        write_members(&mut rest, object, &["apiVersion", "kind", "metadata"], true);
        rest.push(b'}');
        rest.shrink_to_fit();
        Self {
            meta: Meta::read(object, metadata, fields),
            rest,
            metadata_end,
        }
    }

    /// Returns an upper bound of its bytes in the log.
    pub fn size(&self) -> usize {
        let fields = self.meta.fields.iter();
        let fields: usize = fields
            .map(|(name, value)| name.len() + value.len() + 8)
            .sum();
        self.rest.len() + fields + HEAD.len() + self.meta.version.len() + 64
    }

    /// Gives the draft its version.
    pub fn seal(self, revision: u64) -> Entry {
        seal(self.meta, &self.rest, self.metadata_end, revision)
    }
}

fn seal(meta: Meta, rest: &[u8], metadata_end: usize, revision: u64) -> Entry {
    let digits = revision.to_string();
    let rest_start = HEAD.len() + digits.len() + 1;
    let mut body = Vec::with_capacity(rest_start + rest.len());
    body.extend_from_slice(HEAD.as_bytes());
    body.extend_from_slice(digits.as_bytes());
    body.push(b'"');
    body.extend_from_slice(rest);
    Entry {
        meta,
        revision,
        body: Bytes::from(body),
        metadata_end: rest_start + metadata_end,
        rest_start,
    }
}

impl Entry {
    /// Returns the same content under a later version, as a delete reports it.
    pub fn resealed(&self, revision: u64) -> Self {
        let metadata_end = self.metadata_end - self.rest_start;
        seal(
            self.meta.clone(),
            &self.body[self.rest_start..],
            metadata_end,
            revision,
        )
    }

    /// Writes the whole object in a version of its kind.
    pub fn write(&self, out: &mut Vec<u8>, api_version: &str, kind: &str) {
        write_head(out, api_version, kind);
        out.extend_from_slice(&self.body);
    }

    /// Writes the object as an item of a typed list, without `apiVersion` and `kind`.
    pub fn write_bare(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        out.extend_from_slice(&self.body);
    }

    /// Writes the metadata-only form; `head` says whether with `apiVersion` and `kind`.
    pub fn write_metadata(&self, out: &mut Vec<u8>, head: bool) {
        if head {
            write_head(out, "meta.k8s.io/v1", "PartialObjectMetadata");
        } else {
            out.push(b'{');
        }
        out.extend_from_slice(&self.body[..self.metadata_end]);
        out.push(b'}');
    }

    /// Decodes the object in a version of its kind.
    pub fn decode(&self, api_version: &str, kind: &str) -> Map {
        let mut bytes = Vec::with_capacity(self.body.len() + 1);
        self.write_bare(&mut bytes);
        let mut map: Map =
            serde_json::from_slice(&bytes).expect("the store holds what it encoded itself");
        map.insert("apiVersion".into(), api_version.into());
        map.insert("kind".into(), kind.into());
        map
    }

    /// Returns the value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        let mut labels = self.meta.labels.iter();
        let found = labels.find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the value of a selectable field, or nothing where the kind does not have it.
    pub fn field(&self, name: &str) -> Option<&str> {
        match name {
            "metadata.name" => Some(&self.meta.name),
            "metadata.namespace" => Some(&self.meta.namespace),
            _ => self
                .meta
                .fields
                .iter()
                .find(|(field, _)| field == name)
                .map(|(_, value)| value.as_str()),
        }
    }
}

fn write_head(out: &mut Vec<u8>, api_version: &str, kind: &str) {
    out.extend_from_slice(b"{\"apiVersion\":\"");
    out.extend_from_slice(api_version.as_bytes());
    out.extend_from_slice(b"\",\"kind\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\",");
}

fn write_members(out: &mut Vec<u8>, map: &Map, skip: &[&str], mut comma: bool) {
    for (key, value) in map {
        if skip.contains(&key.as_str()) {
            continue;
        }
        if comma {
            out.push(b',');
        }
        comma = true;
        serde_json::to_writer(&mut *out, key).expect("text is JSON");
        out.push(b':');
        serde_json::to_writer(&mut *out, value).expect("a JSON value is JSON");
    }
}

impl Meta {
    fn read(object: &Map, metadata: &Map, fields: Vec<(CompactString, CompactString)>) -> Self {
        let text = |map: &Map, key: &str| -> CompactString {
            map.get(key).and_then(Value::as_str).unwrap_or("").into()
        };
        let list = |key: &str| metadata.get(key).and_then(Value::as_array);
        let api_version = object
            .get("apiVersion")
            .and_then(Value::as_str)
            .unwrap_or("");
        Self {
            namespace: text(metadata, "namespace"),
            name: text(metadata, "name"),
            uid: text(metadata, "uid"),
            labels: metadata
                .get("labels")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .map(|(key, value)| (key.as_str().into(), value.as_str().unwrap_or("").into()))
                .collect(),
            fields: fields.into(),
            owners: list("ownerReferences")
                .into_iter()
                .flatten()
                .filter_map(Value::as_object)
                .map(|owner| Owner {
                    uid: text(owner, "uid"),
                    api_version: text(owner, "apiVersion"),
                    kind: text(owner, "kind"),
                    name: text(owner, "name"),
                    block: owner.get("blockOwnerDeletion") == Some(&Value::Bool(true)),
                })
                .collect(),
            finalizers: list("finalizers")
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(CompactString::from)
                .collect(),
            deleting: metadata
                .get("deletionTimestamp")
                .is_some_and(|value| !value.is_null()),
            version: api_version.rsplit('/').next().unwrap_or("").into(),
        }
    }
}
