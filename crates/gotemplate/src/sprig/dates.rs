//! Dates with Go layouts. The local zone is UTC.

use gocompat::duration;

use crate::function::{Call, CallError, CallResult, Function, Type};
use crate::time::{Time, Zone, time_of};
use crate::value::Value;

const A: Type = Type::Any;
const T: Type = Type::Text;
const TIME: Type = Type::Object("time.Time");
const SECOND: i64 = 1_000_000_000;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::fixed("now", &[], TIME, |c| Ok(Value::object(c.host().now()))),
    Function::fixed("date", &[T, A], T, |c| Ok(shown(c, 1, &c.str(0), ""))),
    Function::fixed("dateInZone", &[T, A, T], T, |c| {
        Ok(shown(c, 1, &c.str(0), &c.str(2)))
    }),
    Function::fixed("date_in_zone", &[T, A, T], T, |c| {
        Ok(shown(c, 1, &c.str(0), &c.str(2)))
    }),
    Function::fixed("htmlDate", &[A], T, |c| Ok(shown(c, 0, "2006-01-02", ""))),
    Function::fixed("htmlDateInZone", &[A, T], T, |c| {
        Ok(shown(c, 0, "2006-01-02", &c.str(1)))
    }),
    Function::fixed("toDate", &[T, T], TIME, |c| {
        Ok(Value::object(
            Time::parse(&c.str(0), &c.str(1)).unwrap_or_else(|_| Time::zero()),
        ))
    }),
    Function::fixed("mustToDate", &[T, T], TIME, |c| {
        let time = Time::parse(&c.str(0), &c.str(1));
        Ok(Value::object(
            time.map_err(|error| CallError::text(error.to_string()))?,
        ))
    }),
    Function::fixed("dateModify", &[T, TIME], TIME, |c| {
        modify(c).or_else(|_| Ok(c.value(1)))
    }),
    Function::fixed("date_modify", &[T, TIME], TIME, |c| {
        modify(c).or_else(|_| Ok(c.value(1)))
    }),
    Function::fixed("mustDateModify", &[T, TIME], TIME, modify),
    Function::fixed("must_date_modify", &[T, TIME], TIME, modify),
    Function::fixed("unixEpoch", &[TIME], T, |c| {
        let time = time_of(&c.args[0]).unwrap_or_else(Time::zero);
        Ok(time.unix_seconds().to_string().into())
    }),
    Function::fixed("ago", &[A], T, ago),
    Function::fixed("duration", &[A], T, |c| {
        let seconds = match &c.args[0] {
            Value::Text(text) => seconds(&text.to_str()),
            Value::Int64(seconds) => *seconds,
            _ => 0,
        };
        Ok(duration::format(seconds.wrapping_mul(SECOND)).into())
    }),
    Function::fixed("durationRound", &[A], T, duration_round),
];

/// `strconv.ParseInt` where the error is ignored: out of range gives the bound.
fn seconds(text: &str) -> i64 {
    match gocompat::number::parse_int(text, 10, 64) {
        Ok(number) => number,
        Err(gocompat::number::NumberError::Range) if text.starts_with('-') => i64::MIN,
        Err(gocompat::number::NumberError::Range) => i64::MAX,
        Err(_) => 0,
    }
}

/// A time, or seconds of an integer type, or the present for anything else.
fn moment(c: &Call<'_, '_>, index: usize) -> Time {
    let value = &c.args[index];
    match value {
        Value::Int(seconds) | Value::Int64(seconds) => Time::unix(*seconds, 0),
        _ => time_of(value).unwrap_or_else(|| c.host().now()),
    }
}

fn shown(c: &Call<'_, '_>, index: usize, layout: &str, zone: &str) -> Value {
    let zone = Zone::named(zone).unwrap_or(Zone::Utc);
    moment(c, index).in_zone(zone).format(layout).into()
}

fn modify(c: &mut Call<'_, '_>) -> CallResult {
    let nanoseconds =
        duration::parse(&c.str(0)).map_err(|error| CallError::text(error.to_string()))?;
    let time = time_of(&c.args[1]).unwrap_or_else(Time::zero);
    Ok(Value::object(time.add(nanoseconds)))
}

fn ago(c: &mut Call<'_, '_>) -> CallResult {
    let since = c.host().now().since(&moment(c, 0));
    let half = if since < 0 { -SECOND / 2 } else { SECOND / 2 };
    Ok(duration::format(since.saturating_add(half) / SECOND * SECOND).into())
}

/// Units of a rounded duration, in hours or less.
const UNITS: [(u64, &str); 6] = [
    (365 * 24 * 3_600, "y"),
    (30 * 24 * 3_600, "mo"),
    (24 * 3_600, "d"),
    (3_600, "h"),
    (60, "m"),
    (1, "s"),
];

fn duration_round(c: &mut Call<'_, '_>) -> CallResult {
    let value = &c.args[0];
    let nanoseconds = match value {
        Value::Text(text) => duration::parse(&text.to_str()).unwrap_or(0),
        Value::Int64(nanoseconds) => *nanoseconds,
        _ => time_of(value).map_or(0, |time| c.host().now().since(&time)),
    };
    let magnitude = nanoseconds.unsigned_abs();
    for (seconds, unit) in UNITS {
        let size = seconds * SECOND as u64;
        if magnitude > size {
            return Ok(format!("{}{unit}", magnitude / size).into());
        }
    }
    Ok("0s".into())
}
