//! Bytes into checked text: byte order marks, UTF-16, invalid UTF-8, control characters.

use std::borrow::Cow;

use crate::{Mark, ReadError, ReadOptions};

/// Decodes the bytes and refuses what a YAML stream cannot hold.
pub(crate) fn decode<'a>(
    bytes: &'a [u8],
    options: &ReadOptions,
) -> Result<Cow<'a, str>, ReadError> {
    if bytes.len() > options.max_bytes {
        let message = format!(
            "document of {} bytes exceeds the limit of {}",
            bytes.len(),
            options.max_bytes
        );
        return Err(ReadError::new(message, Mark::default()));
    }
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => Cow::Owned(decode_wide(rest, u16::from_le_bytes)?),
        [0xfe, 0xff, rest @ ..] => Cow::Owned(decode_wide(rest, u16::from_be_bytes)?),
        [0xef, 0xbb, 0xbf, rest @ ..] => Cow::Borrowed(decode_narrow(rest)?),
        rest => Cow::Borrowed(decode_narrow(rest)?),
    };
    match first_forbidden(&text) {
        None => Ok(text),
        Some(at) => Err(ReadError::new(
            "control characters are not allowed",
            mark_at(text.as_bytes(), at),
        )),
    }
}

fn decode_narrow(bytes: &[u8]) -> Result<&str, ReadError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let message = match (bytes.get(at), error.error_len()) {
            (_, None) => "incomplete UTF-8 octet sequence",
            (Some(0xc0..=0xc1), _) => "invalid length of a UTF-8 sequence",
            (Some(0xc2..=0xf7), _) => "invalid trailing UTF-8 octet",
            _ => "invalid leading UTF-8 octet",
        };
        ReadError::new(message, mark_at(bytes, at))
    })
}

fn decode_wide(bytes: &[u8], join: fn([u8; 2]) -> u16) -> Result<String, ReadError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(ReadError::new(
            "incomplete UTF-16 character",
            Mark::default(),
        ));
    }
    char::decode_utf16(pairs.iter().map(|pair| join(*pair)))
        .collect::<Result<String, _>>()
        .map_err(|_| ReadError::new("unexpected low surrogate area", Mark::default()))
}

/// Finds the first character that YAML does not allow in a stream.
///
/// ASCII text, the usual case, is decided by one branch-free pass over the bytes.
pub(crate) fn first_forbidden(text: &str) -> Option<usize> {
    let suspicious = text.as_bytes().iter().fold(false, |found, &b| {
        found | (b < 0x20 && b != b'\n') | (b >= 0x7f)
    });
    if !suspicious {
        return None;
    }
    text.char_indices()
        .find(|(_, c)| is_forbidden(*c))
        .map(|(at, _)| at)
}

/// Tells whether a character may not stand in a YAML stream.
pub(crate) fn is_forbidden(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' | '\u{85}' => false,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => true,
        _ => false,
    }
}

fn mark_at(bytes: &[u8], at: usize) -> Mark {
    let before = &bytes[..at];
    let line = before.iter().filter(|b| **b == b'\n').count();
    let start = before
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |p| p + 1);
    let column = before[start..]
        .iter()
        .filter(|b| **b & 0xc0 != 0x80)
        .count();
    let narrow = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
    Mark {
        line: narrow(line),
        column: narrow(column),
    }
}
