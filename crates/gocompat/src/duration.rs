//! Durations as Go's `time.ParseDuration` reads them and `time.Duration.String` prints them.
//!
//! Flux writes every interval, timeout and "finished in" text this way. Values are nanoseconds in an `i64`,
//! as in Go.

/// Nanoseconds of one second.
pub const SECOND: i64 = 1_000_000_000;

/// Text that is no Go duration; the words are Go's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseDurationError {
    /// No number, a stray character, or a value beyond 290 years.
    #[error("time: invalid duration {0:?}")]
    Invalid(String),
    /// A number without unit.
    #[error("time: missing unit in duration {0:?}")]
    MissingUnit(String),
    /// A unit that Go does not know.
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit {
        /// Unit found.
        unit: String,
        /// Whole text.
        text: String,
    },
}

/// Reads a duration such as `1h30m` or `-1.5s` into nanoseconds.
///
/// # Errors
/// Fails on anything that is no Go duration, in Go's words.
pub fn parse(text: &str) -> Result<i64, ParseDurationError> {
    let invalid = || ParseDurationError::Invalid(text.to_owned());
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    // One more than i64::MAX is allowed on the way, so that the smallest value can be read.
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (part, tail) = parse_part(rest, text)?;
        rest = tail;
        total = total
            .checked_add(part)
            .filter(|sum| *sum <= 1 << 63)
            .ok_or_else(invalid)?;
    }
    match (negative, i64::try_from(total)) {
        (true, Ok(value)) => Ok(-value),
        (true, Err(_)) => Ok(i64::MIN),
        (false, Ok(value)) => Ok(value),
        (false, Err(_)) => Err(invalid()),
    }
}

/// Reads one `number unit` pair; returns its nanoseconds and what follows.
fn parse_part<'a>(rest: &'a str, text: &str) -> Result<(u64, &'a str), ParseDurationError> {
    let invalid = || ParseDurationError::Invalid(text.to_owned());
    let digits = |s: &str| s.bytes().take_while(u8::is_ascii_digit).count();
    let whole_len = digits(rest);
    let (whole, mut tail) = rest.split_at(whole_len);
    let mut fraction = "";
    if let Some(after_point) = tail.strip_prefix('.') {
        let (found, after) = after_point.split_at(digits(after_point));
        fraction = found;
        tail = after;
    }
    if whole.is_empty() && fraction.is_empty() {
        return Err(invalid());
    }
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().map_err(|_| invalid())?
    };
    let unit_len = tail
        .find(|c: char| c == '.' || c.is_ascii_digit())
        .unwrap_or(tail.len());
    let (unit, tail) = tail.split_at(unit_len);
    if unit.is_empty() {
        return Err(ParseDurationError::MissingUnit(text.to_owned()));
    }
    let scale = unit_nanoseconds(unit).ok_or_else(|| ParseDurationError::UnknownUnit {
        unit: unit.to_owned(),
        text: text.to_owned(),
    })?;
    let nanoseconds = whole
        .checked_mul(scale)
        .filter(|v| *v <= 1 << 63)
        .ok_or_else(invalid)?;
    Ok((nanoseconds + fraction_nanoseconds(fraction, scale), tail))
}

fn unit_nanoseconds(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

fn fraction_nanoseconds(digits: &str, scale: u64) -> u64 {
    // Beyond 18 digits nothing below a nanosecond is left, whatever the unit.
    let digits = &digits[..digits.len().min(18)];
    let Ok(value) = digits.parse::<u128>() else {
        return 0;
    };
    let divisor = 10u128.pow(u32::try_from(digits.len()).unwrap_or(0));
    u64::try_from(value * u128::from(scale) / divisor).unwrap_or(0)
}

/// Prints nanoseconds as Go does: `1h0m0s`, `1.5s`, `20ms`, `0s`.
pub fn format(nanoseconds: i64) -> String {
    let value = nanoseconds.unsigned_abs();
    if value == 0 {
        return "0s".to_owned();
    }
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let second = SECOND.unsigned_abs();
    if value < second {
        return match value {
            0..1_000 => format!("{sign}{value}ns"),
            1_000..1_000_000 => format!("{sign}{}\u{b5}s", decimal(value, 1_000)),
            _ => format!("{sign}{}ms", decimal(value, 1_000_000)),
        };
    }
    let minutes = value / (60 * second);
    let seconds = decimal(value % (60 * second), second);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    if hours > 0 {
        format!("{sign}{hours}h{minutes}m{seconds}s")
    } else if minutes > 0 {
        format!("{sign}{minutes}m{seconds}s")
    } else {
        format!("{sign}{seconds}s")
    }
}

/// Prints `value / unit` without trailing zeros.
fn decimal(value: u64, unit: u64) -> String {
    let width = unit.ilog10() as usize;
    let fraction = format!("{:0width$}", value % unit);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() {
        (value / unit).to_string()
    } else {
        format!("{}.{fraction}", value / unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_printed_as_in_go() {
        for (text, nanoseconds, printed) in [
            ("0", 0, "0s"),
            ("5m", 300 * SECOND, "5m0s"),
            ("1h", 3600 * SECOND, "1h0m0s"),
            ("1h30m10.5s", 5410 * SECOND + SECOND / 2, "1h30m10.5s"),
            ("1.5h", 5400 * SECOND, "1h30m0s"),
            ("-1.5s", -SECOND - SECOND / 2, "-1.5s"),
            ("20ms", 20_000_000, "20ms"),
            ("1.5us", 1_500, "1.5\u{b5}s"),
            ("3ns", 3, "3ns"),
            (".5s", SECOND / 2, "500ms"),
            ("+60s", 60 * SECOND, "1m0s"),
            (
                "-9223372036854775808ns",
                i64::MIN,
                "-2562047h47m16.854775808s",
            ),
        ] {
            assert_eq!(parse(text), Ok(nanoseconds), "{text}");
            assert_eq!(format(nanoseconds), printed, "{text}");
        }
    }

    #[test]
    fn errors_use_the_words_of_go() {
        for (text, message) in [
            ("", "time: invalid duration \"\""),
            ("x", "time: invalid duration \"x\""),
            (".s", "time: invalid duration \".s\""),
            ("3", "time: missing unit in duration \"3\""),
            ("3d", "time: unknown unit \"d\" in duration \"3d\""),
            (
                "9223372036854775808ns",
                "time: invalid duration \"9223372036854775808ns\"",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }
}
