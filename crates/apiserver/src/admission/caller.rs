//! Calls of admission webhooks: one HTTPS request to a loopback address.
//!
//! The engine works without awaiting, so a call runs on a thread of its own while the calling thread waits; inside of a
//! runtime with several threads another one takes over meanwhile. Everything is bounded: the time by the webhook's own
//! limit, the answer by [`ANSWER_BYTES_MAX`]. Errors are those of Go's client.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Largest answer of a webhook, in bytes.
const ANSWER_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Where a webhook is, and how long it may take.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Address as messages show it, with the query.
    pub url: String,
    /// Name that the certificate has to be for.
    pub host: String,
    /// Address to connect to.
    pub address: SocketAddr,
    /// Path and query.
    pub target: String,
    /// PEM certificates of the authorities to trust.
    pub authorities: Vec<u8>,
    /// Longest time of the whole call.
    pub timeout: Duration,
}

/// Splits an `https` URL into host, port and path with query.
pub fn split(url: &str) -> Option<(String, u16, String)> {
    let uri: http::Uri = url.parse().ok()?;
    if uri.scheme_str() != Some("https") {
        return None;
    }
    let host = uri.host()?.trim_matches(['[', ']']).to_owned();
    let target = uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
    Some((host, uri.port_u16().unwrap_or(443), target))
}

/// Returns the loopback address of a host; `None` for every other place.
pub fn loopback(host: &str) -> Option<IpAddr> {
    if host == "localhost" {
        return Some(Ipv4Addr::LOCALHOST.into());
    }
    host.parse().ok().filter(IpAddr::is_loopback)
}

/// Posts a body and returns the answer's.
pub fn call(endpoint: &Endpoint, body: Vec<u8>) -> Result<Bytes, String> {
    let work = || {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| run(endpoint, body));
            thread
                .join()
                .unwrap_or_else(|_| Err("the call ended unexpectedly".into()))
        })
    };
    let flavor = tokio::runtime::Handle::try_current().map(|handle| handle.runtime_flavor());
    match flavor {
        Ok(tokio::runtime::RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

fn run(endpoint: &Endpoint, body: Vec<u8>) -> Result<Bytes, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let limited = tokio::time::timeout(endpoint.timeout, post(endpoint, body));
        limited
            .await
            .unwrap_or_else(|_| Err(said(endpoint, "context deadline exceeded")))
    })
}

/// Words a failure as Go's client does.
fn said(endpoint: &Endpoint, why: &str) -> String {
    format!("Post \"{}\": {why}", endpoint.url)
}

async fn post(endpoint: &Endpoint, body: Vec<u8>) -> Result<Bytes, String> {
    let stream = TcpStream::connect(endpoint.address)
        .await
        .map_err(|error| {
            let why = match error.kind() {
                std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
                _ => error.to_string(),
            };
            said(
                endpoint,
                &format!("dial tcp {}: connect: {why}", endpoint.address),
            )
        })?;
    let name = ServerName::try_from(endpoint.host.clone())
        .map_err(|error| said(endpoint, &error.to_string()))?;
    let connector = TlsConnector::from(Arc::new(trust(endpoint)?));
    let stream = connector
        .connect(name, stream)
        .await
        .map_err(|error| said(endpoint, &tls_words(&error)))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| said(endpoint, &error.to_string()))?;
    let request = http::Request::post(&endpoint.target)
        .header("host", &endpoint.host)
        .header("accept", "application/json, */*")
        .header("content-type", "application/json")
        .header("user-agent", "kube-apiserver-admission")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error.to_string())?;
    let answer = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| said(endpoint, &http_words(&error)))?;
        let code = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect();
        let body = body
            .await
            .map_err(|error| said(endpoint, &error.to_string()))?;
        refused(code, body.to_bytes())
    };
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        // Servers may close at once; what they sent is still there to be read.
        _ = connection => answer.await,
    }
}

fn http_words(error: &hyper::Error) -> String {
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        "EOF".into()
    } else {
        error.to_string()
    }
}

/// Turns an answer that is no success into the words of the client.
fn refused(code: u16, body: Bytes) -> Result<Bytes, String> {
    if (200..300).contains(&code) {
        return Ok(body);
    }
    let status: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    if let (Some("Status"), Some(message)) = (status["kind"].as_str(), status["message"].as_str()) {
        return Err(message.to_owned());
    }
    match code {
        400 => Err("the server rejected our request for an unknown reason".into()),
        401 => Err("the server has asked for the client to provide credentials".into()),
        404 => Err("the server could not find the requested resource".into()),
        405 => Err("the server does not allow this method on the requested resource".into()),
        429 => Err(
            "the server has received too many requests and has asked us to try again later".into(),
        ),
        503 => Err("the server is currently unable to handle the request".into()),
        _ if code >= 500 => Err(
            "an error on the server (\"unknown\") has prevented the request from succeeding".into(),
        ),
        _ => Err(format!(
            "the server responded with the status code {code} but did not return more information"
        )),
    }
}

fn trust(endpoint: &Endpoint) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    let mut pinned = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&endpoint.authorities) {
        let certificate = certificate
            .map_err(|_| "unable to load root certificates: unable to parse bytes as PEM block")?;
        pinned.push(certificate.clone());
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    if pinned.is_empty() {
        return Ok(config.with_root_certificates(roots).with_no_client_auth());
    }
    let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| error.to_string())?;
    let verifier = Arc::new(Verifier { chains, pinned });
    let config = config
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    Ok(config.with_no_client_auth())
}

/// Trusts chains to an authority and, as Go does, an authority that is the server's own certificate.
#[derive(Debug)]
struct Verifier {
    chains: Arc<WebPkiServerVerifier>,
    pinned: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = self
            .chains
            .verify_server_cert(end_entity, intermediates, name, ocsp, now);
        match verdict {
            // webpki takes no authority for a server's certificate, even if it is trusted as it is.
            Err(rustls::Error::InvalidCertificate(rustls::CertificateError::Other(_)))
                if self.pinned.iter().any(|own| own == end_entity) =>
            {
                let certificate = ParsedCertificate::try_from(end_entity)?;
                rustls::client::verify_server_name(&certificate, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chains
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chains
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

fn tls_words(error: &std::io::Error) -> String {
    use rustls::CertificateError as Fault;
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let why = match inner {
        Some(rustls::Error::InvalidCertificate(Fault::UnknownIssuer)) => {
            "x509: certificate signed by unknown authority"
        }
        Some(rustls::Error::InvalidCertificate(Fault::Expired | Fault::ExpiredContext { .. })) => {
            "x509: certificate has expired or is not yet valid"
        }
        Some(rustls::Error::InvalidCertificate(
            Fault::NotValidForName | Fault::NotValidForNameContext { .. },
        )) => "x509: certificate is not valid for this name",
        Some(rustls::Error::InvalidMessage(_)) => {
            return "http: server gave HTTP response to HTTPS client".into();
        }
        _ => return error.to_string(),
    };
    format!("tls: failed to verify certificate: {why}")
}
