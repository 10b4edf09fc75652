//! Reading times by Go layouts, with Go's messages.

use std::sync::Arc;

use super::layout::{Part, next_part};
use super::{Civil, DAYS, MONTHS, Time, Zone, days_from_civil};

/// A text that does not fit its layout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TimeError(String);

struct Fields {
    civil: Civil,
    nanoseconds: u32,
    year_day: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    pm: Option<bool>,
    zone: Option<Zone>,
}

/// Why a part was not read.
enum Bad {
    Syntax,
    Range(&'static str),
}

type Read<T> = Result<T, Bad>;

pub(super) fn parse(layout: &str, text: &str) -> Result<Time, TimeError> {
    let mut fields = Fields {
        civil: Civil {
            year: 0,
            month: 1,
            day: 1,
            hour: 0,
            minute: 0,
            second: 0,
        },
        nanoseconds: 0,
        year_day: None,
        month: None,
        day: None,
        pm: None,
        zone: None,
    };
    let whole = |element: &str, value: &str| {
        let (text, layout) = (quote(text), quote(layout));
        let (value, element) = (quote(value), quote(element));
        TimeError(format!(
            "parsing time {text} as {layout}: cannot parse {value} as {element}"
        ))
    };
    let with = |message: &str| TimeError(format!("parsing time {}: {message}", quote(text)));
    let (mut rest_layout, mut rest) = (layout, text);
    loop {
        let (prefix, part, suffix) = next_part(rest_layout);
        rest = skip(rest, prefix).map_err(|at| whole(prefix, at))?;
        let Some((part, part_text)) = part else {
            if !rest.is_empty() {
                return Err(with(&format!("extra text: {}", quote(rest))));
            }
            break;
        };
        rest_layout = suffix;
        let hold = rest;
        match fields.read(part, &mut rest, rest_layout) {
            Ok(()) => {}
            Err(Bad::Range(what)) => return Err(with(&format!("{what} out of range"))),
            Err(Bad::Syntax) => return Err(whole(part_text, hold)),
        }
    }
    fields
        .finish()
        .map_err(|what| with(&format!("{what} out of range")))
}

/// Quotes as Go's time package does: bytes beyond ASCII as numbers.
fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..=0x7f => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out + "\""
}

/// Skips layout text in the value; runs of spaces match runs of spaces.
fn skip<'t>(mut value: &'t str, mut prefix: &str) -> Result<&'t str, &'t str> {
    while let Some(c) = prefix.chars().next() {
        if c == ' ' {
            if !value.is_empty() && !value.starts_with(' ') {
                return Err(value);
            }
            prefix = prefix.trim_start_matches(' ');
            value = value.trim_start_matches(' ');
            continue;
        }
        value = value.strip_prefix(c).ok_or(value)?;
        prefix = &prefix[c.len_utf8()..];
    }
    Ok(value)
}

fn digit_at(text: &str, at: usize) -> bool {
    text.as_bytes().get(at).is_some_and(u8::is_ascii_digit)
}

fn take<'t>(rest: &mut &'t str, len: usize) -> Read<&'t str> {
    let (head, tail) = rest.split_at_checked(len).ok_or(Bad::Syntax)?;
    *rest = tail;
    Ok(head)
}

fn digits(rest: &mut &str, len: usize) -> Read<i64> {
    let head = take(rest, len)?;
    if !head.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Bad::Syntax);
    }
    head.parse().map_err(|_| Bad::Syntax)
}

/// One or two digits; exactly two where fixed.
fn number(rest: &mut &str, fixed: bool) -> Read<i64> {
    if !digit_at(rest, 0) || (fixed && !digit_at(rest, 1)) {
        return Err(Bad::Syntax);
    }
    digits(rest, if digit_at(rest, 1) { 2 } else { 1 })
}

