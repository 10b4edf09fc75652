//! Texts, numbers and times of TOML.

use gocompat::number::{NumberError, parse_float, parse_int};
use gocompat::quote::quote;
use gotemplate::Value;
use gotemplate::time::Time;

use super::super::{LOCAL_DATE, LOCAL_DATETIME, LOCAL_TIME};
use super::lex::{Item, Kind};
use super::{Read, Reader};

impl<'t> Reader<'t> {
    pub(super) fn scalar(&mut self, item: Item<'t>) -> Read<Value> {
        let text = String::from_utf8_lossy(item.text);
        let value = match item.kind {
            Kind::Integer => integer(&text),
            Kind::Float => float(&text),
            Kind::Moment => moment(&text),
            Kind::Bool => Ok(Value::Bool(item.text == b"true")),
            _ => return self.string(item).map(Value::from),
        };
        value.map_err(|message| (item.line, message))
    }

    pub(super) fn string(&mut self, item: Item<'t>) -> Read<String> {
        let text = String::from_utf8_lossy(item.text);
        let text = match item.kind {
            Kind::StrEscaped => unescaped(&text),
            Kind::MultiStr => unescaped(&joined_lines(without_first_break(&text))),
            Kind::MultiRaw => Ok(without_first_break(&text).to_owned()),
            _ => Ok(text.into_owned()),
        };
        text.map_err(|message| (item.line, message))
    }
}

fn without_first_break(text: &str) -> &str {
    let rest = text
        .strip_prefix('\n')
        .or_else(|| text.strip_prefix("\r\n"));
    rest.unwrap_or(text)
}

/// Takes out line breaks that are escaped, with all blanks and breaks after them.
fn joined_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        out.push_str(before);
        let tail = after.trim_start_matches([' ', '\t', '\r', '\n']);
        if after[..after.len() - tail.len()].contains('\n') {
            rest = tail;
            continue;
        }
        out.push('\\');
        rest = after;
        if let Some(tail) = after.strip_prefix('\\') {
            out.push('\\');
            rest = tail;
        }
    }
    out.push_str(rest);
    out
}

/// Replaces escapes, which the lexer found complete.
fn unescaped(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let mut chars = rest[at + 1..].chars();
        let c = chars.next().unwrap_or('\\');
        let tail = chars.as_str();
        let digits = match c {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            ' ' | '\t' => return Err(format!("invalid escape: '\\{c}'")),
            c => {
                out.push(plain_escape(c).unwrap_or(c));
                rest = tail;
                continue;
            }
        };
        let (hex, tail) = tail.split_at_checked(digits).unwrap_or((tail, ""));
        let code = u32::from_str_radix(hex, 16).ok().and_then(char::from_u32);
        out.push(code.ok_or_else(|| format!("Escaped character '\\u{hex}' is not valid UTF-8."))?);
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

fn integer(text: &str) -> Result<Value, String> {
    let shown = quote(text.as_bytes());
    if !underscores_fit(text) {
        return Err(format!(
            "Invalid integer {shown}: underscores must be surrounded by digits"
        ));
    }
    if leading_zero(text) {
        return Err(format!(
            "Invalid integer {shown}: cannot have leading zeroes"
        ));
    }
    match parse_int(text, 0, 64) {
        Ok(number) => Ok(Value::Int64(number)),
        Err(NumberError::Range) => Err(format!("{text} is out of range for int64")),
        Err(NumberError::Syntax) => Err(format!("Invalid integer {shown}")),
    }
}

fn float(text: &str) -> Result<Value, String> {
    let shown = quote(text.as_bytes());
    let mut parts = text.split(['.', 'e', 'E']).filter(|part| !part.is_empty());
    if !parts.clone().all(underscores_fit) {
        return Err(format!(
            "Invalid float {shown}: underscores must be surrounded by digits"
        ));
    }
    if parts.next().is_some_and(leading_zero) {
        return Err(format!("Invalid float {shown}: cannot have leading zeroes"));
    }
    let bytes = text.as_bytes();
    let dots = (0..bytes.len()).filter(|&i| bytes[i] == b'.');
    if dots
        .clone()
        .any(|i| !bytes.get(i + 1).is_some_and(u8::is_ascii_digit))
    {
        return Err(format!(
            "Invalid float {shown}: '.' must be followed by one or more digits"
        ));
    }
    // The sign of NaN is not read elsewhere.
    let plain = text.replace('_', "");
    let plain = if plain.ends_with("nan") {
        "nan"
    } else {
        &plain
    };
    match parse_float(plain) {
        Ok(number) => Ok(Value::Float(number)),
        Err(NumberError::Range) => Err(format!("{text} is out of range for float64")),
        Err(NumberError::Syntax) => Err(format!("Invalid float value: {shown}")),
    }
}

fn moment(text: &str) -> Result<Value, String> {
    let text = text.replace('z', "Z").replace(['t', ' '], "T");
    let layouts = [
        ("2006-01-02T15:04:05.999999999Z07:00", ""),
        ("2006-01-02T15:04:05.999999999", LOCAL_DATETIME),
        ("2006-01-02", LOCAL_DATE),
        ("15:04:05.999999999", LOCAL_TIME),
        ("2006-01-02T15:04Z07:00", ""),
        ("2006-01-02T15:04", LOCAL_DATETIME),
        ("15:04", LOCAL_TIME),
    ];
    for (layout, zone) in layouts {
        let Ok(time) = Time::parse(layout, &text) else {
            continue;
        };
        let padded = layout
            .bytes()
            .zip(text.bytes())
            .take_while(|(l, _)| !matches!(l, b'.' | b'Z'));
        let padded = padded.clone().all(|(l, t)| l.is_ascii_digit() || l == t);
        if !padded {
            break;
        }
        return Ok(Value::object(if zone.is_empty() {
            time
        } else {
            time.named_zone(zone)
        }));
    }
    Err(format!("invalid datetime: {}", quote(text.as_bytes())))
}

/// The character that an escape without digits stands for.
fn plain_escape(c: char) -> Option<char> {
    Some(match c {
        'b' => '\u{8}',
        't' => '\t',
        'n' => '\n',
        'f' => '\u{c}',
        'r' => '\r',
        'e' => '\u{1b}',
        '"' | '\\' => c,
        _ => return None,
    })
}

fn leading_zero(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let bytes = unsigned.as_bytes();
    let signed = unsigned.len() != text.len();
    bytes.len() > 1 && bytes[0] == b'0' && (signed || !matches!(bytes[1], b'b' | b'o' | b'x'))
}

fn underscores_fit(text: &str) -> bool {
    if matches!(text.trim_start_matches(['+', '-']), "inf" | "nan") {
        return true;
    }
    let mut accept = false;
    for c in text.chars() {
        if c == '_' && !accept {
            return false;
        }
        accept = c.is_ascii_hexdigit();
    }
    accept
}
