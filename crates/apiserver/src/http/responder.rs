//! Objects, lists and tables as responses of the accepted encoding and shape.

use std::io::Write as _;

use http::Response;
use objects::{Map, Value, json};

use super::accept::{Accepted, Encoding, Shape};
use super::respond::{build, indent, partial, protobuf, to_bytes};
use super::{ResponseBody, table};
use crate::engine::{Engine, Listing, Place, Query, Reply, first};
use crate::failure::{Answered, Failure, Named};
use crate::kinds;

/// Turns outcomes into responses of the accepted encoding and shape.
pub struct Responder<'a> {
    /// Engine, to decode stored objects where bytes do not do.
    pub engine: &'a Engine,
    /// What the client accepts.
    pub accepted: Accepted,
    /// Whether JSON is indented.
    pub pretty: bool,
    /// Query of the request.
    pub query: &'a Query,
}

impl Responder<'_> {
    /// Returns `includeObject` of a Table request.
    pub fn include_object(&self) -> table::Include {
        match first(self.query, "includeObject") {
            "None" => table::Include::None,
            "Object" => table::Include::Object,
            _ => table::Include::Metadata,
        }
    }

    /// Answers with an object.
    pub fn object(
        &self,
        place: &Place,
        code: u16,
        reply: &Reply,
    ) -> Answered<Response<ResponseBody>> {
        if self.accepted.shape == Shape::Metadata && self.accepted.of_list {
            let why =
                "you requested PartialObjectMetadataList, but the requested object is not a list";
            return Err(mismatch(place, why, ""));
        }
        let bytes = match self.accepted.shape {
            Shape::Object => self.object_bytes(place, reply),
            Shape::Metadata => match reply {
                Reply::Stored(entry) => {
                    let mut bytes = Vec::new();
                    entry.write_metadata(&mut bytes, true);
                    bytes
                }
                Reply::Loose(map) => to_bytes(&partial(map)),
            },
            Shape::Table => {
                let map = self.engine.reply_map(&place.resource, reply);
                let table = table::of_objects(
                    self.engine,
                    place,
                    &[map],
                    self.include_object(),
                    &Listing::default(),
                );
                to_bytes(&table)
            }
        };
        self.finish(code, bytes)
    }

    /// Answers with an object of another kind than the place's, as it is.
    pub fn created(&self, place: &Place, reply: &Reply) -> Answered<Response<ResponseBody>> {
        let bytes = self.object_bytes(place, reply);
        self.finish(201, bytes)
    }

    fn object_bytes(&self, place: &Place, reply: &Reply) -> Vec<u8> {
        let resource = &place.resource;
        match reply {
            Reply::Stored(entry) if kinds::convert::stored_as_is(resource, &entry.meta.version) => {
                let mut bytes = Vec::with_capacity(entry.body.len() + 64);
                entry.write(&mut bytes, &resource.api_version, resource.kind());
                bytes
            }
            reply => to_bytes(&self.engine.reply_map(resource, reply)),
        }
    }

    /// Answers with a page of a list.
    pub fn list(&self, place: &Place, listing: &Listing) -> Answered<Response<ResponseBody>> {
        if self.accepted.shape == Shape::Table {
            let maps: Vec<Map> = listing
                .entries
                .iter()
                .map(|entry| self.engine.decode_entry(&place.resource, entry))
                .collect();
            let table =
                table::of_objects(self.engine, place, &maps, self.include_object(), listing);
            return self.finish(200, to_bytes(&table));
        }
        if self.accepted.shape == Shape::Metadata && !self.accepted.of_list {
            let why = "you requested PartialObjectMetadata, but the requested object is a list";
            return Err(mismatch(place, why, "List"));
        }
        let bytes = self.list_bytes(place, listing);
        self.finish(200, bytes)
    }

    fn list_bytes(&self, place: &Place, listing: &Listing) -> Vec<u8> {
        let resource = &place.resource;
        let metadata_only = self.accepted.shape == Shape::Metadata;
        let size: usize = listing.entries.iter().map(|e| e.body.len() + 96).sum();
        let mut out = Vec::with_capacity(size + 256);
        let (api_version, kind) = if metadata_only {
            ("meta.k8s.io/v1", "PartialObjectMetadataList")
        } else {
            (resource.api_version.as_str(), resource.list_kind.as_str())
        };
        let metadata = list_metadata(listing, resource.custom.is_some() && !metadata_only);
        // Writing to a vector cannot fail.
        let _ = write!(
            out,
            "{{\"kind\":\"{kind}\",\"apiVersion\":\"{api_version}\",\"metadata\":{metadata},\"items\":["
        );
        for (index, entry) in listing.entries.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            if metadata_only {
                entry.write_metadata(&mut out, true);
            } else if !kinds::convert::stored_as_is(resource, &entry.meta.version) {
                let mut map = self.engine.decode_entry(resource, entry);
                if resource.custom.is_none() {
                    map.remove("apiVersion");
                    map.remove("kind");
                }
                out.extend(to_bytes(&map));
            } else if resource.custom.is_some() {
                entry.write(&mut out, &resource.api_version, resource.kind());
            } else {
                entry.write_bare(&mut out);
            }
        }
        out.extend_from_slice(b"]}");
        out
    }

    /// Answers with what a collection delete removed.
    pub fn loose_list(
        &self,
        place: &Place,
        replies: &[Reply],
        listing: &Listing,
    ) -> Answered<Response<ResponseBody>> {
        let resource = &place.resource;
        let items: Vec<Value> = replies
            .iter()
            .map(|reply| {
                let mut map = self.engine.reply_map(resource, reply);
                if resource.custom.is_none() {
                    map.remove("apiVersion");
                    map.remove("kind");
                }
                Value::Object(map)
            })
            .collect();
        let list = json!({
            "kind": resource.list_kind, "apiVersion": resource.api_version,
            "metadata": list_metadata(listing, false),
            "items": items,
        });
        self.finish(200, to_bytes(&list))
    }

    /// Answers that an object is gone.
    pub fn deleted(&self, named: Named<'_>, uid: &str) -> Answered<Response<ResponseBody>> {
        let mut details = Map::new();
        details.insert("name".into(), named.name.into());
        if !named.group.is_empty() {
            details.insert("group".into(), named.group.into());
        }
        details.insert("kind".into(), named.kind.into());
        details.insert("uid".into(), uid.into());
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": details,
        });
        self.finish(200, to_bytes(&status))
    }

    fn finish(&self, code: u16, bytes: Vec<u8>) -> Answered<Response<ResponseBody>> {
        let bytes = if self.accepted.beta {
            to_beta(&bytes)
        } else {
            bytes
        };
        let bytes = match self.accepted.encoding {
            Encoding::Json if self.pretty => indent(&bytes),
            Encoding::Json => bytes,
            Encoding::Yaml => crate::yaml::from_json(&bytes).map_err(Failure::internal)?,
            Encoding::Protobuf => protobuf(&bytes)?,
        };
        Ok(build(code, self.accepted.content_type, bytes.into()))
    }
}