fn name(rest: &mut &str, names: &[&str], len: Option<usize>) -> Read<i64> {
    for (index, name) in names.iter().enumerate() {
        let name = len.map_or(*name, |len| &name[..len]);
        if let Some(head) = rest.get(..name.len())
            && head.eq_ignore_ascii_case(name)
        {
            *rest = &rest[name.len()..];
            return Ok(index as i64);
        }
    }
    Err(Bad::Syntax)
}

fn within(value: i64, low: i64, high: i64, what: &'static str) -> Read<i64> {
    if (low..=high).contains(&value) {
        Ok(value)
    } else {
        Err(Bad::Range(what))
    }
}

impl Fields {
    fn read(&mut self, part: Part, rest: &mut &str, layout: &str) -> Read<()> {
        match part {
            Part::Year => {
                let year = digits(rest, 2)?;
                self.civil.year = if year >= 69 { year + 1900 } else { year + 2000 };
            }
            Part::LongYear => self.civil.year = digits(rest, 4)?,
            Part::Month => self.month = Some(name(rest, &MONTHS, Some(3))? + 1),
            Part::LongMonth => self.month = Some(name(rest, &MONTHS, None)? + 1),
            Part::NumberMonth | Part::ZeroMonth => {
                let month = number(rest, part == Part::ZeroMonth)?;
                self.month = Some(within(month, 1, 12, "month")?);
            }
            Part::Weekday => drop(name(rest, &DAYS, Some(3))?),
            Part::LongWeekday => drop(name(rest, &DAYS, None)?),
            Part::Day | Part::UnderDay | Part::ZeroDay => {
                if part == Part::UnderDay {
                    *rest = rest.strip_prefix(' ').unwrap_or(rest);
                }
                self.day = Some(number(rest, part == Part::ZeroDay)?);
            }
            Part::UnderYearDay | Part::ZeroYearDay => {
                while part == Part::UnderYearDay && rest.starts_with(' ') {
                    *rest = &rest[1..];
                }
                let len = if part == Part::ZeroYearDay {
                    3
                } else {
                    rest.bytes().take_while(u8::is_ascii_digit).count().min(3)
                };
                self.year_day = Some(digits(rest, len)?);
            }
            Part::Hour => self.civil.hour = within(number(rest, false)?, 0, 23, "hour")?,
            Part::Hour12 | Part::ZeroHour12 => {
                let hour = number(rest, part == Part::ZeroHour12)?;
                self.civil.hour = within(hour, 0, 12, "hour")?;
            }
            Part::Minute | Part::ZeroMinute => {
                let minute = number(rest, part == Part::ZeroMinute)?;
                self.civil.minute = within(minute, 0, 59, "minute")?;
            }
            Part::Second | Part::ZeroSecond => {
                let second = number(rest, part == Part::ZeroSecond)?;
                self.civil.second = within(second, 0, 59, "second")?;
                self.implied_fraction(rest, layout)?;
            }
            Part::UpperPm => self.pm = Some(meridiem(rest, "AM", "PM")?),
            Part::LowerPm => self.pm = Some(meridiem(rest, "am", "pm")?),
            Part::ZoneName => self.zone_name(rest)?,
            Part::Offset { z, colon, parts } => self.offset(rest, z, colon, parts)?,
            Part::Fraction {
                digits: count,
                trim: false,
                ..
            } => self.nanoseconds = fraction(take(rest, count + 1)?)?,
            Part::Fraction { .. } => {
                if rest.starts_with(['.', ',']) && digit_at(rest, 1) {
                    let count = rest[1..].bytes().take_while(u8::is_ascii_digit).count();
                    self.nanoseconds = fraction(take(rest, count + 1)?)?;
                }
            }
        }
        Ok(())
    }

