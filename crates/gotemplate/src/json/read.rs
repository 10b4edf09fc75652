//! Reading JSON into untyped values, with Go's messages.

use crate::text::Text;
use crate::value::{Element, List, Map, Tree, Value};

/// Deepest nesting that is read. Go stops at 10,000; deeper than this is an error here too.
const DEPTH_MAX: usize = 1_000;

/// What is wrong with a JSON text or value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(String);

impl JsonError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// Reads one JSON value; numbers become floats.
///
/// # Errors
/// The text is not JSON, or a number has no float.
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    match parse_partly(text)? {
        (value, None) => Ok(value),
        (_, Some(error)) => Err(error),
    }
}

/// Reads one JSON value, with nil for numbers that have no float; the first of them is told beside the value.
///
/// # Errors
/// The text is not JSON.
pub fn parse_partly(text: &[u8]) -> Result<(Value, Option<JsonError>), JsonError> {
    let mut reader = Reader::new(text);
    reader.space();
    let value = reader.value(0)?;
    reader.space();
    match reader.peek() {
        None => Ok((value, reader.range)),
        Some(byte) => Err(invalid(byte, "after top-level value")),
    }
}

/// Reads the value at the start of a text, and gives the number of bytes it takes: Go's decoder of a stream.
///
/// # Errors
/// The text does not begin with a JSON value, or a number has no float.
pub fn parse_first(text: &[u8]) -> Result<(Value, usize), JsonError> {
    let mut reader = Reader::new(text);
    reader.space();
    match (reader.value(0), reader.range) {
        (Err(_), _) if reader.ended => Err(JsonError::new("unexpected EOF")),
        (Err(error), _) | (Ok(_), Some(error)) => Err(error),
        (Ok(value), None) => Ok((value, reader.at)),
    }
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    /// The first number out of range; the syntax of the whole text comes before that.
    range: Option<JsonError>,
    /// Whether more was wanted than there is.
    ended: bool,
}

fn invalid(byte: u8, context: &str) -> JsonError {
    let shown = match byte {
        b'\'' => r"'\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        _ => {
            let text = char::from(byte).to_string();
            let quoted = gocompat::quote::quote(text.as_bytes());
            format!("'{}'", &quoted[1..quoted.len() - 1])
        }
    };
    JsonError(format!("invalid character {shown} {context}"))
}

fn ended() -> JsonError {
    JsonError::new("unexpected end of JSON input")
}

impl<'t> Reader<'t> {
    fn new(text: &'t [u8]) -> Self {
        Self {
            text,
            at: 0,
            range: None,
            ended: false,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// The next byte where there must be one.
    fn wanted(&mut self) -> Result<u8, JsonError> {
        self.ended = self.at >= self.text.len();
        self.peek().ok_or_else(ended)
    }

    fn next(&mut self) -> Result<u8, JsonError> {
        let byte = self.wanted()?;
        self.at += 1;
        Ok(byte)
    }

    /// The next byte where white space would be wrong; the end of the text passes for a space.
    fn peek_within(&mut self) -> u8 {
        self.ended = self.at >= self.text.len();
        self.peek().unwrap_or(b' ')
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, JsonError> {
        if depth > DEPTH_MAX {
            return Err(JsonError::new("exceeded max depth"));
        }
        match self.wanted()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => Ok(Value::Text(self.string()?)),
            b't' => self.literal("true", Value::Bool(true)),
            b'f' => self.literal("false", Value::Bool(false)),
            b'n' => self.literal("null", Value::Nil),
            b'-' | b'0'..=b'9' => self.number(),
            byte => Err(invalid(byte, "looking for beginning of value")),
        }
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, JsonError> {
        self.at += 1;
        for expected in word.bytes().skip(1) {
            let byte = self.peek_within();
            if byte != expected {
                let context = format!("in literal {word} (expecting '{}')", char::from(expected));
                return Err(invalid(byte, &context));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn object(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.at += 1;
        let mut entries = Tree::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Map(Map::new(entries)));
        }
        loop {
            self.space();
            match self.wanted()? {
                b'"' => {}
                byte => return Err(invalid(byte, "looking for beginning of object key string")),
            }
            let key = self.string()?;
            self.space();
            match self.next()? {
                b':' => {}
                byte => return Err(invalid(byte, "after object key")),
            }
            self.space();
            let value = self.value(depth + 1)?;
            entries.insert(key, value);
            self.space();
            match self.next()? {
                b',' => {}
                b'}' => return Ok(Value::Map(Map::new(entries))),
                byte => return Err(invalid(byte, "after object key:value pair")),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::List(List::new(items)));
        }
        loop {
            self.space();
            items.push(self.value(depth + 1)?);
            self.space();
            match self.next()? {
                b',' => {}
                b']' => return Ok(List::appended(Element::Any, items).into()),
                byte => return Err(invalid(byte, "after array element")),
            }
        }
    }

    fn string(&mut self) -> Result<Text, JsonError> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            match self.next()? {
                b'"' => break,
                b'\\' => self.escape(&mut out)?,
                byte if byte < b' ' => return Err(invalid(byte, "in string literal")),
                byte => out.push(byte),
            }
        }
        match String::from_utf8_lossy(&out) {
            std::borrow::Cow::Borrowed(_) => Ok(Text::from(out)),
            std::borrow::Cow::Owned(repaired) => Ok(Text::from(repaired)),
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), JsonError> {
        let byte = self.peek_within();
        self.at += 1;
        let plain = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let c = self.unicode()?;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            byte => return Err(invalid(byte, "in string escape code")),
        };
        out.push(plain);
        Ok(())
    }

    fn unicode(&mut self) -> Result<char, JsonError> {
        let first = self.hex4()?;
        if (0xd800..0xdc00).contains(&first) && self.text[self.at..].starts_with(b"\\u") {
            let start = self.at;
            self.at += 2;
            let second = self.hex4()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or('\u{fffd}'));
            }
            self.at = start;
        }
        Ok(char::from_u32(first).unwrap_or('\u{fffd}'))
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let mut value = 0;
        for _ in 0..4 {
            let byte = self.peek_within();
            let digit = char::from(byte).to_digit(16);
            let digit =
                digit.ok_or_else(|| invalid(byte, "in \\u hexadecimal character escape"))?;
            self.at += 1;
            value = value * 16 + digit;
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek_within() {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits(),
            byte => return Err(invalid(byte, "in numeric literal")),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digit("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digit("in exponent of numeric literal")?;
        }
        let text = String::from_utf8_lossy(&self.text[start..self.at]);
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Float(number)),
            _ => {
                let error =
                    format!("json: cannot unmarshal number {text} into Go value of type float64");
                self.range.get_or_insert(JsonError(error));
                Ok(Value::Nil)
            }
        }
    }

    fn digit(&mut self, context: &str) -> Result<(), JsonError> {
        match self.peek_within() {
            b'0'..=b'9' => {
                self.digits();
                Ok(())
            }
            byte => Err(invalid(byte, context)),
        }
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }
}
