//! Private keys in the encodings that Go writes and reads.

use num_bigint::BigUint;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::der::{self, bits, element, integer, object, sequence, small};
use super::rsa::{RsaKey, random_number, search};
use super::{NotRandom, Random, curve, pem};

/// A private key.
#[derive(Clone, Debug)]
pub(crate) enum Key {
    Rsa(RsaKey),
    /// The scalar of a P-256 key.
    Curve(BigUint),
    /// The seed of an Ed25519 key.
    Edwards([u8; 32]),
}

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const SHA256_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
const SHA256_EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];

fn null() -> Vec<u8> {
    vec![5, 0]
}

impl Key {
    pub(crate) fn generate_rsa(random: Random<'_>, bits: usize) -> Result<Self, NotRandom> {
        RsaKey::generate(random, bits).map(Self::Rsa)
    }

    pub(crate) fn generate_curve(random: Random<'_>) -> Self {
        Self::Curve(curve::generate(random))
    }

    pub(crate) fn generate_edwards(random: Random<'_>) -> Self {
        let mut seed = [0; 32];
        random(&mut seed);
        Self::Edwards(seed)
    }

    /// The key as a PEM block of the type that Go uses for it.
    pub(crate) fn to_pem(&self) -> String {
        match self {
            Self::Rsa(key) => {
                let [dp, dq, coefficient] = key.precomputed();
                let [p, q] = &key.primes;
                let numbers = [
                    &key.modulus,
                    &key.public,
                    &key.private,
                    p,
                    q,
                    &dp,
                    &dq,
                    &coefficient,
                ];
                let mut parts = vec![small(0)];
                parts.extend(numbers.map(integer));
                pem::encode("RSA PRIVATE KEY", &sequence(&parts))
            }
            Self::Curve(scalar) => {
                let parts = [
                    small(1),
                    element(der::OCTET_STRING, &curve::padded(scalar)),
                    element(0xa0, &object(P256)),
                    element(0xa1, &bits(&curve::public_point(scalar))),
                ];
                pem::encode("EC PRIVATE KEY", &sequence(&parts))
            }
            Self::Edwards(seed) => {
                let inner = element(der::OCTET_STRING, seed);
                let parts = [
                    small(0),
                    sequence(&[object(ED25519)]),
                    element(der::OCTET_STRING, &inner),
                ];
                pem::encode("PRIVATE KEY", &sequence(&parts))
            }
        }
    }

    /// Reads a PEM block; the messages are Sprig's.
    pub(crate) fn from_pem(text: &str) -> Result<Self, String> {
        let (label, data) = pem::decode(text).ok_or("no PEM data in input")?;
        let malformed = |what: &str| format!("{what}: asn1: structure error");
        match label.as_str() {
            "PRIVATE KEY" => {
                Self::from_pkcs8(&data).ok_or_else(|| malformed("decoding PEM as PKCS#8"))
            }
            "RSA PRIVATE KEY" => {
                Self::from_pkcs1(&data).ok_or_else(|| malformed("parsing RSA private key from PEM"))
            }
            "EC PRIVATE KEY" => {
                Self::from_sec1(&data).ok_or_else(|| malformed("parsing EC private key from PEM"))
            }
            other => match other.strip_suffix(" PRIVATE KEY") {
                Some(_) => Err(format!("invalid private key type {other}")),
                None => Err(format!("no private key data in PEM block of type {other}")),
            },
        }
    }

    fn from_pkcs1(data: &[u8]) -> Option<Self> {
        let numbers: Option<Vec<BigUint>> =
            der::parts(data)?.iter().map(der::Element::number).collect();
        let numbers = numbers?;
        let [_, modulus, public, private, p, q, ..] = &numbers[..] else {
            return None;
        };
        let sound = p * q == *modulus && *p > BigUint::from(1_u8) && *q > BigUint::from(1_u8);
        sound.then(|| {
            Self::Rsa(RsaKey {
                modulus: modulus.clone(),
                public: public.clone(),
                private: private.clone(),
                primes: [p.clone(), q.clone()],
            })
        })
    }

