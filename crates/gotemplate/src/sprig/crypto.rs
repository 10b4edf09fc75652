//! Hashes, passwords and symmetric encryption.

use aes::cipher::{BlockDecrypt as _, BlockEncrypt as _, KeyInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::Digest as _;

use crate::function::{Call, CallError, CallResult, Function, Type};
use crate::value::Value;

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
    Function::fixed("bcrypt", &[T], T, |c| {
        c.run.charge(BCRYPT_WORK)?;
        Ok(bcrypt_text(c, 0).into())
    }),
    Function::fixed("htpasswd", &[T, T], T, |c| {
        let user = c.str(0).into_owned();
        if user.contains(':') {
            return Ok(format!("invalid username: {user}").into());
        }
        c.run.charge(BCRYPT_WORK)?;
        Ok(format!("{user}:{}", bcrypt_text(c, 1)).into())
    }),
    Function::fixed(
        "derivePassword",
        &[Type::Uint32, T, T, T, T],
        T,
        derive_password,
    ),
    Function::fixed("encryptAES", &[T, T], T, encrypt),
    Function::fixed("decryptAES", &[T, T], T, decrypt),
];

fn adler32(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (1_u32, 0_u32);
    for &byte in bytes {
        low = (low + u32::from(byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    high << 16 | low
}

/// Work charged for one hash, about 50 ms.
const BCRYPT_WORK: u64 = 10_000_000;
const BCRYPT_COST: u32 = 10;
/// Longest password that the algorithm takes.
const BCRYPT_BYTES_MAX: usize = 72;
const BCRYPT_ALPHABET: &[u8; 64] =
    b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

fn bcrypt_text(c: &Call<'_, '_>, index: usize) -> String {
    let password = c.text(index);
    if password.len() > BCRYPT_BYTES_MAX {
        return format!(
            "failed to encrypt string with bcrypt: bcrypt: password length exceeds {BCRYPT_BYTES_MAX} bytes"
        );
    }
    let mut salt = [0; 16];
    c.host().random(&mut salt);
    let terminated = [password, &[0]].concat();
    let key = &terminated[..terminated.len().min(BCRYPT_BYTES_MAX)];
    let hash = bcrypt::bcrypt(BCRYPT_COST, salt, key);
    format!(
        "$2a${BCRYPT_COST}${}{}",
        bcrypt_base64(&salt),
        bcrypt_base64(&hash[..23])
    )
}

fn bcrypt_base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let mut block = [0; 4];
        block[1..1 + chunk.len()].copy_from_slice(chunk);
        let number = u32::from_be_bytes(block);
        for digit in 0..=chunk.len() {
            let index = number >> (18 - 6 * digit) & 63;
            out.push(char::from(BCRYPT_ALPHABET[index as usize]));
        }
    }
    out
}

const SEED: &[u8] = b"com.lyndir.masterpassword";

/// Patterns of each type of password.
fn patterns(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "maximum" => &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
        "long" => &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
        "medium" => &["CvcnoCvc", "CvcCvcno"],
        "short" => &["Cvcn"],
        "basic" => &["aaanaaan", "aannaaan", "aaannaaa"],
        "pin" => &["nnnn"],
        _ => return None,
    })
}

fn characters(class: u8) -> &'static [u8] {
    match class {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

fn with_length(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u32).to_be_bytes()[..], text].concat()
}

fn derive_password(c: &mut Call<'_, '_>) -> CallResult {
    let counter = c.args[0].as_uint().unwrap_or_default() as u32;
    let kind = c.str(1).into_owned();
    let Some(patterns) = patterns(&kind) else {
        return Ok(format!("cannot find password template {kind}").into());
    };
    c.run.charge(20_000_000)?;
    let salt = [SEED, &with_length(c.text(3))].concat();
    let params =
        scrypt::Params::new(15, 8, 2, 64).map_err(|error| CallError::text(error.to_string()))?;
    let mut key = [0; 64];
    scrypt::scrypt(c.text(2), &salt, &params, &mut key)
        .map_err(|error| CallError::text(error.to_string()))?;
    let message = [SEED, &with_length(c.text(4)), &counter.to_be_bytes()].concat();
    let seed = hmac_sha256(&key, &message);
    let pattern = patterns[usize::from(seed[0]) % patterns.len()];
    let pick = |(class, byte): (u8, &u8)| {
        let set = characters(class);
        set[usize::from(*byte) % set.len()]
    };
    Ok(Value::text(
        pattern
            .bytes()
            .zip(&seed[1..])
            .map(pick)
            .collect::<Vec<u8>>(),
    ))
}

/// HMAC with a key of exactly one block.
fn hmac_sha256(key: &[u8; 64], message: &[u8]) -> Vec<u8> {
    let masked = |mask: u8| key.map(|byte| byte ^ mask);
    let inner = sha2::Sha256::digest([&masked(0x36)[..], message].concat());
    sha2::Sha256::digest([&masked(0x5c)[..], &inner[..]].concat()).to_vec()
}

const BLOCK: usize = 16;

fn cipher(password: &[u8]) -> aes::Aes256 {
    let mut key = [0; 32];
    let len = password.len().min(32);
    key[..len].copy_from_slice(&password[..len]);
    aes::Aes256::new(&key.into())
}

fn encrypt(c: &mut Call<'_, '_>) -> CallResult {
    let plain = c.text(1);
    if plain.is_empty() {
        return Ok("".into());
    }
    let cipher = cipher(c.text(0));
    let mut previous = [0; BLOCK];
    c.host().random(&mut previous);
    let mut out = previous.to_vec();
    let padding = BLOCK - plain.len() % BLOCK;
    let padded = [plain, &vec![padding as u8; padding]].concat();
    for chunk in padded.chunks(BLOCK) {
        let mut block = previous;
        block.iter_mut().zip(chunk).for_each(|(a, b)| *a ^= b);
        let mut block = block.into();
        cipher.encrypt_block(&mut block);
        previous = block.into();
        out.extend_from_slice(&previous);
    }
    Ok(STANDARD.encode(out).into())
}

fn decrypt(c: &mut Call<'_, '_>) -> CallResult {
    let text = c.text(1);
    if text.is_empty() {
        return Ok("".into());
    }
    let bytes = super::encoding::base64_bytes(text)
        .map_err(|at| CallError::text(format!("illegal base64 data at input byte {at}")))?;
    if bytes.len() < BLOCK {
        let len = bytes.len();
        return Err(CallError::text(format!(
            "runtime error: slice bounds out of range [:16] with capacity {len}"
        )));
    }
    if bytes.len() % BLOCK != 0 {
        return Err(CallError::text("crypto/cipher: input not full blocks"));
    }
    let cipher = cipher(c.text(0));
    let mut out = Vec::new();
    for pair in bytes.chunks(BLOCK).collect::<Vec<_>>().windows(2) {
        let mut block = aes::Block::clone_from_slice(pair[1]);
        cipher.decrypt_block(&mut block);
        out.extend(block.iter().zip(pair[0]).map(|(a, b)| a ^ b));
    }
    let Some(padding) = out.last().copied() else {
        return Err(CallError::text("runtime error: index out of range [-1]"));
    };
    match out.len().checked_sub(usize::from(padding)) {
        Some(len) => Ok(Value::text(&out[..len])),
        None => {
            let end = out.len() as i64 - i64::from(padding);
            Err(CallError::text(format!(
                "runtime error: slice bounds out of range [:{end}]"
            )))
        }
    }
}
