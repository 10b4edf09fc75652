//! Signatures as numbers: RSA (PKCS #1 v1.5), DSA, Ed25519. All inputs are public, so nothing has to run in constant time.

use num_bigint::BigUint;
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::hash::Hash;

/// A number of any size.
pub(crate) type Integer = BigUint;

/// Reads a number, most significant byte first.
pub(crate) fn integer(bytes: &[u8]) -> Integer {
    Integer::from_bytes_be(bytes)
}

/// Keys below this many bits are refused, as Go's library does; above the other one, nobody has any.
const RSA_BITS: std::ops::RangeInclusive<u64> = 1024..=16_384;

/// Whether the number is the key's signature of the digest: what was encrypted must be the one padded digest.
pub(crate) fn rsa(n: &Integer, e: &Integer, hash: Hash, digest: &[u8], signature: &[u8]) -> bool {
    let length = usize::try_from(n.bits().div_ceil(8)).unwrap_or(usize::MAX);
    let sane = RSA_BITS.contains(&n.bits()) && n.bit(0) && e.bit(0) && e.bits() > 1;
    let signature_number = integer(signature);
    if !sane || signature.len() > length || signature_number >= *n {
        return false;
    }
    let prefix = hash.asn1_prefix();
    let Some(padding) = length.checked_sub(prefix.len() + digest.len() + 3) else {
        return false;
    };
    let mut expected = vec![0, 1];
    expected.resize(2 + padding, 0xff);
    expected.push(0);
    expected.extend_from_slice(&prefix);
    expected.extend_from_slice(digest);
    padding >= 8 && signature_number.modpow(e, n) == integer(&expected)
}

/// Largest prime of a DSA key in bits; the standard ends at 3,072.
const DSA_BITS_MAX: u64 = 8192;

/// Whether the two numbers are the signature of the digest by a key of prime, order, generator and public number.
pub(crate) fn dsa(key: &[Integer; 4], digest: &[u8], r: &[u8], s: &[u8]) -> bool {
    let [p, q, g, y] = key;
    let (r, s, zero) = (integer(r), integer(s), Integer::ZERO);
    let inside = |number: &Integer| *number != zero && number < q;
    if *p == zero
        || p.bits() > DSA_BITS_MAX
        || q.bits() > DSA_BITS_MAX
        || !inside(&r)
        || !inside(&s)
    {
        return false;
    }
    let Some(w) = s.modinv(q) else {
        return false;
    };
    if q.bits() % 8 != 0 {
        return false;
    }
    let order_bytes = usize::try_from(q.bits().div_ceil(8)).unwrap_or(usize::MAX);
    let z = integer(&digest[..digest.len().min(order_bytes)]);
    let (first, second) = (z * &w % q, &r * &w % q);
    let v = g.modpow(&first, p) * y.modpow(&second, p) % p % q;
    v == r
}

/// Whether the two halves, without their leading zeros, are an Ed25519 signature of the message.
pub(crate) fn edwards(key: &[u8; 32], message: &[u8], r: &[u8], s: &[u8]) -> bool {
    if r.len() > 32 || s.len() > 32 {
        return false;
    }
    let mut signature = [0; 64];
    signature[32 - r.len()..32].copy_from_slice(r);
    signature[64 - s.len()..].copy_from_slice(s);
    let key = UnparsedPublicKey::new(&ED25519, &key[..]);
    key.verify(message, &signature).is_ok()
}
