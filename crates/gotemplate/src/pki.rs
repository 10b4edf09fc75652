//! Keys and certificates for templates: generated, read, signed and written as PEM.
//!
//! RSA, ECDSA over P-256 and Ed25519 keys in the encodings that Go writes; certificates as Sprig makes
//! them. The arithmetic is plain and not hardened against timing: keys made by a template are in its
//! output anyway.

mod curve;
mod der;
mod keys;
mod pem;
mod rsa;
mod x509;

pub(crate) use keys::{Key, generate_dsa};
pub(crate) use x509::{CertificateInput, Issuer, issue, issuer_of};

pub(crate) use pem::decode as decode_pem;

/// A source of random bytes.
pub(crate) type Random<'r> = &'r mut dyn FnMut(&mut [u8]);

/// A source of random bytes that repeats itself: no key can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the source of randomness repeats itself")]
pub(crate) struct NotRandom;
