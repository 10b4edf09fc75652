//! Numbers: integer arithmetic wraps as Go's does, float arithmetic goes through exact decimals.

use super::casts::{to_float, to_int, truncate};
use super::check_size;
use crate::decimal::Decimal;
use crate::function::{Call, CallError, CallResult, Function, Type};
use crate::value::{Element, List, Value};

const A: Type = Type::Any;
const I: Type = Type::Int;
const I64: Type = Type::Int64;
const F: Type = Type::Float64;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::fixed("int", &[A], I, |c| Ok(Value::Int(to_int(&c.args[0])))),
    Function::fixed("int64", &[A], I64, |c| Ok(Value::Int64(to_int(&c.args[0])))),
    Function::fixed("float64", &[A], F, |c| {
        Ok(Value::Float(to_float(&c.args[0])))
    }),
    Function::fixed("atoi", &[Type::Text], I, |c| {
        Ok(Value::Int(atoi(&c.str(0))))
    }),
    Function::fixed("toDecimal", &[A], I64, |c| {
        let text = gocompat::fmt::sprint(c.args);
        let text = String::from_utf8_lossy(&text);
        Ok(Value::Int64(
            gocompat::number::parse_int(&text, 8, 64).unwrap_or(0),
        ))
    }),
    Function::fixed("add1", &[A], I64, |c| {
        Ok(Value::Int64(to_int(&c.args[0]).wrapping_add(1)))
    }),
    Function::variadic("add", &[A], I64, |c| Ok(fold(c, i64::wrapping_add))),
    Function::fixed("sub", &[A, A], I64, |c| Ok(fold(c, i64::wrapping_sub))),
    Function::variadic("mul", &[A, A], I64, |c| Ok(fold(c, i64::wrapping_mul))),
    Function::fixed("div", &[A, A], I64, |c| divide(c, i64::wrapping_div)),
    Function::fixed("mod", &[A, A], I64, |c| divide(c, i64::wrapping_rem)),
    Function::variadic("max", &[A, A], I64, |c| Ok(fold(c, i64::max))),
    Function::variadic("biggest", &[A, A], I64, |c| Ok(fold(c, i64::max))),
    Function::variadic("min", &[A, A], I64, |c| Ok(fold(c, i64::min))),
    Function::variadic("maxf", &[A, A], F, |c| {
        Ok(fold_floats(
            c,
            |a, b| if a.is_nan() { a } else { go_max(a, b) },
        ))
    }),
    Function::variadic("minf", &[A, A], F, |c| {
        Ok(fold_floats(
            c,
            |a, b| if a.is_nan() { a } else { -go_max(-a, -b) },
        ))
    }),
    Function::fixed("add1f", &[A], F, |c| {
        decimals(&[c.value(0), Value::Int(1)], |a, b| Ok(a.add(&b)))
    }),
    Function::variadic("addf", &[A], F, |c| {
        let args: Vec<Value> = std::iter::once(Value::Int(0))
            .chain(c.args.iter().cloned())
            .collect();
        decimals(&args, |a, b| Ok(a.add(&b)))
    }),
    Function::variadic("subf", &[A, A], F, |c| {
        decimals(c.args, |a, b| Ok(a.subtract(&b)))
    }),
    Function::variadic("mulf", &[A, A], F, |c| {
        decimals(c.args, |a, b| Ok(a.multiply(&b)))
    }),
    Function::variadic("divf", &[A, A], F, |c| {
        decimals(c.args, |a, b| {
            a.divide(&b)
                .ok_or_else(|| CallError::text("decimal division by 0"))
        })
    }),
    Function::fixed("floor", &[A], F, |c| {
        Ok(Value::Float(to_float(&c.args[0]).floor()))
    }),
    Function::fixed("ceil", &[A], F, |c| {
        Ok(Value::Float(to_float(&c.args[0]).ceil()))
    }),
    Function::variadic("round", &[A, I, F], F, round),
    Function::fixed("until", &[I], Type::Concrete, |c| {
        let count = c.int(0);
        list_steps(0, count, if count < 0 { -1 } else { 1 })
    }),
    Function::fixed("untilStep", &[I, I, I], Type::Concrete, |c| {
        list_steps(c.int(0), c.int(1), c.int(2))
    }),
    Function::variadic("seq", &[I], Type::Text, seq),
];

fn atoi(text: &str) -> i64 {
    match gocompat::number::parse_int(text, 10, 64) {
        Ok(number) => number,
        // Go returns the nearest bound along with the error.
        Err(gocompat::number::NumberError::Range) if text.starts_with('-') => i64::MIN,
        Err(gocompat::number::NumberError::Range) => i64::MAX,
        Err(_) => 0,
    }
}

fn fold(c: &Call<'_, '_>, step: fn(i64, i64) -> i64) -> Value {
    let numbers = c.args.iter().map(to_int);
    Value::Int64(numbers.reduce(step).unwrap_or(0))
}

