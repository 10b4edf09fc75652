//! Public keys: packets of version 4 and 6, fingerprints, and whether a key made a signature.

use crate::curve;
use crate::error::Error;
use crate::hash::Hash;
use crate::math::{self, Integer};
use crate::packet::Fields;
use crate::signature::{Numbers, Signature};

/// What a key calculates with.
#[derive(Clone, Debug)]
pub(crate) enum Material {
    /// Modulus and exponent.
    Rsa(Integer, Integer),
    /// Prime, order, generator, key.
    Dsa(Box<[Integer; 4]>),
    /// Curve and point.
    Ecdsa(&'static curve::Curve, curve::Point),
    /// Ed25519.
    Edwards([u8; 32]),
    /// A key that signs, but is not understood here.
    Unknown(&'static str),
    /// A key that does not sign.
    Encryption,
}

/// A public key; the public half of a secret one.
#[derive(Clone, Debug)]
pub(crate) struct PublicKey {
    pub(crate) version: u8,
    /// Seconds since 1970.
    pub(crate) created: i64,
    pub(crate) algorithm: u8,
    pub(crate) material: Material,
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) id: u64,
    pub(crate) is_subkey: bool,
    pub(crate) is_secret: bool,
    /// The packet's bytes that are signed and hashed, behind their prefix.
    pub(crate) hashed: Vec<u8>,
}

/// Numbers of algorithms that may sign.
const RSA: u8 = 1;
const RSA_SIGN: u8 = 3;
const DSA: u8 = 17;
const ECDSA: u8 = 19;
const EDDSA: u8 = 22;
const ED25519: u8 = 27;
const ED448: u8 = 28;
/// Algorithms that may sign.
pub(crate) const SIGNING: &[u8] = &[RSA, RSA_SIGN, DSA, ECDSA, EDDSA, ED25519, ED448];

const CURVE25519: &[u8] = &[0x2b, 6, 1, 4, 1, 0x97, 0x55, 1, 5, 1];
const CURVE448: &[u8] = &[0x2b, 0x65, 0x6f];
const LEGACY_ED25519: &[u8] = &[0x2b, 6, 1, 4, 1, 0xda, 0x47, 0x0f, 1];
const LEGACY_ED448: &[u8] = &[0x2b, 0x65, 0x71];

impl PublicKey {
    /// Reads a key packet of one of the tags 5, 6, 7 and 14.
    pub(crate) fn parse(fields: &mut Fields<'_>, tag: u8) -> Result<Self, Error> {
        let head = fields.take(6)?;
        let (version, algorithm) = (head[0], head[5]);
        if version != 4 && version != 6 {
            return Err(Error::unsupported(format!("public key version {version}")));
        }
        if version == 6 {
            fields.take(4)?;
        }
        let start = fields.at;
        let material = material(fields, algorithm, version)?;
        let own = &fields.bytes[start..fields.at];
        let hashed = for_hash(version, head, own);
        let (fingerprint, id) = fingerprint(version, &hashed);
        if matches!(tag, 5 | 7) {
            check_secret(fields, version)?;
        }
        let created = head[1..5].iter().fold(0, |sum, b| sum << 8 | i64::from(*b));
        Ok(Self {
            version,
            created,
            algorithm,
            material,
            fingerprint,
            id,
            is_subkey: matches!(tag, 7 | 14),
            is_secret: matches!(tag, 5 | 7),
            hashed,
        })
    }

    /// Whether keys of this algorithm may sign, as far as the primary key is concerned.
    pub(crate) fn may_be_primary(&self) -> bool {
        SIGNING.contains(&self.algorithm)
    }

    /// Whether the key's time is over, by the signature that says how long it lives.
    pub(crate) fn expired(&self, own: &Signature, now: i64) -> bool {
        let lifetime = own.key_lifetime.unwrap_or(0);
        self.created > now || (lifetime != 0 && now > self.created + i64::from(lifetime))
    }

