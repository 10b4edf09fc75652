//! Resource quantities such as `500m`, `1.5Gi` or `1e3`, in their canonical form.
//!
//! Follows apimachinery's `resource.Quantity`: the suffix family is kept, the largest suffix without a fraction is chosen,
//! values finer than nano are rounded up. Left out: values beyond 10^36.

use std::cmp::Ordering;
use std::fmt;

/// An amount and the suffix family it was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    /// Amount in nano units.
    nano: i128,
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// `Ki`, `Mi`, ….
    Binary,
    /// `m`, none, `k`, `M`, ….
    Decimal,
    /// `e3`.
    Exponent,
}

/// Text that is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)]
pub struct ParseQuantityError;

const NANO: i128 = 1_000_000_000;
/// Bound on the amount, well inside `i128` in nano units.
const NANO_MAX: i128 = i64::MAX as i128 * NANO;
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];

impl Quantity {
    /// Reads a quantity.
    ///
    /// # Errors
    /// Fails on anything that is no quantity.
    pub fn parse(text: &str) -> Result<Self, ParseQuantityError> {
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(ParseQuantityError);
        }
        let (format, base, exponent) = suffix_of(suffix)?;
        let nano = amount(whole, fraction, base, exponent)?;
        Ok(Self {
            nano: if negative { -nano } else { nano },
            format,
        })
    }

    /// Returns the amount in thousandths, rounded up; saturates.
    pub fn milli(&self) -> i64 {
        let milli =
            self.nano.div_euclid(1_000_000) + i128::from(self.nano.rem_euclid(1_000_000) != 0);
        i64::try_from(milli).unwrap_or(if milli < 0 { i64::MIN } else { i64::MAX })
    }

    /// Tells whether the amount is below zero.
    pub fn is_negative(&self) -> bool {
        self.nano < 0
    }

    /// Tells whether the amount is a whole number.
    pub fn is_whole(&self) -> bool {
        self.nano % NANO == 0
    }

    /// Nothing, in decimal form.
    pub const ZERO: Self = Self {
        nano: 0,
        format: Format::Decimal,
    };

    /// Builds a whole number.
    pub fn whole(number: i64) -> Self {
        Self {
            nano: i128::from(number) * NANO,
            format: Format::Decimal,
        }
    }

    /// Tells whether the amount is zero.
    pub fn is_zero(&self) -> bool {
        self.nano == 0
    }

    /// Adds; nothing takes the other's form. Saturates far beyond what can be parsed.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let format = if self.nano == 0 {
            other.format
        } else {
            self.format
        };
        Self {
            nano: self.nano.saturating_add(other.nano),
            format,
        }
    }

    /// Subtracts; nothing takes the other's form.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        self.plus(&Self {
            nano: -other.nano,
            format: other.format,
        })
    }

    /// Returns the amount as a floating point number, for ratios.
    pub fn approximate(&self) -> f64 {
        self.nano as f64 / NANO as f64
    }

    /// Compares amounts, whatever their form.
    pub fn compare(&self, other: &Self) -> Ordering {
        self.nano.cmp(&other.nano)
    }
}

impl fmt::Display for Quantity {
    /// Writes the canonical form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nano == 0 {
            return f.write_str("0");
        }
        let whole = self.nano % NANO == 0;
        if self.format == Format::Binary && whole && (self.nano / NANO).abs() >= 1024 {
            let mut amount = self.nano / NANO;
            let mut suffix = 0;
            while amount % 1024 == 0 && suffix + 1 < BINARY.len() {
                amount /= 1024;
                suffix += 1;
            }
            return write!(f, "{amount}{}", BINARY[suffix]);
        }
        let (mut amount, mut exponent) = (self.nano, -9);
        while amount % 1000 == 0 && exponent < 18 {
            amount /= 1000;
            exponent += 3;
        }
        match self.format {
            Format::Exponent if exponent == 0 => write!(f, "{amount}"),
            Format::Exponent => write!(f, "{amount}e{exponent}"),
            _ => {
                let suffix = DECIMAL.iter().find(|(_, e)| *e == exponent);
                write!(f, "{amount}{}", suffix.map_or("", |(s, _)| s))
            }
        }
    }
}

