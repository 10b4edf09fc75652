//! Text functions.

use gocompat::fmt::sprintf;
use gocompat::unicode::{is_space, to_lower, to_upper};

use super::{case, check_size};
use crate::format::strval;
use crate::function::{Call, CallError, CallResult, Function, Type};
use crate::value::{List, Map, MapKind, Value};

const T: Type = Type::Text;
const I: Type = Type::Int;
const A: Type = Type::Any;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::fixed("hello", &[], T, |_| Ok("Hello!".into())),
    Function::fixed("trim", &[T], T, |c| {
        Ok(c.str(0).trim_matches(is_space).into())
    }),
    Function::fixed("upper", &[T], T, |c| {
        Ok(case::map_runes(c.text(0), to_upper))
    }),
    Function::fixed("lower", &[T], T, |c| {
        Ok(case::map_runes(c.text(0), to_lower))
    }),
    Function::fixed("title", &[T], T, |c| Ok(case::title(&c.str(0)).into())),
    Function::fixed("untitle", &[T], T, |c| Ok(case::untitle(&c.str(0)).into())),
    Function::fixed("swapcase", &[T], T, |c| Ok(case::swap(&c.str(0)).into())),
    Function::fixed("snakecase", &[T], T, |c| {
        Ok(Value::text(case::separated(c.text(0), b'_')))
    }),
    Function::fixed("kebabcase", &[T], T, |c| {
        Ok(Value::text(case::separated(c.text(0), b'-')))
    }),
    Function::fixed("camelcase", &[T], T, |c| Ok(case::pascal(&c.str(0)).into())),
    Function::fixed(
        "initials",
        &[T],
        T,
        |c| Ok(case::initials(c.text(0)).into()),
    ),
    Function::fixed("substr", &[I, I, T], T, substr),
    Function::fixed("repeat", &[I, T], T, repeat),
    Function::fixed("trimall", &[T, T], T, trim_all),
    Function::fixed("trimAll", &[T, T], T, trim_all),
    Function::fixed("trimSuffix", &[T, T], T, |c| {
        let text = c.text(1);
        Ok(Value::text(text.strip_suffix(c.text(0)).unwrap_or(text)))
    }),
    Function::fixed("trimPrefix", &[T, T], T, |c| {
        let text = c.text(1);
        Ok(Value::text(text.strip_prefix(c.text(0)).unwrap_or(text)))
    }),
    Function::fixed("nospace", &[T], T, |c| {
        // The library takes bytes for runes, and notices only where there is space to remove.
        if !c.text(0).iter().any(|b| is_space(char::from(*b))) {
            return Ok(c.value(0));
        }
        let runes = c.text(0).iter().copied().map(char::from);
        Ok(runes.filter(|c| !is_space(*c)).collect::<String>().into())
    }),
    Function::fixed("trunc", &[I, T], T, trunc),
    Function::fixed("abbrev", &[I, T], T, |c| {
        Ok(Value::text(abbrev(c.text(1), c.int(0))))
    }),
    Function::fixed("abbrevboth", &[I, I, T], T, |c| {
        Ok(Value::text(abbrev_both(c.text(2), c.int(0), c.int(1))))
    }),
    Function::fixed("wrap", &[I, T], T, |c| {
        Ok(Value::text(wrap(c.text(1), c.int(0), b"\n", false)?))
    }),
    Function::fixed("wrapWith", &[I, T, T], T, |c| {
        let separator: &[u8] = if c.text(1).is_empty() {
            b"\n"
        } else {
            c.text(1)
        };
        Ok(Value::text(wrap(c.text(2), c.int(0), separator, true)?))
    }),
    Function::fixed("contains", &[T, T], Type::Bool, |c| {
        Ok(Value::Bool(
            count(c.text(1), c.text(0)) > 0 || c.text(0).is_empty(),
        ))
    }),
    Function::fixed("hasPrefix", &[T, T], Type::Bool, |c| {
        Ok(Value::Bool(c.text(1).starts_with(c.text(0))))
    }),
    Function::fixed("hasSuffix", &[T, T], Type::Bool, |c| {
        Ok(Value::Bool(c.text(1).ends_with(c.text(0))))
    }),
    Function::variadic("quote", &[A], T, quote),
    Function::variadic("squote", &[A], T, squote),
    Function::variadic("cat", &[A], T, cat),
    Function::fixed("indent", &[I, T], T, |c| {
        Ok(Value::text(indent(c.int(0), c.text(1), b"")?))
    }),
    Function::fixed("nindent", &[I, T], T, |c| {
        Ok(Value::text(indent(c.int(0), c.text(1), b"\n")?))
    }),
    Function::fixed("replace", &[T, T, T], T, replace),
    Function::fixed("plural", &[T, T, I], T, |c| {
        Ok(c.value(if c.int(2) == 1 { 0 } else { 1 }))
    }),
    Function::fixed("toString", &[A], T, |c| Ok(Value::text(strval(&c.args[0])))),
    Function::fixed("toStrings", &[A], Type::Concrete, |c| {
        Ok(text_list(&c.args[0], texts(&c.args[0])))
    }),
    Function::fixed("join", &[T, A], T, join),
    Function::fixed("split", &[T, T], Type::Concrete, |c| {
        check_pieces(c.text(1), c.text(0))?;
        Ok(numbered(split(c.text(1), c.text(0), None)))
    }),
    Function::fixed("splitList", &[T, T], Type::Concrete, |c| {
        check_pieces(c.text(1), c.text(0))?;
        Ok(List::texts(split(c.text(1), c.text(0), None)).into())
    }),
    Function::fixed("splitn", &[T, I, T], Type::Concrete, |c| {
        check_pieces(c.text(2), c.text(0))?;
        Ok(numbered(split(c.text(2), c.text(0), Some(c.int(1)))))
    }),
    Function::fixed("sortAlpha", &[A], Type::Concrete, sort_alpha),
];

