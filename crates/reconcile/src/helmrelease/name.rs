//! Release names that Helm accepts.

use sha2::{Digest, Sha256};

/// Longest name of a release, in bytes.
const NAME_MAX: usize = 53;
/// Hex digits of the digest in a shortened name.
const DIGEST_DIGITS: usize = 12;

/// Shortens a name to what Helm accepts: its first 40 bytes, a hyphen and 12 digits of its digest.
pub fn shorten(name: &str) -> String {
    if name.len() <= NAME_MAX {
        return name.to_owned();
    }
    let mut end = NAME_MAX - DIGEST_DIGITS - 1;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let digest = hex::encode(Sha256::digest(name.as_bytes()));
    format!("{}-{}", &name[..end], &digest[..DIGEST_DIGITS])
}