    /// A fraction may follow the seconds even where the layout has none.
    fn implied_fraction(&mut self, rest: &mut &str, layout: &str) -> Read<()> {
        if !rest.starts_with(['.', ',']) || !digit_at(rest, 1) {
            return Ok(());
        }
        if let (_, Some((Part::Fraction { .. }, _)), _) = next_part(layout) {
            return Ok(());
        }
        let count = rest[1..].bytes().take_while(u8::is_ascii_digit).count();
        self.nanoseconds = fraction(take(rest, count + 1)?)?;
        Ok(())
    }

    fn zone_name(&mut self, rest: &mut &str) -> Read<()> {
        if let Some(tail) = rest.strip_prefix("UTC") {
            *rest = tail;
            self.zone = Some(Zone::Utc);
            return Ok(());
        }
        let letters = rest.bytes().take_while(u8::is_ascii_uppercase).count();
        if !(3..=5).contains(&letters) {
            return Err(Bad::Syntax);
        }
        // An abbreviation that the local zone does not know counts as UTC under that name.
        let name = take(rest, letters)?;
        self.zone = Some(Zone::Fixed(0, Arc::from(name)));
        Ok(())
    }

    fn offset(&mut self, rest: &mut &str, z: bool, colon: bool, parts: u8) -> Read<()> {
        if z && rest.starts_with('Z') {
            *rest = &rest[1..];
            self.zone = Some(Zone::Utc);
            return Ok(());
        }
        let sign = match take(rest, 1)? {
            "+" => 1,
            "-" => -1,
            _ => return Err(Bad::Syntax),
        };
        let mut seconds = 0;
        for (index, unit) in [3_600, 60, 1]
            .into_iter()
            .take(usize::from(parts))
            .enumerate()
        {
            if colon && index > 0 && take(rest, 1)? != ":" {
                return Err(Bad::Syntax);
            }
            let value = digits(rest, 2)?;
            let high = if index == 0 { 24 } else { 60 };
            seconds += within(value, 0, high, "time zone offset")? * unit;
        }
        let seconds = (sign * seconds) as i32;
        self.zone = Some(if seconds == 0 {
            Zone::Local
        } else {
            Zone::Fixed(seconds, Arc::from(""))
        });
        Ok(())
    }

    fn finish(mut self) -> Result<Time, &'static str> {
        match self.pm {
            Some(true) if self.civil.hour < 12 => self.civil.hour += 12,
            Some(false) if self.civil.hour == 12 => self.civil.hour = 0,
            _ => {}
        }
        if let Some(year_day) = self.year_day {
            let start = days_from_civil(self.civil.year, 1, 1);
            if year_day < 1 || year_day > days_from_civil(self.civil.year + 1, 1, 1) - start {
                return Err("day-of-year");
            }
            let (_, month, day) = super::civil_from_days(start + year_day - 1);
            self.month = self.month.or(Some(month));
            self.day = self.day.or(Some(day));
        }
        let month = self.month.unwrap_or(1);
        let day = self.day.unwrap_or(1);
        let year = self.civil.year;
        let length = days_from_civil(year, month + 1, 1) - days_from_civil(year, month, 1);
        if !(1..=length).contains(&day) {
            return Err("day");
        }
        self.civil.month = month;
        self.civil.day = day;
        let zone = self.zone.unwrap_or(Zone::Local);
        Ok(Time::of_civil(self.civil, self.nanoseconds, zone))
    }
}

fn meridiem(rest: &mut &str, am: &str, pm: &str) -> Read<bool> {
    match take(rest, 2)? {
        text if text == pm => Ok(true),
        text if text == am => Ok(false),
        _ => Err(Bad::Syntax),
    }
}

/// Nanoseconds of `.123`; digits beyond nine are dropped.
fn fraction(text: &str) -> Read<u32> {
    let digits = text.strip_prefix(['.', ',']).ok_or(Bad::Syntax)?;
    let mut padded: String = digits.chars().take(9).collect();
    if padded.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Bad::Syntax);
    }
    while padded.len() < 9 {
        padded.push('0');
    }
    padded.parse().map_err(|_| Bad::Syntax)
}
