//! The hashes of signatures.

use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};

/// A hash function by its OpenPGP number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    /// Number 2; only in signatures of version 4.
    Sha1,
    /// Number 8.
    Sha256,
    /// Number 9.
    Sha384,
    /// Number 10.
    Sha512,
    /// Number 11.
    Sha224,
}

impl Hash {
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            2 => Self::Sha1,
            8 => Self::Sha256,
            9 => Self::Sha384,
            10 => Self::Sha512,
            11 => Self::Sha224,
            _ => return None,
        })
    }

    /// The digest of pieces that follow each other.
    pub(crate) fn digest(self, pieces: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Sha1 => fold::<Sha1>(pieces),
            Self::Sha224 => fold::<Sha224>(pieces),
            Self::Sha256 => fold::<Sha256>(pieces),
            Self::Sha384 => fold::<Sha384>(pieces),
            Self::Sha512 => fold::<Sha512>(pieces),
        }
    }

    /// Length of the salt of a signature of version 6 in bytes.
    pub(crate) fn salt_length(self) -> Option<usize> {
        Some(match self {
            Self::Sha1 => return None,
            Self::Sha224 | Self::Sha256 => 16,
            Self::Sha384 => 24,
            Self::Sha512 => 32,
        })
    }

    /// What stands before the digest inside an RSA signature: the ASN.1 of the algorithm's name.
    pub(crate) fn asn1_prefix(self) -> Vec<u8> {
        let text = match self {
            Self::Sha1 => "3021300906052b0e03021a05000414",
            Self::Sha224 => "302d300d06096086480165030402040500041c",
            Self::Sha256 => "3031300d060960864801650304020105000420",
            Self::Sha384 => "3041300d060960864801650304020205000430",
            Self::Sha512 => "3051300d060960864801650304020305000440",
        };
        hex::decode(text).expect("the prefixes above are hexadecimal")
    }
}

fn fold<D: sha2::Digest>(pieces: &[&[u8]]) -> Vec<u8> {
    let mut hasher = D::new();
    for piece in pieces {
        hasher.update(piece);
    }
    hasher.finalize().to_vec()
}
