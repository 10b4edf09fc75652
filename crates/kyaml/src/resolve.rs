//! What type a scalar has, by the rules of go-yaml v3 or v2.
//!
//! Text that looks like a number, boolean, null or timestamp is one when it is plain and carries no tag. Both
//! dialects read numbers alike (decimal, `0x`, `0o`, `0b`, leading-zero octal, `_` separators); YAML 1.1
//! adds `y yes on n no off` as booleans. Base 60 is never read.

use std::borrow::Cow;

use gocompat::number::{parse_float, parse_int, parse_uint};

use crate::{ConvertError, Dialect, Node, Style, Tag};

/// A typed scalar.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolved<'a> {
    /// `null`, `~` or nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number that fits `i64`.
    Int(i64),
    /// A number above `i64::MAX` that fits `u64`.
    Uint(u64),
    /// Any other number, infinities and not-a-number too.
    Float(f64),
    /// Text.
    String(Cow<'a, str>),
    /// A timestamp as RFC 3339 text with up to nine digits of fraction.
    Timestamp(String),
    /// Decoded `!!binary`; any bytes.
    Binary(Vec<u8>),
    /// The merge key `<<`.
    Merge,
}

impl Resolved<'_> {
    /// Returns the short tag of the type.
    pub fn tag(&self) -> &'static str {
        match self {
            Self::Null => "!!null",
            Self::Bool(_) => "!!bool",
            Self::Int(_) | Self::Uint(_) => "!!int",
            Self::Float(_) => "!!float",
            Self::String(_) => "!!str",
            Self::Timestamp(_) => "!!timestamp",
            Self::Binary(_) => "!!binary",
            Self::Merge => "!!merge",
        }
    }
}

/// Types a scalar node; collections and aliases count as empty text.
///
/// Follows what go-yaml reads back after printing the node: quoted text is a string unless its tag disagrees
/// with what the text looks like, and a tag that was set must fit the text.
///
/// # Errors
/// When the tag and the text disagree, or `!!binary` text is no base64.
pub fn resolve(node: &Node, dialect: Dialect) -> Result<Resolved<'_>, ConvertError> {
    let text = node.as_str().unwrap_or("");
    let quoted = node.style != Style::Plain;
    match &node.tag {
        Tag::Str => Ok(Resolved::String(Cow::Borrowed(text))),
        Tag::Implicit if quoted || text.contains('\n') => Ok(Resolved::String(Cow::Borrowed(text))),
        Tag::Implicit => Ok(resolve_text(text, dialect)),
        // go-yaml v2 treats unknown tags, v3 all that it cannot resolve, as text.
        Tag::Custom | Tag::Map | Tag::Seq => Ok(Resolved::String(Cow::Borrowed(text))),
        Tag::Binary => decode_binary(text),
        Tag::Merge if !node.tagged && text == "<<" => Ok(Resolved::Merge),
        tag => resolve_tagged(node, tag, text, quoted, dialect),
    }
}

fn resolve_tagged<'a>(
    node: &Node,
    tag: &Tag,
    text: &'a str,
    quoted: bool,
    dialect: Dialect,
) -> Result<Resolved<'a>, ConvertError> {
    let wanted = short_name(tag);
    let found = match resolve_text(text, dialect) {
        // Text is looked at as a timestamp only where nothing else is asked for.
        Resolved::Timestamp(_) if *tag != Tag::Timestamp => Resolved::String(Cow::Borrowed(text)),
        found => found,
    };
    // A tag that goes without saying is not printed, so the quotes alone decide.
    if !node.tagged && found.tag() == wanted {
        return Ok(if quoted {
            Resolved::String(Cow::Borrowed(text))
        } else {
            found
        });
    }
    match (tag, found) {
        (_, found) if found.tag() == wanted => Ok(found),
        (Tag::Float, Resolved::Int(value)) => {
            #[expect(clippy::cast_precision_loss, reason = "that is what the tag asks for")]
            let value = value as f64;
            Ok(Resolved::Float(value))
        }
        (Tag::Merge, _) => Ok(Resolved::String(Cow::Borrowed(text))),
        (_, found) => Err(ConvertError::WrongTag {
            found: found.tag(),
            text: text.to_owned(),
            wanted,
            line: node.mark.line,
        }),
    }
}

fn short_name(tag: &Tag) -> &'static str {
    match tag {
        Tag::Int => "!!int",
        Tag::Float => "!!float",
        Tag::Bool => "!!bool",
        Tag::Null => "!!null",
        Tag::Timestamp => "!!timestamp",
        Tag::Merge => "!!merge",
        Tag::Binary => "!!binary",
        _ => "!!str",
    }
}

fn decode_binary(text: &str) -> Result<Resolved<'static>, ConvertError> {
    decode_base64(text)
        .map(Resolved::Binary)
        .ok_or(ConvertError::Binary)
}

