//! JSON as Go's `encoding/json` writes and reads it.

mod read;

use crate::value::{Map, Value};

pub use read::{JsonError, parse, parse_first, parse_partly};

/// Deepest nesting that is written.
const DEPTH_MAX: usize = 1_000;
/// Most bytes that are written; shared structure could otherwise grow without bound.
const BYTES_MAX: usize = 64 << 20;

/// How JSON is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// One line, `<`, `>` and `&` escaped.
    Compact,
    /// One line, nothing escaped beyond need.
    Raw,
    /// Indented by two spaces, `<`, `>` and `&` escaped.
    Pretty,
}

/// Writes a value.
///
/// # Errors
/// The value holds a number or type that JSON cannot hold, or is too deep or large.
pub fn write(value: &Value, style: Style) -> Result<String, JsonError> {
    let mut writer = Writer {
        out: String::new(),
        style,
    };
    writer.value(value, 0)?;
    Ok(writer.out)
}

struct Writer {
    out: String,
    style: Style,
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), JsonError> {
        if depth > DEPTH_MAX || self.out.len() > BYTES_MAX {
            return Err(JsonError::new(
                "json: unsupported value: encountered a cycle",
            ));
        }
        match value {
            Value::Nil => self.out.push_str("null"),
            Value::Bool(flag) => self.out.push_str(if *flag { "true" } else { "false" }),
            Value::Int(number) | Value::Int64(number) => self.out.push_str(&number.to_string()),
            Value::Uint8(number) => self.out.push_str(&number.to_string()),
            Value::Uint64(number) => self.out.push_str(&number.to_string()),
            Value::Float(number) => match gocompat::number::json_float(*number) {
                Some(text) => self.out.push_str(&text),
                None => {
                    let shown = gocompat::number::format_float(*number, 'g', None, 64);
                    return Err(JsonError::new(format!("json: unsupported value: {shown}")));
                }
            },
            Value::Complex(..) => return Err(JsonError::new("json: unsupported type: complex128")),
            Value::Text(text) => self.text(text),
            Value::Bytes(bytes) => {
                use base64::Engine as _;
                let text = base64::engine::general_purpose::STANDARD.encode(&**bytes);
                self.out.push('"');
                self.out.push_str(&text);
                self.out.push('"');
            }
            Value::List(list) if list.is_nil() => self.out.push_str("null"),
            Value::List(list) => self.list(list.items(), depth)?,
            Value::Map(map) => self.map(map, depth)?,
            Value::Object(object) => match object.json_fields() {
                Some(fields) => {
                    let entries = fields.iter().map(|(name, item)| (name.as_bytes(), item));
                    self.entries(entries, depth)?;
                }
                None => self.value(&object.json(), depth)?,
            },
        }
        Ok(())
    }

    fn list(&mut self, items: &[Value], depth: usize) -> Result<(), JsonError> {
        self.out.push('[');
        for (index, item) in items.iter().enumerate() {
            self.separate(index, depth + 1);
            self.value(item, depth + 1)?;
        }
        self.close(items.is_empty(), depth, ']');
        Ok(())
    }

    fn map(&mut self, map: &Map, depth: usize) -> Result<(), JsonError> {
        if map.is_nil() {
            self.out.push_str("null");
            return Ok(());
        }
        let entries = map.snapshot();
        self.entries(entries.iter().map(|(key, item)| (&key[..], item)), depth)
    }

    fn entries<'v>(
        &mut self,
        entries: impl ExactSizeIterator<Item = (&'v [u8], &'v Value)>,
        depth: usize,
    ) -> Result<(), JsonError> {
        let empty = entries.len() == 0;
        self.out.push('{');
        for (index, (key, item)) in entries.enumerate() {
            self.separate(index, depth + 1);
            self.text(key);
            self.out.push_str(if self.style == Style::Pretty {
                ": "
            } else {
                ":"
            });
            self.value(item, depth + 1)?;
        }
        self.close(empty, depth, '}');
        Ok(())
    }

    fn separate(&mut self, index: usize, depth: usize) {
        if index > 0 {
            self.out.push(',');
        }
        self.line(depth);
    }

    fn close(&mut self, empty: bool, depth: usize, bracket: char) {
        if !empty {
            self.line(depth);
        }
        self.out.push(bracket);
    }

    fn line(&mut self, depth: usize) {
        if self.style == Style::Pretty {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", depth));
        }
    }

    fn text(&mut self, text: &[u8]) {
        self.out.push('"');
        for chunk in text.utf8_chunks() {
            for c in chunk.valid().chars() {
                self.char(c);
            }
            for _ in chunk.invalid() {
                self.out.push_str("\\ufffd");
            }
        }
        self.out.push('"');
    }

    fn char(&mut self, c: char) {
        match c {
            '"' | '\\' => {
                self.out.push('\\');
                self.out.push(c);
            }
            '\n' => self.out.push_str("\\n"),
            '\r' => self.out.push_str("\\r"),
            '\t' => self.out.push_str("\\t"),
            '\u{8}' => self.out.push_str("\\b"),
            '\u{c}' => self.out.push_str("\\f"),
            '<' | '>' | '&' if self.style != Style::Raw => self.escape(c),
            '\u{2028}' | '\u{2029}' => self.escape(c),
            c if c < ' ' => self.escape(c),
            c => self.out.push(c),
        }
    }

    fn escape(&mut self, c: char) {
        self.out.push_str(&format!("\\u{:04x}", c as u32));
    }
}
