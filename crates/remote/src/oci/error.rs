//! What registries answer when they refuse, in go-containerregistry's words.

use gocompat::quote::quote;
use serde::Deserialize;
use serde_json::Value;

/// Why a registry could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// It refused a request. A retry may help for 5xx and 429.
    #[error("{method} {url}: {message}")]
    Answer {
        /// Method of the request.
        method: String,
        /// URL of the request, without credentials.
        url: String,
        /// HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// It could not be reached, or stopped in the middle.
    #[error("{method} {}: {cause}", quote(url.as_bytes()))]
    Transport {
        /// Method of the request, as Go's client prints it.
        method: String,
        /// URL of the request, without credentials.
        url: String,
        /// Cause.
        cause: String,
    },
    /// It answers neither with TLS nor without; both causes.
    #[error("{0}")]
    Neither(String),
    /// A manifest is not the one that was asked for.
    #[error(
        "manifest digest: \"{computed}\" does not match requested digest: \"{wanted}\" for \"{reference}\""
    )]
    ManifestDigest {
        /// What was asked for.
        wanted: String,
        /// What came.
        computed: String,
        /// Name of the artifact.
        reference: String,
    },
    /// A blob is not the one that was asked for.
    #[error(
        "error verifying sha256 checksum after reading {read} bytes; got \"{computed}\", want \"{wanted}\""
    )]
    BlobDigest {
        /// What was asked for.
        wanted: String,
        /// What came.
        computed: String,
        /// Bytes read.
        read: u64,
    },
    /// A blob does not have the size that its manifest says.
    #[error("error verifying size; got {read} bytes, want {wanted}")]
    BlobSize {
        /// Size in the manifest.
        wanted: u64,
        /// Bytes read.
        read: u64,
    },
    /// An answer is larger than allowed.
    #[error("{what} exceeds the maximum size of {limit} bytes")]
    TooLarge {
        /// What is too large.
        what: String,
        /// Bytes allowed.
        limit: u64,
    },
    /// An answer makes no sense.
    #[error("{0}")]
    Malformed(String),
    /// Credentials could not be had.
    #[error("{0}")]
    Login(String),
    /// The HTTP settings cannot be used.
    #[error(transparent)]
    Client(#[from] crate::Error),
}

impl RegistryError {
    /// Tells whether what was asked for is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Answer { status: 404, .. })
    }

    /// Writes the error as Helm's client does, whose words some decisions look at.
    pub fn in_helms_words(&self) -> String {
        let Self::Answer {
            method,
            url,
            status,
            message,
        } = self
        else {
            return self.to_string();
        };
        let is_code = |code: &&str| code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        let said = match message.split_once(": ").filter(|(code, _)| is_code(code)) {
            Some((code, rest)) => format!("{}: {rest}", code.to_lowercase().replace('_', " ")),
            None => reqwest::StatusCode::from_u16(*status)
                .ok()
                .and_then(|status| status.canonical_reason())
                .unwrap_or_default()
                .to_owned(),
        };
        let url = quote(url.as_bytes());
        format!("{method} {url}: response status code {status}: {said}")
    }

    /// Tells whether credentials are missing or refused.
    pub fn is_unauthorized(&self) -> bool {
        matches!(
            self,
            Self::Answer {
                status: 401 | 403,
                ..
            }
        )
    }
}

#[derive(Deserialize)]
struct ErrorAnswer {
    #[serde(default)]
    errors: Vec<Diagnostic>,
}

#[derive(Deserialize)]
struct Diagnostic {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    detail: Value,
}

/// Writes what a refusal says.
pub(super) fn describe(method: &str, status: reqwest::StatusCode, body: &[u8]) -> String {
    let answer: Option<ErrorAnswer> = serde_json::from_slice(body).ok();
    let errors: Vec<String> = answer
        .into_iter()
        .flat_map(|answer| answer.errors)
        .map(|error| {
            let head = format!("{}: {}", error.code, error.message);
            match error.detail {
                Value::Null => head,
                detail => format!("{head}; {}", go_value(&detail)),
            }
        })
        .collect();
    let status = format!(
        "unexpected status code {} {}",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default()
    );
    match errors.as_slice() {
        [] if body.is_empty() && method == "HEAD" => {
            format!("{status} (HEAD responses have no body, use GET for details)")
        }
        [] if body.is_empty() => status,
        [] => format!("{status}: {}", String::from_utf8_lossy(body)),
        [one] => one.clone(),
        several => format!("multiple errors returned: {}", several.join("; ")),
    }
}

/// Prints decoded JSON as Go's `%v` does.
fn go_value(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_value).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(map) => {
            let pairs: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{key}:{}", go_value(value)))
                .collect();
            format!("map[{}]", pairs.join(" "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::StatusCode;

    #[test]
    fn refusals_read_like_helms() {
        for (message, expected) in [
            (
                "UNAUTHORIZED: authentication required",
                "GET \"http://h/v2/\": response status code 401: unauthorized: authentication required",
            ),
            (
                "unexpected status code 401 Unauthorized",
                "GET \"http://h/v2/\": response status code 401: Unauthorized",
            ),
        ] {
            let error = RegistryError::Answer {
                method: "GET".into(),
                url: "http://h/v2/".into(),
                status: 401,
                message: message.into(),
            };
            assert_eq!(error.in_helms_words(), expected);
        }
    }

    #[test]
    fn refusals_read_like_upstreams() {
        let one = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"v1","N":2}}]}"#;
        for (method, body, expected) in [
            (
                "GET",
                &one[..],
                "MANIFEST_UNKNOWN: manifest unknown; map[N:2 Tag:v1]",
            ),
            ("GET", b"oops", "unexpected status code 404 Not Found: oops"),
            ("GET", b"", "unexpected status code 404 Not Found"),
            (
                "HEAD",
                b"",
                "unexpected status code 404 Not Found (HEAD responses have no body, use GET for details)",
            ),
        ] {
            assert_eq!(describe(method, StatusCode::NOT_FOUND, body), expected);
        }
    }
}
