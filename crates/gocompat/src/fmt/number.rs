//! Integers, runes, floats and complex numbers.

use super::Printer;
use crate::number::format_float;
use crate::quote;

impl Printer {
    /// Prints an integer by verb; `false` where the verb does not suit.
    pub(super) fn integer(
        &mut self,
        magnitude: u64,
        negative: bool,
        signed: bool,
        verb: char,
    ) -> bool {
        match verb {
            'v' if self.spec.sharp_v && !signed => {
                self.out
                    .extend_from_slice(format!("{magnitude:#x}").as_bytes());
            }
            'v' | 'd' => self.based(magnitude, negative, 10, verb),
            'b' => self.based(magnitude, negative, 2, verb),
            'o' | 'O' => self.based(magnitude, negative, 8, verb),
            'x' | 'X' => self.based(magnitude, negative, 16, verb),
            'c' => {
                let text = rune(magnitude, negative).to_string();
                self.pad(text.as_bytes());
            }
            'q' => {
                let text = quote::quote_rune(rune(magnitude, negative), self.spec.plus);
                self.pad(text.as_bytes());
            }
            'U' => self.unicode(if negative {
                magnitude.wrapping_neg()
            } else {
                magnitude
            }),
            _ => return false,
        }
        true
    }

    fn based(&mut self, magnitude: u64, negative: bool, base: u32, verb: char) {
        let spec = self.spec;
        let signed = negative || spec.plus || spec.space;
        let digits_min = match spec.precision {
            Some(0) if magnitude == 0 => {
                let width = spec.width.unwrap_or(0);
                self.out.extend(std::iter::repeat_n(b' ', width));
                return;
            }
            Some(precision) => precision,
            None if spec.zero && !spec.minus => spec
                .width
                .map_or(0, |width| width.saturating_sub(usize::from(signed))),
            None => 0,
        };
        let mut digits = match base {
            2 => format!("{magnitude:b}"),
            8 => format!("{magnitude:o}"),
            16 if verb == 'X' => format!("{magnitude:X}"),
            16 => format!("{magnitude:x}"),
            _ => magnitude.to_string(),
        };
        if digits.len() < digits_min {
            digits.insert_str(0, &"0".repeat(digits_min - digits.len()));
        }
        let prefix = match base {
            2 if spec.sharp => "0b",
            8 if verb == 'O' => "0o",
            8 if spec.sharp && !digits.starts_with('0') => "0",
            16 if spec.sharp && verb == 'X' => "0X",
            16 if spec.sharp => "0x",
            _ => "",
        };
        let sign = match (negative, spec.plus, spec.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        self.pad_with_spaces(format!("{sign}{prefix}{digits}").as_bytes());
    }

    fn pad_with_spaces(&mut self, text: &[u8]) {
        let zero = std::mem::replace(&mut self.spec.zero, false);
        self.pad(text);
        self.spec.zero = zero;
    }

    fn unicode(&mut self, value: u64) {
        let digits = self.spec.precision.unwrap_or(4).max(4);
        let mut text = format!("U+{value:0digits$X}");
        if self.spec.sharp
            && let Some(c) = u32::try_from(value).ok().and_then(char::from_u32)
            && crate::unicode::is_print(c)
        {
            text.push_str(&format!(" '{c}'"));
        }
        self.pad_with_spaces(text.as_bytes());
    }

    /// Prints a float by verb; `false` where the verb does not suit.
    pub(super) fn float(&mut self, value: f64, verb: char) -> bool {
        let (letter, default) = match verb {
            'v' => ('g', None),
            'b' | 'g' | 'G' | 'x' | 'X' => (verb, None),
            'f' | 'e' | 'E' => (verb, Some(6)),
            'F' => ('f', Some(6)),
            _ => return false,
        };
        let precision = self.spec.precision.or(default);
        let mut text = match letter {
            'b' => binary_float(value),
            'x' | 'X' => hex_float(value, letter == 'X', precision),
            _ => format_float(value, letter, precision, 64),
        };
        if !text.starts_with(['-', '+']) {
            text.insert(0, '+');
        }
        self.signed_float(text, verb, precision);
        true
    }

    /// Pads a float that carries its sign.
    fn signed_float(&mut self, mut text: String, verb: char, precision: Option<usize>) {
        let spec = self.spec;
        if spec.space && text.starts_with('+') && !spec.plus {
            text.replace_range(..1, " ");
        }
        if text[1..].starts_with(['I', 'N']) {
            if text[1..].starts_with('N') && !spec.space && !spec.plus {
                text.remove(0);
            }
            return self.pad_with_spaces(text.as_bytes());
        }
        if spec.sharp && verb != 'b' {
            text = with_point(&text, verb, precision);
        }
        if !spec.plus && text.starts_with('+') {
            return self.pad(&text.as_bytes()[1..]);
        }
        let width = spec.width.unwrap_or(0);
        if spec.zero && !spec.minus && width > text.len() {
            self.out.push(text.as_bytes()[0]);
            self.out
                .extend(std::iter::repeat_n(b'0', width - text.len()));
            self.out.extend_from_slice(&text.as_bytes()[1..]);
            return;
        }
        self.pad(text.as_bytes());
    }

    pub(super) fn complex(&mut self, real: f64, imaginary: f64, verb: char) -> bool {
        if !matches!(
            verb,
            'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E'
        ) {
            return false;
        }
        let plus = self.spec.plus;
        self.out.push(b'(');
        self.float(real, verb);
        self.spec.plus = true;
        self.float(imaginary, verb);
        self.out.extend_from_slice(b"i)");
        self.spec.plus = plus;
        true
    }
}

fn rune(magnitude: u64, negative: bool) -> char {
    u32::try_from(magnitude)
        .ok()
        .filter(|_| !negative)
        .and_then(char::from_u32)
        .unwrap_or('\u{fffd}')
}

/// The `#` flag: always a decimal point, and trailing zeros up to the precision for `%g`.
fn with_point(text: &str, verb: char, precision: Option<usize>) -> String {
    let mut missing = match verb {
        'v' | 'g' | 'G' | 'x' => precision.unwrap_or(6) as i64,
        _ => 0,
    };
    let exponent = if matches!(verb, 'x' | 'X') {
        &['p', 'P'][..]
    } else {
        &['e', 'E', 'p', 'P'][..]
    };
    let split = text.find(exponent).unwrap_or(text.len());
    let (number, tail) = text.split_at(split);
    let mut significant = false;
    for c in number[1..].chars().filter(|&c| c != '.') {
        significant |= c != '0';
        missing -= i64::from(significant);
    }
    let mut out = number.to_owned();
    if !number.contains('.') {
        missing -= i64::from(number.len() == 2 && number.ends_with('0'));
        out.push('.');
    }
    out.push_str(&"0".repeat(missing.max(0) as usize));
    out + tail
}

/// Mantissa and exponent of 2, both decimal.
fn binary_float(value: f64) -> String {
    if !value.is_finite() {
        return format_float(value, 'g', None, 64);
    }
    let bits = value.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let (mantissa, exponent) = match (bits >> 52) & 0x7ff {
        0 => (fraction, -1074),
        biased => (fraction | 1 << 52, biased as i64 - 1075),
    };
    let sign = if value.is_sign_negative() { "-" } else { "" };
    format!("{sign}{mantissa}p{exponent:+}")
}

/// Hexadecimal mantissa with one digit before the point, exponent of 2 in decimal.
fn hex_float(value: f64, upper: bool, precision: Option<usize>) -> String {
    if !value.is_finite() {
        return format_float(value, 'g', None, 64);
    }
    let bits = value.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let (mut mantissa, mut exponent) = match (bits >> 52) & 0x7ff {
        0 if fraction == 0 => (0, 0),
        0 => {
            // A subnormal is brought to the form of the others.
            let shift = fraction.leading_zeros() - 11;
            (fraction << shift, -1022 - i64::from(shift))
        }
        biased => (fraction | 1 << 52, biased as i64 - 1023),
    };
    let digits = match precision {
        Some(precision) if precision < 13 => {
            let drop = 52 - 4 * precision as u32;
            let (rest, half) = (mantissa & ((1 << drop) - 1), 1_u64 << (drop - 1));
            mantissa >>= drop;
            mantissa += u64::from(rest > half || (rest == half && mantissa & 1 == 1));
            mantissa <<= drop;
            if mantissa >> 53 != 0 {
                mantissa >>= 1;
                exponent += 1;
            }
            precision
        }
        Some(precision) => precision,
        None => 13,
    };
    let mut hex = format!("{:013x}", mantissa & ((1 << 52) - 1));
    match precision {
        None => hex.truncate(hex.trim_end_matches('0').len()),
        Some(_) => {
            hex.push_str(&"0".repeat(digits.saturating_sub(13)));
            hex.truncate(digits);
        }
    }
    let point = if hex.is_empty() { "" } else { "." };
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    let text = format!(
        "{sign}0x{}{point}{hex}p{exponent_sign}{:02}",
        mantissa >> 52,
        exponent.abs()
    );
    if upper { text.to_uppercase() } else { text }
}
