//! Exact decimals for float arithmetic, as the `shopspring/decimal` library has them.

use num_bigint::BigInt;

/// `digits × 10^exponent`.
#[derive(Clone, Debug)]
pub(crate) struct Decimal {
    digits: BigInt,
    exponent: i32,
}

/// Digits after the point that a division keeps.
const DIVISION_DIGITS: i32 = 16;

impl Decimal {
    /// The shortest decimal that reads back as the float; `None` for infinities and NaN.
    pub(crate) fn of(number: f64) -> Option<Self> {
        if !number.is_finite() {
            return None;
        }
        let text = format!("{number:e}");
        let (mantissa, exponent) = text.split_once('e')?;
        let fraction = mantissa
            .split_once('.')
            .map_or(0, |(_, fraction)| fraction.len());
        Some(Self {
            digits: mantissa.replace('.', "").parse().ok()?,
            exponent: exponent.parse::<i32>().ok()? - fraction as i32,
        })
    }

    /// Both as whole numbers of the same exponent.
    fn aligned(&self, other: &Self) -> (BigInt, BigInt, i32) {
        let exponent = self.exponent.min(other.exponent);
        let scale = |decimal: &Self| &decimal.digits * power(decimal.exponent - exponent);
        (scale(self), scale(other), exponent)
    }

    pub(crate) fn add(&self, other: &Self) -> Self {
        let (left, right, exponent) = self.aligned(other);
        Self {
            digits: left + right,
            exponent,
        }
    }

    pub(crate) fn subtract(&self, other: &Self) -> Self {
        let (left, right, exponent) = self.aligned(other);
        Self {
            digits: left - right,
            exponent,
        }
    }

    pub(crate) fn multiply(&self, other: &Self) -> Self {
        Self {
            digits: &self.digits * &other.digits,
            exponent: self.exponent.saturating_add(other.exponent),
        }
    }

    /// The quotient to 16 places, halves away from zero; `None` for a zero divisor.
    pub(crate) fn divide(&self, other: &Self) -> Option<Self> {
        let zero = BigInt::ZERO;
        if other.digits == zero {
            return None;
        }
        let shift = self.exponent - other.exponent + DIVISION_DIGITS;
        let (top, bottom) = if shift >= 0 {
            (&self.digits * power(shift), other.digits.clone())
        } else {
            (self.digits.clone(), &other.digits * power(-shift))
        };
        let mut digits = &top / &bottom;
        let rest = &top - &digits * &bottom;
        let magnitude = |number: BigInt| if number < zero { -number } else { number };
        if magnitude(rest) * 2 >= magnitude(bottom.clone()) {
            digits += if (top < zero) == (bottom < zero) {
                1
            } else {
                -1
            };
        }
        Some(Self {
            digits,
            exponent: -DIVISION_DIGITS,
        })
    }

    /// The nearest float.
    pub(crate) fn to_float(&self) -> f64 {
        let text = format!("{}e{}", self.digits, self.exponent);
        text.parse().unwrap_or(f64::NAN)
    }
}

fn power(exponent: i32) -> BigInt {
    BigInt::from(10).pow(exponent.unsigned_abs())
}
