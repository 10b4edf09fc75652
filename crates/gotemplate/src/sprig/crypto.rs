//! Hashes.

use sha1::Digest as _;

use crate::function::{Function, Type};

const T: Type = Type::Text;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::fixed("sha1sum", &[T], T, |c| {
        Ok(hex::encode(sha1::Sha1::digest(c.text(0))).into())
    }),
    Function::fixed("sha256sum", &[T], T, |c| {
        Ok(hex::encode(sha2::Sha256::digest(c.text(0))).into())
    }),
    Function::fixed("sha512sum", &[T], T, |c| {
        Ok(hex::encode(sha2::Sha512::digest(c.text(0))).into())
    }),
    Function::fixed("adler32sum", &[T], T, |c| {
        Ok(adler32(c.text(0)).to_string().into())
    }),
];

fn adler32(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (1_u32, 0_u32);
    for &byte in bytes {
        low = (low + u32::from(byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    high << 16 | low
}
