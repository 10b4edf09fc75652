//! Numbers as Go's `strconv`, `fmt` and `encoding/json` read and print them.
//!
//! Text flows in through [`parse_int`], [`parse_uint`] and [`parse_float`], which follow `strconv` with its
//! base prefixes, underscores and range errors; values flow out through [`format_float`], [`format_int`],
//! [`format_uint`] and [`json_float`]. Hexadecimal float output (`%x`) is left out.

/// Why a text is no number of the wanted kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// The text does not have the form of a number.
    #[error("invalid syntax")]
    Syntax,
    /// The number does not fit.
    #[error("value out of range")]
    Range,
}

/// Formats a float as `strconv.FormatFloat(value, verb, precision, bits)` does.
///
/// `verb` is one of `e E f F g G`; any other gives `%` and the verb, as in Go. `precision` counts digits as
/// Go does for the verb; `None` is Go's -1: the fewest digits that read back as the same value. `bits` is
/// 32 or 64.
pub fn format_float(value: f64, verb: char, precision: Option<usize>, bits: u32) -> String {
    let mut out = String::new();
    write_float(&mut out, value, verb, precision, bits);
    out
}

/// Appends what [`format_float`] returns.
pub fn write_float(out: &mut String, value: f64, verb: char, precision: Option<usize>, bits: u32) {
    if value.is_nan() {
        return out.push_str("NaN");
    }
    if value.is_infinite() {
        return out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    }
    if value.is_sign_negative() {
        out.push('-');
    }
    let value = value.abs();
    match verb {
        'e' | 'E' => {
            let digits = match precision {
                None => Digits::shortest(value, bits),
                Some(precision) => Digits::rounded(value, precision.saturating_add(1)),
            };
            let fraction = precision.unwrap_or(digits.text.len().saturating_sub(1));
            digits.write_exponent(out, fraction, verb);
        }
        'f' | 'F' => match precision {
            None => Digits::shortest(value, bits).write_decimal(out, None),
            Some(precision) => out.push_str(&format!("{value:.precision$}")),
        },
        'g' | 'G' => write_general(out, value, verb, precision, bits),
        other => {
            out.push('%');
            out.push(other);
        }
    }
}

/// Writes the `%g` form: exponent notation for small and large exponents, decimal notation otherwise.
fn write_general(out: &mut String, value: f64, verb: char, precision: Option<usize>, bits: u32) {
    let digits = match precision {
        None => Digits::shortest(value, bits),
        Some(precision) => Digits::rounded(value, precision.max(1)).without_trailing_zeros(),
    };
    let count = i32::try_from(digits.text.len()).unwrap_or(i32::MAX);
    let threshold = match precision {
        None => 6,
        Some(precision) => {
            let wanted = i32::try_from(precision.max(1)).unwrap_or(i32::MAX);
            if wanted > count && count >= digits.point {
                count
            } else {
                wanted
            }
        }
    };
    let exponent = digits.point - 1;
    if exponent < -4 || exponent >= threshold {
        let fraction = digits.text.len().saturating_sub(1);
        let letter = if verb == 'G' { 'E' } else { 'e' };
        return digits.write_exponent(out, fraction, letter);
    }
    digits.write_decimal(out, None);
}

/// Decimal digits of a non-negative finite value: `0.DIGITS × 10^point`.
struct Digits {
    text: String,
    point: i32,
}

impl Digits {
    fn shortest(value: f64, bits: u32) -> Self {
        if bits == 32 {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the caller asked for 32 bits"
            )]
            let narrow = value as f32;
            return Self::of_scientific(&format!("{narrow:e}"));
        }
        Self::of_scientific(&format!("{value:e}"))
    }

    fn rounded(value: f64, count: usize) -> Self {
        let fraction = count.saturating_sub(1);
        Self::of_scientific(&format!("{value:.fraction$e}"))
    }

    fn of_scientific(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let zero = digits.bytes().all(|b| b == b'0');
        Self {
            point: if zero { 1 } else { exponent + 1 },
            text: digits,
        }
    }

    fn without_trailing_zeros(mut self) -> Self {
        let kept = self.text.trim_end_matches('0').len().max(1);
        self.text.truncate(kept);
        self
    }

    fn write_exponent(&self, out: &mut String, fraction: usize, letter: char) {
        let mut digits = self.text.bytes();
        out.push(char::from(digits.next().unwrap_or(b'0')));
        if fraction > 0 {
            out.push('.');
            for _ in 0..fraction {
                out.push(char::from(digits.next().unwrap_or(b'0')));
            }
        }
        let exponent = self.point - 1;
        out.push(letter);
        out.push(if exponent < 0 { '-' } else { '+' });
        out.push_str(&format!("{:02}", exponent.unsigned_abs()));
    }

    fn write_decimal(&self, out: &mut String, fraction: Option<usize>) {
        let point = usize::try_from(self.point).unwrap_or(0);
        if point == 0 {
            out.push('0');
        }
        for index in 0..point {
            out.push(char::from(
                *self.text.as_bytes().get(index).unwrap_or(&b'0'),
            ));
        }
        let zeros = usize::try_from(-self.point).unwrap_or(0);
        let rest = self.text.get(point..).unwrap_or("");
        let rest = if rest.bytes().all(|b| b == b'0') {
            ""
        } else {
            rest
        };
        if rest.is_empty() && fraction.is_none() {
            return;
        }
        out.push('.');
        out.extend(std::iter::repeat_n('0', zeros));
        out.push_str(rest);
    }
}

