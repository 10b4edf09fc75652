//! YAML streams cut into documents line by line, as the reader of Kubernetes' API machinery cuts them.

use std::borrow::Cow;

/// A document, or why the stream ends here.
pub(crate) type Document<'t> = Result<Cow<'t, [u8]>, String>;

/// Cuts a stream at lines that start with `---` and hold nothing else but a comment; any other text behind
/// the dashes is an error. Empty documents are left out, line breaks become line feeds.
pub(crate) fn documents(text: &[u8]) -> Vec<Document<'_>> {
    let plain = !text.starts_with(b"---") && memchr::memmem::find(text, b"\n---").is_none();
    if plain && text.ends_with(b"\n") && memchr::memchr(b'\r', text).is_none() {
        return vec![Ok(text.into())];
    }
    let mut documents = Vec::new();
    let mut current = Vec::new();
    for line in text.split_inclusive(|&b| b == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(rest) = line.strip_prefix(b"---") else {
            current.extend_from_slice(line);
            current.push(b'\n');
            continue;
        };
        let rest = String::from_utf8_lossy(rest);
        let rest = rest.trim();
        if !rest.is_empty() && !rest.starts_with('#') {
            documents.push(Err(format!("invalid Yaml document separator: {rest}")));
            return documents;
        }
        if !current.is_empty() {
            documents.push(Ok(std::mem::take(&mut current).into()));
        }
    }
    if !current.is_empty() {
        documents.push(Ok(current.into()));
    }
    documents
}
