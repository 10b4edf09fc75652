//! Addresses of schemas: pointers into documents, escapes, and references against a base.

use gocompat::quote::quote;
use gotemplate::url::Url;
use serde_json::Value;

/// A part of a document by address and pointer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) url: String,
    pub(super) pointer: String,
}

impl Place {
    pub(super) fn below(&self, tokens: &[&str]) -> Self {
        let mut pointer = self.pointer.clone();
        for token in tokens {
            pointer.push('/');
            pointer.push_str(&escape(token));
        }
        Self {
            url: self.url.clone(),
            pointer,
        }
    }

    /// The place as addresses show it.
    pub(super) fn location(&self) -> String {
        format!("{}#{}", self.url, encode(&self.pointer))
    }

    pub(super) fn lookup<'v>(&self, root: &'v Value) -> Result<&'v Value, String> {
        let mut value = root;
        for token in self.pointer.split('/').skip(1) {
            let Some(token) = unescape(token) else {
                let shown = quote(self.location().as_bytes());
                return Err(format!("invalid json-pointer {shown}"));
            };
            let next = match value {
                Value::Object(map) => map.get(&token),
                Value::Array(items) => token.parse::<usize>().ok().and_then(|at| items.get(at)),
                _ => None,
            };
            value = next.ok_or_else(|| {
                let shown = quote(self.location().as_bytes());
                format!("json-pointer in {shown} not found")
            })?;
        }
        Ok(value)
    }
}

pub(super) fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

pub(super) fn unescape(token: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = token.chars();
    while let Some(c) = rest.next() {
        match c {
            '~' => match rest.next()? {
                '0' => out.push('~'),
                '1' => out.push('/'),
                _ => return None,
            },
            c => out.push(c),
        }
    }
    Some(out)
}

/// A pointer with each token escaped as a path segment.
pub(super) fn encode(pointer: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~$&+:=@/".contains(&b);
    let mut out = String::new();
    for byte in pointer.bytes() {
        if plain(byte) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

pub(super) fn split(text: &str) -> (&str, &str) {
    text.split_once('#').unwrap_or((text, ""))
}

/// An address and its decoded fragment.
pub(super) fn split_fragment(text: &str) -> Result<(&str, String), String> {
    let (url, fragment) = split(text);
    match decode(fragment) {
        Ok(fragment) => Ok((url, fragment)),
        Err(escape) => Err(format!(
            "error in parsing {}: invalid URL escape {}",
            quote(text.as_bytes()),
            quote(escape.as_bytes())
        )),
    }
}

/// Percent escapes undone; the bad escape where there is one.
pub(super) fn decode(text: &str) -> Result<String, String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'%' {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        let end = (at + 3).min(bytes.len());
        let escape = &text.get(at..end).unwrap_or("%");
        let digits = escape.get(1..).filter(|digits| digits.len() == 2);
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => out.push(byte),
            None => return Err((*escape).to_owned()),
        }
        at = end;
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// Resolves a reference against an address.
pub(super) fn join(base: &str, reference: &str) -> Result<(String, String), String> {
    let (url, fragment) = split_fragment(reference)?;
    if let Err(error) = Url::parse(url) {
        let shown = quote(url.as_bytes());
        return Err(format!("error in parsing {shown}: {error}"));
    }
    Ok((resolve(base, url), fragment))
}

pub(super) fn resolve(base: &str, url: &str) -> String {
    if url.is_empty() {
        return base.to_owned();
    }
    let has_scheme = url.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    });
    if has_scheme {
        return url.to_owned();
    }
    let Some((scheme, rest)) = base.split_once("://") else {
        // Opaque addresses such as URNs stay as they are.
        return base.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if let Some(rest) = url.strip_prefix("//") {
        return format!("{scheme}://{rest}");
    }
    let path = path.split('?').next().unwrap_or_default();
    let joined = if url.starts_with('/') {
        url.to_owned()
    } else if url.starts_with('?') {
        format!("{path}{url}")
    } else {
        let directory = path.rfind('/').map_or("/", |at| &path[..=at]);
        format!("{directory}{url}")
    };
    format!("{scheme}://{authority}{}", without_dots(&joined))
}

pub(super) fn without_dots(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let pieces: Vec<&str> = path.split('/').collect();
    for (index, piece) in pieces.iter().enumerate() {
        let last = index + 1 == pieces.len();
        match *piece {
            "." if last => parts.push(""),
            "." => {}
            ".." => {
                if parts.len() > 1 {
                    parts.pop();
                }
                if last {
                    parts.push("");
                }
            }
            piece => parts.push(piece),
        }
    }
    parts.join("/")
}
