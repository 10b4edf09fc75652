//! Provenance files (`x-1.0.0.tgz.prov`): a clear-signed message of a chart's metadata and checksums.
//!
//! The signature is checked with the keys that a caller brings, at the time that it says; then the archive is
//! compared with its checksum. Messages and their order are Helm's.

use std::collections::BTreeMap;

use gocompat::quote::quote;
use openpgp::{ClearSigned, KeyRing};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::Version;
use crate::metadata::{Metadata, number_text};

/// Largest provenance file; real ones have a few kilobytes.
const BYTES_MAX: usize = 4 << 20;

/// Why a provenance file is no proof, in Helm's words where it has some.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProvenanceError {
    /// Not a clear-signed message.
    #[error("signature block not found")]
    NoSignature,
    /// The file is larger than any real one.
    #[error("the provenance file is larger than {BYTES_MAX} bytes")]
    TooLarge,
    /// The message has no checksums.
    #[error("message block must have at least two parts")]
    OnePart,
    /// Metadata or checksums are not the YAML they should be.
    #[error("{0}")]
    Yaml(String),
    /// The archive is not mentioned.
    #[error("provenance does not contain a SHA for a file named {}", quote(.0.as_bytes()))]
    UnknownFile(String),
    /// The archive is another one.
    #[error("sha256 sum does not match for {name}: {} != {}", quote(.recorded.as_bytes()), quote(.actual.as_bytes()))]
    Mismatch {
        /// Name of the archive.
        name: String,
        /// Checksum in the provenance file.
        recorded: String,
        /// Checksum of the archive.
        actual: String,
    },
    /// The signature is not by a known key, or not of this message.
    #[error(transparent)]
    Signature(#[from] openpgp::Error),
}

/// A provenance file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    message: ClearSigned,
}

/// What a provenance file says; believe it once the signature is checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Metadata of the chart.
    pub metadata: Metadata,
    /// Checksums (`sha256:` and hexadecimal digits) by file name.
    pub files: BTreeMap<String, String>,
}

/// What a provenance file proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Who signed.
    pub signed_by: openpgp::Signer,
    /// Checksum of the archive with its `sha256:`.
    pub digest: String,
}

impl Provenance {
    /// Reads a provenance file.
    ///
    /// # Errors
    /// It is no clear-signed message.
    pub fn parse(text: &[u8]) -> Result<Self, ProvenanceError> {
        if text.len() > BYTES_MAX {
            return Err(ProvenanceError::TooLarge);
        }
        let message = ClearSigned::parse(text).ok_or(ProvenanceError::NoSignature)?;
        Ok(Self { message })
    }

    /// Checks the signature with trusted keys at a time (seconds since 1970), then the archive by its file name.
    ///
    /// # Errors
    /// The signature is not trusted, or as [`Claim::check`] and [`Provenance::claim`].
    pub fn verify(
        &self,
        name: &str,
        archive: &[u8],
        keys: &KeyRing,
        now: i64,
        version: Version,
    ) -> Result<Proof, ProvenanceError> {
        let signed_by = self.message.check(keys, now)?;
        let digest = self.claim(version)?.check(name, archive)?;
        Ok(Proof { signed_by, digest })
    }

    /// What the message says. Helm 4 reads the checksums alone; metadata that cannot be read stay empty then.
    ///
    /// # Errors
    /// The message is not that of a chart.
    pub fn claim(&self, version: Version) -> Result<Claim, ProvenanceError> {
        let text = &self.message.text[..];
        let (head, rest) = split_once(text, b"\n...\n").ok_or(ProvenanceError::OnePart)?;
        let sums = split_once(rest, b"\n...\n").map_or(rest, |(sums, _)| sums);
        let mut metadata = Metadata::default();
        let read = match version {
            Version::V3 => metadata.read_yaml(head, "chart"),
            Version::V4 => {
                let _unread = metadata.read_yaml(head, "v2");
                Ok(())
            }
        };
        read.map_err(ProvenanceError::Yaml)?;
        let files = checksums(sums)?;
        Ok(Claim { metadata, files })
    }
}

impl Claim {
    /// Compares an archive with the checksum for its name; returns it.
    ///
    /// # Errors
    /// The name is not mentioned, or the archive is another one.
    pub fn check(&self, name: &str, archive: &[u8]) -> Result<String, ProvenanceError> {
        let actual = format!("sha256:{}", hex::encode(Sha256::digest(archive)));
        let recorded = self
            .files
            .get(name)
            .ok_or_else(|| ProvenanceError::UnknownFile(name.to_owned()))?;
        if *recorded == actual {
            return Ok(actual);
        }
        Err(ProvenanceError::Mismatch {
            name: name.to_owned(),
            recorded: recorded.clone(),
            actual,
        })
    }
}

