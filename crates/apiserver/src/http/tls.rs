//! The server's own certificate authority and its certificate for loopback addresses.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};

/// The authority as PEM texts.
#[derive(Clone, Serialize, Deserialize)]
pub struct Authority {
    /// Certificate.
    pub certificate: String,
    /// Private key (PKCS#8).
    pub key: String,
}

impl Authority {
    /// Makes a new authority.
    pub fn generate() -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let certificate = parameters()?.self_signed(&key)?;
        Ok(Self {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// Issues a server certificate for loopback and the given addresses, and wraps it for TLS with ALPN.
    pub fn server_config(&self, address: std::net::IpAddr) -> Result<Arc<ServerConfig>, String> {
        let text = |error: rcgen::Error| error.to_string();
        let issuer = Issuer::new(
            parameters().map_err(text)?,
            KeyPair::from_pem(&self.key).map_err(text)?,
        );
        let key = KeyPair::generate().map_err(text)?;
        let mut names: Vec<String> = [
            "localhost",
            "127.0.0.1",
            "::1",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ]
        .map(str::to_owned)
        .to_vec();
        if !address.is_loopback() && !address.is_unspecified() {
            names.push(address.to_string());
        }
        let mut params = CertificateParams::new(names).map_err(text)?;
        params.distinguished_name = named("kube-apiserver");
        let certificate = params.signed_by(&key, &issuer).map_err(text)?;
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(|error| error.to_string())?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn parameters() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name = named("ferroflux-ca");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    Ok(params)
}