/// Refuses the metadata-only form of a list for an object, and the other way round.
fn mismatch(place: &Place, why: &str, suffix: &str) -> Box<Failure> {
    let resource = &place.resource;
    let go_type = if resource.custom.is_some() {
        format!("unstructured.Unstructured{suffix}")
    } else {
        let package = resource.group().split('.').next().unwrap_or("");
        let package = if package.is_empty() { "core" } else { package };
        format!("{package}.{}{suffix}", resource.kind())
    };
    Failure::new(406, "NotAcceptable", format!("{why} (*{go_type})"))
}

/// Writes tables and metadata-only forms in their older version, which looks the same.
fn to_beta(bytes: &[u8]) -> Vec<u8> {
    let Ok(mut value) = serde_json::from_slice::<Value>(bytes) else {
        return bytes.to_vec();
    };
    let rename = |value: &mut Value| {
        if value.get("apiVersion").and_then(Value::as_str) == Some("meta.k8s.io/v1") {
            value["apiVersion"] = "meta.k8s.io/v1beta1".into();
        }
    };
    rename(&mut value);
    for (list, inner) in [("items", ""), ("rows", "/object")] {
        let list = value.get_mut(list).and_then(Value::as_array_mut);
        for item in list.into_iter().flatten() {
            item.pointer_mut(inner).map(rename);
        }
    }
    to_bytes(&value)
}

fn list_metadata(listing: &Listing, custom: bool) -> Value {
    let mut metadata = Map::new();
    metadata.insert(
        "resourceVersion".into(),
        listing.revision.to_string().into(),
    );
    if custom || !listing.continue_token.is_empty() {
        metadata.insert("continue".into(), listing.continue_token.clone().into());
    }
    if let Some(remaining) = listing.remaining {
        metadata.insert("remainingItemCount".into(), remaining.into());
    }
    Value::Object(metadata)
}
