//! The server's own certificate authority and its certificate for loopback addresses.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde::{Deserialize, Serialize};

use super::certificate::Lenient;

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
            .with_client_cert_verifier(Arc::new(Lenient(self.verifier()?)))
            .with_single_cert(chain, private)
            .map_err(|error| error.to_string())?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// A certificate for a user, with its key, as PEM texts.
#[derive(Clone)]
pub struct ClientCertificate {
    /// Certificate, signed by the server's authority.
    pub certificate: String,
    /// Private key (PKCS#8).
    pub key: String,
}

impl std::fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientCertificate(redacted)")
    }
}

impl Authority {
    /// Issues a certificate for a user, who may be in one group: the library writes one organisation a name.
    pub fn client_certificate(
        &self,
        user: &str,
        group: Option<&str>,
    ) -> Result<ClientCertificate, String> {
        let text = |error: rcgen::Error| error.to_string();
        let issuer = Issuer::new(
            parameters().map_err(text)?,
            KeyPair::from_pem(&self.key).map_err(text)?,
        );
        let key = KeyPair::generate().map_err(text)?;
        let mut params = CertificateParams::new(Vec::<String>::new()).map_err(text)?;
        let mut name = DistinguishedName::new();
        if let Some(group) = group {
            name.push(DnType::OrganizationName, group);
        }
        name.push(DnType::CommonName, user);
        params.distinguished_name = name;
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &issuer).map_err(text)?;
        Ok(ClientCertificate {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// Builds what judges client certificates: only this authority's are good.
    pub fn verifier(&self) -> Result<Arc<dyn ClientCertVerifier>, String> {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes())
            .map_err(|error| error.to_string())?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate).map_err(|error| error.to_string())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(verifier)
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
