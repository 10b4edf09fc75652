//! Byte classes, looked up in a table.

/// Space or tab.
pub(crate) const BLANK: u8 = 1;
/// Line feed or carriage return.
pub(crate) const BREAK: u8 = 2;
/// First byte of U+0085, U+2028 or U+2029, which are line breaks too.
pub(crate) const WIDE: u8 = 4;
/// `,`, `?`, `[`, `]`, `{` or `}`, which end plain text in flow collections.
pub(crate) const FLOW: u8 = 8;
/// A letter, digit, `_` or `-`.
pub(crate) const WORD: u8 = 16;
/// `:`.
pub(crate) const COLON: u8 = 32;
/// Not a first byte of plain text wherever it stands.
pub(crate) const INDICATOR: u8 = 64;
/// May stand in a tag beside word characters.
pub(crate) const URI: u8 = 128;

/// Classes of every byte.
pub(crate) static CLASS: [u8; 256] = build();

const fn build() -> [u8; 256] {
    let mut table = [0u8; 256];
    let mut byte = 0usize;
    while byte < 256 {
        table[byte] = class_of(byte as u8);
        byte += 1;
    }
    table
}

const fn class_of(byte: u8) -> u8 {
    let shape = match byte {
        b' ' | b'\t' => BLANK,
        b'\n' | b'\r' => BREAK,
        0xc2 | 0xe2 => WIDE,
        b'?' => FLOW,
        b',' | b'[' | b']' | b'{' | b'}' => FLOW | INDICATOR,
        b':' => COLON,
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'-' => WORD,
        b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"' | b'%' | b'@' | b'`' => INDICATOR,
        _ => 0,
    };
    let uri = match byte {
        b';' | b'/' | b'?' | b':' | b'@' | b'&' | b'=' | b'+' | b'$' | b',' | b'.' | b'!'
        | b'~' | b'*' | b'\'' | b'(' | b')' | b'[' | b']' | b'%' => URI,
        _ => 0,
    };
    shape | uri
}