fn divide(c: &mut Call<'_, '_>, step: fn(i64, i64) -> i64) -> CallResult {
    let (left, right) = (to_int(&c.args[0]), to_int(&c.args[1]));
    if right == 0 {
        return Err(CallError::text("runtime error: integer divide by zero"));
    }
    Ok(Value::Int64(step(left, right)))
}

fn go_max(a: f64, b: f64) -> f64 {
    if b.is_nan() { b } else { a.max(b) }
}

fn fold_floats(c: &Call<'_, '_>, step: fn(f64, f64) -> f64) -> Value {
    Value::Float(c.args.iter().map(to_float).reduce(step).unwrap_or(0.0))
}

fn decimals(
    args: &[Value],
    step: fn(Decimal, Decimal) -> Result<Decimal, CallError>,
) -> CallResult {
    let mut result: Option<Decimal> = None;
    for value in args {
        let number = to_float(value);
        let decimal = Decimal::of(number).ok_or_else(|| {
            let shown = gocompat::number::format_float(number, 'g', None, 64);
            CallError::text(format!("Cannot create a Decimal from {shown}"))
        })?;
        result = Some(match result {
            None => decimal,
            Some(left) => step(left, decimal)?,
        });
    }
    Ok(Value::Float(
        result.map_or(0.0, |decimal| decimal.to_float()),
    ))
}

fn round(c: &mut Call<'_, '_>) -> CallResult {
    let threshold = match c.args.get(2) {
        Some(Value::Float(threshold)) => *threshold,
        _ => 0.5,
    };
    let power = power_of_ten(c.int(1));
    let scaled = power * to_float(&c.args[0]);
    let fraction = if scaled.is_infinite() {
        f64::NAN
    } else {
        scaled.fract()
    };
    let rounded = if fraction >= threshold {
        scaled.ceil()
    } else {
        scaled.floor()
    };
    Ok(Value::Float(rounded / power))
}

/// A power of ten as Go computes it: by squaring, with exponents of two apart, so that far powers are not the
/// nearest floats.
fn power_of_ten(exponent: i64) -> f64 {
    let (mut mantissa, mut twos) = (1.0, 0_i64);
    let (mut square, mut square_twos) = (0.625, 4_i64);
    let mut bits = exponent.unsigned_abs();
    while bits != 0 {
        if square_twos > 1 << 12 {
            twos += square_twos;
            break;
        }
        if bits & 1 == 1 {
            mantissa *= square;
            twos += square_twos;
        }
        square *= square;
        square_twos *= 2;
        if square < 0.5 {
            square += square;
            square_twos -= 1;
        }
        bits >>= 1;
    }
    if exponent < 0 {
        (mantissa, twos) = (1.0 / mantissa, -twos);
    }
    // In two steps, as the power of two alone may be out of range.
    let twos = twos.clamp(-2_000, 2_000) as i32;
    let half = twos / 2;
    mantissa * 2_f64.powi(half) * 2_f64.powi(twos - half)
}

/// The numbers from start to before stop.
fn steps(start: i64, stop: i64, step: i64) -> Result<Vec<i64>, CallError> {
    let runs = if stop < start { step < 0 } else { step > 0 };
    if !runs || start == stop {
        return Ok(Vec::new());
    }
    let span = (i128::from(stop) - i128::from(start)).unsigned_abs();
    let count = span.div_ceil(i128::from(step).unsigned_abs());
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    check_size(count.saturating_mul(size_of::<Value>()))?;
    Ok((0..count as i64)
        .map(|index| start + index * step)
        .collect())
}

fn list_steps(start: i64, stop: i64, step: i64) -> CallResult {
    let items = steps(start, stop, step)?
        .into_iter()
        .map(Value::Int)
        .collect();
    Ok(List::appended(Element::Int, items).into())
}

fn seq(c: &mut Call<'_, '_>) -> CallResult {
    let numbers: Vec<i64> = c.args.iter().filter_map(Value::as_int).collect();
    let (start, step, end) = match numbers[..] {
        [end] => (1, if end < 1 { -1 } else { 1 }, end),
        [start, end] => (start, if end < start { -1 } else { 1 }, end),
        [start, step, end] => {
            if end < start && step > 0 {
                return Ok("".into());
            }
            (start, step, end)
        }
        _ => return Ok("".into()),
    };
    let past = if end < start { -1 } else { 1 };
    // With one number upwards to exactly 1 the direction is up.
    let shown = steps(start, end.saturating_add(past), step)?;
    let shown: Vec<String> = shown.iter().map(i64::to_string).collect();
    Ok(shown.join(" ").into())
}

/// Kept beside its users: integers of list indexes.
pub(super) fn index_of(value: &Value) -> i64 {
    match value {
        Value::Float(number) => truncate(*number),
        other => to_int(other),
    }
}
