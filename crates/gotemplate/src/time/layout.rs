//! Go layouts: the reference time's parts are recognised in the layout text and replaced.

use super::{DAYS, MONTHS, Time};

/// A part of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    LongMonth,
    Month,
    NumberMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperPm,
    LowerPm,
    ZoneName,
    /// A numeric zone: whether `Z` stands for UTC, with colons, how many parts.
    Offset {
        z: bool,
        colon: bool,
        parts: u8,
    },
    /// A fraction of a second: number of digits, whether trailing zeros are dropped, the separator.
    Fraction {
        digits: usize,
        trim: bool,
        separator: u8,
    },
}

const OFFSETS: [(&str, bool, u8); 5] = [
    ("070000", false, 3),
    ("07:00:00", true, 3),
    ("0700", false, 2),
    ("07:00", true, 2),
    ("07", false, 1),
];

/// Texts that stand for a part, longer ones before their prefixes.
const PARTS: [(&str, Part); 23] = [
    ("January", Part::LongMonth),
    ("Jan", Part::Month),
    ("Monday", Part::LongWeekday),
    ("Mon", Part::Weekday),
    ("MST", Part::ZoneName),
    ("002", Part::ZeroYearDay),
    ("01", Part::ZeroMonth),
    ("02", Part::ZeroDay),
    ("03", Part::ZeroHour12),
    ("04", Part::ZeroMinute),
    ("05", Part::ZeroSecond),
    ("06", Part::Year),
    ("15", Part::Hour),
    ("1", Part::NumberMonth),
    ("2006", Part::LongYear),
    ("2", Part::Day),
    ("__2", Part::UnderYearDay),
    ("_2", Part::UnderDay),
    ("3", Part::Hour12),
    ("4", Part::Minute),
    ("5", Part::Second),
    ("PM", Part::UpperPm),
    ("pm", Part::LowerPm),
];

/// Splits a layout at its first part: text before, the part with its own text, text after.
pub(super) fn next_part(layout: &str) -> (&str, Option<(Part, &str)>, &str) {
    for (at, _) in layout.char_indices() {
        let rest = &layout[at..];
        // In `_2006` the underscore is text and the year a part.
        if let Some(after) = rest.strip_prefix("_2006") {
            return (&layout[..=at], Some((Part::LongYear, &rest[1..5])), after);
        }
        if let Some((part, len)) = part_at(rest) {
            return (&layout[..at], Some((part, &rest[..len])), &rest[len..]);
        }
    }
    (layout, None, "")
}

fn part_at(rest: &str) -> Option<(Part, usize)> {
    let first = rest.as_bytes()[0];
    if matches!(first, b'-' | b'Z') {
        let found = OFFSETS
            .iter()
            .find(|(text, ..)| rest[1..].starts_with(text))?;
        let (text, colon, parts) = *found;
        let z = first == b'Z';
        return Some((Part::Offset { z, colon, parts }, text.len() + 1));
    }
    if matches!(first, b'.' | b',') {
        return fraction_at(rest);
    }
    PARTS
        .iter()
        .find(|(text, part)| {
            let lower_follows = || {
                let next = rest.as_bytes().get(text.len());
                next.is_some_and(u8::is_ascii_lowercase)
            };
            rest.starts_with(text)
                && !(matches!(part, Part::Month | Part::Weekday) && lower_follows())
        })
        .map(|(text, part)| (*part, text.len()))
}

fn fraction_at(rest: &str) -> Option<(Part, usize)> {
    let bytes = rest.as_bytes();
    let digit = *bytes.get(1).filter(|b| matches!(b, b'0' | b'9'))?;
    let digits = bytes[1..].iter().take_while(|b| **b == digit).count();
    if bytes.get(1 + digits).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let part = Part::Fraction {
        digits,
        trim: digit == b'9',
        separator: bytes[0],
    };
    Some((part, 1 + digits))
}

