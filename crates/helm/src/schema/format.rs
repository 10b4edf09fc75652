//! `format`: what drafts before 2019-09 and the metaschemas check, with the reasons of the library Helm uses.

use gocompat::netip;
use gocompat::quote::{quote, quote_rune};
use gocompat::regexp::Regexp;
use gotemplate::time::Time;
use gotemplate::url::Url;

use super::address::decode;

type Checked = Result<(), String>;

const FORMATS: &[(&str, fn(&str) -> Checked)] = &[
    ("regex", regex),
    ("json-pointer", json_pointer),
    ("relative-json-pointer", relative_json_pointer),
    ("uuid", uuid),
    ("duration", duration),
    ("period", period),
    ("ipv4", ipv4),
    ("ipv6", ipv6),
    ("hostname", hostname),
    ("email", email),
    ("date", date),
    ("time", time),
    ("date-time", date_time),
    ("uri", uri),
    ("iri", uri),
    ("uri-reference", uri_reference),
    ("iri-reference", uri_reference),
    ("uri-template", uri_template),
    ("semver", semver),
];

/// Checks a text; unknown formats accept everything.
///
/// # Errors
/// Why the text does not have the format.
pub(super) fn check(name: &str, text: &str) -> Checked {
    let known = FORMATS.iter().find(|(known, _)| *known == name);
    known.map_or(Ok(()), |(_, check)| check(text))
}

fn fail<T>(reason: impl Into<String>) -> Result<T, String> {
    Err(reason.into())
}

fn invalid<T>(c: char) -> Result<T, String> {
    fail(format!("invalid character {}", quote_rune(c, false)))
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// An integer as Go's `Atoi` reads it.
fn atoi(text: &str) -> Result<i64, String> {
    let body = text.strip_prefix(['+', '-']).unwrap_or(text);
    let shown = quote(text.as_bytes());
    if body.is_empty() || !body.bytes().all(|b| b.is_ascii_digit()) {
        return fail(format!("strconv.Atoi: parsing {shown}: invalid syntax"));
    }
    text.strip_prefix('+')
        .unwrap_or(text)
        .parse()
        .map_err(|_| format!("strconv.Atoi: parsing {shown}: value out of range"))
}

fn regex(text: &str) -> Checked {
    Regexp::new(text)
        .map(drop)
        .map_err(|error| error.to_string())
}

fn json_pointer(text: &str) -> Checked {
    if text.is_empty() {
        return Ok(());
    }
    if !text.starts_with('/') {
        return fail("not starting with /");
    }
    for token in text.split('/').skip(1) {
        let mut rest = token.chars();
        while let Some(c) = rest.next() {
            if c == '~' && !matches!(rest.next(), Some('0' | '1')) {
                return fail("~ must be followed by 0 or 1");
            }
        }
    }
    Ok(())
}

fn relative_json_pointer(text: &str) -> Checked {
    match digits(text) {
        0 => fail("must start with non-negative integer"),
        count if count > 1 && text.starts_with('0') => fail("starts with zero"),
        count if &text[count..] == "#" => Ok(()),
        count => json_pointer(&text[count..]),
    }
}

fn uuid(text: &str) -> Checked {
    const LENGTHS: [usize; 5] = [8, 4, 4, 4, 12];
    let groups: Vec<&str> = text.split('-').collect();
    if groups.len() != LENGTHS.len() {
        return fail("must have 5 elements");
    }
    for (index, (group, length)) in groups.iter().zip(LENGTHS).enumerate() {
        if group.len() != length {
            return fail(format!(
                "element {} must be {length} characters long",
                index + 1
            ));
        }
        if let Some(c) = group.chars().find(|c| !c.is_ascii_hexdigit()) {
            return fail(format!("non-hex character {}", quote_rune(c, false)));
        }
    }
    Ok(())
}

fn duration(text: &str) -> Checked {
    let Some(rest) = text.strip_prefix('P') else {
        return fail("must start with P");
    };
    if rest.is_empty() {
        return fail("nothing after P");
    }
    if let Some(weeks) = rest.strip_suffix('W') {
        return match weeks {
            "" => fail("no number in week"),
            weeks if weeks.bytes().all(|b| b.is_ascii_digit()) => Ok(()),
            _ => fail("invalid week"),
        };
    }
    for (index, part) in rest.split('T').enumerate() {
        if index != 0 && part.is_empty() {
            return fail("no time elements");
        }
        match index {
            0 => elements(part, "YMD")?,
            1 => elements(part, "HMS")?,
            _ => return fail("more than one T"),
        }
    }
    Ok(())
}

fn elements(part: &str, all: &str) -> Checked {
    let (mut rest, mut units) = (part, all);
    while !rest.is_empty() {
        let count = digits(rest);
        if count == 0 {
            return fail("missing number");
        }
        let Some(unit) = rest[count..].chars().next() else {
            return fail("missing unit");
        };
        let Some(at) = units.find(unit) else {
            // The library looks at single bytes.
            let shown = quote_rune(char::from(rest.as_bytes()[count]), false);
            return if all.contains(unit) {
                fail(format!("unit {shown} out of order"))
            } else {
                fail(format!("invalid unit {shown}"))
            };
        };
        units = &units[at + 1..];
        rest = &rest[count + unit.len_utf8()..];
    }
    Ok(())
}

fn ipv4(text: &str) -> Checked {
    let groups: Vec<&str> = text.split('.').collect();
    if groups.len() != 4 {
        return fail("expected four decimals");
    }
    for group in groups {
        if group.len() > 1 && group.starts_with('0') {
            return fail("leading zeros");
        }
        if !(0..=255).contains(&atoi(group)?) {
            return fail("decimal must be between 0 and 255");
        }
    }
    Ok(())
}

fn ipv6(text: &str) -> Checked {
    if !text.contains(':') {
        return fail("missing colon");
    }
    match netip::parse_addr(text)? {
        netip::Address::V6 { zone } if !zone.is_empty() => {
            fail("zone id is not a part of ipv6 address")
        }
        _ => Ok(()),
    }
}

fn hostname(text: &str) -> Checked {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.len() > 253 {
        return fail("more than 253 characters long");
    }
    for label in text.split('.') {
        if label.is_empty() || label.len() > 63 {
            return fail("label must be 1 to 63 characters long");
        }
        if label.starts_with('-') {
            return fail("label starts with hyphen");
        }
        if label.ends_with('-') {
            return fail("label ends with hyphen");
        }
        let wrong = label
            .chars()
            .find(|c| !c.is_ascii_alphanumeric() && *c != '-');
        if let Some(c) = wrong {
            return invalid(c);
        }
    }
    Ok(())
}

fn email(text: &str) -> Checked {
    if text.len() > 254 {
        return fail("more than 255 characters long");
    }
    let Some((local, domain)) = text.rsplit_once('@') else {
        return fail("missing @");
    };
    if local.len() > 64 {
        return fail("local part more than 64 characters long");
    }
    local_part(local)?;
    if let Some(inner) = domain
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return match inner.strip_prefix("IPv6:") {
            Some(inner) => ipv6(inner).map_err(|error| format!("invalid ipv6 address: {error}")),
            None => ipv4(inner).map_err(|error| format!("invalid ipv4 address: {error}")),
        };
    }
    hostname(domain).map_err(|error| format!("invalid domain: {error}"))
}

