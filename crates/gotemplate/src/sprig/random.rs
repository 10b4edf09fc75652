//! Random text, numbers and identifiers from the host's source.

use base64::Engine as _;

use super::check_size;
use crate::function::{Call, CallError, CallResult, Function, Type};
use crate::value::Value;

const T: Type = Type::Text;
const I: Type = Type::Int;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::fixed("randAlphaNum", &[I], T, |c| {
        pick(c, |b| b.is_ascii_alphanumeric())
    }),
    Function::fixed("randAlpha", &[I], T, |c| {
        pick(c, |b| b.is_ascii_alphabetic())
    }),
    Function::fixed("randNumeric", &[I], T, |c| pick(c, |b| b.is_ascii_digit())),
    Function::fixed("randAscii", &[I], T, |c| {
        pick(c, |b| (b' '..=b'~').contains(&b))
    }),
    Function::fixed("randBytes", &[I], T, bytes),
    Function::fixed("randInt", &[I, I], I, integer),
    Function::fixed("shuffle", &[T], T, shuffle),
    Function::fixed("uuidv4", &[], T, uuid),
];

fn word(c: &Call<'_, '_>) -> u64 {
    let mut buffer = [0; 8];
    c.host().random(&mut buffer);
    u64::from_le_bytes(buffer)
}

/// A number below a bound; the bias of the remainder is below 2^-32 for every bound used here.
fn below(c: &Call<'_, '_>, bound: u64) -> u64 {
    ((u128::from(word(c)) * u128::from(bound.max(1))) >> 64) as u64
}

fn pick(c: &mut Call<'_, '_>, wanted: fn(u8) -> bool) -> CallResult {
    let alphabet: Vec<u8> = (0..=127).filter(|&byte| wanted(byte)).collect();
    // A negative count is an error upstream, whose text the caller drops.
    let count = usize::try_from(c.int(0)).unwrap_or(0);
    check_size(count)?;
    c.run.charge(count as u64)?;
    let mut out = Vec::with_capacity(count);
    for _ in 0..count {
        out.push(alphabet[below(c, alphabet.len() as u64) as usize]);
    }
    Ok(Value::text(out))
}

fn bytes(c: &mut Call<'_, '_>) -> CallResult {
    let Ok(count) = usize::try_from(c.int(0)) else {
        return Err(CallError::text(
            "runtime error: makeslice: len out of range",
        ));
    };
    check_size(count)?;
    let mut buffer = vec![0; count];
    c.host().random(&mut buffer);
    Ok(base64::engine::general_purpose::STANDARD
        .encode(buffer)
        .into())
}

fn integer(c: &mut Call<'_, '_>) -> CallResult {
    let (low, high) = (c.int(0), c.int(1));
    if high <= low {
        return Err(CallError::text("invalid argument to Intn"));
    }
    let span = high.wrapping_sub(low) as u64;
    Ok(Value::Int(low.wrapping_add(below(c, span) as i64)))
}

fn shuffle(c: &mut Call<'_, '_>) -> CallResult {
    let mut runes: Vec<char> = c.str(0).chars().collect();
    for index in (1..runes.len()).rev() {
        runes.swap(index, below(c, index as u64 + 1) as usize);
    }
    Ok(runes.into_iter().collect::<String>().into())
}

fn uuid(c: &mut Call<'_, '_>) -> CallResult {
    let mut bytes = [0; 16];
    c.host().random(&mut bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = hex::encode(bytes);
    let parts = [
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..],
    ];
    Ok(parts.join("-").into())
}