/// Types plain text that carries no tag.
pub fn resolve_text(text: &str, dialect: Dialect) -> Resolved<'_> {
    let Some(&first) = text.as_bytes().first() else {
        return Resolved::Null;
    };
    match first {
        b'0'..=b'9' | b'+' | b'-' | b'.' => resolve_number(text, first),
        b'~' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'y' | b'Y' | b'o' | b'O'
            if text.len() <= 5 =>
        {
            resolve_word(text, dialect)
        }
        _ => Resolved::String(Cow::Borrowed(text)),
    }
}

fn resolve_word(text: &str, dialect: Dialect) -> Resolved<'_> {
    match text {
        "~" | "null" | "Null" | "NULL" => Resolved::Null,
        "true" | "True" | "TRUE" => Resolved::Bool(true),
        "false" | "False" | "FALSE" => Resolved::Bool(false),
        _ => match old_bool(text) {
            Some(value) if dialect == Dialect::V11 => Resolved::Bool(value),
            _ => Resolved::String(Cow::Borrowed(text)),
        },
    }
}

/// Reads the booleans that only YAML 1.1 knows.
pub(crate) fn old_bool(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn resolve_number(text: &str, first: u8) -> Resolved<'_> {
    match text {
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Resolved::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
        _ => {}
    }
    if first == b'.' {
        return parse_float(text).map_or(Resolved::String(Cow::Borrowed(text)), Resolved::Float);
    }
    if let Some(timestamp) = crate::timestamp::parse(text) {
        return Resolved::Timestamp(timestamp);
    }
    // Most texts that start with a digit are versions, sizes and addresses.
    if !could_be_number(text) {
        return Resolved::String(Cow::Borrowed(text));
    }
    let plain: Cow<'_, str> = if text.contains('_') {
        Cow::Owned(text.replace('_', ""))
    } else {
        Cow::Borrowed(text)
    };
    number(&plain).unwrap_or(Resolved::String(Cow::Borrowed(text)))
}

fn could_be_number(text: &str) -> bool {
    text.bytes().all(|b| {
        b.is_ascii_hexdigit() || matches!(b, b'+' | b'-' | b'.' | b'_' | b'x' | b'X' | b'o' | b'O')
    })
}

fn number(plain: &str) -> Option<Resolved<'static>> {
    if let Ok(value) = parse_int(plain, 0, 64) {
        return Some(Resolved::Int(value));
    }
    if let Ok(value) = parse_uint(plain, 0, 64) {
        return Some(Resolved::Uint(value));
    }
    if is_yaml_float(plain)
        && let Ok(value) = parse_float(plain)
    {
        return Some(Resolved::Float(value));
    }
    prefixed(plain, "0b", 2).or_else(|| prefixed(plain, "0o", 8))
}

/// Reads `0b` and `0o` with a sign inside, which Go's own prefixes do not allow.
fn prefixed(plain: &str, prefix: &str, base: u32) -> Option<Resolved<'static>> {
    if let Some(digits) = plain.strip_prefix(prefix) {
        if let Ok(value) = parse_int(digits, base, 64) {
            return Some(Resolved::Int(value));
        }
        return parse_uint(digits, base, 64).ok().map(Resolved::Uint);
    }
    let digits = plain.strip_prefix('-')?.strip_prefix(prefix)?;
    let value = parse_int(&format!("-{digits}"), base, 64).ok()?;
    Some(Resolved::Int(value))
}

/// Matches `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn is_yaml_float(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let mantissa = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    mantissa && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
}

/// Matches YAML 1.1 base 60: `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`.
pub(crate) fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) => (whole, fraction),
        None => (unsigned, ""),
    };
    let mut parts = whole.split(':');
    let leading = parts.next().unwrap_or("");
    let loose = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let mut count = 0;
    let sixtieths = parts.all(|part| {
        count += 1;
        matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9'])
    });
    sixtieths && count > 0 && loose(leading) && loose(fraction)
}

/// Decodes padded standard base64; line breaks are skipped, as Go does.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|b| !matches!(b, b'\n' | b'\r'))
        .collect();
    let (quads, rest) = digits.as_chunks::<4>();
    if !rest.is_empty() {
        return None;
    }
    let mut out = Vec::with_capacity(quads.len() * 3);
    for (index, quad) in quads.iter().enumerate() {
        let padding = quad.iter().rev().take_while(|b| **b == b'=').count();
        if padding > 2 || padding > 0 && index + 1 != quads.len() {
            return None;
        }
        let mut bits = 0u32;
        for &byte in &quad[..4 - padding] {
            bits = bits << 6 | base64_digit(byte)?;
        }
        bits <<= 6 * padding;
        let [_, bytes @ ..] = bits.to_be_bytes();
        out.extend_from_slice(&bytes[..3 - padding]);
    }
    Some(out)
}

fn base64_digit(byte: u8) -> Option<u32> {
    let digit = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(digit))
}
