//! Watch streams: one JSON event per line, until the server closes or reports a failure.

use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt as _};
use http_body_util::BodyExt as _;
use kube::client::Body;
use objects::{Gvk, Object, Value};

use super::request::{not_json, status_error};
use crate::{Error, TextStream, WatchEvent, WatchStream};

/// Longest line taken; an object is at most a few MiB, as the server's store allows no more.
const LINE_BYTES_MAX: usize = 64 << 20;

struct Lines {
    chunks: TextStream,
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line feed.
    searched: usize,
    ended: bool,
}

/// Turns an answer's body into events; objects get the kind asked for.
pub(super) fn events(body: Body, gvk: Gvk) -> WatchStream {
    let lines = Lines {
        chunks: chunks(body),
        buffer: BytesMut::new(),
        searched: 0,
        ended: false,
    };
    stream::unfold((lines, gvk), |(mut lines, gvk)| async move {
        let item = match lines.next().await? {
            Ok(line) => event(&line, &gvk),
            Err(error) => Err(error),
        };
        lines.ended |= item.is_err();
        Some((item, (lines, gvk)))
    })
    .boxed()
}

/// Returns a body's bytes as they come.
pub(super) fn chunks(body: Body) -> TextStream {
    let failed = |error| Error::Transport(format!("reading the answer: {error}"));
    body.into_data_stream()
        .map(move |chunk| chunk.map_err(failed))
        .boxed()
}

impl Lines {
    async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        while !self.ended {
            if let Some(at) = self.buffer[self.searched..]
                .iter()
                .position(|b| *b == b'\n')
            {
                let line = self.buffer.split_to(self.searched + at + 1).freeze();
                self.searched = 0;
                if !line.trim_ascii().is_empty() {
                    return Some(Ok(line));
                }
                continue;
            }
            self.searched = self.buffer.len();
            if self.searched > LINE_BYTES_MAX {
                let message =
                    format!("an event of the watch is longer than {LINE_BYTES_MAX} bytes");
                return Some(Err(Error::Decode(message)));
            }
            match self.chunks.next().await {
                Some(Ok(chunk)) => self.buffer.extend_from_slice(&chunk),
                Some(Err(error)) => return Some(Err(error)),
                None => self.ended = true,
            }
        }
        None
    }
}

fn event(line: &[u8], gvk: &Gvk) -> Result<WatchEvent, Error> {
    let mut event: Value = serde_json::from_slice(line).map_err(|error| not_json(&error))?;
    let body = event["object"].take();
    let kind = event["type"].as_str().unwrap_or_default();
    if kind == "ERROR" {
        return Err(status_error(&body).into());
    }
    let mut object = Object::from_value(body)
        .map_err(|error| Error::Decode(format!("a watch event's object: {error}")))?;
    if kind == "BOOKMARK" {
        return Ok(WatchEvent::Bookmark(object.resource_version().to_owned()));
    }
    object.set(&["apiVersion"], gvk.api_version());
    object.set(&["kind"], gvk.kind.clone());
    match kind {
        "ADDED" => Ok(WatchEvent::Added(object)),
        "MODIFIED" => Ok(WatchEvent::Modified(object)),
        "DELETED" => Ok(WatchEvent::Deleted(object)),
        other => Err(Error::Decode(format!("unknown watch event type {other:?}"))),
    }
}