/// Formats a float as `encoding/json` does: decimal from 1e-6 to below 1e21, otherwise with an exponent.
///
/// Returns `None` for values that JSON cannot hold (infinities, not a number).
pub fn json_float(value: f64) -> Option<String> {
    if !value.is_finite() {
        return None;
    }
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format_float(value, 'e', None, 64);
        // A one-digit negative exponent loses its zero: e-09 is written e-9.
        return Some(text.replace("e-0", "e-"));
    }
    Some(format_float(value, 'f', None, 64))
}

/// Formats an integer in base 2 to 36, as `strconv.FormatInt`.
pub fn format_int(value: i64, base: u32) -> String {
    let digits = format_uint(value.unsigned_abs(), base);
    if value < 0 {
        format!("-{digits}")
    } else {
        digits
    }
}

/// Formats an unsigned integer in base 2 to 36, as `strconv.FormatUint`.
pub fn format_uint(mut value: u64, base: u32) -> String {
    if base == 10 {
        return value.to_string();
    }
    let wide = u64::from(base.clamp(2, 36));
    let mut digits = Vec::new();
    loop {
        let digit = u32::try_from(value % wide).unwrap_or(0);
        digits.push(char::from_digit(digit, 36).unwrap_or('0'));
        value /= wide;
        if value == 0 {
            return digits.iter().rev().collect();
        }
    }
}

/// Reads a signed integer as `strconv.ParseInt(text, base, bits)` does.
///
/// Base 0 takes the base from the prefix (`0x`, `0o`, `0b`, `0`) and allows underscores between digits.
///
/// # Errors
/// Fails on anything that is no such number, and on one beyond the bits.
pub fn parse_int(text: &str, base: u32, bits: u32) -> Result<i64, NumberError> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let size = parse_digits(digits, base)?;
    let limit = 1u64 << (bits.clamp(1, 64) - 1);
    match (negative, size) {
        (false, Some(size)) if size < limit => Ok(size.cast_signed()),
        (true, Some(size)) if size <= limit => Ok(size.wrapping_neg().cast_signed()),
        _ => Err(NumberError::Range),
    }
}

/// Reads an unsigned integer as `strconv.ParseUint(text, base, bits)` does; no sign is allowed.
///
/// # Errors
/// Fails on anything that is no such number, and on one beyond the bits.
pub fn parse_uint(text: &str, base: u32, bits: u32) -> Result<u64, NumberError> {
    let size = parse_digits(text, base)?.ok_or(NumberError::Range)?;
    if bits < 64 && size >> bits != 0 {
        return Err(NumberError::Range);
    }
    Ok(size)
}

/// Reads unsigned digits; `None` stands for a value beyond 64 bits, which is told before faults behind it.
fn parse_digits(text: &str, base: u32) -> Result<Option<u64>, NumberError> {
    let free = base == 0;
    let (base, digits) = if free { base_of(text) } else { (base, text) };
    if digits.is_empty() || !(2..=36).contains(&base) {
        return Err(NumberError::Syntax);
    }
    let mut value = 0_u64;
    for c in digits.chars() {
        if free && c == '_' {
            continue;
        }
        let digit = c.to_digit(base).ok_or(NumberError::Syntax)?;
        let more = value.checked_mul(base.into());
        match more.and_then(|more| more.checked_add(digit.into())) {
            Some(more) => value = more,
            None => return Ok(None),
        }
    }
    if free && digits.contains('_') && !underscores_separate_digits(text) {
        return Err(NumberError::Syntax);
    }
    Ok(Some(value))
}

/// Splits off a base prefix as Go's base 0 does.
fn base_of(text: &str) -> (u32, &str) {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'0') {
        return (10, text);
    }
    match bytes.get(1).map(u8::to_ascii_lowercase) {
        Some(b'x') if bytes.len() > 2 => (16, &text[2..]),
        Some(b'o') if bytes.len() > 2 => (8, &text[2..]),
        Some(b'b') if bytes.len() > 2 => (2, &text[2..]),
        Some(_) => (8, &text[1..]),
        None => (10, text),
    }
}

