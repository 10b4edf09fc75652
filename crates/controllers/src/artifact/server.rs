//! The artifact server: static files over plain HTTP, as Go's file server answers.
//!
//! GET and HEAD, directory listings, single ranges, `If-Modified-Since`. Nothing outside of the store can be named.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::Full;
use jiff::Timestamp;
use tokio::net::TcpListener;

use super::ArtifactStore;
use crate::serving::{Answer, percent_decode, plain, respond, serve_blocking};

/// Serves the store until the future is dropped.
pub async fn serve(store: Arc<ArtifactStore>, listener: TcpListener) {
    let answer = move |head: &Parts| answer(&store, &head.method, head.uri.path(), &head.headers);
    serve_blocking(listener, Arc::new(answer)).await;
}

fn answer(store: &ArtifactStore, method: &Method, path: &str, headers: &HeaderMap) -> Answer {
    if method != Method::GET && method != Method::HEAD {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
    }
    let not_found = || plain(StatusCode::NOT_FOUND, "404 page not found\n");
    let Some(clean) = filetree::clean(&percent_decode(path)) else {
        return not_found();
    };
    let mut answer = match store.read(&clean) {
        Ok(Some(bytes)) => file(store, &clean, bytes, headers),
        Ok(None) => match store.files().names(&clean) {
            Some(names) => listing(&names),
            None => not_found(),
        },
        Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error}\n")),
    };
    if method == Method::HEAD {
        *answer.body_mut() = Full::default();
    }
    answer
}

fn file(store: &ArtifactStore, path: &str, bytes: Bytes, headers: &HeaderMap) -> Answer {
    let modified = store.files().modified(path);
    let stamp = modified.map(http_date);
    let since = text(headers, header::IF_MODIFIED_SINCE);
    let mut answer = if since.is_some() && since == stamp.as_deref() {
        respond(StatusCode::NOT_MODIFIED, content_type(path), Bytes::new())
    } else {
        content(path, bytes, text(headers, header::RANGE))
    };
    let out = answer.headers_mut();
    out.insert(
        header::ACCEPT_RANGES,
        header::HeaderValue::from_static("bytes"),
    );
    if let Some(stamp) = stamp.and_then(|stamp| stamp.parse().ok()) {
        out.insert(header::LAST_MODIFIED, stamp);
    }
    answer
}

fn content(path: &str, bytes: Bytes, range: Option<&str>) -> Answer {
    let size = bytes.len();
    match range.map(|range| parse_range(range, size)) {
        None | Some(None) => respond(StatusCode::OK, content_type(path), bytes),
        Some(Some(part)) if part.is_empty() => plain(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "invalid range: failed to overlap\n",
        ),
        Some(Some(part)) => {
            let shown = format!("bytes {}-{}/{size}", part.start, part.end - 1);
            let mut answer = respond(
                StatusCode::PARTIAL_CONTENT,
                content_type(path),
                bytes.slice(part),
            );
            if let Ok(shown) = shown.parse() {
                answer.headers_mut().insert(header::CONTENT_RANGE, shown);
            }
            answer
        }
    }
}

/// Reads a single range; `None` for what is ignored, an empty range for what cannot be met.
fn parse_range(range: &str, size: usize) -> Option<std::ops::Range<usize>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    if last.contains(',') {
        return None;
    }
    let number = |text: &str| text.trim().parse::<usize>().ok();
    let (start, end) = match (number(first), number(last)) {
        (Some(start), Some(last)) => (start, last.saturating_add(1).min(size)),
        (Some(start), None) => (start, size),
        (None, Some(suffix)) => (size.saturating_sub(suffix), size),
        (None, None) => return None,
    };
    Some(if start < end { start..end } else { 0..0 })
}

fn listing(names: &[(String, bool)]) -> Answer {
    let mut page =
        "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n"
            .to_owned();
    for (name, directory) in names {
        let slash = if *directory { "/" } else { "" };
        let name = escape(name);
        page.push_str(&format!("<a href=\"{name}{slash}\">{name}{slash}</a>\n"));
    }
    page.push_str("</pre>\n");
    respond(StatusCode::OK, "text/html; charset=utf-8", page.into())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&#34;")
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, end)| end) {
        "gz" | "tgz" => "application/gzip",
        "yaml" | "yml" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn http_date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::{Owner, Retention};
    use http_body_util::BodyExt;

    async fn get(store: &ArtifactStore, path: &str, headers: &[(&'static str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let answer = answer(store, &Method::GET, path, &map);
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        format!("{status} {}", String::from_utf8_lossy(&body))
    }

    #[tokio::test]
    async fn files_ranges_and_listings_are_served() {
        let store = ArtifactStore::in_memory("h", Retention::default());
        let owner = Owner {
            kind: "Bucket",
            namespace: "n",
            name: "x",
        };
        let now = Timestamp::from_second(784_111_777).unwrap();
        store.put(owner, "f.tar.gz", "r", &[], now).unwrap();
        store
            .files
            .write(
                "bucket/n/x/t.yaml",
                Bytes::from_static(b"0123456789"),
                "",
                now,
            )
            .unwrap();
        let path = "/bucket/n/x/t.yaml";
        assert_eq!(get(&store, path, &[]).await, "200 0123456789");
        assert_eq!(
            get(&store, path, &[("range", "bytes=2-4")]).await,
            "206 234"
        );
        assert_eq!(get(&store, path, &[("range", "bytes=-2")]).await, "206 89");
        assert!(
            get(&store, path, &[("range", "bytes=10-")])
                .await
                .starts_with("416")
        );
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(
            get(&store, path, &[("if-modified-since", date)]).await,
            "304 "
        );
        assert!(get(&store, "/nope", &[]).await.starts_with("404"));
        assert!(get(&store, "/../x", &[]).await.starts_with("404"));
        assert!(get(&store, "/%2e%2e/x", &[]).await.starts_with("404"));
        let listed = get(&store, "/bucket/n/x/", &[]).await;
        assert!(
            listed.contains("<a href=\"f.tar.gz\">f.tar.gz</a>"),
            "{listed}"
        );
        assert!(
            get(&store, "/", &[])
                .await
                .contains("<a href=\"bucket/\">bucket/</a>")
        );
    }
}
