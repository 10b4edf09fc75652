//! Reading TOML 1.1 into untyped values, with the library's messages: items in, a tree of maps out.
//!
//! Every key is kept twice, as the library does it: in the tree of all tables, which says what is defined already, and
//! in the value that an inline table becomes.

mod lex;
mod scalar;

use std::collections::{BTreeMap, BTreeSet};

use gotemplate::{Element, List, Map, Tree, Value};

use super::DEPTH_MAX;
use super::write::key_text;
use lex::{Fault, Item, Kind};

/// Reads a TOML document into a map.
///
/// # Errors
/// The text is not TOML; the message names line and last key.
pub fn read(text: &[u8]) -> Result<Value, String> {
    let marks: [&[u8]; 3] = [b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"];
    let unmarked = marks.iter().find_map(|mark| text.strip_prefix(*mark));
    let text = unmarked.unwrap_or(text);
    if text[..text.len().min(6)].contains(&0) {
        return Err("toml: line 1: files cannot contain NULL bytes; probably using UTF-16; TOML files must be UTF-8".to_owned());
    }
    let (items, fault) = lex::items(text);
    let mut reader = Reader {
        items: items.into_iter(),
        fault,
        context: Vec::new(),
        current: String::new(),
        line: 1,
        root: Map::new(Tree::new()),
        implicit: BTreeSet::new(),
        arrays: BTreeMap::new(),
    };
    match reader.document() {
        Ok(()) => Ok(Value::Map(reader.root)),
        Err(fault) => Err(reader.told(&fault)),
    }
}

type Path = Vec<String>;

struct Reader<'t> {
    items: std::vec::IntoIter<Item<'t>>,
    /// What stopped the lexer, told when all items before it were looked at.
    fault: Option<Fault>,
    context: Path,
    current: String,
    /// Where the last key stands.
    line: usize,
    root: Map,
    /// Tables that exist only because a longer key names them.
    implicit: BTreeSet<String>,
    /// Whether a key's last definition was a plain array.
    arrays: BTreeMap<String, bool>,
}

type Read<T> = Result<T, Fault>;

fn shown(path: &[String]) -> String {
    let parts: Vec<String> = path
        .iter()
        .map(|part| key_text(&part.as_str().into()))
        .collect();
    parts.join(".")
}

fn empty() -> Map {
    Map::new(Tree::new())
}

impl<'t> Reader<'t> {
    fn told(&self, (line, message): &Fault) -> String {
        let mut key = shown(&self.context);
        if !self.current.is_empty() {
            let dot = if self.context.is_empty() { "" } else { "." };
            key = format!("{key}{dot}{}", self.current);
        }
        if key.is_empty() {
            return format!("toml: line {line}: {message}");
        }
        let key = gocompat::quote::quote(key.as_bytes());
        format!("toml: line {line} (last key {key}): {message}")
    }

