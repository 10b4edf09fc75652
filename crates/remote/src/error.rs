//! Why an HTTP client could not be built, or a request not be sent.

/// Failure of HTTP settings or transport.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The CA certificates cannot be read.
    #[error("failed to parse CA certificate")]
    Ca,
    /// The client certificate and key cannot be read.
    #[error("failed to parse TLS certificate and key: {0}")]
    Identity(String),
    /// The proxy address cannot be used.
    #[error("proxy URL {0}")]
    Proxy(String),
    /// The client cannot be built, for instance because the system has no CA certificates.
    #[error("failed to build HTTP client: {0}")]
    Build(String),
}

/// Writes an error with its causes, innermost last; `reqwest` alone names only the outermost.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

impl Error {
    /// Describes a failed request with all causes, without its URL (which may hold credentials).
    pub fn describe(error: reqwest::Error) -> String {
        with_causes(&error.without_url())
    }
}
