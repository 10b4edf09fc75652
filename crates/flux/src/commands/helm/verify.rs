//! `--verify`: an archive is compared with the signed provenance file beside it, in the order and words of helm.

use std::fs;
use std::path::Path;

use helm::Version;
use helm::provenance::{Provenance, ProvenanceError};
use openpgp::KeyRing;

use super::chart::{now, open_error};

/// The key ring of GnuPG's older versions, where helm looks without `--keyring`.
pub fn default_keyring() -> String {
    let set = |name: &str| std::env::var(name).unwrap_or_default();
    match set("GNUPGHOME") {
        home if home.is_empty() => format!("{}/.gnupg/pubring.gpg", set("HOME")),
        home => Path::new(&home).join("pubring.gpg").display().to_string(),
    }
}

/// Checks an archive by its absolute path.
pub fn verify_file(path: &str, keyring: &str, version: Version) -> Result<(), String> {
    if Path::new(path).is_dir() {
        return Err("unpacked charts cannot be verified".to_owned());
    }
    if !path.to_ascii_lowercase().ends_with(".tgz") {
        return Err("chart must be a tgz file".to_owned());
    }
    let provenance = format!("{path}.prov");
    fs::metadata(&provenance).map_err(|error| {
        let error = super::chart::io_text(&error);
        format!("could not load provenance file {provenance}: stat {provenance}: {error}")
    })?;
    let keys = read_keyring(keyring)?;
    let read = |what: &str, path: &str| {
        fs::read(path).map_err(|error| match version {
            Version::V3 if Path::new(path).is_dir() => format!("{path} cannot be a directory"),
            Version::V3 => format!("failed to decode signature: {}", open_error(path, &error)),
            Version::V4 => format!("failed to read {what}: {}", open_error(path, &error)),
        })
    };
    let archive = read("chart archive", path)?;
    let text = read("provenance file", &provenance)?;
    let name = path.rsplit('/').next().unwrap_or(path);
    verify(name, &archive, &text, &keys, version)
}

/// Checks an archive that has a name of its own.
pub fn verify(
    name: &str,
    archive: &[u8],
    provenance: &[u8],
    keys: &KeyRing,
    version: Version,
) -> Result<(), String> {
    let proof = Provenance::parse(provenance)
        .and_then(|signed| signed.verify(name, archive, keys, now(), version));
    match proof {
        Ok(_) => Ok(()),
        Err(error @ ProvenanceError::NoSignature) if version == Version::V3 => {
            Err(format!("failed to decode signature: {error}"))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Reads a key ring without armor, as helm wants it.
pub fn read_keyring(path: &str) -> Result<KeyRing, String> {
    let bytes = fs::read(path);
    let bytes = bytes.map_err(|error| open_error(path, &error));
    bytes
        .and_then(|bytes| KeyRing::read(&bytes).map_err(|error| error.to_string()))
        .map_err(|error| format!("failed to load keyring: {error}"))
}
