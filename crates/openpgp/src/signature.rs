//! What go-crypto asks of a signature, told from the library's.

use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::public_key::PublicKeyAlgorithm;
use pgp::packet::{Packet, RevocationCode, Signature, SignatureVersion, Subpacket, SubpacketData};
use pgp::types::{KeyDetails, KeyId};

use crate::error::Error;

/// Name of a key's algorithm where it may sign.
pub(crate) fn algorithm(key: &impl KeyDetails) -> Option<&'static str> {
    Some(match key.algorithm() {
        PublicKeyAlgorithm::RSA | PublicKeyAlgorithm::RSASign => "RSA",
        PublicKeyAlgorithm::DSA => "DSA",
        PublicKeyAlgorithm::ECDSA => "ECDSA",
        PublicKeyAlgorithm::EdDSALegacy => "EdDSA",
        PublicKeyAlgorithm::Ed25519 => "Ed25519",
        PublicKeyAlgorithm::Ed448 => "Ed448",
        _ => return None,
    })
}

/// Whether go-crypto reads such a signature, or passes over it.
pub(crate) fn is_understood(one: &Signature) -> bool {
    use HashAlgorithm::{Sha1, Sha3_256, Sha3_512, Sha224, Sha256, Sha384, Sha512};
    let Some(config) = one.config() else {
        return false;
    };
    let hash = match (config.version(), config.hash_alg) {
        (SignatureVersion::V4, Sha1) => true,
        (SignatureVersion::V4 | SignatureVersion::V6, hash) => {
            matches!(
                hash,
                Sha224 | Sha256 | Sha384 | Sha512 | Sha3_256 | Sha3_512
            )
        }
        _ => false,
    };
    hash && !config.hashed_subpackets().any(is_beyond)
        && one.embedded_signature().is_none_or(is_understood)
}

/// Whether a part of a signature makes go-crypto pass over all of it.
fn is_beyond(part: &Subpacket) -> bool {
    use SubpacketData as Data;
    match &part.data {
        Data::ExportableCertification(exportable) => !exportable,
        Data::Revocable(_)
        | Data::RevocationKey(_)
        | Data::SignatureTarget(..)
        | Data::PreferredAeadAlgorithms(_)
        | Data::Experimental(..)
        | Data::Other(..) => part.is_critical,
        _ => false,
    }
}

/// Refuses a signature that does not say when it was made.
pub(crate) fn check_contents(packet: &Packet) -> Result<(), Error> {
    match packet {
        Packet::Signature(one) if one.created().is_none() => {
            Err(Error::structural("no creation time in signature"))
        }
        _ => Ok(()),
    }
}

/// Seconds since 1970.
pub(crate) fn created(one: &Signature) -> i64 {
    one.created().map_or(0, |time| i64::from(time.as_secs()))
}

/// Whether the signature is over, or not yet begun.
pub(crate) fn is_expired(one: &Signature, now: i64) -> bool {
    let lifetime = one.signature_expiration_time();
    over(created(one), lifetime.map_or(0, |time| time.as_secs()), now)
}

/// Whether a key's time is over, by the signature that says how long it lives.
pub(crate) fn is_key_expired(key: &impl KeyDetails, own: &Signature, now: i64) -> bool {
    let lifetime = own.key_expiration_time().map_or(0, |time| time.as_secs());
    over(i64::from(key.created_at().as_secs()), lifetime, now)
}

/// A lifetime of zero seconds is forever.
fn over(begin: i64, lifetime: u32, now: i64) -> bool {
    begin > now || (lifetime != 0 && now > begin + i64::from(lifetime))
}

/// Who the signature says it is by.
pub(crate) fn issuer(one: &Signature) -> Option<KeyId> {
    let told = one.issuer_key_id().last().map(|id| **id);
    told.or_else(|| {
        let fingerprint = *one.issuer_fingerprint().last()?;
        let bytes = fingerprint.as_bytes();
        let id = if bytes.len() == 20 {
            bytes.last_chunk()
        } else {
            bytes.first_chunk()
        };
        id.map(|id: &[u8; 8]| KeyId::new(*id))
    })
}

/// Whether it says that it is of this key.
pub(crate) fn is_by(one: &Signature, key: &impl KeyDetails) -> bool {
    match one.issuer_fingerprint().last() {
        Some(fingerprint) => **fingerprint == key.fingerprint(),
        None => issuer(one) == Some(key.legacy_key_id()),
    }
}

/// Whether the key that this signature describes may sign.
pub(crate) fn allows_signing(one: &Signature) -> bool {
    one.key_flags().sign()
}

/// The first critical notation; none is known.
pub(crate) fn critical_notation(one: &Signature) -> Option<String> {
    one.config()?
        .hashed_subpackets()
        .find_map(|part| match &part.data {
            SubpacketData::Notation(notation) if part.is_critical => {
                Some(String::from_utf8_lossy(&notation.name).into_owned())
            }
            _ => None,
        })
}

/// Whether one of these withdraws what it is over.
pub(crate) fn revoke(revocations: &[Signature], now: i64) -> bool {
    revocations.iter().any(|one| {
        one.revocation_reason_code() == Some(&RevocationCode::KeyCompromised)
            || !is_expired(one, now)
    })
}