fn split_once<'t>(text: &'t [u8], mark: &[u8]) -> Option<(&'t [u8], &'t [u8])> {
    let at = text.windows(mark.len()).position(|window| window == mark)?;
    Some((&text[..at], &text[at + mark.len()..]))
}

fn checksums(text: &[u8]) -> Result<BTreeMap<String, String>, ProvenanceError> {
    let value =
        kyaml::yaml_to_json(text).map_err(|error| ProvenanceError::Yaml(error.to_string()))?;
    let map = match &value {
        Value::Null => return Ok(BTreeMap::new()),
        Value::Object(map) => map,
        other => return Err(mismatch(other, "value of type provenance.SumCollection")),
    };
    let files = sums(map, "files")?;
    sums(map, "images")?;
    Ok(files)
}

fn mismatch(found: &Value, place: &str) -> ProvenanceError {
    const PREFIX: &str = "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal";
    let found = kyaml::json_kind(found);
    ProvenanceError::Yaml(format!("{PREFIX} {found} into Go {place}"))
}

/// A map of texts.
fn sums(
    map: &Map<String, Value>,
    field: &str,
) -> Result<BTreeMap<String, String>, ProvenanceError> {
    let place = |kind: &str| format!("struct field SumCollection.{field} of type {kind}");
    let mut out = BTreeMap::new();
    let entries = match map.get(field) {
        None | Some(Value::Null) => return Ok(out),
        Some(Value::Object(entries)) => entries,
        Some(other) => return Err(mismatch(other, &place("map[string]string"))),
    };
    for (name, sum) in entries {
        let sum = match sum {
            Value::String(sum) => sum.clone(),
            Value::Null => String::new(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => number_text(number),
            other => return Err(mismatch(other, &place("string"))),
        };
        out.insert(name.clone(), sum);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message with a made-up signature over the checksum of `archive`.
    fn message(archive: &[u8], edit: impl Fn(String) -> String) -> Vec<u8> {
        let text = format!(
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\napiVersion: v2\nname: x  \nversion: 1.0.0\n- -dashed: 1\n\n...\nfiles:\n  x-1.0.0.tgz: sha256:{}\n-----BEGIN PGP SIGNATURE-----\n\nAQIDBA==\n=aaaa\n-----END PGP SIGNATURE-----\n",
            hex::encode(Sha256::digest(archive)),
        );
        edit(text).into_bytes()
    }

    #[test]
    fn archives_are_compared() {
        let text = message(b"archive", |text| text);
        let provenance = Provenance::parse(&text).unwrap();
        let claim = provenance.claim(Version::V4).unwrap();
        assert_eq!(claim.metadata.version, "1.0.0");
        claim.check("x-1.0.0.tgz", b"archive").unwrap();
        let error = claim.check("y.tgz", b"archive").unwrap_err();
        assert_eq!(
            error.to_string(),
            "provenance does not contain a SHA for a file named \"y.tgz\""
        );
        let error = claim.check("x-1.0.0.tgz", b"other").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("sha256 sum does not match for x-1.0.0.tgz: \"sha256:")
        );
        let crlf = message(b"archive", |text| text.replace('\n', "\r\n"));
        assert_eq!(Provenance::parse(&crlf).unwrap(), provenance);
    }

    #[test]
    fn what_is_no_provenance_is_refused() {
        for (from, to, message_text) in [
            ("SIGNED MESSAGE", "MESSAGE", "signature block not found"),
            ("SHA512", "WHIRLPOOL", "signature block not found"),
            ("Hash:", "Comment:", "signature block not found"),
            ("END PGP", "END", "signature block not found"),
            (
                "\n...\n",
                "\n",
                "message block must have at least two parts",
            ),
            (
                "  x-1.0.0.tgz: ",
                "  - ",
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go struct field SumCollection.files of type map[string]string",
            ),
        ] {
            let text = message(b"archive", |text| text.replacen(from, to, 1));
            let error = Provenance::parse(&text)
                .and_then(|provenance| provenance.claim(Version::V4))
                .expect_err(from);
            assert_eq!(error.to_string(), message_text, "{from}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(cut in 0..500_usize, at in 0..500_usize, byte in proptest::prelude::any::<u8>()) {
            let mut text = message(b"archive", |text| text);
            if let Some(old) = text.get_mut(at) {
                *old = byte;
            }
            text.truncate(cut);
            if let Ok(provenance) = Provenance::parse(&text) {
                let _ = provenance.verify("x", b"", &KeyRing::default(), 0, Version::V3);
            }
        }
    }
}
