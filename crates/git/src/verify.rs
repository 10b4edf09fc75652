//! The door for signature verification: what it takes and answers. No keys are understood yet.

use crate::{Details, Error};

/// Public keys of a verification Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicKeys {
    /// Armoured PGP key rings.
    pub pgp: Vec<Vec<u8>>,
    /// Lines in `authorized_keys` form.
    pub ssh: Vec<Vec<u8>>,
}

/// Checks a commit's signature; returns the key's identity.
///
/// # Errors
/// Always [`Error::Unsupported`] for now: an unverified commit must not pass as a verified one.
pub fn verify_commit(_commit: &Details, _keys: &PublicKeys) -> Result<String, Error> {
    Err(Error::Unsupported {
        what: "signature verification".to_owned(),
    })
}
