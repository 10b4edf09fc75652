//! Compression of large answers.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::Body as _;

use super::respond::insert;
use super::{ResponseBody, full, header_text};

/// Answers below this size are never compressed, in bytes.
const GZIP_BYTES_MIN: u64 = 128 * 1024;

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
