//! Reading TOML 1.0 into untyped values, with the library's messages.

mod scalar;

use std::collections::BTreeSet;

use gocompat::quote::{quote, quote_rune};
use gotemplate::{Element, List, Map, Tree, Value};

use super::{DEPTH_MAX, is_bare};

/// Reads a TOML document into a map.
///
/// # Errors
/// The text is not TOML; the message names line and last key.
pub fn read(text: &str) -> Result<Value, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        text,
        at: 0,
        context: Vec::new(),
        current: String::new(),
        root: Map::new(Tree::new()),
        implicit: BTreeSet::new(),
        arrays: BTreeSet::new(),
    };
    reader.document()?;
    Ok(Value::Map(reader.root))
}

type Path = Vec<String>;

struct Reader<'t> {
    text: &'t str,
    at: usize,
    context: Path,
    current: String,
    root: Map,
    /// Tables that exist only because a longer key names them.
    implicit: BTreeSet<Path>,
    /// Keys that hold plain arrays.
    arrays: BTreeSet<Path>,
}

type Read<T> = Result<T, String>;

fn shown(c: char) -> String {
    quote_rune(c, false)
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn accept(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.at += if found { c.len_utf8() } else { 0 };
        found
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t')) {
            self.at += 1;
        }
    }

    fn line(&self) -> usize {
        1 + self.text[..self.at].matches('\n').count()
    }

    fn fail_at<T>(&self, line: usize, message: impl AsRef<str>) -> Read<T> {
        let mut key: Vec<String> = self.context.iter().map(|part| shown_key(part)).collect();
        if !self.current.is_empty() {
            key.push(self.current.clone());
        }
        let message = message.as_ref();
        if key.is_empty() {
            return Err(format!("toml: line {line}: {message}"));
        }
        let key = quote(key.join(".").as_bytes());
        Err(format!("toml: line {line} (last key {key}): {message}"))
    }

    fn fail<T>(&self, message: impl AsRef<str>) -> Read<T> {
        // At the end of the text the last line that has something counts.
        let ended = self.at >= self.text.len() && self.text.ends_with('\n');
        self.fail_at(self.line() - usize::from(ended && self.line() > 1), message)
    }

    fn document(&mut self) -> Read<()> {
        loop {
            while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
                self.at += 1;
            }
            match self.peek() {
                None => return Ok(()),
                Some('#') => self.comment(),
                Some('[') => self.header()?,
                Some(_) => {
                    let outer = self.context.clone();
                    self.pair(0)?;
                    self.context = outer;
                    self.current.clear();
                    self.line_end()?;
                }
            }
        }
    }

    fn comment(&mut self) {
        while self.peek().is_some_and(|c| c != '\n') {
            self.bump();
        }
    }

    fn line_end(&mut self) -> Read<()> {
        self.blanks();
        match self.peek() {
            None | Some('\n') => Ok(()),
            Some('\r') if self.rest().starts_with("\r\n") => Ok(()),
            Some('#') => {
                self.comment();
                Ok(())
            }
            Some(c) => {
                let c = shown(c);
                self.fail(format!("expected a top-level item to end with a newline, comment, or EOF, but got {c} instead"))
            }
        }
    }

    fn header(&mut self) -> Read<()> {
        self.bump();
        let array = self.accept('[');
        let mut key = Path::new();
        loop {
            self.blanks();
            match self.peek() {
                Some(']') | None => {
                    return self.fail("unexpected end of table name (table names cannot be empty)");
                }
                Some('.') => {
                    return self.fail("unexpected table separator (table names cannot be empty)");
                }
                _ => key.push(self.key_part()?),
            }
            self.blanks();
            match self.peek() {
                Some('.') => drop(self.bump()),
                Some(']') => break,
                Some(c) => {
                    let c = shown(c);
                    return self.fail(format!(
                        "expected '.' or ']' to end table name, but got {c} instead"
                    ));
                }
                None => {
                    return self
                        .fail("expected '.' or ']' to end table name, but got '\\x00' instead");
                }
            }
        }
        self.bump();
        if array && !self.accept(']') {
            let c = self.peek().map_or_else(|| "'\\x00'".to_owned(), shown);
            return self.fail(format!(
                "expected end of table array name delimiter ']', but got {c} instead"
            ));
        }
        self.context.clear();
        self.enter(&key, array)?;
        self.line_end()
    }

    fn key_part(&mut self) -> Read<String> {
        match self.peek() {
            Some('"') => {
                self.bump();
                self.string()
            }
            Some('\'') => {
                self.bump();
                self.raw_string()
            }
            _ => {
                let len = self.rest().bytes().take_while(|b| is_bare(&[*b])).count();
                let part = self.rest()[..len].to_owned();
                self.at += len;
                Ok(part)
            }
        }
    }

    /// Reads `key = value` into the current table.
    fn pair(&mut self, depth: usize) -> Read<()> {
        let mut key = Path::new();
        match self.peek() {
            Some('=') | None => return self.fail("unexpected '=': key name appears blank"),
            Some('.') => return self.fail("unexpected '.': keys cannot start with a '.'"),
            _ => {}
        }
        loop {
            self.blanks();
            match self.peek() {
                Some('=') | None => return self.fail("unexpected '='"),
                Some('.') => return self.fail("unexpected '.'"),
                _ => key.push(self.key_part()?),
            }
            self.blanks();
            match self.peek() {
                Some('.') => drop(self.bump()),
                Some('=') => break,
                None => return self.fail("unexpected EOF; expected key separator '='"),
                Some(c) => {
                    let c = shown(c);
                    return self.fail(format!("expected '.' or '=', but got {c} instead"));
                }
            }
        }
        self.bump();
        let last = key.pop().unwrap_or_default();
        for part in key {
            let mut path = self.context.clone();
            path.push(part);
            self.implicit.insert(path.clone());
            self.enter(&path, false)?;
        }
        self.current = last.clone();
        let value = self.value(depth)?;
        self.store(&last, value)
    }

    /// The table at a path, the last element of arrays of tables; `None` where something else stands.
    fn table(&self, path: &[String]) -> Option<Map> {
        let mut map = self.root.clone();
        for part in path {
            map = match map.get(part.as_bytes()) {
                Some(Value::Map(inner)) => inner,
                Some(Value::List(list)) => match list.items().last() {
                    Some(Value::Map(inner)) if list.element() == Element::Maps => inner.clone(),
                    _ => return None,
                },
                _ => return None,
            };
        }
        Some(map)
    }

    /// Makes a table current, creating those on the way.
    fn enter(&mut self, key: &[String], array: bool) -> Read<()> {
        let (last, parents) = key.split_last().expect("a key has at least one part");
        let mut path = Path::new();
        for part in parents {
            let map = self.table(&path).unwrap_or_else(|| Map::new(Tree::new()));
            path.push(part.clone());
            if map.get(part.as_bytes()).is_none() {
                self.implicit.insert(path.clone());
                map.set(part.as_str(), Value::Map(Map::new(Tree::new())));
            }
            if self.table(&path).is_none() {
                let shown = joined(&path);
                return self.fail(format!("Key '{shown}' was already created as a hash."));
            }
        }
        self.context = path;
        if array {
            self.append_table(last, key)?;
        } else {
            self.store(last, Value::Map(Map::new(Tree::new())))?;
        }
        self.context.push(last.clone());
        Ok(())
    }

    fn append_table(&mut self, last: &str, key: &[String]) -> Read<()> {
        let map = self
            .table(&self.context)
            .unwrap_or_else(|| Map::new(Tree::new()));
        let mut items = match map.get(last.as_bytes()) {
            None => Vec::new(),
            Some(Value::List(list)) if list.element() == Element::Maps => list.items().to_vec(),
            Some(_) => {
                let shown = joined(key);
                return self.fail(format!(
                    "Key '{shown}' was already created and cannot be used as an array."
                ));
            }
        };
        items.push(Value::Map(Map::new(Tree::new())));
        map.set(last, Value::List(List::of(Element::Maps, items)));
        Ok(())
    }

    fn store(&mut self, key: &str, value: Value) -> Read<()> {
        let Some(map) = self.table(&self.context) else {
            let shown = joined(&self.context);
            return self.fail(format!("Key '{shown}' has already been defined."));
        };
        let mut path = self.context.clone();
        path.push(key.to_owned());
        if map.get(key.as_bytes()).is_some() {
            if self.implicit.remove(&path) {
                if self.arrays.contains(&path) {
                    map.set(key, value);
                }
                return Ok(());
            }
            let shown = joined(&path);
            return self.fail(format!("Key '{shown}' has already been defined."));
        }
        if matches!(&value, Value::List(_)) {
            self.arrays.insert(path);
        }
        map.set(key, value);
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Read<Value> {
        if depth > DEPTH_MAX {
            return self.fail("values are nested too deeply");
        }
        self.blanks();
        match self.peek() {
            None => self.fail("unexpected EOF; expected value"),
            Some('[') => self.array(depth),
            Some('{') => self.inline_table(depth),
            Some('"') => {
                if self.rest().starts_with("\"\"\"") {
                    self.at += 3;
                    return self.multiline().map(Value::from);
                }
                self.bump();
                self.string().map(Value::from)
            }
            Some('\'') => {
                if self.rest().starts_with("'''") {
                    self.at += 3;
                    return self.raw_multiline().map(Value::from);
                }
                self.bump();
                self.raw_string().map(Value::from)
            }
            Some('.') => self.fail("floats must start with a digit, not '.'"),
            Some(c) if c.is_ascii_digit() || matches!(c, '+' | '-') => self.number(),
            Some(c) if c.is_alphabetic() => self.word(),
            Some('\n') => {
                let line = self.line();
                self.fail_at(line, "expected value but found '\\n' instead")
            }
            Some(c) => {
                let c = shown(c);
                self.fail(format!("expected value but found {c} instead"))
            }
        }
    }

    fn array(&mut self, depth: usize) -> Read<Value> {
        self.bump();
        let mut items = Vec::new();
        loop {
            self.blank_lines();
            match self.peek() {
                Some(']') => break,
                Some(',') => return self.fail("unexpected comma"),
                _ => items.push(self.value(depth + 1)?),
            }
            self.blank_lines();
            match self.peek() {
                Some(',') => drop(self.bump()),
                Some(']') => break,
                None => {
                    return self.fail(
                        "expected a comma (',') or array terminator (']'), but got end of file",
                    );
                }
                Some(c) => {
                    return self.fail(format!(
                        "expected a comma (',') or array terminator (']'), but got '{c}'"
                    ));
                }
            }
        }
        self.bump();
        Ok(Value::list(items))
    }

    fn blank_lines(&mut self) {
        loop {
            match self.peek() {
                Some(' ' | '\t' | '\r' | '\n') => self.at += 1,
                Some('#') => self.comment(),
                _ => return,
            }
        }
    }

    /// Reads `{…}` apart from the document: its keys collide only among themselves.
    fn inline_table(&mut self, depth: usize) -> Read<Value> {
        self.bump();
        let table = Map::new(Tree::new());
        let outer_root = std::mem::replace(&mut self.root, table.clone());
        let outer_context = std::mem::take(&mut self.context);
        let outer_implicit = std::mem::take(&mut self.implicit);
        let current = self.current.clone();
        let result = self.inline_pairs(depth);
        self.root = outer_root;
        self.context = outer_context;
        self.implicit = outer_implicit;
        self.current = current;
        result.map(|()| Value::Map(table))
    }

    fn inline_pairs(&mut self, depth: usize) -> Read<()> {
        loop {
            self.blank_lines();
            match self.peek() {
                Some('}') => break,
                Some(',') => return self.fail("unexpected comma"),
                _ => {}
            }
            self.context.clear();
            self.pair(depth + 1)?;
            self.blank_lines();
            match self.peek() {
                Some(',') => drop(self.bump()),
                Some('}') => break,
                other => {
                    let got = other.map_or_else(|| "end of file".to_owned(), |c| format!("'{c}'"));
                    return self.fail(format!(
                        "expected a comma or an inline table terminator '}}', but got {got} instead"
                    ));
                }
            }
        }
        self.bump();
        Ok(())
    }
}

fn shown_key(part: &str) -> String {
    if is_bare(part.as_bytes()) {
        part.to_owned()
    } else {
        quote(part.as_bytes())
    }
}

fn joined(path: &[String]) -> String {
    path.iter()
        .map(|part| shown_key(part))
        .collect::<Vec<_>>()
        .join(".")
}