/// Returns the family of a suffix, its base (10 or 1024) and exponent.
fn suffix_of(suffix: &str) -> Result<(Format, i128, i32), ParseQuantityError> {
    if let Some((_, exponent)) = DECIMAL.iter().find(|(s, _)| *s == suffix) {
        return Ok((Format::Decimal, 10, *exponent));
    }
    if let Some(power) = BINARY.iter().position(|s| *s == suffix) {
        return Ok((Format::Binary, 1024, power as i32));
    }
    let digits = suffix.strip_prefix(['e', 'E']).ok_or(ParseQuantityError)?;
    let exponent = digits.parse::<i32>().map_err(|_| ParseQuantityError)?;
    if !(-50..=50).contains(&exponent) {
        return Err(ParseQuantityError);
    }
    Ok((Format::Exponent, 10, exponent))
}

/// Computes `whole.fraction × base^exponent` in nano units, rounding up, capped at the largest amount.
fn amount(
    whole: &str,
    fraction: &str,
    base: i128,
    exponent: i32,
) -> Result<i128, ParseQuantityError> {
    /// Digits that count: 2^63 has 19, and nano 9 more.
    const DIGITS_MAX: usize = 28;
    let fraction = fraction.trim_end_matches('0');
    let whole = whole.trim_start_matches('0');
    if whole.len() > DIGITS_MAX {
        return Ok(NANO_MAX);
    }
    let kept = &fraction[..fraction.len().min(DIGITS_MAX - whole.len().min(DIGITS_MAX))];
    let digits = format!("{whole}{kept}");
    let mut amount: i128 = if digits.is_empty() {
        0
    } else {
        digits.parse().map_err(|_| ParseQuantityError)?
    };
    let mut rounded = kept.len() < fraction.len();
    let mut scale = 9 - kept.len() as i32;
    let mut overflow = false;
    let mut multiply = |amount: &mut i128, by: i128| match amount.checked_mul(by) {
        Some(product) => *amount = product,
        None => overflow = true,
    };
    if base == 1024 {
        for _ in 0..exponent {
            multiply(&mut amount, 1024);
        }
    } else {
        scale += exponent;
    }
    while scale > 0 {
        multiply(&mut amount, 10);
        scale -= 1;
    }
    if overflow {
        return Ok(NANO_MAX);
    }
    while scale < 0 {
        rounded |= amount % 10 != 0;
        amount /= 10;
        scale += 1;
    }
    Ok((amount + i128::from(rounded)).min(NANO_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_forms() {
        for (text, expected) in [
            ("1000m", "1"),
            ("1024Mi", "1Gi"),
            ("0.5Gi", "512Mi"),
            ("1", "1"),
            ("1500m", "1500m"),
            ("1.5", "1500m"),
            ("0.1Gi", "107374182400m"),
            ("512Ki", "512Ki"),
            ("100Ki", "100Ki"),
            ("1000", "1k"),
            ("1e3", "1e3"),
            ("12e2", "1200"),
            ("0", "0"),
            ("0Mi", "0"),
            ("-1000m", "-1"),
            ("+5", "5"),
            (".5", "500m"),
            ("1.", "1"),
            ("0.0000000001", "1n"),
            ("1023", "1023"),
            ("500Mi", "500Mi"),
            ("1536Mi", "1536Mi"),
            ("2048Gi", "2Ti"),
        ] {
            let actual = Quantity::parse(text).map(|q| q.to_string());
            assert_eq!(actual.as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn malformed_quantities_are_refused() {
        for text in [
            "", "-", "x", "1x", "1.2.3", "1mi", "1 ", " 1", "1e", "1e99", "Mi", ".",
        ] {
            assert!(Quantity::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_compare_whatever_their_form() {
        let parse = |text| Quantity::parse(text).unwrap();
        assert_eq!(parse("1").compare(&parse("1000m")), Ordering::Equal);
        assert_eq!(parse("1Gi").compare(&parse("1G")), Ordering::Greater);
        assert_eq!(parse("0.1m").milli(), 1);
    }
}
