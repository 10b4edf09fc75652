//! Base 64 and 32; a decoding error is the result.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::function::{Call, CallResult, Function, Type};
use crate::value::Value;

const T: Type = Type::Text;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::fixed("b64enc", &[T], T, |c| Ok(STANDARD.encode(c.text(0)).into())),
    Function::fixed("b64dec", &[T], T, |c| decoded(c, 6)),
    Function::fixed("b32enc", &[T], T, |c| Ok(base32(c.text(0)).into())),
    Function::fixed("b32dec", &[T], T, |c| decoded(c, 5)),
];

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base32(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(5) {
        let mut block = [0; 8];
        block[3..3 + chunk.len()].copy_from_slice(chunk);
        let number = u64::from_be_bytes(block);
        let digits = (chunk.len() * 8).div_ceil(5);
        for index in 0..8 {
            if index < digits {
                let digit = (number >> (35 - 5 * index)) & 31;
                out.push(char::from(BASE32[digit as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

fn decoded(c: &mut Call<'_, '_>, bits: usize) -> CallResult {
    let text = c.text(0);
    Ok(match decode(text, bits) {
        Ok(bytes) => Value::text(bytes),
        Err(at) => {
            let base = 1_usize << bits;
            format!("illegal base{base} data at input byte {at}").into()
        }
    })
}

/// Decodes padded text, ignoring line breaks; the error is the offset that Go reports.
fn decode(text: &[u8], bits: usize) -> Result<Vec<u8>, usize> {
    let alphabet: &[u8] = if bits == 6 { BASE64 } else { BASE32 };
    let group = if bits == 6 { 4 } else { 8 };
    // Base 32 drops line breaks before it counts bytes, base 64 counts them.
    let input: Vec<(usize, u8)> = if bits == 6 {
        text.iter()
            .copied()
            .enumerate()
            .filter(|(_, b)| !matches!(b, b'\r' | b'\n'))
            .collect()
    } else {
        text.iter()
            .copied()
            .filter(|b| !matches!(b, b'\r' | b'\n'))
            .enumerate()
            .collect()
    };
    let end = if bits == 6 { text.len() } else { input.len() };
    let mut out = Vec::with_capacity(text.len());
    for (index, block) in input.chunks(group).enumerate() {
        let last = (index + 1) * group >= input.len();
        let mut number = 0_u64;
        let mut digits = 0;
        for &(at, byte) in block {
            if byte == b'=' {
                break;
            }
            let digit = alphabet.iter().position(|&b| b == byte).ok_or(at)?;
            number = number << bits | digit as u64;
            digits += 1;
        }
        check_padding(
            block,
            digits,
            group,
            bits,
            last,
            end,
            &input[(index * group + block.len()).min(input.len())..],
        )?;
        let bytes = digits * bits / 8;
        number <<= (group - digits) * bits;
        let total = group * bits / 8;
        out.extend_from_slice(&number.to_be_bytes()[8 - total..8 - total + bytes]);
    }
    Ok(out)
}

fn check_padding(
    block: &[(usize, u8)],
    digits: usize,
    group: usize,
    bits: usize,
    last: bool,
    end: usize,
    after: &[(usize, u8)],
) -> Result<(), usize> {
    let start = block[0].0;
    let short = block.len() < group;
    if digits == block.len() && !short {
        return Ok(());
    }
    if digits == block.len() {
        // The text ends inside a group: base 64 reports the group, base 32 the end of its digits.
        return Err(if bits == 6 {
            start.max(end - block.len())
        } else {
            start
        });
    }
    let allowed: &[usize] = if bits == 6 { &[2, 3] } else { &[2, 4, 5, 7] };
    let first_padding = block[digits].0;
    if !allowed.contains(&digits) {
        return Err(first_padding);
    }
    for &(at, byte) in &block[digits..] {
        if byte != b'=' {
            return Err(at);
        }
    }
    if short {
        return Err(end);
    }
    if !last {
        return Err(after.first().map_or(end, |(at, _)| *at));
    }
    Ok(())
}

/// Decodes base 64; the error is the offset that Go reports.
pub(super) fn base64_bytes(text: &[u8]) -> Result<Vec<u8>, usize> {
    decode(text, 6)
}
