//! Characters and runs of space as the language sees them.

use gocompat::unicode::{is_digit, is_letter, is_print};

/// First rune and its width; malformed bytes are one replacement character each.
pub(super) fn decode(bytes: &[u8]) -> Option<(char, usize)> {
    let first = *bytes.first()?;
    if first < 0x80 {
        return Some((char::from(first), 1));
    }
    let head = &bytes[..bytes.len().min(4)];
    let c = head.utf8_chunks().next()?.valid().chars().next();
    Some(c.map_or(('\u{fffd}', 1), |c| (c, c.len_utf8())))
}

pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

pub(super) fn is_alphanumeric(c: char) -> bool {
    c == '_' || is_letter(c) || is_digit(c)
}

pub(super) fn newlines(bytes: &[u8]) -> u32 {
    const SHORT: usize = 32;
    if bytes.len() < SHORT {
        return bytes.iter().map(|&b| u32::from(b == b'\n')).sum();
    }
    memchr::memchr_iter(b'\n', bytes).count() as u32
}

pub(super) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let candidate = from + memchr::memchr(needle[0], &haystack[from..])?;
        if haystack[candidate..].starts_with(needle) {
            return Some(candidate);
        }
        from = candidate + 1;
    }
}

pub(super) fn byte_is_space(byte: u8) -> bool {
    is_space(char::from(byte))
}

pub(super) fn left_marker(bytes: &[u8]) -> bool {
    bytes.len() >= 2 && bytes[0] == b'-' && byte_is_space(bytes[1])
}

pub(super) fn right_marker(bytes: &[u8]) -> bool {
    bytes.len() >= 2 && byte_is_space(bytes[0]) && bytes[1] == b'-'
}

/// Length without trailing space.
pub(super) fn trim_end(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|&b| !byte_is_space(b))
        .map_or(0, |last| last + 1)
}

/// Number of leading space bytes.
pub(super) fn trim_start(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|&b| !byte_is_space(b))
        .unwrap_or(bytes.len())
}

/// Go's `%#U`.
pub(super) fn unicode(c: char) -> String {
    let code = c as u32;
    if is_print(c) {
        format!("U+{code:04X} '{c}'")
    } else {
        format!("U+{code:04X}")
    }
}
