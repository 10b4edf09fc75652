//! Number literals: every reading a literal has, as Go's untyped constants.

use gocompat::number::{parse_float, parse_int, parse_uint};
use gocompat::quote::{Unit, quote, unquote_char};

use crate::ast::Number;
use crate::lex::Kind;
use crate::value::Value;

/// Reads a literal; the error is Go's message.
pub(crate) fn parse(text: &str, kind: Kind) -> Result<Number, String> {
    let mut number = Number {
        text: text.to_owned(),
        ..Number::default()
    };
    match kind {
        Kind::CharConstant => character(&mut number, text)?,
        Kind::Complex => {
            number.complex = Some(complex(text).ok_or("invalid syntax")?);
            number.simplify();
        }
        _ => plain(&mut number, text)?,
    }
    number.ideal = ideal(&number);
    Ok(number)
}

fn character(number: &mut Number, text: &str) -> Result<(), String> {
    let (unit, tail) = unquote_char(&text[1..], '\'').ok_or("invalid syntax")?;
    if tail != "'" {
        return Err(format!("malformed character constant: {text}"));
    }
    let code = match unit {
        Unit::Rune(c) => c as u32,
        Unit::Byte(byte) => u32::from(byte),
    };
    number.int = Some(i64::from(code));
    number.uint = Some(u64::from(code));
    number.float = Some(f64::from(code));
    Ok(())
}

fn plain(number: &mut Number, text: &str) -> Result<(), String> {
    if let Some(imaginary) = text.strip_suffix('i')
        && let Ok(value) = parse_float(imaginary)
    {
        number.complex = Some((0.0, value));
        number.simplify();
        return Ok(());
    }
    number.uint = parse_uint(text, 0, 64).ok();
    number.int = parse_int(text, 0, 64).ok();
    if number.int == Some(0) {
        number.uint = Some(0);
    }
    if let Some(int) = number.int {
        number.float = Some(int as f64);
    } else if let Some(uint) = number.uint {
        number.float = Some(uint as f64);
    } else if let Ok(float) = parse_float(text) {
        if !text.contains(['.', 'e', 'E', 'p', 'P']) {
            return Err(format!("integer overflow: {}", quote(text.as_bytes())));
        }
        number.set_float(float);
    } else {
        return Err(format!("illegal number syntax: {}", quote(text.as_bytes())));
    }
    Ok(())
}

/// Reads `a+bi`.
fn complex(text: &str) -> Option<(f64, f64)> {
    let body = text.strip_suffix('i')?;
    let bytes = body.as_bytes();
    let split = (1..bytes.len()).rev().find(|&i| {
        matches!(bytes[i], b'+' | b'-') && !matches!(bytes[i - 1], b'e' | b'E' | b'p' | b'P')
    })?;
    let real = parse_float(&body[..split]).ok()?;
    let imaginary = parse_float(&body[split..]).ok()?;
    Some((real, imaginary))
}

impl Number {
    /// A complex number without imaginary part is also real.
    fn simplify(&mut self) {
        if let Some((real, 0.0)) = self.complex {
            self.set_float(real);
        }
    }

    fn set_float(&mut self, float: f64) {
        self.float = Some(float);
        if float.trunc() == float && float.abs() < 9.3e18 {
            let int = float as i64;
            self.int = (int as f64 == float && int != i64::MAX).then_some(int);
        }
        if float.trunc() == float && (0.0..1.844_674_407_370_955_2e19).contains(&float) {
            self.uint = Some(float as u64);
        }
    }
}

fn ideal(number: &Number) -> Option<Value> {
    if let Some((real, imaginary)) = number.complex {
        return Some(Value::Complex(real, imaginary));
    }
    let text = &number.text;
    let hex = text.len() > 2 && (text.starts_with("0x") || text.starts_with("0X"));
    let hex_int = hex && !text.contains(['p', 'P']);
    let rune = text.starts_with('\'');
    if let Some(float) = number.float
        && !hex_int
        && !rune
        && text.contains(['.', 'e', 'E', 'p', 'P'])
    {
        return Some(Value::Float(float));
    }
    number.int.map(Value::Int)
}
