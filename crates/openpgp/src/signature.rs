//! Signature packets of version 4 and 6 with their sub-packets.

use crate::error::Error;
use crate::hash::Hash;
use crate::key::{PublicKey, SIGNING};
use crate::packet::Fields;

/// Kinds of signatures by their number.
pub(crate) mod kind {
    pub(crate) const BINARY: u8 = 0;
    pub(crate) const TEXT: u8 = 1;
    pub(crate) const GENERIC_CERTIFICATE: u8 = 0x10;
    pub(crate) const POSITIVE_CERTIFICATE: u8 = 0x13;
    pub(crate) const SUBKEY_BINDING: u8 = 0x18;
    pub(crate) const PRIMARY_BINDING: u8 = 0x19;
    pub(crate) const DIRECT: u8 = 0x1f;
    pub(crate) const KEY_REVOCATION: u8 = 0x20;
    pub(crate) const SUBKEY_REVOCATION: u8 = 0x28;
    pub(crate) const CERTIFICATE_REVOCATION: u8 = 0x30;
}

/// The bit of the key flags that allows to sign.
const FLAG_SIGN: u8 = 2;

/// Signatures inside signatures; one is what sub-keys have.
const DEPTH_MAX: usize = 4;

/// What the algorithm calculated.
#[derive(Clone, Debug)]
pub(crate) enum Numbers {
    /// RSA.
    One(Vec<u8>),
    /// DSA, ECDSA, and Ed25519 in its older form.
    Two(Vec<u8>, Vec<u8>),
    /// Ed25519 as version 6 has it.
    Edwards(Vec<u8>),
    /// Not understood here.
    Unknown,
}

/// A signature.
#[derive(Clone, Debug)]
pub(crate) struct Signature {
    pub(crate) version: u8,
    pub(crate) kind: u8,
    pub(crate) algorithm: u8,
    pub(crate) hash: Hash,
    /// What is hashed behind what is signed.
    pub(crate) suffix: Vec<u8>,
    /// The digest's first two bytes.
    pub(crate) tag: [u8; 2],
    /// What is hashed first, in version 6.
    pub(crate) salt: Vec<u8>,
    pub(crate) numbers: Numbers,
    pub(crate) told: Told,
}

/// What the sub-packets say; only signed ones count, but for the issuer and the embedded signature.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// Seconds since 1970.
    pub(crate) created: Option<i64>,
    /// Seconds that the signature is valid; none or zero mean forever.
    pub(crate) lifetime: Option<u32>,
    pub(crate) key_lifetime: Option<u32>,
    pub(crate) issuer: Option<u64>,
    pub(crate) issuer_fingerprint: Option<Vec<u8>>,
    pub(crate) is_primary_id: bool,
    /// Names of critical notations. None is known.
    pub(crate) critical_notations: Vec<String>,
    pub(crate) flags: Option<u8>,
    pub(crate) compromised: bool,
    pub(crate) embedded: Option<Box<Signature>>,
}

impl std::ops::Deref for Signature {
    type Target = Told;

    fn deref(&self) -> &Told {
        &self.told
    }
}

impl Signature {
    pub(crate) fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Self::parse_inside(fields, 0)
    }

    fn parse_inside(fields: &mut Fields<'_>, depth: usize) -> Result<Self, Error> {
        let version = fields.byte()?;
        if version != 4 && version != 6 {
            return Err(Error::unsupported(format!(
                "signature packet version {version}"
            )));
        }
        let length_bytes = if version == 6 { 4 } else { 2 };
        let start = fields.at - 1;
        let head = fields.take(3)?;
        let (kind, algorithm) = (head[0], head[1]);
        let length = fields.number(length_bytes)? as usize;
        if !SIGNING.contains(&algorithm) {
            return Err(Error::unsupported(format!(
                "public key algorithm {algorithm}"
            )));
        }
        let hash = Hash::from_number(head[2])
            .filter(|hash| version == 4 || *hash != Hash::Sha1)
            .ok_or_else(|| Error::unsupported(format!("hash function {}", head[2])))?;
        let mut told = Told::default();
        let hashed = fields.take(length)?;
        let suffix = suffix(version, &fields.bytes[start..fields.at]);
        told.read(hashed, version, true, depth)?;
        let length = fields.number(length_bytes)? as usize;
        let unhashed = fields.take(length)?;
        told.read(unhashed, version, false, depth)?;
        let tag = fields.take(2)?;
        let tag = [tag[0], tag[1]];
        let salt = if version == 6 {
            salt(fields, hash)?
        } else {
            Vec::new()
        };
        let numbers = numbers(fields, algorithm)?;
        Ok(Self {
            version,
            kind,
            algorithm,
            hash,
            suffix,
            tag,
            salt,
            numbers,
            told,
        })
    }

    /// Whether the signature is over, or not yet begun.
    pub(crate) fn expired(&self, now: i64) -> bool {
        let (created, lifetime) = (self.created.unwrap_or(0), self.lifetime.unwrap_or(0));
        created > now || (lifetime != 0 && now > created + i64::from(lifetime))
    }

    /// Whether it says that it is of this key.
    pub(crate) fn is_by(&self, key: &PublicKey) -> bool {
        match &self.issuer_fingerprint {
            Some(fingerprint) => *fingerprint == key.fingerprint,
            None => self.issuer == Some(key.id),
        }
    }

    /// Whether the key that this signature describes may sign.
    pub(crate) fn allows_signing(&self) -> bool {
        self.flags.is_some_and(|flags| flags & FLAG_SIGN != 0)
    }
}