    /// The next item; `None` at the end of the text.
    fn next(&mut self) -> Read<Option<Item<'t>>> {
        match self.items.next() {
            Some(item) => Ok(Some(item)),
            None => self.fault.take().map_or(Ok(None), Err),
        }
    }

    /// The next item where the text cannot end.
    fn more(&mut self) -> Read<Item<'t>> {
        self.next()?.ok_or((self.line, "unexpected EOF".to_owned()))
    }

    fn fail<T>(&self, message: String) -> Read<T> {
        Err((self.line, message))
    }

    fn document(&mut self) -> Read<()> {
        while let Some(item) = self.next()? {
            match item.kind {
                Kind::Comment => drop(self.next()?),
                Kind::Table | Kind::Tables => self.header(item.kind == Kind::Tables)?,
                _ => {
                    let outer = self.context.clone();
                    self.pair(0)?;
                    self.context = outer;
                    self.current.clear();
                }
            }
        }
        Ok(())
    }

    /// The parts of a key up to an item that ends it.
    fn key(&mut self) -> Read<Path> {
        let mut item = self.more()?;
        self.line = item.line;
        let mut key = Path::new();
        while !matches!(item.kind, Kind::KeyEnd | Kind::TableEnd | Kind::TablesEnd) {
            key.push(self.string(item)?);
            item = self.more()?;
        }
        Ok(key)
    }

    fn header(&mut self, array: bool) -> Read<()> {
        let key = self.key()?;
        self.enter(&key, array)?;
        self.mark("", false);
        Ok(())
    }

    /// Reads `key = value` into the current table; gives the parents of the key within it and the value.
    fn pair(&mut self, depth: usize) -> Read<(Path, Value)> {
        let mut parents = self.key()?;
        self.current = parents.pop().unwrap_or_default();
        for part in &parents {
            let mut path = self.context.clone();
            path.push(part.clone());
            self.implicit.insert(shown(&path));
            self.enter(&path, false)?;
        }
        let item = self.more()?;
        let array = item.kind == Kind::Array;
        let value = self.value(item, false, depth)?;
        let key = self.current.clone();
        self.store(&key, value.clone())?;
        self.mark(&key, array);
        Ok((parents, value))
    }

    /// Notes what a key of the current table, or the table itself, was defined as.
    fn mark(&mut self, key: &str, array: bool) {
        let mut path = self.context.clone();
        if !key.is_empty() || path.is_empty() {
            path.push(key.to_owned());
        }
        self.arrays.insert(shown(&path), array);
    }

    /// Makes a table current, creating those on the way.
    fn enter(&mut self, key: &[String], array: bool) -> Read<()> {
        let Some((last, parents)) = key.split_last() else {
            return Ok(());
        };
        let mut map = self.root.clone();
        for (index, part) in parents.iter().enumerate() {
            if map.get(part.as_bytes()).is_none() {
                self.implicit.insert(shown(&parents[..=index]));
                map.set(part.as_str(), Value::Map(empty()));
            }
            let Some(inner) = table_in(&map, part) else {
                let path = shown(&parents[..=index]);
                return self.fail(format!("Key '{path}' was already created as a hash."));
            };
            map = inner;
        }
        self.context = parents.to_vec();
        if array {
            self.append(&map, last, key)?;
        } else {
            self.store(last, Value::Map(empty()))?;
        }
        self.context.push(last.clone());
        Ok(())
    }

    fn append(&self, map: &Map, last: &str, key: &[String]) -> Read<()> {
        let mut items = match map.get(last.as_bytes()) {
            None => Vec::new(),
            Some(Value::List(list)) if list.element() == Element::Maps => list.items().to_vec(),
            Some(_) => {
                let key = shown(key);
                return self.fail(format!(
                    "Key '{key}' was already created and cannot be used as an array."
                ));
            }
        };
        items.push(Value::Map(empty()));
        map.set(
            last,
            Value::List(List::appended_to(4, Element::Maps, items)),
        );
        Ok(())
    }

    /// Defines a key of the current table.
    fn store(&mut self, key: &str, value: Value) -> Read<()> {
        let mut map = self.root.clone();
        for (index, part) in self.context.iter().enumerate() {
            let Some(inner) = table_in(&map, part) else {
                let path = shown(&self.context[..=index]);
                return self.fail(format!("Key '{path}' has already been defined."));
            };
            map = inner;
        }
        if map.get(key.as_bytes()).is_none() {
            map.set(key, value);
            return Ok(());
        }
        let mut path = self.context.clone();
        path.push(key.to_owned());
        let path = shown(&path);
        if !self.implicit.remove(&path) {
            return self.fail(format!("Key '{path}' has already been defined."));
        }
        if self.arrays.get(&path) == Some(&true) {
            map.set(key, value);
        }
        Ok(())
    }

    fn value(&mut self, item: Item<'t>, in_array: bool, depth: usize) -> Read<Value> {
        if depth > DEPTH_MAX {
            return Err((item.line, "values are nested too deeply".to_owned()));
        }
        match item.kind {
            Kind::Array => self.array(depth),
            Kind::Inline => self.inline_table(in_array, depth),
            _ => self.scalar(item),
        }
    }

    fn array(&mut self, depth: usize) -> Read<Value> {
        let current = self.current.clone();
        self.mark(&current, true);
        let mut items = Vec::new();
        loop {
            let item = self.more()?;
            match item.kind {
                Kind::ArrayEnd => {
                    // Room for two is made before anything is read.
                    return Ok(List::appended_to(2, Element::Any, items).into());
                }
                Kind::Comment => drop(self.next()?),
                _ => items.push(self.value(item, true, depth + 1)?),
            }
        }
    }

    fn inline_table(&mut self, in_array: bool, depth: usize) -> Read<Value> {
        let value = empty();
        let outer = (self.context.clone(), std::mem::take(&mut self.current));
        self.context.push(outer.1.clone());
        let inner = self.context.clone();
        self.implicit.insert(shown(&inner));
        self.enter(&inner, in_array)?;
        loop {
            let item = self.more()?;
            match item.kind {
                Kind::InlineEnd => break,
                Kind::Comment => drop(self.next()?),
                _ => {
                    let (parents, pair) = self.pair(depth + 1)?;
                    self.place(&value, &parents, pair)?;
                    self.context.clone_from(&inner);
                }
            }
        }
        (self.context, self.current) = outer;
        Ok(Value::Map(value))
    }

    /// Puts a pair into the value of its inline table.
    fn place(&self, table: &Map, parents: &[String], value: Value) -> Read<()> {
        let mut map = table.clone();
        for part in parents {
            if map.get(part.as_bytes()).is_none() {
                map.set(part.as_str(), Value::Map(empty()));
            }
            let Some(Value::Map(inner)) = map.get(part.as_bytes()) else {
                let path = gocompat::quote::quote(shown(&self.context).as_bytes());
                return self.fail(format!("{path} is not a table"));
            };
            map = inner;
        }
        map.set(self.current.as_str(), value);
        Ok(())
    }
}

/// The table under a key, the last one where it holds an array of tables.
fn table_in(map: &Map, key: &str) -> Option<Map> {
    match map.get(key.as_bytes())? {
        Value::Map(inner) => Some(inner),
        Value::List(list) if list.element() == Element::Maps => match list.items().last() {
            Some(Value::Map(inner)) => Some(inner.clone()),
            _ => None,
        },
        _ => None,
    }
}
