//! Provenance files (`x-1.0.0.tgz.prov`): read, and an archive's checksum compared with theirs.
//!
//! The file is a clear-signed message of a chart's metadata and checksums. Checking the signature needs keys
//! and a PGP library, which a caller brings as a [`SignatureVerifier`]; the checksum alone says only that
//! archive and file belong together. Messages are Helm's.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gocompat::quote::quote;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::metadata::Metadata;

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
    /// The armor around the signature is broken.
    #[error("the signature is malformed: {0}")]
    Armor(&'static str),
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
    #[error("{0}")]
    Signature(String),
}

/// A provenance file.
#[derive(Clone, Debug, PartialEq)]
pub struct Provenance {
    /// Metadata of the chart.
    pub metadata: Metadata,
    /// Checksums (`sha256:` and hexadecimal digits) by file name.
    pub files: BTreeMap<String, String>,
    /// Names of the hashes that the message says it was signed with.
    pub hashes: Vec<String>,
    /// The bytes that are signed: lines without trailing space, joined by CR LF.
    pub signed: Vec<u8>,
    /// The signature as PGP packets.
    pub signature: Vec<u8>,
}

/// Checks signatures against keys that the caller trusts.
pub trait SignatureVerifier {
    /// Who signed the message.
    ///
    /// # Errors
    /// No trusted key made this signature over this message.
    fn verify(&self, signed: &[u8], signature: &[u8]) -> Result<String, String>;
}

/// What a provenance file proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Who signed, as the verifier says.
    pub signed_by: String,
    /// Checksum of the archive with its `sha256:`.
    pub digest: String,
}

impl Provenance {
    /// Reads a provenance file.
    ///
    /// # Errors
    /// It is no clear-signed message, or its message is not that of a chart.
    pub fn parse(text: &[u8]) -> Result<Self, ProvenanceError> {
        if text.len() > BYTES_MAX {
            return Err(ProvenanceError::TooLarge);
        }
        let Message {
            hashes,
            lines,
            armor,
        } = Message::parse(text).ok_or(ProvenanceError::NoSignature)?;
        let signature = unarmored(&armor).map_err(ProvenanceError::Armor)?;
        let plain = lines.join(&b'\n');
        let (head, rest) = split_once(&plain, b"\n...\n").ok_or(ProvenanceError::OnePart)?;
        let sums = split_once(rest, b"\n...\n").map_or(rest, |(sums, _)| sums);
        let mut metadata = Metadata::default();
        metadata
            .read_yaml(head, "v2")
            .map_err(ProvenanceError::Yaml)?;
        Ok(Self {
            metadata,
            files: checksums(sums)?,
            hashes,
            signed: lines.join(&b"\r\n"[..]),
            signature,
        })
    }

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

    /// Checks the signature, then the archive.
    ///
    /// # Errors
    /// The signature is not trusted, or as [`Provenance::check`].
    pub fn verify(
        &self,
        name: &str,
        archive: &[u8],
        verifier: &dyn SignatureVerifier,
    ) -> Result<Proof, ProvenanceError> {
        let signed_by = verifier
            .verify(&self.signed, &self.signature)
            .map_err(ProvenanceError::Signature)?;
        let digest = self.check(name, archive)?;
        Ok(Proof { signed_by, digest })
    }
}

fn split_once<'t>(text: &'t [u8], mark: &[u8]) -> Option<(&'t [u8], &'t [u8])> {
    let at = text.windows(mark.len()).position(|window| window == mark)?;
    Some((&text[..at], &text[at + mark.len()..]))
}

fn checksums(text: &[u8]) -> Result<BTreeMap<String, String>, ProvenanceError> {
    const PREFIX: &str = "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal";
    let mismatch = |found: &Value, place: &str| {
        let found = kyaml::json_kind(found);
        ProvenanceError::Yaml(format!("{PREFIX} {found} into Go {place}"))
    };
    let value =
        kyaml::yaml_to_json(text).map_err(|error| ProvenanceError::Yaml(error.to_string()))?;
    let map = match &value {
        Value::Null => return Ok(BTreeMap::new()),
        Value::Object(map) => map,
        other => return Err(mismatch(other, "value of type provenance.SumCollection")),
    };
    match map.get("files") {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(files)) => files
            .iter()
            .map(|(name, sum)| match sum {
                Value::String(sum) => Ok((name.clone(), sum.clone())),
                other => Err(mismatch(
                    other,
                    "struct field SumCollection.files of type string",
                )),
            })
            .collect(),
        Some(other) => Err(mismatch(
            other,
            "struct field SumCollection.files of type map[string]string",
        )),
    }
}

/// A clear-signed message in parts.
struct Message<'t> {
    hashes: Vec<String>,
    /// Lines without dash escapes and trailing space.
    lines: Vec<&'t [u8]>,
    armor: Vec<&'t [u8]>,
}

const START: &[u8] = b"-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &[u8] = b"-----BEGIN PGP SIGNATURE-----";
const END: &[u8] = b"-----END PGP SIGNATURE-----";
/// Hashes that a message may be signed with.
const HASHES: &[&str] = &[
    "SHA224", "SHA256", "SHA384", "SHA512", "SHA3-256", "SHA3-512",
];

