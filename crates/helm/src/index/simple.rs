//! A shortcut for what nearly all versions in YAML indexes are: block mappings and lists of one-line or folded
//! plain text and of simply quoted text. Everything else is left to the YAML parser, which gives the same values.

use kyaml::{Dialect, Resolved, resolve_text};
use serde_json::{Map, Value};

/// Deepest nesting that the shortcut reads.
const DEPTH_MAX: usize = 8;

/// Reads the only item of a list whose `-` stands in that column; `None` where it takes the parser.
pub(super) fn item(piece: &[u8], column: usize) -> Option<Value> {
    let odd = |b: &u8| (*b < b' ' && *b != b'\n') || matches!(b, 0x7f | 0xc2 | 0xe2 | 0xef);
    if piece.iter().any(odd) {
        return None;
    }
    let mut cursor = Cursor::new(std::str::from_utf8(piece).ok()?)?;
    if cursor.column != column {
        return None;
    }
    let value = cursor.list_item(0)?;
    cursor.is_done().then_some(value)
}

/// Whether a text is a plain key that YAML reads as itself.
pub(super) fn is_plain_key(key: &str) -> bool {
    let inside = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
    key.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
        && key.bytes().all(inside)
        && is_text(key)
}

fn is_text(text: &str) -> bool {
    matches!(resolve_text(text, Dialect::V11), Resolved::String(_))
}

/// The present line without its indentation, and what follows it.
struct Cursor<'a> {
    rest: &'a str,
    column: usize,
    text: &'a str,
    done: bool,
}

impl<'a> Cursor<'a> {
    fn new(piece: &'a str) -> Option<Self> {
        let mut cursor = Self {
            rest: piece,
            column: 0,
            text: "",
            done: false,
        };
        cursor.advance()?;
        Some(cursor)
    }

    fn is_done(&self) -> bool {
        self.done
    }

    /// Goes to the next line; empty lines and comments take the parser, but for the last ones.
    fn advance(&mut self) -> Option<()> {
        if self.rest.is_empty() {
            self.done = true;
            return Some(());
        }
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        let text = line.trim_start_matches(' ');
        self.column = line.len() - text.len();
        self.text = text.trim_end_matches(' ');
        self.rest = rest;
        if self.text.is_empty() {
            let blank = rest.bytes().all(|b| matches!(b, b' ' | b'\n'));
            self.done = blank;
            self.rest = "";
            return blank.then_some(());
        }
        (!self.text.starts_with('#')).then_some(())
    }

    /// Reads one item; the cursor is at its `-`.
    fn list_item(&mut self, depth: usize) -> Option<Value> {
        let inner = self.text.strip_prefix("- ")?;
        let text = inner.trim_start_matches(' ');
        let item_column = self.column;
        self.column += self.text.len() - text.len();
        self.text = text;
        if text.starts_with("- ") || text == "-" || depth > DEPTH_MAX {
            return None;
        }
        if split_key(text).is_some() {
            return self.mapping(depth + 1);
        }
        self.scalar(text, item_column)
    }

    fn mapping(&mut self, depth: usize) -> Option<Value> {
        if depth > DEPTH_MAX {
            return None;
        }
        let column = self.column;
        let mut map = Map::new();
        while !self.done && self.column == column {
            let (key, value) = split_key(self.text)?;
            let value = if value.is_empty() {
                self.advance()?;
                self.below(column, depth)?
            } else {
                self.scalar(value, column)?
            };
            if map.insert(key.to_owned(), value).is_some() {
                return None;
            }
        }
        (self.done || self.column < column).then_some(Value::Object(map))
    }

    /// Reads the value below a key in that column.
    fn below(&mut self, column: usize, depth: usize) -> Option<Value> {
        let dash = self.text.starts_with("- ");
        if self.done || self.column < column || (self.column == column && !dash) {
            return Some(Value::Null);
        }
        if !dash {
            split_key(self.text)?;
            return self.mapping(depth + 1);
        }
        let column = self.column;
        let mut items = Vec::new();
        while !self.done && self.column == column && self.text.starts_with('-') {
            items.push(self.list_item(depth + 1)?);
        }
        (self.done || self.column <= column).then_some(Value::Array(items))
    }