/// Tells whether every underscore stands between digits, or between a base prefix and a digit.
fn underscores_separate_digits(text: &str) -> bool {
    let mut rest = text.as_bytes();
    if let [b'+' | b'-', tail @ ..] = rest {
        rest = tail;
    }
    let mut previous = b'^';
    let mut hexadecimal = false;
    if let [b'0', letter, tail @ ..] = rest
        && matches!(letter.to_ascii_lowercase(), b'b' | b'o' | b'x')
    {
        hexadecimal = letter.eq_ignore_ascii_case(&b'x');
        previous = b'0';
        rest = tail;
    }
    for &byte in rest {
        let digit = byte.is_ascii_digit() || hexadecimal && byte.is_ascii_hexdigit();
        match byte {
            _ if digit => previous = b'0',
            b'_' if previous != b'0' => return false,
            b'_' => previous = b'_',
            _ if previous == b'_' => return false,
            _ => previous = b'!',
        }
    }
    previous != b'_'
}

/// Reads a float as `strconv.ParseFloat(text, 64)` does.
///
/// Decimal and hexadecimal forms, `inf`, `infinity` and `nan` in any case; underscores between digits.
///
/// # Errors
/// Fails on anything that is no number, and on one beyond what a float can hold.
pub fn parse_float(text: &str) -> Result<f64, NumberError> {
    let (negative, size) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let sign = if negative { -1.0 } else { 1.0 };
    if size.eq_ignore_ascii_case("inf") || size.eq_ignore_ascii_case("infinity") {
        return Ok(sign * f64::INFINITY);
    }
    if text.eq_ignore_ascii_case("nan") {
        return Ok(f64::NAN);
    }
    let plain;
    let size = if size.contains('_') {
        if !underscores_separate_digits(text) {
            return Err(NumberError::Syntax);
        }
        plain = size.replace('_', "");
        plain.as_str()
    } else {
        size
    };
    let value = match size.as_bytes() {
        [b'0', b'x' | b'X', ..] => parse_hexadecimal_float(&size[2..])?,
        _ if is_decimal_float(size) => size.parse().map_err(|_| NumberError::Syntax)?,
        _ => return Err(NumberError::Syntax),
    };
    if value.is_infinite() {
        return Err(NumberError::Range);
    }
    Ok(sign * value)
}

/// Tells whether the text is `digits[.digits][e[±]digits]` with a digit in the mantissa, without a sign.
fn is_decimal_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let mantissa_ok =
        digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let exponent_ok = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['+', '-']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    mantissa_ok && exponent_ok
}

/// Reads `hexdigits[.hexdigits]p[±]digits`; bits beyond the sixteenth digit only break ties.
fn parse_hexadecimal_float(text: &str) -> Result<f64, NumberError> {
    let at = text.find(['p', 'P']).ok_or(NumberError::Syntax)?;
    let exponent = &text[at + 1..];
    let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if unsigned.is_empty() || !unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NumberError::Syntax);
    }
    let exponent: i32 = exponent.parse().unwrap_or(if exponent.starts_with('-') {
        -100_000
    } else {
        100_000
    });
    let (whole, fraction) = text[..at].split_once('.').unwrap_or((&text[..at], ""));
    let digits = whole.len() + fraction.len();
    if digits == 0 || !(whole.bytes().chain(fraction.bytes())).all(|b| b.is_ascii_hexdigit()) {
        return Err(NumberError::Syntax);
    }
    let (mut mantissa, mut shift) = (0u64, 0i64);
    for (index, byte) in whole.bytes().chain(fraction.bytes()).enumerate() {
        let digit = u64::from(char::from(byte).to_digit(16).unwrap_or(0));
        if mantissa >> 59 == 0 {
            mantissa = mantissa << 4 | digit;
            shift -= if index >= whole.len() { 4 } else { 0 };
        } else {
            mantissa |= u64::from(digit != 0);
            shift += if index < whole.len() { 4 } else { 0 };
        }
    }
    let power = shift.saturating_add(i64::from(exponent)).clamp(-5000, 5000);
    let half = i32::try_from(power / 2).unwrap_or(0);
    let rest = i32::try_from(power - power / 2).unwrap_or(0);
    #[expect(
        clippy::cast_precision_loss,
        reason = "rounding to the nearest float is wanted"
    )]
    let value = mantissa as f64 * 2f64.powi(half) * 2f64.powi(rest);
    Ok(value)
}

#[cfg(test)]
mod tests;
