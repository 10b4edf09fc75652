//! Texts, numbers and times of TOML.

use gocompat::number::{NumberError, parse_float, parse_int};
use gocompat::quote::quote;
use gotemplate::Value;
use gotemplate::time::Time;

use super::super::{LOCAL_DATE, LOCAL_DATETIME, LOCAL_TIME};
use super::{Read, Reader, shown};

impl Reader<'_> {
    pub(super) fn word(&mut self) -> Read<Value> {
        for (word, value) in [("inf", f64::INFINITY), ("nan", f64::NAN)] {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return Ok(Value::Float(value));
            }
        }
        let len: usize = self
            .rest()
            .chars()
            .take_while(|c| c.is_alphabetic())
            .map(char::len_utf8)
            .sum();
        let word = self.rest()[..len].to_owned();
        self.at += len;
        match word.as_str() {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            other => {
                let shown = quote(other.as_bytes());
                self.fail(format!("expected value but found {shown} instead"))
            }
        }
    }

    pub(super) fn string(&mut self) -> Read<String> {
        let mut out = String::new();
        loop {
            match self.peek() {
                None => return self.fail("unexpected EOF; expected '\"'"),
                Some('\n') => return self.fail("strings cannot contain newlines"),
                Some('"') => {
                    self.bump();
                    return Ok(out);
                }
                Some('\\') => {
                    self.bump();
                    self.escape(&mut out)?;
                }
                Some(c) => {
                    self.bump();
                    out.push(c);
                }
            }
        }
    }

    pub(super) fn escape(&mut self, out: &mut String) -> Read<()> {
        let Some(c) = self.bump() else {
            return self.fail("unexpected EOF; expected '\"'");
        };
        let digits = match c {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            ' ' | '\t' => return self.fail(format!("invalid escape: '\\{c}'")),
            c => {
                let Some(plain) = plain_escape(c) else {
                    return self.fail(format!("invalid escape in string '\\{c}'"));
                };
                out.push(plain);
                return Ok(());
            }
        };
        let hex = self
            .rest()
            .get(..digits)
            .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(hex) = hex.map(str::to_owned) else {
            let count =
                ["two", "four", "eight"][[2, 4, 8].iter().position(|n| *n == digits).unwrap_or(0)];
            return self.fail(format!("expected {count} hexadecimal digits after '\\{c}'"));
        };
        self.at += digits;
        match u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32) {
            Some(c) => {
                out.push(c);
                Ok(())
            }
            None => self.fail(format!("Escaped character '\\u{hex}' is not valid UTF-8.")),
        }
    }

    pub(super) fn raw_string(&mut self) -> Read<String> {
        let rest = self.rest();
        let end = rest.find(['\'', '\n']);
        match end.map(|end| (end, rest.as_bytes()[end])) {
            None => {
                self.at = self.text.len();
                self.fail("unexpected EOF; expected \"'\"")
            }
            Some((_, b'\n')) => self.fail("strings cannot contain newlines"),
            Some((end, _)) => {
                let text = rest[..end].to_owned();
                self.at += end + 1;
                Ok(text)
            }
        }
    }

    pub(super) fn skip_first_newline(&mut self) {
        if self.rest().starts_with("\r\n") {
            self.at += 2;
        } else {
            self.accept('\n');
        }
    }

    pub(super) fn multiline(&mut self) -> Read<String> {
        self.skip_first_newline();
        let mut out = String::new();
        loop {
            if self.rest().starts_with("\"\"\"") {
                // Up to two quotes may stand before the closing three.
                while self.rest().starts_with("\"\"\"\"") {
                    self.at += 1;
                    out.push('"');
                }
                self.at += 3;
                return Ok(out);
            }
            match self.bump() {
                None => return self.fail("unexpected EOF; expected '\"\"\"'"),
                Some('\\') => {
                    let rest = self.rest();
                    let blanks =
                        rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
                    if rest[..blanks].contains('\n') {
                        self.at += blanks;
                    } else {
                        self.escape(&mut out)?;
                    }
                }
                Some(c) => out.push(c),
            }
        }
    }

    pub(super) fn raw_multiline(&mut self) -> Read<String> {
        self.skip_first_newline();
        let rest = self.rest();
        let Some(mut end) = rest.find("'''") else {
            self.at = self.text.len();
            return self.fail("unexpected EOF; expected \"'''\"");
        };
        while rest[end + 3..].starts_with('\'') {
            end += 1;
        }
        let text = rest[..end].to_owned();
        self.at += end + 3;
        Ok(text)
    }

    pub(super) fn number(&mut self) -> Read<Value> {
        let start = self.at;
        let signed = matches!(self.peek(), Some('+' | '-'));
        if signed {
            let sign = self.bump();
            for (word, value) in [("inf", f64::INFINITY), ("nan", f64::NAN)] {
                if self.rest().starts_with(word) {
                    self.at += word.len();
                    return Ok(Value::Float(if sign == Some('-') { -value } else { value }));
                }
            }
            match self.peek() {
                Some(c) if c.is_ascii_digit() => {}
                Some('.') => return self.fail("floats must start with a digit, not '.'"),
                other => {
                    let c = other.map_or_else(|| "'\\x00'".to_owned(), shown);
                    return self.fail(format!("expected a digit but got {c}"));
                }
            }
        }
        let rest = self.rest();
        let prefix = rest.get(..2).filter(|p| matches!(*p, "0x" | "0o" | "0b"));
        let is_part = |c: char| match prefix {
            Some("0x") => c.is_ascii_hexdigit() || c == '_' || c == 'x',
            Some(_) => c.is_ascii_digit() || matches!(c, '_' | 'o' | 'b'),
            None => {
                c.is_ascii_digit()
                    || matches!(
                        c,
                        '_' | '.' | 'e' | 'E' | '+' | '-' | ':' | 'T' | 't' | 'Z' | 'z'
                    )
            }
        };
        let mut len = rest.chars().take_while(|c| is_part(*c)).count();
        // A date may be followed by a space and a time.
        let dated = prefix.is_none()
            && !signed
            && rest[..len].len() == 10
            && rest[..len].matches('-').count() == 2;
        if dated
            && rest[len..].starts_with(' ')
            && rest[len + 1..].starts_with(|c: char| c.is_ascii_digit())
        {
            len += 1 + rest[len + 1..].chars().take_while(|c| is_part(*c)).count();
        }
        self.at += len;
        let text = self.text[start..self.at].to_owned();
        let body = &text[usize::from(signed)..];
        let is_date =
            prefix.is_none() && !signed && (body.contains(':') || body.find('-') == Some(4));
        if is_date {
            return self.moment(&text);
        }
        if prefix.is_none() && body.contains(['.', 'e', 'E']) {
            self.float(&text)
        } else {
            self.integer(&text)
        }
    }

    pub(super) fn integer(&mut self, text: &str) -> Read<Value> {
        let shown = quote(text.as_bytes());
        if !underscores_fit(text) {
            return self.fail(format!(
                "Invalid integer {shown}: underscores must be surrounded by digits"
            ));
        }
        if leading_zero(text) {
            return self.fail(format!(
                "Invalid integer {shown}: cannot have leading zeroes"
            ));
        }
        match parse_int(text, 0, 64) {
            Ok(number) => Ok(Value::Int64(number)),
            Err(NumberError::Range) => self.fail(format!("{text} is out of range for int64")),
            Err(NumberError::Syntax) => self.fail(format!("Invalid integer {shown}")),
        }
    }

    pub(super) fn float(&mut self, text: &str) -> Read<Value> {
        let shown = quote(text.as_bytes());
        let mut parts = text.split(['.', 'e', 'E']).filter(|part| !part.is_empty());
        if !parts.clone().all(underscores_fit) {
            return self.fail(format!(
                "Invalid float {shown}: underscores must be surrounded by digits"
            ));
        }
        if parts.next().is_some_and(leading_zero) {
            return self.fail(format!("Invalid float {shown}: cannot have leading zeroes"));
        }
        let bytes = text.as_bytes();
        let dots = (0..bytes.len()).filter(|&i| bytes[i] == b'.');
        if dots
            .clone()
            .any(|i| !bytes.get(i + 1).is_some_and(u8::is_ascii_digit))
        {
            return self.fail(format!(
                "Invalid float {shown}: '.' must be followed by one or more digits"
            ));
        }
        match parse_float(&text.replace('_', "")) {
            Ok(number) => Ok(Value::Float(number)),
            Err(NumberError::Range) => self.fail(format!("{text} is out of range for float64")),
            Err(NumberError::Syntax) => self.fail(format!("Invalid float value: {shown}")),
        }
    }

    pub(super) fn moment(&mut self, text: &str) -> Read<Value> {
        let text = text.replace('z', "Z").replace(['t', ' '], "T");
        let layouts = [
            ("2006-01-02T15:04:05.999999999Z07:00", ""),
            ("2006-01-02T15:04:05.999999999", LOCAL_DATETIME),
            ("2006-01-02", LOCAL_DATE),
            ("15:04:05.999999999", LOCAL_TIME),
            ("2006-01-02T15:04Z07:00", ""),
            ("2006-01-02T15:04", LOCAL_DATETIME),
            ("15:04", LOCAL_TIME),
        ];
        for (layout, zone) in layouts {
            let Ok(time) = Time::parse(layout, &text) else {
                continue;
            };
            let padded = layout
                .bytes()
                .zip(text.bytes())
                .take_while(|(l, _)| !matches!(l, b'.' | b'Z'));
            let padded = padded.clone().all(|(l, t)| l.is_ascii_digit() || l == t);
            if !padded {
                break;
            }
            return Ok(Value::object(if zone.is_empty() {
                time
            } else {
                time.named_zone(zone)
            }));
        }
        self.fail(format!("invalid datetime: {}", quote(text.as_bytes())))
    }
}

/// The character that an escape without digits stands for.
pub(super) fn plain_escape(c: char) -> Option<char> {
    Some(match c {
        'b' => '\u{8}',
        't' => '\t',
        'n' => '\n',
        'f' => '\u{c}',
        'r' => '\r',
        'e' => '\u{1b}',
        '"' | '\\' => c,
        _ => return None,
    })
}

pub(super) fn leading_zero(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let bytes = unsigned.as_bytes();
    let signed = unsigned.len() != text.len();
    bytes.len() > 1 && bytes[0] == b'0' && (signed || !matches!(bytes[1], b'b' | b'o' | b'x'))
}

pub(super) fn underscores_fit(text: &str) -> bool {
    let mut accept = false;
    for c in text.chars() {
        if c == '_' && !accept {
            return false;
        }
        accept = c.is_ascii_hexdigit();
    }
    accept
}