fn local_part(local: &str) -> Checked {
    if local.len() > 1 && local.starts_with('"') {
        let last = local.char_indices().next_back().map_or(1, |(at, _)| at);
        if local[1..last.max(1)].contains(['\\', '"']) {
            return fail("backslash and quote are not allowed within quoted local part");
        }
        return Ok(());
    }
    if local.starts_with('.') {
        return fail("starts with dot");
    }
    if local.ends_with('.') {
        return fail("ends with dot");
    }
    if local.contains("..") {
        return fail("consecutive dots");
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(c);
    local.chars().find(|c| !allowed(*c)).map_or(Ok(()), invalid)
}

fn date(text: &str) -> Checked {
    let parsed = Time::parse("2006-01-02", text);
    parsed.map(drop).map_err(|error| error.to_string())
}

fn time(text: &str) -> Checked {
    if text.len() < 9 {
        return fail("less than 9 characters long");
    }
    let bytes = text.as_bytes();
    if bytes[2] != b':' || bytes[5] != b':' {
        return fail("missing colon in correct place");
    }
    let number = |from: usize| {
        let part = text.get(from..from + 2).unwrap_or_default();
        match atoi(part) {
            Err(_) => fail("invalid hour/min/sec"),
            Ok(number) if number < 0 => fail("non-positive hour/min/sec"),
            Ok(number) => Ok(number),
        }
    };
    let (mut hour, mut minute, second) = (number(0)?, number(3)?, number(6)?);
    if hour > 23 || minute > 59 || second > 60 {
        return fail("hour/min/sec out of range");
    }
    let mut rest = text.get(8..).unwrap_or_default();
    if let Some(fraction) = rest.strip_prefix('.') {
        let count = digits(fraction);
        if count == 0 {
            return fail("no digits in second fraction");
        }
        rest = &fraction[count..];
    }
    if rest != "z" && rest != "Z" {
        let minutes = hour * 60 + minute + offset(rest)?;
        let minutes = if minutes < 0 {
            minutes + 24 * 60
        } else {
            minutes
        };
        (hour, minute) = (minutes / 60, minutes % 60);
    }
    if second >= 60 && (hour, minute) != (23, 59) {
        return fail("invalid leap second");
    }
    Ok(())
}

/// Minutes that a zone offset takes away.
fn offset(text: &str) -> Result<i64, String> {
    if text.len() != 6 {
        return fail("offset must be 6 characters long");
    }
    let sign = match text.as_bytes()[0] {
        b'+' => -1,
        b'-' => 1,
        _ => return fail("offset must begin with plus/minus"),
    };
    if text.as_bytes()[3] != b':' {
        return fail("missing colon in offset in correct place");
    }
    let number = |from: usize| {
        let part = text.get(from..from + 2).unwrap_or_default();
        match atoi(part) {
            Err(_) => fail("invalid hour/min in offset"),
            Ok(number) if number < 0 => fail("non-positive hour/min in offset"),
            Ok(number) => Ok(number),
        }
    };
    let (hour, minute) = (number(1)?, number(4)?);
    if hour > 23 || minute > 59 {
        return fail("hour/min in offset out of range");
    }
    Ok(sign * (hour * 60 + minute))
}

fn date_time(text: &str) -> Checked {
    if text.len() < 20 {
        return fail("less than 20 characters long");
    }
    if !matches!(text.as_bytes()[10], b't' | b'T') {
        return fail("11th character must be t or T");
    }
    let part = |range: Option<&str>| range.unwrap_or_default().to_owned();
    date(&part(text.get(..10))).map_err(|error| format!("invalid date element: {error}"))?;
    time(&part(text.get(11..))).map_err(|error| format!("invalid time element: {error}"))
}

fn period(text: &str) -> Checked {
    let Some((start, end)) = text.split_once('/') else {
        return fail("missing slash");
    };
    if start.starts_with('P') {
        duration(start).map_err(|error| format!("invalid start duration: {error}"))?;
    } else {
        date_time(start).map_err(|error| format!("invalid start date-time: {error}"))?;
        if end.starts_with('P') {
            return duration(end).map_err(|error| format!("invalid end duration: {error}"));
        }
    }
    date_time(end).map_err(|error| format!("invalid end date-time: {error}"))
}

fn parse_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let host = url.hostname();
    if host.contains(':') {
        if !url.host.contains('[') || !url.host.contains(']') {
            return fail("ipv6 address not enclosed in brackets");
        }
        ipv6(host).map_err(|error| format!("invalid ipv6 address: {error}"))?;
    }
    Ok(url)
}