pub(super) fn format(time: &Time, layout: &str) -> String {
    let mut out = String::with_capacity(layout.len() + 8);
    let mut rest = layout;
    while !rest.is_empty() {
        let (prefix, part, suffix) = next_part(rest);
        out.push_str(prefix);
        if let Some((part, _)) = part {
            write_part(&mut out, time, part);
        }
        rest = suffix;
    }
    out
}

fn write_part(out: &mut String, time: &Time, part: Part) {
    let civil = time.civil();
    let month = MONTHS[civil.month as usize - 1];
    let weekday = DAYS[time.weekday()];
    let hour12 = (civil.hour + 11) % 12 + 1;
    match part {
        Part::LongMonth => out.push_str(month),
        Part::Month => out.push_str(&month[..3]),
        Part::LongWeekday => out.push_str(weekday),
        Part::Weekday => out.push_str(&weekday[..3]),
        Part::ZoneName => zone_name(out, time),
        Part::UpperPm => out.push_str(if civil.hour >= 12 { "PM" } else { "AM" }),
        Part::LowerPm => out.push_str(if civil.hour >= 12 { "pm" } else { "am" }),
        Part::LongYear if civil.year < 0 => out.push_str(&format!("-{:04}", -civil.year)),
        Part::Offset { z, colon, parts } => offset(out, time.offset(), z, colon, parts),
        Part::Fraction {
            digits,
            trim,
            separator,
        } => fraction(out, time.nanoseconds, digits, trim, separator),
        _ => {
            let (number, width, fill) = match part {
                Part::LongYear => (civil.year, 4, '0'),
                Part::Year => (civil.year.rem_euclid(100), 2, '0'),
                Part::NumberMonth => (civil.month, 0, '0'),
                Part::ZeroMonth => (civil.month, 2, '0'),
                Part::Day => (civil.day, 0, '0'),
                Part::UnderDay => (civil.day, 2, ' '),
                Part::ZeroDay => (civil.day, 2, '0'),
                Part::UnderYearDay => (time.year_day(), 3, ' '),
                Part::ZeroYearDay => (time.year_day(), 3, '0'),
                Part::Hour => (civil.hour, 2, '0'),
                Part::Hour12 => (hour12, 0, '0'),
                Part::ZeroHour12 => (hour12, 2, '0'),
                Part::Minute => (civil.minute, 0, '0'),
                Part::ZeroMinute => (civil.minute, 2, '0'),
                Part::Second => (civil.second, 0, '0'),
                _ => (civil.second, 2, '0'),
            };
            if fill == ' ' {
                out.push_str(&format!("{number:width$}"));
            } else {
                out.push_str(&format!("{number:0width$}"));
            }
        }
    }
}

/// Zones without a name print their offset.
fn zone_name(out: &mut String, time: &Time) {
    let name = time.zone_name();
    if name.is_empty() {
        offset(out, time.offset(), false, false, 2);
    } else {
        out.push_str(&name);
    }
}

fn offset(out: &mut String, seconds: i32, z: bool, colon: bool, parts: u8) {
    if z && seconds == 0 {
        return out.push('Z');
    }
    let magnitude = seconds.unsigned_abs();
    let gap = if colon { ":" } else { "" };
    out.push(if seconds < 0 { '-' } else { '+' });
    out.push_str(&format!("{:02}", magnitude / 3_600));
    if parts > 1 {
        out.push_str(&format!("{gap}{:02}", magnitude / 60 % 60));
    }
    if parts > 2 {
        out.push_str(&format!("{gap}{:02}", magnitude % 60));
    }
}

fn fraction(out: &mut String, nanoseconds: u32, digits: usize, trim: bool, separator: u8) {
    let text = format!("{nanoseconds:09}");
    let mut shown = text[..digits.min(9)].to_owned();
    if trim {
        shown.truncate(shown.trim_end_matches('0').len());
        if shown.is_empty() {
            return;
        }
    }
    out.push(char::from(separator));
    out.push_str(&shown);
}