    /// Reads a text that begins on this line inside a node in that column, and the lines that it goes on in.
    fn scalar(&mut self, first: &str, column: usize) -> Option<Value> {
        let value = match first.as_bytes()[0] {
            b'"' => Some(Value::String(double_quoted(first)?.to_owned())),
            b'\'' => Some(Value::String(single_quoted(first)?)),
            b'[' if first == "[]" => Some(Value::Array(Vec::new())),
            b'{' if first == "{}" => Some(Value::Object(Map::new())),
            b if b.is_ascii_alphanumeric() || b == b'/' || b == b'(' || b >= 0x80 => None,
            _ => return None,
        };
        if let Some(value) = value {
            self.advance()?;
            return (self.done || self.column <= column).then_some(value);
        }
        if !is_plain(first) {
            return None;
        }
        self.advance()?;
        if self.done || self.column <= column {
            return typed(first);
        }
        let mut text = first.to_owned();
        while !self.done && self.column > column {
            if !is_plain(self.text) || self.text.starts_with("- ") {
                return None;
            }
            text.push(' ');
            text.push_str(self.text);
            self.advance()?;
        }
        is_text(&text).then_some(Value::String(text))
    }
}

/// Splits `key: value` or `key:`.
fn split_key(line: &str) -> Option<(&str, &str)> {
    let colon = line.find(':')?;
    let (key, rest) = (&line[..colon], &line[colon + 1..]);
    let value = match rest.as_bytes().first() {
        None => "",
        Some(b' ') => rest.trim_start_matches(' '),
        Some(_) => return None,
    };
    is_plain_key(key).then_some((key, value))
}

/// Whether a line of plain text ends neither in a key nor in a comment.
fn is_plain(line: &str) -> bool {
    !line.ends_with(':') && !line.contains(": ") && !line.contains(" #")
}

fn typed(text: &str) -> Option<Value> {
    match resolve_text(text, Dialect::V11) {
        Resolved::String(text) => Some(Value::String(text.into_owned())),
        Resolved::Timestamp(_) => Some(Value::String(text.to_owned())),
        Resolved::Bool(flag) => Some(Value::Bool(flag)),
        Resolved::Null => Some(Value::Null),
        _ => None,
    }
}

fn double_quoted(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('"')?.strip_suffix('"')?;
    (text.len() > 1 && !inside.contains(['"', '\\'])).then_some(inside)
}

fn single_quoted(text: &str) -> Option<String> {
    let inside = text.strip_prefix('\'')?.strip_suffix('\'')?;
    if text.len() < 2 {
        return None;
    }
    if !inside.contains('\'') {
        return Some(inside.to_owned());
    }
    // Every quote inside stands doubled.
    let halves = inside.replace("''", "\u{0}");
    (!halves.contains('\'')).then(|| halves.replace('\u{0}', "'"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::yaml::parsed_item;
    use super::*;

    /// What the shortcut reads is what the parser reads; `simple` tells whether it is expected to be read.
    fn check(text: &str, simple: bool) {
        let short = item(text.as_bytes(), 0);
        assert_eq!(short.is_some(), simple, "{text}");
        if short.is_some() {
            assert_eq!(short, parsed_item(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_printers_write_is_read_without_the_parser() {
        check("- apiVersion: v2\n  appVersion: 1.2.3\n", true);
        check(
            "- a: one two\n    three\n  b:\n  - x\n  - k: z\n    w: 'it''s'\n  c: \"q\"\n",
            true,
        );
        check(
            "- a:\n    b/c.d: e\n  created: \"2020-01-01T00:00:00Z\"\n  urls:\n    - http://a/b\n\n",
            true,
        );
        check(
            "- created: 2020-01-01T00:00:00.5Z\n  removed: true\n  digest: null\n  d: []\n  e: {}\n  f:\n",
            true,
        );
        check("- text\n", true);
        check("- a: b\n  c: größer\n", true);
    }

    #[test]
    fn everything_else_takes_the_parser() {
        for text in [
            "- a: 1.10\n",
            "- a: |\n    x\n",
            "- a: \"x\\n\"\n",
            "- a: &x b\n",
            "- a: b: c\n",
            "- a: b # c\n",
            "- a: b\n  a: c\n",
            "- a: b\n c: d\n",
            "- a: [b]\n",
            "- yes: b\n",
            "- a: b\n\n  c: d\n",
            "- a: \u{2028}\n",
            "-\n  a: b\n",
            "- - a\n",
            "- a: 'x\n    y'\n",
        ] {
            check(text, false);
        }
    }

    proptest! {
        #[test]
        fn the_shortcut_never_differs(text in "(- |  )((a|b|c): ?|- )?(x y|'z'|\"w\"|1|true|a: b|x:|#|:|)(\n(- |  |    )((a|b|c): ?|- )?(x y|'z'|\"w\"|1|true|a: b|x:|)){0,5}\n") {
            if let Some(short) = item(text.as_bytes(), 0) {
                prop_assert_eq!(Some(short), parsed_item(text.as_bytes()));
            }
        }
    }
}
