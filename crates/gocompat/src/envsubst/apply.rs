//! What the operators do with a value. Offsets and lengths count bytes.

use super::glob;

/// Applies an operator to a value; unknown operators give the value or, where it is empty, the arguments.
pub(super) fn apply(operator: &str, value: String, arguments: &[String]) -> String {
    match (operator, arguments) {
        ("#", []) => value.len().to_string(),
        ("^", _) => first(&value, upper),
        ("^^", _) => value.chars().map(upper).collect(),
        (",", _) => first(&value, lower),
        (",,", _) => value.chars().map(lower).collect(),
        (":", [offset, rest @ ..]) => substring(value, offset, rest.first()),
        ("#" | "##" | "%" | "%%", [pattern, ..]) => trim(&value, operator, pattern),
        ("/", [from, rest @ ..]) => value.replacen(from, rest.first().map_or("", |s| s), 1),
        ("//", [from, rest @ ..]) => value.replace(from, rest.first().map_or("", |s| s)),
        ("/#", [from, to]) => match value.strip_prefix(from.as_str()) {
            Some(rest) => format!("{to}{rest}"),
            None => value,
        },
        ("/%", [from, to]) => match value.strip_suffix(from.as_str()) {
            Some(rest) => format!("{rest}{to}"),
            None => value,
        },
        ("/#" | "/%", _) => value,
        _ if value.is_empty() => arguments.concat(),
        _ => value,
    }
}

/// Go maps characters one by one, so characters that grow (`ß`) stay.
fn upper(c: char) -> char {
    let mut mapped = c.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn lower(c: char) -> char {
    let mut mapped = c.to_lowercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn first(value: &str, map: fn(char) -> char) -> String {
    let mut chars = value.chars();
    chars.next().map(map).into_iter().chain(chars).collect()
}

fn substring(value: String, offset: &str, length: Option<&String>) -> String {
    let size = i64::try_from(value.len()).unwrap_or(i64::MAX);
    let Ok(offset) = offset.parse::<i64>() else {
        return value;
    };
    let start = if offset < 0 {
        size.saturating_add(offset).max(0)
    } else {
        offset
    };
    let end = match length.map(|l| l.parse::<i64>()) {
        None => size,
        Some(Err(_)) => return value,
        Some(Ok(length)) if length < 0 => size.saturating_add(length),
        Some(Ok(length)) => start.saturating_add(length).min(size),
    };
    if end <= start {
        return String::new();
    }
    let range = usize::try_from(start).unwrap_or(0)..usize::try_from(end).unwrap_or(0);
    // A cut inside a character leaves bytes that are no text; they become U+FFFD.
    String::from_utf8_lossy(value.as_bytes().get(range).unwrap_or_default()).into_owned()
}

fn trim(value: &str, operator: &str, pattern: &str) -> String {
    let longest = operator.len() == 2;
    if operator.starts_with('#') {
        return trim_prefix(value.as_bytes(), pattern, longest);
    }
    let reverse = |s: &str| s.chars().rev().collect::<String>();
    reverse(&trim_prefix(
        reverse(value).as_bytes(),
        &reverse(pattern),
        longest,
    ))
}

/// Removes the longest or shortest prefix that matches; only prefixes of at least one byte count.
fn trim_prefix(value: &[u8], pattern: &str, longest: bool) -> String {
    let whole = || String::from_utf8_lossy(value).into_owned();
    let mut cut = None;
    for end in (1..=value.len()).rev() {
        match glob::matches(pattern.as_bytes(), &value[..end]) {
            Err(glob::BadPattern) => return whole(),
            Ok(true) => {
                cut = Some(end);
                if longest {
                    break;
                }
            }
            Ok(false) => {}
        }
    }
    match cut {
        Some(end) => String::from_utf8_lossy(&value[end..]).into_owned(),
        None => whole(),
    }
}