    /// Checks that this key signed these pieces.
    pub(crate) fn verify(&self, pieces: &[&[u8]], signature: &Signature) -> Result<(), Error> {
        // The curve 448 key that only encrypts passes, but no signature is by its algorithm.
        if matches!(self.algorithm, 2 | 16 | 18) {
            return Err(Error::InvalidArgument(
                "public key cannot generate signatures".to_owned(),
            ));
        }
        let mut all = vec![&signature.salt[..]];
        all.extend_from_slice(pieces);
        all.push(&signature.suffix);
        let digest = signature.hash.digest(&all);
        if signature.version >= 5 && digest[..2] != signature.tag {
            return Err(Error::signature("hash tag doesn't match"));
        }
        if self.algorithm != signature.algorithm {
            return Err(Error::InvalidArgument(
                "public key and signature use different algorithms".to_owned(),
            ));
        }
        let (name, good) = self.judge(&digest, signature.hash, &signature.numbers)?;
        if good {
            return Ok(());
        }
        Err(Error::signature(format!("{name} verification failure")))
    }

    fn judge(
        &self,
        digest: &[u8],
        hash: Hash,
        numbers: &Numbers,
    ) -> Result<(&'static str, bool), Error> {
        Ok(match (&self.material, numbers) {
            (Material::Rsa(n, e), Numbers::One(s)) => ("RSA", math::rsa(n, e, hash, digest, s)),
            (Material::Dsa(key), Numbers::Two(r, s)) => ("DSA", math::dsa(key, digest, r, s)),
            (Material::Ecdsa(curve, key), Numbers::Two(r, s)) => {
                ("ECDSA", curve.verify(key, digest, r, s))
            }
            (Material::Edwards(key), Numbers::Two(r, s)) => {
                ("EdDSA", math::edwards(key, digest, r, s))
            }
            (Material::Edwards(key), Numbers::Edwards(both)) => {
                let (r, s) = both.split_at(32);
                ("Ed25519", math::edwards(key, digest, r, s))
            }
            (Material::Unknown(name), _) => {
                return Err(Error::unsupported(format!("signatures by {name} keys")));
            }
            _ => {
                return Err(Error::signature(
                    "Unsupported public key algorithm used in signature",
                ));
            }
        })
    }
}

/// The bytes of a key as they are hashed: prefix, length, head, numbers.
fn for_hash(version: u8, head: &[u8], own: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(own.len() + 16);
    let length = own.len() + head.len();
    if version == 6 {
        out.push(0x9b);
        out.extend_from_slice(&bytes4(length + 4));
        out.extend_from_slice(head);
        out.extend_from_slice(&bytes4(own.len()));
    } else {
        out.push(0x99);
        out.extend_from_slice(&bytes4(length)[2..]);
        out.extend_from_slice(head);
    }
    out.extend_from_slice(own);
    out
}

fn bytes4(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

fn fingerprint(version: u8, hashed: &[u8]) -> (Vec<u8>, u64) {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, b| sum << 8 | u64::from(*b));
    if version == 6 {
        let digest = Hash::Sha256.digest(&[hashed]);
        let id = number(&digest[..8]);
        return (digest, id);
    }
    let digest = Hash::Sha1.digest(&[hashed]);
    let id = number(&digest[12..20]);
    (digest, id)
}

fn material(fields: &mut Fields<'_>, algorithm: u8, version: u8) -> Result<Material, Error> {
    match algorithm {
        RSA | 2 | RSA_SIGN => {
            let (n, e) = (fields.integer()?, fields.integer()?);
            if e.len() > 3 {
                return Err(Error::unsupported("large public exponent"));
            }
            Ok(Material::Rsa(math::integer(n), math::integer(e)))
        }
        16 => {
            for _ in 0..3 {
                fields.integer()?;
            }
            Ok(Material::Encryption)
        }
        DSA => {
            let mut numbers: [Integer; 4] = Default::default();
            for number in &mut numbers {
                *number = math::integer(fields.integer()?);
            }
            Ok(Material::Dsa(Box::new(numbers)))
        }
        18 => key_agreement(fields),
        ECDSA => ecdsa(fields),
        EDDSA => eddsa(fields, version),
        25 | 26 => {
            fields.take(if algorithm == 25 { 32 } else { 56 })?;
            Ok(Material::Encryption)
        }
        ED25519 => {
            let mut key = [0; 32];
            key.copy_from_slice(fields.take(32)?);
            Ok(Material::Edwards(key))
        }
        ED448 => fields.take(57).map(|_| Material::Unknown("Ed448")),
        other => Err(Error::unsupported(format!("public key type: {other}"))),
    }
}

fn key_agreement(fields: &mut Fields<'_>) -> Result<Material, Error> {
    let oid = fields.short()?;
    let point_bytes = match oid {
        CURVE25519 => Some(33),
        CURVE448 => Some(57),
        _ if curve::by_oid(oid).is_some() => None,
        _ => return Err(Error::unsupported("unknown oid")),
    };
    let point = fields.integer()?;
    let derivation = fields.short()?;
    let known = |hash, cipher| matches!(hash, 8..=12 | 14) && matches!(cipher, 2 | 3 | 7 | 8 | 9);
    match derivation {
        [1, hash, cipher, ..] if known(*hash, *cipher) => {}
        _ => return Err(Error::unsupported("unsupported ECDH KDF")),
    }
    if point_bytes.is_some_and(|bytes| bytes != point.len()) {
        return Err(Error::Point("ecdh"));
    }
    Ok(Material::Encryption)
}

fn ecdsa(fields: &mut Fields<'_>) -> Result<Material, Error> {
    let oid = fields.short()?;
    let curve = curve::by_oid(oid);
    if curve.is_none() && ![CURVE25519, CURVE448, LEGACY_ED25519, LEGACY_ED448].contains(&oid) {
        return Err(Error::unsupported("unknown oid"));
    }
    let point = fields.integer()?;
    let curve = curve.ok_or_else(|| Error::unsupported("unsupported oid"))?;
    let point = curve.point(point).ok_or(Error::Point("ecdsa"))?;
    Ok(Material::Ecdsa(curve, point))
}

fn eddsa(fields: &mut Fields<'_>, version: u8) -> Result<Material, Error> {
    if version == 6 {
        return Err(Error::structural(
            "cannot generate v6 key with deprecated algorithm: EdDSALegacy",
        ));
    }
    let oid = fields.short()?;
    if oid != LEGACY_ED25519 && oid != LEGACY_ED448 {
        return Err(Error::unsupported("unsupported oid"));
    }
    let point = fields.integer()?;
    match point.first() {
        None => return Err(Error::structural("empty EdDSA public key")),
        Some(0x40) => {}
        Some(flag) => {
            return Err(Error::unsupported(format!(
                "unsupported EdDSA compression: {flag}"
            )));
        }
    }
    if oid == LEGACY_ED448 {
        return Ok(Material::Unknown("Ed448"));
    }
    let key = point[1..].try_into().map_err(|_| Error::Point("eddsa"))?;
    Ok(Material::Edwards(key))
}

/// Looks at the secret half of a key: it is not used, but must be whole.
fn check_secret(fields: &mut Fields<'_>, version: u8) -> Result<(), Error> {
    let usage = fields.byte()?;
    let rest = fields.take(fields.bytes.len() - fields.at)?;
    if let Some(error) = &fields.end {
        return Err(error.clone());
    }
    match usage {
        0 if rest.len() < 2 => Err(Error::structural("truncated private key data")),
        0 if version == 4 => {
            let (data, sum) = rest.split_at(rest.len() - 2);
            let actual = data
                .iter()
                .fold(0_u16, |sum, b| sum.wrapping_add(u16::from(*b)));
            if actual.to_be_bytes() == sum {
                return Ok(());
            }
            Err(Error::structural("private key checksum failure"))
        }
        0 | 253..=255 => Ok(()),
        _ => Err(Error::unsupported("deprecated s2k function in private key")),
    }
}