impl<'t> Message<'t> {
    fn parse(text: &'t [u8]) -> Option<Self> {
        let mut lines = text
            .split(|&b| b == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
            .skip_while(|line| *line != START)
            .skip(1);
        let mut hashes = Vec::new();
        loop {
            let line = lines.next()?;
            if line.trim_ascii().is_empty() {
                break;
            }
            let (name, values) = std::str::from_utf8(line).ok()?.split_once(':')?;
            if name.trim() != "Hash" {
                return None;
            }
            for value in values.split(',').map(|value| value.trim().to_uppercase()) {
                hashes.push(value);
            }
        }
        if hashes.iter().any(|hash| !HASHES.contains(&hash.as_str())) {
            return None;
        }
        let mut body = Vec::new();
        loop {
            let line = lines.next()?;
            if line == SIGNATURE {
                break;
            }
            let line = line.strip_prefix(b"- ").unwrap_or(line);
            let end = line
                .iter()
                .rposition(|b| !b" \t".contains(b))
                .map_or(0, |at| at + 1);
            body.push(&line[..end]);
        }
        let mut armor = Vec::new();
        loop {
            let line = lines.next()?;
            if line.starts_with(END) {
                break;
            }
            armor.push(line);
        }
        Some(Self {
            hashes,
            lines: body,
            armor,
        })
    }
}

/// The bytes inside an armor, its checksum compared.
fn unarmored(lines: &[&[u8]]) -> Result<Vec<u8>, &'static str> {
    // Headers end at the first empty line.
    let headers = lines
        .iter()
        .position(|line| line.trim_ascii().is_empty())
        .ok_or("no empty line behind the headers")?;
    let mut data = String::new();
    let mut checksum = None;
    for line in &lines[headers + 1..] {
        let line = std::str::from_utf8(line).map_err(|_| "not base64")?.trim();
        match line.strip_prefix('=') {
            Some(sum) if sum.len() == 4 => checksum = Some(sum.to_owned()),
            _ => data.push_str(line),
        }
    }
    let bytes = STANDARD.decode(&data).map_err(|_| "not base64")?;
    if bytes.is_empty() {
        return Err("there is nothing in it");
    }
    if let Some(sum) = checksum {
        let sum = STANDARD.decode(sum).map_err(|_| "not base64")?;
        if sum != crc24(&bytes).to_be_bytes()[1..] {
            return Err("its checksum is wrong");
        }
    }
    Ok(bytes)
}

/// The checksum of OpenPGP's armor (RFC 4880, 6.1).
fn crc24(bytes: &[u8]) -> u32 {
    let mut crc = 0x00b7_04ce_u32;
    for byte in bytes {
        crc ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x0100_0000 != 0 {
                crc ^= 0x0186_4cfb;
            }
        }
    }
    crc & 0x00ff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message with a made-up signature over the checksum of `archive`.
    fn message(archive: &[u8], edit: impl Fn(String) -> String) -> Vec<u8> {
        let packet = [1_u8, 2, 3, 4];
        let crc = crc24(&packet).to_be_bytes();
        let text = format!(
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\napiVersion: v2\nname: x  \nversion: 1.0.0\n- -dashed: 1\n\n...\nfiles:\n  x-1.0.0.tgz: sha256:{}\n-----BEGIN PGP SIGNATURE-----\n\n{}\n={}\n-----END PGP SIGNATURE-----\n",
            hex::encode(Sha256::digest(archive)),
            STANDARD.encode(packet),
            STANDARD.encode(&crc[1..])
        );
        edit(text).into_bytes()
    }

    struct Anyone;

    impl SignatureVerifier for Anyone {
        fn verify(&self, signed: &[u8], signature: &[u8]) -> Result<String, String> {
            assert_eq!(signature, [1, 2, 3, 4]);
            assert!(
                signed
                    .starts_with(b"apiVersion: v2\r\nname: x\r\nversion: 1.0.0\r\n-dashed: 1\r\n")
            );
            assert!(!signed.ends_with(b"\n"));
            Ok("someone".to_owned())
        }
    }

    #[test]
    fn archives_are_compared() {
        let text = message(b"archive", |text| text);
        let provenance = Provenance::parse(&text).unwrap();
        assert_eq!(provenance.metadata.version, "1.0.0");
        assert_eq!(provenance.hashes, ["SHA512"]);
        let proof = provenance
            .verify("x-1.0.0.tgz", b"archive", &Anyone)
            .unwrap();
        assert_eq!(proof.signed_by, "someone");
        let error = provenance.check("y.tgz", b"archive").unwrap_err();
        assert_eq!(
            error.to_string(),
            "provenance does not contain a SHA for a file named \"y.tgz\""
        );
        let error = provenance.check("x-1.0.0.tgz", b"other").unwrap_err();
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
            ("SHA512", "MD5", "signature block not found"),
            ("Hash:", "Comment:", "signature block not found"),
            ("END PGP", "END", "signature block not found"),
            (
                "\n...\n",
                "\n",
                "message block must have at least two parts",
            ),
            (
                "AQIDBA==",
                "AQID",
                "the signature is malformed: its checksum is wrong",
            ),
            ("AQIDBA==", "!", "the signature is malformed: not base64"),
            (
                "  x-1.0.0.tgz: ",
                "  - ",
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go struct field SumCollection.files of type map[string]string",
            ),
        ] {
            let text = message(b"archive", |text| text.replacen(from, to, 1));
            let error = Provenance::parse(&text).expect_err(from);
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
            let _ = Provenance::parse(&text);
        }
    }
}
