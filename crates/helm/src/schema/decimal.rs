//! Exact numbers: what a JSON number's shortest text says, compared and divided without rounding.

use std::cmp::Ordering;

use serde_json::Number;

/// `digits` times ten to the power of `exponent`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal {
    digits: i128,
    exponent: i32,
    float: f64,
}

/// Widest gap of exponents that fits the digits of a float into 128 bits.
const GAP_MAX: i32 = 37;

impl Decimal {
    pub(super) fn new(number: &Number) -> Self {
        let float = number.as_f64().unwrap_or_default();
        let text = if number.is_f64() {
            format!("{float:e}")
        } else {
            number.to_string()
        };
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or_default();
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: i128 = format!("{whole}{fraction}").parse().unwrap_or_default();
        let mut exponent = exponent - i32::try_from(fraction.len()).unwrap_or_default();
        let mut digits = digits;
        while digits != 0 && digits % 10 == 0 {
            digits /= 10;
            exponent += 1;
        }
        Self {
            digits,
            exponent,
            float,
        }
    }

    pub(super) fn float(self) -> f64 {
        self.float
    }

    pub(super) fn is_integer(self) -> bool {
        self.exponent >= 0 || self.digits == 0
    }

    /// Both digits at the smaller exponent; `None` where they are too far apart.
    fn aligned(self, other: Self) -> Option<(i128, i128)> {
        let low = self.exponent.min(other.exponent);
        let scale = |one: Self| {
            let gap = one.exponent - low;
            let power = u32::try_from(gap).ok().filter(|_| gap <= GAP_MAX)?;
            one.digits.checked_mul(10_i128.checked_pow(power)?)
        };
        Some((scale(self)?, scale(other)?))
    }

    pub(super) fn compare(self, other: Self) -> Ordering {
        match self.aligned(other) {
            Some((a, b)) => a.cmp(&b),
            None => self.float.total_cmp(&other.float),
        }
    }

    pub(super) fn is_multiple_of(self, step: Self) -> bool {
        match self.aligned(step) {
            Some((_, 0)) => false,
            Some((a, b)) => a % b == 0,
            None => self.float % step.float == 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_rounding() {
        let decimal = |float: f64| Decimal::new(&Number::from_f64(float).unwrap());
        assert!(decimal(0.3).is_multiple_of(decimal(0.1)));
        assert!(!decimal(0.35).is_multiple_of(decimal(0.1)));
        assert!(decimal(1e21).is_multiple_of(decimal(10.0)));
        assert!(decimal(5.0).is_integer() && !decimal(5.5).is_integer());
        assert_eq!(decimal(0.1).compare(decimal(0.2)), Ordering::Less);
    }
}