/// The signed part of the signature itself, and its length.
fn suffix(version: u8, signed: &[u8]) -> Vec<u8> {
    let mut out = signed.to_vec();
    out.extend_from_slice(&[version, 0xff]);
    let length = u32::try_from(signed.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out
}

fn salt(fields: &mut Fields<'_>, hash: Hash) -> Result<Vec<u8>, Error> {
    let length = usize::from(fields.byte()?);
    match hash.salt_length() {
        None => Err(Error::unsupported(
            "hash function not supported for V6 signatures",
        )),
        Some(expected) if expected != length => Err(Error::structural(
            "unexpected salt size for the given hash algorithm",
        )),
        Some(_) => fields.take(length).map(<[u8]>::to_vec),
    }
}

fn numbers(fields: &mut Fields<'_>, algorithm: u8) -> Result<Numbers, Error> {
    Ok(match algorithm {
        1 | 3 => Numbers::One(fields.integer()?.to_vec()),
        17 | 19 | 22 => Numbers::Two(fields.integer()?.to_vec(), fields.integer()?.to_vec()),
        27 => Numbers::Edwards(fields.take(64)?.to_vec()),
        _ => fields.take(114).map(|_| Numbers::Unknown)?,
    })
}

impl Told {
    fn read(&mut self, bytes: &[u8], version: u8, hashed: bool, depth: usize) -> Result<(), Error> {
        let mut fields = Fields::new(bytes);
        while fields.at < bytes.len() {
            let (kind, critical, contents) = subpacket(&mut fields)?;
            if hashed || matches!(kind, 16 | 32 | 33) {
                let known = self.one(kind, critical, contents, (version, hashed, depth))?;
                if !known && critical {
                    return Err(Error::unsupported(format!(
                        "unknown critical signature subpacket type {kind}"
                    )));
                }
            }
        }
        match self.created {
            Some(_) => Ok(()),
            None => Err(Error::structural("no creation time in signature")),
        }
    }

    /// Takes note of one sub-packet; says whether it is a known one.
    fn one(
        &mut self,
        kind: u8,
        critical: bool,
        contents: &[u8],
        (version, hashed, depth): (u8, bool, usize),
    ) -> Result<bool, Error> {
        match kind {
            2 => {
                let time = four(contents, "signature creation time not four bytes")?;
                self.created = Some(i64::from(time));
            }
            3 => self.lifetime = Some(four(contents, "expiration subpacket with bad length")?),
            4 if contents.first() == Some(&0) => {
                return Err(Error::unsupported(
                    "signature with non-exportable certification",
                ));
            }
            5 => expect(contents.len() == 2, "trust subpacket with bad length")?,
            6 => {
                expect(!contents.is_empty(), "regexp subpacket with bad length")?;
                let text = "expected regular expression to be null-terminated";
                expect(contents.last() == Some(&0), text)?;
            }
            9 => {
                let text = "key expiration subpacket with bad length";
                self.key_lifetime = Some(four(contents, text)?);
            }
            16 => self.issuer(contents, version, hashed)?,
            20 => self.notation(contents, critical)?,
            25 => {
                let text = "primary user id subpacket with bad length";
                expect(contents.len() == 1, text)?;
                self.is_primary_id = contents[0] > 0;
            }
            27 => {
                let old = self.flags.unwrap_or(0);
                self.flags = Some(old | contents.first().copied().unwrap_or(0));
            }
            29 => {
                expect(!contents.is_empty(), "empty revocation reason subpacket")?;
                self.compromised = contents[0] == 2;
            }
            32 => self.embedded(contents, depth)?,
            33 => self.fingerprint(contents)?,
            35 => {
                let text = "invalid intended recipient fingerpring length";
                expect(!contents.is_empty(), text)?;
                expect(fits(contents), "invalid fingerprint length")?;
            }
            39 => expect(
                contents.len().is_multiple_of(2),
                "invalid aead cipher suite length",
            )?,
            4 | 11 | 21..=24 | 26 | 28 | 30 => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn issuer(&mut self, contents: &[u8], version: u8, hashed: bool) -> Result<(), Error> {
        expect(version == 4 || !hashed, "issuer subpacket found in v6 key")?;
        let id = contents.try_into().map(u64::from_be_bytes);
        let id = id.map_err(|_| Error::structural("issuer subpacket with bad length"))?;
        if version == 4 {
            self.issuer = Some(id);
        }
        Ok(())
    }

    fn notation(&mut self, contents: &[u8], critical: bool) -> Result<(), Error> {
        const LENGTH: &str = "notation data subpacket with bad length";
        expect(contents.len() >= 8, LENGTH)?;
        let number = |at: usize| usize::from(contents[at]) << 8 | usize::from(contents[at + 1]);
        let (name, value) = (number(4), number(6));
        expect(contents.len() == 8 + name + value, LENGTH)?;
        if critical {
            let name = String::from_utf8_lossy(&contents[8..8 + name]);
            self.critical_notations.push(name.into_owned());
        }
        Ok(())
    }

    fn embedded(&mut self, contents: &[u8], depth: usize) -> Result<(), Error> {
        const SEVERAL: &str = "Cannot have multiple embedded signatures";
        expect(self.embedded.is_none(), SEVERAL)?;
        expect(depth < DEPTH_MAX, "signatures are nested too deeply")?;
        let signature = Signature::parse_inside(&mut Fields::new(contents), depth + 1)?;
        if signature.kind != kind::PRIMARY_BINDING {
            let kind = signature.kind;
            return Err(Error::structural(format!(
                "cross-signature has unexpected type {kind}"
            )));
        }
        self.embedded = Some(Box::new(signature));
        Ok(())
    }

    fn fingerprint(&mut self, contents: &[u8]) -> Result<(), Error> {
        expect(!contents.is_empty(), "empty issuer fingerprint subpacket")?;
        expect(fits(contents), "bad fingerprint length")?;
        let (version, fingerprint) = (contents[0], &contents[1..]);
        let id = if version >= 5 {
            &fingerprint[..8]
        } else {
            &fingerprint[12..]
        };
        self.issuer = Some(id.iter().fold(0, |sum, b| sum << 8 | u64::from(*b)));
        self.issuer_fingerprint = Some(fingerprint.to_vec());
        Ok(())
    }
}

/// Whether a fingerprint behind its version has the version's length.
fn fits(contents: &[u8]) -> bool {
    contents.len() == if contents[0] >= 5 { 33 } else { 21 }
}

fn expect(holds: bool, otherwise: &str) -> Result<(), Error> {
    if holds {
        return Ok(());
    }
    Err(Error::structural(otherwise))
}

fn four(contents: &[u8], otherwise: &str) -> Result<u32, Error> {
    let number = contents.try_into().map(u32::from_be_bytes);
    number.map_err(|_| Error::structural(otherwise))
}

/// Kind, whether it must be understood, contents.
fn subpacket<'p>(fields: &mut Fields<'p>) -> Result<(u8, bool, &'p [u8]), Error> {
    let truncated = |_| Error::structural("signature subpacket truncated");
    let first = fields.byte().map_err(truncated)?;
    let length = match first {
        0..192 => u32::from(first),
        192..255 => {
            let second = u32::from(fields.byte().map_err(truncated)?);
            (u32::from(first - 192) << 8) + second + 192
        }
        255 => fields.number(4).map_err(truncated)?,
    };
    let all = fields.take(length as usize).map_err(truncated)?;
    let Some((kind, contents)) = all.split_first() else {
        return Err(Error::structural("zero length signature subpacket"));
    };
    Ok((kind & 0x7f, kind & 0x80 != 0, contents))
}
