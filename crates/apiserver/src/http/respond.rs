//! Responses of any kind: JSON, plain texts, failures, headers.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use objects::{Map, Value, json};

use super::accept::{self, Encoding, Offer};
use super::{ResponseBody, full, status};
use crate::failure::{Answered, Failure};

/// Encodes an answer that exists as JSON.
pub(super) fn protobuf(bytes: &[u8]) -> Answered<Vec<u8>> {
    let object: Map =
        serde_json::from_slice(bytes).map_err(|e| Failure::internal(e.to_string()))?;
    crate::proto::encode(&object).ok_or_else(|| Failure::internal("this kind has no protobuf form"))
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

pub(super) fn indent(bytes: &[u8]) -> Vec<u8> {
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

/// Builds a response that anybody may keep for an hour.
pub fn public(media: &str, value: &impl serde::Serialize) -> Response<ResponseBody> {
    let mut response = build(200, media, to_bytes(value).into());
    insert(
        response.headers_mut(),
        "cache-control",
        "public, max-age=3600",
    );
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