    fn from_sec1(data: &[u8]) -> Option<Self> {
        let parts = der::parts(data)?;
        let scalar = parts.get(1).filter(|part| part.tag == der::OCTET_STRING)?;
        (scalar.contents.len() <= 32).then(|| Self::Curve(BigUint::from_bytes_be(scalar.contents)))
    }

    fn from_pkcs8(data: &[u8]) -> Option<Self> {
        let parts = der::parts(data)?;
        let algorithm = der::elements(parts.get(1)?.contents)?;
        let inner = parts
            .get(2)
            .filter(|part| part.tag == der::OCTET_STRING)?
            .contents;
        match algorithm.first()?.contents {
            RSA => Self::from_pkcs1(inner),
            EC => Self::from_sec1(inner),
            ED25519 => {
                let (seed, _) = der::read(inner)?;
                Some(Self::Edwards(seed.contents.try_into().ok()?))
            }
            _ => None,
        }
    }

    /// The public key as certificates hold it.
    pub(super) fn public_info(&self) -> Vec<u8> {
        let algorithm = match self {
            Self::Rsa(_) => sequence(&[object(RSA), null()]),
            Self::Curve(_) => sequence(&[object(EC), object(P256)]),
            Self::Edwards(_) => sequence(&[object(ED25519)]),
        };
        sequence(&[algorithm, bits(&self.public_bits())])
    }

    /// The public key itself, without its algorithm.
    pub(super) fn public_bits(&self) -> Vec<u8> {
        match self {
            Self::Rsa(key) => sequence(&[integer(&key.modulus), integer(&key.public)]),
            Self::Curve(scalar) => curve::public_point(scalar),
            Self::Edwards(seed) => Ed25519KeyPair::from_seed_unchecked(seed)
                .map(|pair| pair.public_key().as_ref().to_vec())
                .unwrap_or_default(),
        }
    }

    /// Name of the signature algorithm.
    pub(super) fn algorithm(&self) -> Vec<u8> {
        match self {
            Self::Rsa(_) => sequence(&[object(SHA256_RSA), null()]),
            Self::Curve(_) => sequence(&[object(SHA256_EC)]),
            Self::Edwards(_) => sequence(&[object(ED25519)]),
        }
    }

    pub(super) fn sign(&self, message: &[u8], random: Random<'_>) -> Vec<u8> {
        use sha2::Digest as _;
        let digest = sha2::Sha256::digest(message);
        match self {
            Self::Rsa(key) => {
                let info = sequence(&[
                    sequence(&[object(SHA256), null()]),
                    element(der::OCTET_STRING, &digest),
                ]);
                key.sign(&info)
            }
            Self::Curve(scalar) => {
                let (r, s) = curve::sign(scalar, &digest, random);
                sequence(&[integer(&r), integer(&s)])
            }
            Self::Edwards(seed) => Ed25519KeyPair::from_seed_unchecked(seed)
                .map(|pair| pair.sign(message).as_ref().to_vec())
                .unwrap_or_default(),
        }
    }
}

/// A DSA key of 2048 and 256 bits as a PEM block.
pub(crate) fn generate_dsa(random: Random<'_>) -> Result<String, NotRandom> {
    let one = BigUint::from(1_u8);
    let q = search(random, |random| {
        let mut candidate = random_number(random, 256);
        candidate.set_bit(255, true);
        candidate.set_bit(0, true);
        Some(candidate)
    })?;
    let p = search(random, |random| {
        let mut candidate = random_number(random, 2048);
        candidate.set_bit(2047, true);
        let candidate = &candidate - &candidate % (&q * 2_u8) + &one;
        (candidate.bits() == 2048).then_some(candidate)
    })?;
    let exponent = (&p - &one) / &q;
    let generators = (2_u32..1000).map(|h| BigUint::from(h).modpow(&exponent, &p));
    let g = generators
        .into_iter()
        .find(|g| *g != one)
        .unwrap_or_default();
    let x = random_number(random, 320) % (&q - &one) + &one;
    let y = g.modpow(&x, &p);
    let parts = [
        small(0),
        integer(&p),
        integer(&q),
        integer(&g),
        integer(&y),
        integer(&x),
    ];
    Ok(pem::encode("DSA PRIVATE KEY", &sequence(&parts)))
}
