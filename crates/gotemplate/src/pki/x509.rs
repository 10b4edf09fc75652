//! X.509 certificates as Sprig's generators make them.

use std::net::IpAddr;

use num_bigint::BigUint;
use sha2::Digest as _;

use super::der::{self, bits, element, object, sequence, small};
use super::keys::Key;
use super::rsa::random_number;
use super::{Random, pem};
use crate::time::Time;

/// What goes into a certificate.
pub(crate) struct CertificateInput<'c> {
    pub(crate) common_name: &'c str,
    pub(crate) addresses: &'c [IpAddr],
    pub(crate) names: &'c [String],
    pub(crate) not_before: &'c Time,
    pub(crate) days: i64,
    pub(crate) is_authority: bool,
}

/// What a certificate says of the one that signed it.
#[derive(Clone)]
pub(crate) struct Issuer {
    /// Subject, in DER.
    subject: Vec<u8>,
    /// Identifier of its key, where it names one.
    identifier: Option<Vec<u8>>,
}

/// Issues a certificate as PEM; without an issuer it signs itself.
pub(crate) fn issue(
    input: &CertificateInput<'_>,
    key: &Key,
    signer: &Key,
    issuer: Option<&Issuer>,
    random: Random<'_>,
) -> String {
    let subject = subject(input.common_name);
    let serial = random_number(random, 128);
    let not_after = input
        .not_before
        .add(input.days.saturating_mul(86_400_000_000_000));
    let body = sequence(&[
        element(0xa0, &small(2)),
        der::integer(&serial),
        signer.algorithm(),
        issuer.map_or_else(|| subject.clone(), |issuer| issuer.subject.clone()),
        sequence(&[moment(input.not_before), moment(&not_after)]),
        subject.clone(),
        key.public_info(),
        element(0xa3, &sequence(&extensions(input, key, &subject, issuer))),
    ]);
    let signature = signer.sign(&body, random);
    pem::encode(
        "CERTIFICATE",
        &sequence(&[body, signer.algorithm(), bits(&signature)]),
    )
}

fn subject(common_name: &str) -> Vec<u8> {
    if common_name.is_empty() {
        return sequence(&[]);
    }
    let printable = |c: char| c.is_ascii_alphanumeric() || " '()+,-./:=?".contains(c);
    let tag = if common_name.chars().all(printable) {
        0x13
    } else {
        0x0c
    };
    let value = element(tag, common_name.as_bytes());
    sequence(&[element(
        der::SET,
        &sequence(&[object(&[0x55, 0x04, 0x03]), value]),
    )])
}

fn moment(time: &Time) -> Vec<u8> {
    let year: i64 = time.format("2006").parse().unwrap_or(0);
    if (1950..2050).contains(&year) {
        element(0x17, time.format("060102150405Z").as_bytes())
    } else {
        element(0x18, time.format("20060102150405Z").as_bytes())
    }
}

fn extension(last: u8, critical: bool, value: &[u8]) -> Vec<u8> {
    let mut parts = vec![object(&[0x55, 0x1d, last])];
    if critical {
        parts.push(vec![1, 1, 0xff]);
    }
    parts.push(element(der::OCTET_STRING, value));
    sequence(&parts)
}

/// Method 1 of RFC 7093, which Go follows since 1.25.
fn key_identifier(key: &Key) -> Vec<u8> {
    sha2::Sha256::digest(key.public_bits())[..20].to_vec()
}

fn extensions(
    input: &CertificateInput<'_>,
    key: &Key,
    subject: &[u8],
    issuer: Option<&Issuer>,
) -> Vec<Vec<u8>> {
    // Signing and encipherment of keys; authorities also sign certificates.
    let usage: &[u8] = if input.is_authority {
        &[2, 0xa4]
    } else {
        &[5, 0xa0]
    };
    let purposes = [1, 2].map(|last| object(&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, last]));
    let constraints = if input.is_authority {
        sequence(&[vec![1, 1, 0xff]])
    } else {
        sequence(&[])
    };
    let mut found = vec![
        extension(0x0f, true, &element(der::BIT_STRING, usage)),
        extension(0x25, false, &sequence(&purposes)),
        extension(0x13, true, &constraints),
    ];
    if input.is_authority {
        found.push(extension(
            0x0e,
            false,
            &element(der::OCTET_STRING, &key_identifier(key)),
        ));
    }
    // An issuer of the same name counts as the certificate itself.
    let other = issuer.filter(|issuer| issuer.subject != subject);
    if let Some(identifier) = other.and_then(|issuer| issuer.identifier.as_deref()) {
        let identifier = sequence(&[element(0x80, identifier)]);
        found.push(extension(0x23, false, &identifier));
    }
    let names = input
        .names
        .iter()
        .map(|name| element(0x82, name.as_bytes()));
    let addresses = input.addresses.iter().map(|address| match address {
        IpAddr::V4(address) => element(0x87, &address.octets()),
        IpAddr::V6(address) => element(0x87, &address.octets()),
    });
    let alternatives: Vec<Vec<u8>> = names.chain(addresses).collect();
    if !alternatives.is_empty() {
        let nameless = input.common_name.is_empty();
        found.push(extension(0x11, nameless, &sequence(&alternatives)));
    }
    found
}

/// What a DER certificate says of itself; `None` where it is no certificate.
pub(crate) fn issuer_of(certificate: &[u8]) -> Option<Issuer> {
    let outer = der::parts(certificate)?;
    let body = der::elements(outer.first()?.contents)?;
    let explicit = usize::from(body.first()?.tag == 0xa0);
    let subject = body.get(explicit + 4)?;
    // Fewer parts than a certificate has is something else.
    let _public = body.get(explicit + 5).filter(|_| outer.len() == 3)?;
    let _serial: BigUint = body.get(explicit)?.number()?;
    let extensions = body.iter().find(|part| part.tag == 0xa3);
    Some(Issuer {
        subject: subject.whole.to_vec(),
        identifier: extensions.and_then(|part| identifier_among(part.contents)),
    })
}

/// The identifier of the subject's key among the extensions of a certificate.
fn identifier_among(extensions: &[u8]) -> Option<Vec<u8>> {
    for one in der::parts(extensions)? {
        let parts = der::elements(one.contents)?;
        if parts.first()?.contents == [0x55, 0x1d, 0x0e] {
            let (identifier, _) = der::read(parts.last()?.contents)?;
            return Some(identifier.contents.to_vec());
        }
    }
    None
}
