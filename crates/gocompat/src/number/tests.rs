use super::*;

fn check_float(value: f64, verb: char, precision: Option<usize>, expected: &str) {
    assert_eq!(
        format_float(value, verb, precision, 64),
        expected,
        "{value} {verb} {precision:?}"
    );
}

#[test]
fn floats_print_as_strconv_prints_them() {
    for (value, expected) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (100_000.0, "100000"),
        (1_000_000.0, "1e+06"),
        (123_456_789.0, "1.23456789e+08"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (1e21, "1e+21"),
        (5e-324, "5e-324"),
        (1.844_674_407_370_955_2e19, "1.8446744073709552e+19"),
        (0.1, "0.1"),
        (123.456, "123.456"),
        (f64::INFINITY, "+Inf"),
        (f64::NEG_INFINITY, "-Inf"),
        (f64::NAN, "NaN"),
    ] {
        check_float(value, 'g', None, expected);
    }
    check_float(1234.5678, 'g', Some(3), "1.23e+03");
    check_float(100_000.0, 'g', Some(6), "100000");
    check_float(1_000_000.0, 'g', Some(7), "1000000");
    check_float(1_000_000.0, 'g', Some(6), "1e+06");
    check_float(100.0, 'g', Some(0), "1e+02");
    check_float(2.5, 'f', Some(0), "2");
    check_float(3.5, 'f', Some(0), "4");
    check_float(1e21, 'f', None, "1000000000000000000000");
    check_float(0.000_001, 'f', None, "0.000001");
    check_float(12.5, 'e', None, "1.25e+01");
    check_float(12.5, 'E', Some(3), "1.250E+01");
    check_float(0.0, 'e', Some(2), "0.00e+00");
    check_float(1.0, 'z', None, "%z");
    assert_eq!(format_float(f64::from(0.1f32), 'g', None, 32), "0.1");
}

#[test]
fn floats_print_as_json() {
    for (value, expected) in [
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1.5e-10, "1.5e-10"),
        (-0.0, "-0"),
        (12_345_678.9, "12345678.9"),
        (9_007_199_254_740_993.0, "9007199254740992"),
    ] {
        assert_eq!(json_float(value).as_deref(), Some(expected));
    }
    assert_eq!(json_float(f64::NAN), None);
}

#[test]
fn integers_read_as_strconv_reads_them() {
    use NumberError::{Range, Syntax};
    for (text, base, expected) in [
        ("0", 0, Ok(0)),
        ("-12", 0, Ok(-12)),
        ("+12", 0, Ok(12)),
        ("0x1F", 0, Ok(31)),
        ("0o17", 0, Ok(15)),
        ("017", 0, Ok(15)),
        ("08", 0, Err(Syntax)),
        ("0b101", 0, Ok(5)),
        ("1_000", 0, Ok(1000)),
        ("0x_1", 0, Ok(1)),
        ("1__0", 0, Err(Syntax)),
        ("_1", 0, Err(Syntax)),
        ("1_000", 10, Err(Syntax)),
        ("0x", 0, Err(Syntax)),
        ("", 0, Err(Syntax)),
        ("--1", 0, Err(Syntax)),
        ("9223372036854775807", 10, Ok(i64::MAX)),
        ("-9223372036854775808", 10, Ok(i64::MIN)),
        ("9223372036854775808", 10, Err(Range)),
        ("99999999999999999999999", 10, Err(Range)),
        ("zz", 36, Ok(1295)),
    ] {
        assert_eq!(parse_int(text, base, 64), expected, "{text} in base {base}");
    }
    assert_eq!(parse_int("128", 10, 8), Err(Range));
    assert_eq!(parse_int("-128", 10, 8), Ok(-128));
    assert_eq!(parse_uint("18446744073709551615", 0, 64), Ok(u64::MAX));
    assert_eq!(parse_uint("256", 0, 8), Err(Range));
    assert_eq!(parse_uint("-1", 0, 64), Err(Syntax));
}

#[test]
fn floats_read_as_strconv_reads_them() {
    use NumberError::{Range, Syntax};
    for (text, expected) in [
        ("1.5", Ok(1.5)),
        (".5", Ok(0.5)),
        ("5.", Ok(5.0)),
        ("1e3", Ok(1000.0)),
        ("-1E-2", Ok(-0.01)),
        ("1_0.5", Ok(10.5)),
        ("0x1p-2", Ok(0.25)),
        ("0x1.8p1", Ok(3.0)),
        ("1e400", Err(Range)),
        (".", Err(Syntax)),
        ("e5", Err(Syntax)),
        ("1e", Err(Syntax)),
        ("1.2.3", Err(Syntax)),
        ("Infinity", Ok(f64::INFINITY)),
    ] {
        assert_eq!(parse_float(text), expected, "{text}");
    }
}

#[test]
fn integers_print_in_any_base() {
    assert_eq!(format_int(-255, 16), "-ff");
    assert_eq!(format_int(i64::MIN, 10), "-9223372036854775808");
    assert_eq!(format_uint(0, 2), "0");
    assert_eq!(format_uint(35, 36), "z");
}