/// Bytes that one piece of a text takes, list and map included.
const PIECE_BYTES: usize = 64;

/// Refuses to cut a text into more pieces than a result may hold.
fn check_pieces(text: &[u8], separator: &[u8]) -> Result<(), CallError> {
    let longest = text.len() / separator.len().max(1);
    if longest * PIECE_BYTES <= 1 << 20 {
        return Ok(());
    }
    let pieces = match separator {
        [] => text.len(),
        [first, ..] => text
            .iter()
            .filter(|byte| *byte == first)
            .count()
            .min(longest),
    };
    check_size(pieces * PIECE_BYTES)
}

fn substr(c: &mut Call<'_, '_>) -> CallResult {
    let (start, end, text) = (c.int(0), c.int(1), c.text(2));
    let len = text.len();
    let (start, end) = if start < 0 {
        if end < 0 {
            return Err(CallError::text(format!(
                "runtime error: slice bounds out of range [:{end}]"
            )));
        }
        (0, end)
    } else if end < 0 || end > len as i64 {
        (start, len as i64)
    } else {
        (start, end)
    };
    if end > len as i64 {
        return Err(CallError::text(format!(
            "runtime error: slice bounds out of range [:{end}] with length {len}"
        )));
    }
    if start > end {
        return Err(CallError::text(format!(
            "runtime error: slice bounds out of range [{start}:{end}]"
        )));
    }
    Ok(Value::text(&text[start as usize..end as usize]))
}

fn repeat(c: &mut Call<'_, '_>) -> CallResult {
    let (times, text) = (c.int(0), c.text(1));
    let Ok(times) = usize::try_from(times) else {
        return Err(CallError::text("strings: negative Repeat count"));
    };
    check_size(text.len().saturating_mul(times))?;
    Ok(Value::text(text.repeat(times)))
}

fn trim_all(c: &mut Call<'_, '_>) -> CallResult {
    let cut = c.str(0);
    Ok(c.str(1).trim_matches(|ch| cut.contains(ch)).into())
}

fn trunc(c: &mut Call<'_, '_>) -> CallResult {
    let (count, text) = (c.int(0), c.text(1));
    let len = text.len() as i64;
    let shown = if count < 0 && len.saturating_add(count) > 0 {
        &text[(len + count) as usize..]
    } else if count >= 0 && len > count {
        &text[..count as usize]
    } else {
        text
    };
    Ok(Value::text(shown))
}

