//! IP addresses as Go's `net/netip` reads them, with its words for what is none.

use crate::quote::quote;

/// What kind of address a text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Four decimals.
    V4,
    /// Groups of hexadecimal digits, with a zone that may be empty.
    V6 {
        /// What follows `%`.
        zone: String,
    },
}

/// Reads an address.
///
/// # Errors
/// The text is none, in the words of Go's `ParseAddr`.
pub fn parse_addr(text: &str) -> Result<Address, String> {
    match text.bytes().find(|b| b".:%".contains(b)) {
        Some(b'.') => {
            v4(text).map_err(|fault| fault.worded(text))?;
            Ok(Address::V4)
        }
        Some(b':') => v6(text).map_err(|fault| fault.worded(text)),
        Some(_) => Err(Fault::new("missing IPv6 address").worded(text)),
        None => Err(Fault::new("unable to parse IP").worded(text)),
    }
}

struct Fault {
    message: &'static str,
    rest: String,
}

impl Fault {
    fn new(message: &'static str) -> Self {
        Self::at(message, "")
    }

    fn at(message: &'static str, rest: &str) -> Self {
        Self {
            message,
            rest: rest.to_owned(),
        }
    }

    fn worded(&self, text: &str) -> String {
        let text = quote(text.as_bytes());
        if self.rest.is_empty() {
            return format!("ParseAddr({text}): {}", self.message);
        }
        let rest = quote(self.rest.as_bytes());
        format!("ParseAddr({text}): {} (at {rest})", self.message)
    }
}

fn v4(text: &str) -> Result<(), Fault> {
    let bytes = text.as_bytes();
    let (mut value, mut digits, mut fields) = (0_u32, 0, 0);
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                if digits == 1 && value == 0 {
                    return Err(Fault::new("IPv4 field has octet with leading zero"));
                }
                value = value * 10 + u32::from(byte - b'0');
                digits += 1;
                if value > 255 {
                    return Err(Fault::new("IPv4 field has value >255"));
                }
            }
            b'.' => {
                if at == 0 || at + 1 == bytes.len() || bytes[at - 1] == b'.' {
                    let message = "IPv4 field must have at least one digit";
                    return Err(Fault::at(message, &text[at..]));
                }
                if fields == 3 {
                    return Err(Fault::new("IPv4 address too long"));
                }
                fields += 1;
                (value, digits) = (0, 0);
            }
            _ => {
                let rest = String::from_utf8_lossy(&bytes[at..]);
                return Err(Fault::at("unexpected character", &rest));
            }
        }
    }
    if fields < 3 {
        return Err(Fault::new("IPv4 address too short"));
    }
    Ok(())
}

/// Bytes of an address.
const BYTES: usize = 16;

fn v6(text: &str) -> Result<Address, Fault> {
    let (mut rest, zone) = match text.split_once('%') {
        Some((_, "")) => return Err(Fault::new("zone must be a non-empty string")),
        Some((address, zone)) => (address, zone),
        None => (text, ""),
    };
    let done = || {
        Ok(Address::V6 {
            zone: zone.to_owned(),
        })
    };
    let mut shortened = false;
    if let Some(after) = rest.strip_prefix("::") {
        (rest, shortened) = (after, true);
        if rest.is_empty() {
            return done();
        }
    }
    let mut bytes = 0;
    while bytes < BYTES {
        let digits = hex_digits(rest)?;
        if digits == 0 {
            let message = "each colon-separated field must have at least one digit";
            return Err(Fault::at(message, rest));
        }
        if rest[digits..].starts_with('.') {
            if !shortened && bytes != 12 {
                let message =
                    "embedded IPv4 address must replace the final 2 fields of the address";
                return Err(Fault::at(message, rest));
            }
            if bytes + 4 > BYTES {
                let message =
                    "too many hex fields to fit an embedded IPv4 at the end of the address";
                return Err(Fault::at(message, rest));
            }
            v4(rest)?;
            (rest, bytes) = ("", bytes + 4);
            break;
        }
        (rest, bytes) = (&rest[digits..], bytes + 2);
        if rest.is_empty() {
            break;
        }
        let Some(after) = rest.strip_prefix(':') else {
            return Err(Fault::at("unexpected character, want colon", rest));
        };
        if after.is_empty() {
            return Err(Fault::at("colon must be followed by more characters", rest));
        }
        rest = after;
        if let Some(after) = rest.strip_prefix(':') {
            if shortened {
                return Err(Fault::at("multiple :: in address", rest));
            }
            (rest, shortened) = (after, true);
            if rest.is_empty() {
                break;
            }
        }
    }
    if !rest.is_empty() {
        return Err(Fault::at("trailing garbage after address", rest));
    }
    match (bytes < BYTES, shortened) {
        (true, false) => Err(Fault::new("address string too short")),
        (false, true) => Err(Fault::new(
            "the :: must expand to at least one field of zeros",
        )),
        _ => done(),
    }
}

/// Counts the digits of a group.
fn hex_digits(rest: &str) -> Result<usize, Fault> {
    let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
    if digits > 4 {
        return Err(Fault::at("each group must have 4 or less digits", rest));
    }
    Ok(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_what_is_none() {
        for text in [
            "1.2.3.4",
            "::",
            "::1",
            "1::",
            "::ffff:1.2.3.4",
            "1:2:3:4:5:6:7:8",
            "fe80::1%e0",
        ] {
            assert!(parse_addr(text).is_ok(), "{text}");
        }
        for (text, message) in [
            ("1", "unable to parse IP"),
            ("1.2.3", "IPv4 address too short"),
            ("::ffff:1.2.3", "IPv4 address too short"),
            (
                "12345::",
                "each group must have 4 or less digits (at \"12345::\")",
            ),
            (
                "1:2:3:4:5:6:7::8",
                "the :: must expand to at least one field of zeros",
            ),
            ("1::2::3", "multiple :: in address (at \":3\")"),
        ] {
            let error = parse_addr(text).unwrap_err();
            assert_eq!(error, format!("ParseAddr(\"{text}\"): {message}"));
        }
    }
}
