//! Responses: objects, lists, tables, statuses, plain texts.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::Body as _;
use objects::{Map, Value, json};

use super::accept::{self, Accepted, Encoding, Offer, Shape};
use super::{ResponseBody, full, header_text, status, table};
use crate::engine::{Engine, Listing, Place, Query, Reply};
use crate::failure::{Answered, Failure, Named};
use crate::kinds;

/// Answers below this size are never compressed, in bytes.
const GZIP_BYTES_MIN: u64 = 128 * 1024;

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
        let value = self.query.get("includeObject").and_then(|v| v.first());
        match value.map(String::as_str) {
            Some("None") => table::Include::None,
            Some("Object") => table::Include::Object,
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

/// Encodes an answer that exists as JSON.
fn protobuf(bytes: &[u8]) -> Answered<Vec<u8>> {
    let object: Map =
        serde_json::from_slice(bytes).map_err(|e| Failure::internal(e.to_string()))?;
    crate::proto::encode(&object).ok_or_else(|| Failure::internal("this kind has no protobuf form"))
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

/// Reduces an object to its metadata.
pub fn partial(object: &Map) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": object.get("metadata").cloned().unwrap_or_else(|| json!({})),
    })
}

/// Encodes as compact JSON.
pub fn to_bytes(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("a JSON value is JSON")
}

fn indent(bytes: &[u8]) -> Vec<u8> {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) => serde_json::to_vec_pretty(&value).unwrap_or_else(|_| bytes.to_vec()),
        Err(_) => bytes.to_vec(),
    }
}

/// Builds a response.
pub fn build(code: u16, content_type: &str, bytes: Bytes) -> Response<ResponseBody> {
    let mut response = Response::new(full(bytes));
    *response.status_mut() = status(code);
    insert(response.headers_mut(), "content-type", content_type);
    response
}

/// Builds a JSON response.
pub fn json_value(code: u16, value: &impl serde::Serialize) -> Response<ResponseBody> {
    build(code, "application/json", to_bytes(value).into())
}

/// Builds a JSON response for people.
pub fn indented(value: &impl serde::Serialize) -> Response<ResponseBody> {
    let bytes = indent(&to_bytes(value));
    build(200, "application/json", bytes.into())
}

/// Builds a plain text response.
pub fn text(code: u16, text: impl Into<Bytes>) -> Response<ResponseBody> {
    let text = text.into();
    if text.is_empty() {
        let mut response = Response::new(full(text));
        *response.status_mut() = status(if code == 200 { 204 } else { code });
        return response;
    }
    build(code, "text/plain; charset=utf-8", text)
}

/// Builds the response of a failure in an encoding that the client accepts; otherwise as indented JSON.
pub fn failure(failure: &Failure, accept: &str) -> Response<ResponseBody> {
    if let Some(plain) = &failure.plain {
        let mut response = build(
            failure.status.code,
            "text/plain; charset=utf-8",
            plain.clone().into(),
        );
        insert(response.headers_mut(), "x-content-type-options", "nosniff");
        return response;
    }
    let mut response = status_response(failure, accept);
    let refused = failure.status.code == 403 && failure.status.causes.is_empty();
    if failure.no_sniff || (refused && failure.is_authorization()) {
        insert(response.headers_mut(), "x-content-type-options", "nosniff");
    }
    if failure.status.retry_after_seconds > 0 {
        let seconds = failure.status.retry_after_seconds.to_string();
        insert(response.headers_mut(), "retry-after", &seconds);
    }
    response
}

fn status_response(failure: &Failure, accept: &str) -> Response<ResponseBody> {
    const OFFER: Offer = Offer {
        custom: false,
        transforms: false,
        stream: false,
    };
    let code = failure.status.code;
    let json = to_bytes(&failure.to_value());
    let Ok(accepted) = accept::negotiate(accept, OFFER) else {
        return build(code, "application/json", indent(&json).into());
    };
    let encoded = match accepted.encoding {
        Encoding::Json => Ok(json.clone()),
        Encoding::Yaml => crate::yaml::from_json(&json).map_err(Failure::internal),
        Encoding::Protobuf => protobuf(&json),
    };
    match encoded {
        Ok(bytes) => build(code, accepted.content_type, bytes.into()),
        Err(_) => build(code, "application/json", json.into()),
    }
}

/// Answers with the server's few own figures, in the text form of Prometheus.
pub fn metrics(engine: &Engine) -> Response<ResponseBody> {
    let (records, flushes) = engine.store.log_counts();
    let figures = [
        (
            "ferroflux_apiserver_storage_revision",
            "gauge",
            engine.store.revision(),
        ),
        ("ferroflux_apiserver_log_records_total", "counter", records),
        ("ferroflux_apiserver_log_flushes_total", "counter", flushes),
    ];
    let lines =
        figures.map(|(name, kind, value)| format!("# TYPE {name} {kind}\n{name} {value}\n"));
    build(
        200,
        "text/plain; version=0.0.4; charset=utf-8",
        lines.concat().into(),
    )
}

/// Answers a health check.
pub fn health(path: &str, query: &Query) -> Answered<Response<ResponseBody>> {
    let (endpoint, check) = path.split_once('/').unwrap_or((path, ""));
    let checks = super::checks::of(endpoint);
    if checks.contains(&check) {
        return Ok(build(200, "text/plain; charset=utf-8", "ok".into()));
    }
    if !check.is_empty() {
        return Err(Failure::no_path());
    }
    let text = if query.contains_key("verbose") {
        let lines: Vec<String> = checks
            .iter()
            .map(|check| format!("[+]{check} ok\n"))
            .collect();
        format!("{}{endpoint} check passed\n", lines.concat())
    } else {
        "ok".to_owned()
    };
    let mut response = build(200, "text/plain; charset=utf-8", text.into());
    insert(response.headers_mut(), "x-content-type-options", "nosniff");
    Ok(response)
}

/// Sets a header where the value is fit for one.
pub fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Adds a `Warning` header.
pub fn warn(headers: &mut HeaderMap, text: &str) {
    let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
    if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
        headers.append(header::WARNING, value);
    }
}

/// Compresses a large answer for a client that asks for it.
pub fn compress(asked: &HeaderMap, response: Response<ResponseBody>) -> Response<ResponseBody> {
    let wanted = header_text(asked, "accept-encoding")
        .split(',')
        .any(|encoding| encoding.split(';').next().unwrap_or("").trim() == "gzip");
    let large = response
        .body()
        .size_hint()
        .exact()
        .is_some_and(|size| size > GZIP_BYTES_MIN);
    if !wanted || !large {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    insert(&mut parts.headers, "content-encoding", "gzip");
    let others: Vec<HeaderValue> = parts
        .headers
        .get_all(header::VARY)
        .iter()
        .cloned()
        .collect();
    insert(&mut parts.headers, "vary", "Accept-Encoding");
    for other in others {
        parts.headers.append(header::VARY, other);
    }
    Response::from_parts(parts, gzip(body))
}

fn gzip(body: ResponseBody) -> ResponseBody {
    use futures::FutureExt as _;
    use http_body_util::BodyExt as _;
    // The body is complete in memory (its exact size is known), so collecting it never waits.
    let bytes = body
        .collect()
        .now_or_never()
        .and_then(Result::ok)
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::new(4));
    // Writing to a vector cannot fail.
    let _ = encoder.write_all(&bytes);
    full(encoder.finish().unwrap_or_default())
}