fn uri(text: &str) -> Checked {
    if parse_url(text)?.scheme.is_empty() {
        return fail("relative url");
    }
    Ok(())
}

fn uri_reference(text: &str) -> Checked {
    if text.contains('\\') {
        return fail("contains \\");
    }
    parse_url(text).map(drop)
}

fn uri_template(text: &str) -> Checked {
    let url = parse_url(text)?;
    for token in url.raw_path.split('/') {
        let token = decode(token).map_err(|escape| {
            let shown = quote(escape.as_bytes());
            format!("percent decode failed: invalid URL escape {shown}")
        })?;
        let mut open = false;
        for c in token.chars().filter(|c| matches!(c, '{' | '}')) {
            if (c == '{') == open {
                return fail("nested curly braces");
            }
            open = !open;
        }
        if open {
            return fail("no matching closing brace");
        }
    }
    Ok(())
}

fn semver(text: &str) -> Checked {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let (rest, build) = match text.split_once('+') {
        Some((rest, build)) => (rest, Some(build)),
        None => (text, None),
    };
    if let Some(build) = build {
        if build.is_empty() {
            return fail("build is empty");
        }
        for id in build.split('.') {
            if id.is_empty() {
                return fail("build identifier is empty");
            }
            if let Some(c) = id.chars().find(|c| !part(*c)) {
                let c = quote_rune(c, false);
                return fail(format!("invalid character {c} in build identifier"));
            }
        }
    }
    let (core, pre) = match rest.split_once('-') {
        Some((core, pre)) => (core, Some(pre)),
        None => (rest, None),
    };
    for id in pre.into_iter().flat_map(|pre| pre.split('.')) {
        if id.is_empty() {
            return fail("pre-release identifier is empty");
        }
        if let Some(c) = id.chars().find(|c| !part(*c)) {
            let c = quote_rune(c, false);
            return fail(format!("invalid character {c} in pre-release identifier"));
        }
        if id.len() > 1 && id.starts_with('0') && id.bytes().all(|b| b.is_ascii_digit()) {
            return fail("pre-release numeric identifier starts with zero");
        }
    }
    core_version(core)
}

fn core_version(core: &str) -> Checked {
    let numbers: Vec<&str> = core.split('.').collect();
    if numbers.len() != 3 {
        return fail("versionCore must have 3 numbers separated by dot");
    }
    for (number, name) in numbers.iter().zip(["major", "minor", "patch"]) {
        if number.is_empty() {
            return fail(format!("{name} is empty"));
        }
        if number.len() > 1 && number.starts_with('0') {
            return fail(format!("{name} starts with zero"));
        }
        if !number.bytes().all(|b| b.is_ascii_digit()) {
            return fail(format!("{name} contains non-digit"));
        }
    }
    Ok(())
}
