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
    /// Says in Go's words why a request failed, without its URL (which may hold credentials).
    pub fn describe(error: reqwest::Error) -> String {
        go_cause(&error)
    }
}

/// Says in Go's words why a request failed: users know these sentences, and conditions depend on some of them.
pub(crate) fn go_cause(error: &reqwest::Error) -> String {
    let url = error.url();
    let host = url.and_then(|url| url.host_str()).unwrap_or_default();
    let port = url.and_then(|url| url.port_or_known_default());
    let address = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let mut innermost: &(dyn std::error::Error + 'static) = error;
    loop {
        if let Some(io) = innermost.downcast_ref::<std::io::Error>() {
            if let Some(inner) = io.get_ref() {
                innermost = inner;
                continue;
            }
            if let Some(words) = io_words(io.kind(), &address) {
                return words;
            }
        }
        if let Some(tls) = innermost.downcast_ref::<rustls::Error>() {
            return tls_words(tls, host);
        }
        match innermost.source() {
            Some(source) => innermost = source,
            None => break,
        }
    }
    let text = innermost.to_string();
    match text.as_str() {
        "operation timed out" | "deadline has elapsed" => {
            format!("dial tcp {address}: i/o timeout")
        }
        "connection closed before message completed" => "EOF".to_owned(),
        "end of file before message length reached"
        | "unexpected EOF during chunk size line"
        | "unexpected end of file" => "unexpected EOF".to_owned(),
        _ => match text.strip_prefix("failed to lookup address information: ") {
            Some("Name or service not known" | "nodename nor servname provided, or not known") => {
                format!("dial tcp: lookup {host}: no such host")
            }
            Some(reason) => format!("dial tcp: lookup {host}: {reason}"),
            None => text,
        },
    }
}

fn io_words(kind: std::io::ErrorKind, address: &str) -> Option<String> {
    use std::io::ErrorKind;
    Some(match kind {
        ErrorKind::ConnectionRefused => format!("dial tcp {address}: connect: connection refused"),
        ErrorKind::NetworkUnreachable => {
            format!("dial tcp {address}: connect: network is unreachable")
        }
        ErrorKind::HostUnreachable => format!("dial tcp {address}: connect: no route to host"),
        ErrorKind::TimedOut => format!("dial tcp {address}: i/o timeout"),
        ErrorKind::ConnectionReset => format!("read tcp {address}: read: connection reset by peer"),
        ErrorKind::BrokenPipe => format!("write tcp {address}: write: broken pipe"),
        ErrorKind::UnexpectedEof => "unexpected EOF".to_owned(),
        _ => return None,
    })
}

fn tls_words(error: &rustls::Error, host: &str) -> String {
    use rustls::{AlertDescription, CertificateError, Error};
    let x509 = |reason: &str| format!("tls: failed to verify certificate: x509: {reason}");
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            x509("certificate signed by unknown authority")
        }
        Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => x509("certificate has expired or is not yet valid"),
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => x509(&format!("certificate is not valid for {host}")),
        Error::InvalidMessage(_) => "http: server gave HTTP response to HTTPS client".to_owned(),
        Error::AlertReceived(alert) => {
            let reason = match alert {
                AlertDescription::CertificateRequired => "certificate required",
                AlertDescription::BadCertificate => "bad certificate",
                AlertDescription::UnknownCA => "unknown certificate authority",
                AlertDescription::CertificateExpired => "expired certificate",
                AlertDescription::HandshakeFailure => "handshake failure",
                AlertDescription::ProtocolVersion => "protocol version not supported",
                AlertDescription::UnrecognisedName => "unrecognized name",
                other => return format!("remote error: tls: {other:?}"),
            };
            format!("remote error: tls: {reason}")
        }
        other => format!("tls: {other}"),
    }
}
