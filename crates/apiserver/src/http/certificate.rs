//! Client certificates: taken in the handshake, judged per connection, read as users.
//!
//! As upstream, a certificate of an unknown authority does not fail the handshake: whoever presents one and nothing better
//! is answered 401. The common name is the user, the organisations are the groups.

use std::sync::Arc;

use rustls::DistinguishedName;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use sha2::{Digest as _, Sha256};

use crate::engine::User;

/// What a connection's certificate says.
#[derive(Clone, Debug)]
pub enum Certificate {
    /// The authority vouches for this user.
    Of(User),
    /// Somebody else's, or out of its time.
    Unknown,
}

/// Judges the certificates that a client sent.
pub fn judge(
    verifier: &Arc<dyn ClientCertVerifier>,
    chain: &[CertificateDer<'_>],
    now: UnixTime,
) -> Option<Certificate> {
    let (first, rest) = chain.split_first()?;
    if verifier.verify_client_cert(first, rest, now).is_err() {
        return Some(Certificate::Unknown);
    }
    let (name, mut groups) = subject(first)?;
    if name.is_empty() {
        return None;
    }
    groups.push("system:authenticated".into());
    let id = format!("X509SHA256={}", hex::encode(Sha256::digest(first)));
    let extra = (
        "authentication.kubernetes.io/credential-id".to_owned(),
        vec![id],
    );
    Some(Certificate::Of(User {
        name,
        groups,
        extra: [extra].into(),
        ..User::default()
    }))
}

/// Lets every certificate through the handshake whose key the client holds.
#[derive(Debug)]
pub struct Lenient(pub Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Lenient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

const SEQUENCE: u8 = 0x30;
const OBJECT_ID: u8 = 0x06;
const VERSION: u8 = 0xa0;
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANISATION: &[u8] = &[0x55, 0x04, 0x0a];

/// Reads common name and organisations from a certificate (X.509 in DER).
fn subject(certificate: &[u8]) -> Option<(String, Vec<String>)> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut fields, _) = element(certificate)?;
    if fields.first() == Some(&VERSION) {
        fields = element(fields)?.2;
    }
    // Serial number, signature algorithm, issuer, validity.
    for _ in 0..4 {
        fields = element(fields)?.2;
    }
    let (tag, mut names, _) = element(fields)?;
    if tag != SEQUENCE {
        return None;
    }
    let (mut common_name, mut organisations) = (String::new(), Vec::new());
    while !names.is_empty() {
        let (_, mut set, rest) = element(names)?;
        names = rest;
        while !set.is_empty() {
            let (_, pair, rest) = element(set)?;
            set = rest;
            let (tag, id, value) = element(pair)?;
            let (_, text, _) = element(value)?;
            let text = String::from_utf8_lossy(text).into_owned();
            match id {
                COMMON_NAME if tag == OBJECT_ID => common_name = text,
                ORGANISATION if tag == OBJECT_ID => organisations.push(text),
                _ => {}
            }
        }
    }
    Some((common_name, organisations))
}

/// Splits off one element: tag, content, what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        length = 0;
        for _ in 0..(first & 0x7f).min(4) {
            let (&byte, after) = rest.split_first()?;
            length = length << 8 | usize::from(byte);
            rest = after;
        }
    }
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use proptest::prelude::*;

    /// A self-signed certificate with the subject `/O=devs/O=ops/CN=jane`.
    const JANE: &str = "MIIBrjCCAVOgAwIBAgIUMKlM0sjlgOMTVUx7pLNvORFZ4FcwCgYIKoZIzj0EAwIwLDENMAsGA1UECgwEZGV2czEMMAoGA1UECgwDb3BzMQ0wCwYDVQQDDARqYW5lMB4XDTI2MTEyMTA2NTM0NloXDTM2MTExODA2NTM0NlowLDENMAsGA1UECgwEZGV2czEMMAoGA1UECgwDb3BzMQ0wCwYDVQQDDARqYW5lMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEhaIh7CP7EXTq7xGa0MrVwktYYOZ6tBbb6iHo95gHsDw7JQhLSSvnnPWlKWRoDpHosgirpV29pEx9jVshDCvGFqNTMFEwHQYDVR0OBBYEFDGiEFTRwbA5CzE4AOjkeIcQRNdZMB8GA1UdIwQYMBaAFDGiEFTRwbA5CzE4AOjkeIcQRNdZMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhANadO2T372bePPwY2ZuvMx4uIokwyAFIvKzZL+XoIx6fAiEA1AQc4rxmlHfe3Q8I9NiC+7Hcwy5PbKebl3zEDbRw+Xo=";

    #[test]
    fn every_organisation_is_a_group() {
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(JANE)
            .unwrap();
        let groups = vec!["devs".to_owned(), "ops".to_owned()];
        assert_eq!(subject(&bytes), Some(("jane".to_owned(), groups)));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = subject(&bytes);
        }
    }
}