fn abbrev(text: &[u8], width: i64) -> Vec<u8> {
    if width < 4 {
        text.to_vec()
    } else {
        abbreviate(text, 0, width)
    }
}

fn abbrev_both(text: &[u8], left: i64, right: i64) -> Vec<u8> {
    if right < 4 || (left > 0 && right < 7) {
        return text.to_vec();
    }
    abbreviate(text, left, right)
}

/// Shortens with dots at the end, or at both ends where the offset lies inside.
fn abbreviate(text: &[u8], offset: i64, width: i64) -> Vec<u8> {
    let len = text.len() as i64;
    if width < 4 {
        return Vec::new();
    }
    if len <= width {
        return text.to_vec();
    }
    let mut offset = offset.min(len);
    // The difference wraps for the most negative offsets, as upstream's does.
    if len.wrapping_sub(offset) < width - 3 {
        offset = len - (width - 3);
    }
    if offset <= 4 {
        return [&text[..(width - 3) as usize], b"..."].concat();
    }
    if width < 7 {
        return Vec::new();
    }
    if offset + width - 3 < len {
        let rest = abbreviate(&text[offset as usize..], 0, width - 3);
        return [b"...", &rest[..]].concat();
    }
    [b"...", &text[(len - (width - 3)) as usize..]].concat()
}

fn wrap(text: &[u8], width: i64, separator: &[u8], cut_words: bool) -> Result<Vec<u8>, CallError> {
    let width = usize::try_from(width.max(1)).unwrap_or(usize::MAX);
    check_size(
        text.len()
            .saturating_add((text.len() / width + 1).saturating_mul(separator.len())),
    )?;
    let mut out = Vec::new();
    let mut rest = text;
    while rest.len() > width {
        if rest[0] == b' ' {
            rest = &rest[1..];
            continue;
        }
        if let Some(space) = rest[..=width].iter().rposition(|&b| b == b' ') {
            out.extend_from_slice(&rest[..space]);
            out.extend_from_slice(separator);
            rest = &rest[space + 1..];
        } else if cut_words {
            out.extend_from_slice(&rest[..width]);
            out.extend_from_slice(separator);
            rest = &rest[width..];
        } else if let Some(space) = rest[width..].iter().position(|&b| b == b' ') {
            out.extend_from_slice(&rest[..width + space]);
            out.extend_from_slice(separator);
            rest = &rest[width + space + 1..];
        } else {
            break;
        }
    }
    out.extend_from_slice(rest);
    Ok(out)
}

fn quote(c: &mut Call<'_, '_>) -> CallResult {
    let shown = c.args.iter().filter(|value| !value.is_nil());
    let shown: Vec<String> = shown
        .map(|value| gocompat::quote::quote(&strval(value)))
        .collect();
    Ok(shown.join(" ").into())
}

fn squote(c: &mut Call<'_, '_>) -> CallResult {
    let shown = c.args.iter().filter(|value| !value.is_nil());
    let shown: Vec<Vec<u8>> = shown
        .map(|value| sprintf(b"'%v'", std::slice::from_ref(value)))
        .collect();
    Ok(Value::text(shown.join(&b' ')))
}

fn cat(c: &mut Call<'_, '_>) -> CallResult {
    let shown = c.args.iter().filter(|value| !value.is_nil());
    let shown: Vec<Vec<u8>> = shown
        .map(|value| sprintf(b"%v", std::slice::from_ref(value)))
        .collect();
    Ok(Value::text(shown.join(&b' ')))
}

fn indent(spaces: i64, text: &[u8], before: &[u8]) -> Result<Vec<u8>, CallError> {
    let Ok(spaces) = usize::try_from(spaces) else {
        return Err(CallError::text("strings: negative Repeat count"));
    };
    let lines = text.iter().filter(|&&b| b == b'\n').count() + 1;
    check_size(lines.saturating_mul(spaces).saturating_add(text.len()))?;
    let mut out = Vec::with_capacity(before.len() + text.len() + lines * spaces);
    out.extend_from_slice(before);
    out.resize(out.len() + spaces, b' ');
    for &byte in text {
        out.push(byte);
        if byte == b'\n' {
            out.resize(out.len() + spaces, b' ');
        }
    }
    Ok(out)
}

/// Number of non-overlapping occurrences; of an empty text, the number of runes and one.
fn count(text: &[u8], part: &[u8]) -> usize {
    if part.is_empty() {
        return String::from_utf8_lossy(text).chars().count() + 1;
    }
    let (mut at, mut found) = (0, 0);
    while let Some(offset) = find(&text[at..], part) {
        found += 1;
        at += offset + part.len();
    }
    found
}

pub(super) fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    let first = *part.first()?;
    let mut from = 0;
    while from + part.len() <= text.len() {
        let at = from + text[from..].iter().position(|&b| b == first)?;
        if text[at..].starts_with(part) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

fn replace(c: &mut Call<'_, '_>) -> CallResult {
    let (old, new, text) = (c.text(0), c.text(1), c.text(2));
    check_size(
        count(text, old)
            .saturating_mul(new.len())
            .saturating_add(text.len()),
    )?;
    let mut out = Vec::with_capacity(text.len());
    if old.is_empty() {
        for chunk in text.utf8_chunks() {
            for ch in chunk.valid().chars() {
                out.extend_from_slice(new);
                out.extend_from_slice(ch.encode_utf8(&mut [0; 4]).as_bytes());
            }
            for byte in chunk.invalid() {
                out.extend_from_slice(new);
                out.push(*byte);
            }
        }
        out.extend_from_slice(new);
        return Ok(Value::text(out));
    }
    let mut rest = text;
    while let Some(at) = find(rest, old) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(new);
        rest = &rest[at + old.len()..];
    }
    out.extend_from_slice(rest);
    Ok(Value::text(out))
}

/// Elements as text: nils dropped, a scalar as the only element.
pub(super) fn texts(value: &Value) -> Vec<Vec<u8>> {
    if value.is_nil() {
        return Vec::new();
    }
    match value.elements() {
        Some(items) => items
            .iter()
            .filter(|item| !item.is_nil())
            .map(strval)
            .collect(),
        None => vec![strval(value)],
    }
}

/// Texts of a value's elements, with the room that was made for all of these.
fn text_list(value: &Value, texts: Vec<Vec<u8>>) -> Value {
    let room = value.elements().map_or(0, |items| items.len());
    List::texts(texts).with_room(room).into()
}

fn join(c: &mut Call<'_, '_>) -> CallResult {
    let parts = texts(&c.args[1]);
    let bytes: usize = parts.iter().map(Vec::len).sum();
    check_size(bytes.saturating_add(parts.len().saturating_mul(c.text(0).len())))?;
    Ok(Value::text(parts.join(c.text(0))))
}

/// `strings.SplitN`: no limit where it is absent or negative, nothing where it is 0.
fn split(text: &[u8], separator: &[u8], limit: Option<i64>) -> Vec<Vec<u8>> {
    let limit = match limit {
        Some(0) => return Vec::new(),
        Some(limit) if limit > 0 => limit as usize,
        _ => usize::MAX,
    };
    let mut parts = Vec::new();
    let mut rest = text;
    while parts.len() + 1 < limit {
        let cut = if separator.is_empty() {
            let head = rest[..rest.len().min(4)].utf8_chunks().next();
            let first = head.map(|head| head.valid().chars().next());
            // A malformed byte stands alone.
            let width = first.map_or(0, |c| c.map_or(1, char::len_utf8));
            (width < rest.len()).then_some(width)
        } else {
            find(rest, separator)
        };
        let Some(cut) = cut else { break };
        parts.push(rest[..cut].to_vec());
        rest = &rest[cut + separator.len()..];
    }
    if !separator.is_empty() || !rest.is_empty() {
        parts.push(rest.to_vec());
    }
    parts
}

fn numbered(parts: Vec<Vec<u8>>) -> Value {
    let named = |(index, part)| (format!("_{index}").into(), Value::text(part));
    Value::Map(Map::of(
        MapKind::Text,
        parts.into_iter().enumerate().map(named).collect(),
    ))
}

fn sort_alpha(c: &mut Call<'_, '_>) -> CallResult {
    let value = &c.args[0];
    if value.elements().is_none() {
        return Ok(List::texts([strval(value)]).into());
    }
    let mut parts = texts(value);
    parts.sort();
    Ok(text_list(value, parts))
}
