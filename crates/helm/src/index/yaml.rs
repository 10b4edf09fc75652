//! YAML indexes in pieces: what stands beside the entries key by key, the entries version by version.
//!
//! Lines are told apart by their indentation alone. A quoted text or a flow collection may go on in lines that
//! are indented less than YAML's printers do; a piece that does not parse is therefore tried again with more
//! lines before it counts as malformed. Aliases reach no further than their piece.

use std::io::BufRead;

use kyaml::{Dialect, ReadOptions, parse_first, to_json};
use serde_json::Value;

use super::lines::{Lines, Start};
use super::{Gathered, IndexError, Sink, is_entries, simple};

/// Most times that a piece is tried again with more lines.
const RETRIES_MAX: usize = 32;

/// Reads an index.
pub(super) fn read(
    input: &mut impl BufRead,
    gathered: &mut Gathered,
    sink: &mut dyn Sink,
) -> Result<(), IndexError> {
    document(&mut Lines::new(input)?, gathered, Some(sink))
}

/// Reads what stands beside the entries.
pub(super) fn read_head(
    input: &mut impl BufRead,
    gathered: &mut Gathered,
) -> Result<(), IndexError> {
    document(&mut Lines::new(input)?, gathered, None)
}

/// Walks over the top level; without a sink the entries are passed over.
fn document<R: BufRead>(
    lines: &mut Lines<'_, R>,
    gathered: &mut Gathered,
    mut sink: Option<&mut dyn Sink>,
) -> Result<(), IndexError> {
    let mut begun = None;
    let mut entries_seen = false;
    while let Some(start) = lines.start() {
        let column = match start {
            Start::Nothing => {
                lines.advance()?;
                continue;
            }
            Start::Item(column) | Start::Text(column) => column,
        };
        if is_marker(lines.line()) {
            if begun.is_some() || lines.line().starts_with(b"...") {
                break;
            }
            let rest = lines.line()[3..].trim_ascii();
            if !rest.is_empty() && !rest.starts_with(b"#") {
                return Err(IndexError::Malformed(
                    "an index begins on a line of its own".to_owned(),
                ));
            }
            begun = Some(0);
            lines.advance()?;
            continue;
        }
        begun = begun.or(Some(column));
        let key = key_alone(lines.line()).filter(|key| is_entries(key));
        if key.is_none() {
            top_pair(lines, column, gathered, &mut sink)?;
            continue;
        }
        if std::mem::replace(&mut entries_seen, true) && sink.is_some() {
            return Err(already_set(lines.number(), "entries"));
        }
        lines.advance()?;
        match &mut sink {
            Some(sink) => entries(lines, column, gathered, &mut **sink)?,
            None => pass_over(lines, column)?,
        }
    }
    Ok(())
}

fn is_marker(line: &[u8]) -> bool {
    let marker = line.starts_with(b"---") || line.starts_with(b"...");
    marker && line.get(3).is_none_or(u8::is_ascii_whitespace)
}

fn pass_over<R: BufRead>(lines: &mut Lines<'_, R>, column: usize) -> Result<(), IndexError> {
    while !ends(lines.start(), column) && !is_marker(lines.line()) {
        lines.advance()?;
    }
    Ok(())
}

/// Whether a line no longer belongs to the value of a key in that column.
fn ends(start: Option<Start>, column: usize) -> bool {
    match start {
        None => true,
        Some(Start::Nothing) => false,
        Some(Start::Item(at)) => at < column,
        Some(Start::Text(at)) => at <= column,
    }
}

/// Reads one key of the top level with its value.
fn top_pair<R: BufRead>(
    lines: &mut Lines<'_, R>,
    column: usize,
    gathered: &mut Gathered,
    sink: &mut Option<&mut dyn Sink>,
) -> Result<(), IndexError> {
    let number = lines.number();
    let map = match pair(lines, column)? {
        Value::Object(map) => map,
        other => return Err(mismatch(&other, "repo.IndexFile")),
    };
    for (key, value) in map {
        if is_entries(&key) {
            let (Value::Object(charts), Some(sink)) = (value, &mut *sink) else {
                continue;
            };
            for (name, versions) in charts {
                gathered.begin(&name, &mut **sink)?;
                list(versions, gathered, &mut **sink)?;
            }
            continue;
        }
        if gathered.head.insert(key.clone(), value).is_some() && sink.is_some() {
            return Err(already_set(number, &key));
        }
    }
    Ok(())
}

fn mismatch(value: &Value, wanted: &str) -> IndexError {
    let found = kyaml::json_kind(value);
    IndexError::Malformed(format!(
        "json: cannot unmarshal {found} into Go value of type {wanted}"
    ))
}

fn already_set(line: usize, key: &str) -> IndexError {
    IndexError::Malformed(format!(
        "error converting YAML to JSON: yaml: unmarshal errors:\n  line {line}: key {key:?} already set in map"
    ))
}

/// Parses a key in that column with everything that belongs to it.
fn pair<R: BufRead>(lines: &mut Lines<'_, R>, column: usize) -> Result<Value, IndexError> {
    let first = lines.number();
    let mut piece = Vec::new();
    lines.take(&mut piece)?;
    more(lines, &mut piece, |start| ends(start, column))?;
    parse_growing(lines, piece, first, |start| ends(start, column))
}

/// Adds lines to a piece up to one that ends it.
fn more<R: BufRead>(
    lines: &mut Lines<'_, R>,
    piece: &mut Vec<u8>,
    ends: impl Fn(Option<Start>) -> bool,
) -> Result<(), IndexError> {
    while !ends(lines.start()) && !is_marker(lines.line()) {
        lines.take(piece)?;
    }
    Ok(())
}

/// Parses a piece; where that fails, with more lines. The first error counts.
fn parse_growing<R: BufRead>(
    lines: &mut Lines<'_, R>,
    mut piece: Vec<u8>,
    first: usize,
    ends: impl Fn(Option<Start>) -> bool,
) -> Result<Value, IndexError> {
    let mut outcome = parse(&piece, first);
    if outcome.is_ok() {
        return outcome;
    }
    for _ in 0..RETRIES_MAX {
        if lines.start().is_none() {
            break;
        }
        lines.take(&mut piece)?;
        more(lines, &mut piece, &ends)?;
        if let Ok(value) = parse(&piece, first) {
            outcome = Ok(value);
            break;
        }
    }
    outcome
}

/// Parses a piece that begins in line `first`.
fn parse(piece: &[u8], first: usize) -> Result<Value, IndexError> {
    let converting =
        |text: String| IndexError::Malformed(format!("error converting YAML to JSON: {text}"));
    let node = parse_first(piece, &ReadOptions::v11());
    let node = node.map_err(|error| converting(moved(&error.to_string(), first)))?;
    let Some(node) = node else {
        return Ok(Value::Null);
    };
    if let Some(twice) = kyaml::duplicate_keys(&node).first() {
        return Err(already_set(twice.line as usize + first - 1, &twice.key));
    }
    to_json(&node, Dialect::V11).map_err(|error| converting(error.to_string()))
}

/// A message whose line counts from the beginning of the index.
fn moved(message: &str, first: usize) -> String {
    let inside = message.strip_prefix("yaml: line ").and_then(|rest| {
        let (number, rest) = rest.split_once(':')?;
        Some((number.parse::<usize>().ok()?, rest))
    });
    match inside {
        Some((number, rest)) => format!("yaml: line {}:{rest}", number + first - 1),
        None => message.to_owned(),
    }
}

/// Reads the charts below `entries:`, which stands in column `above`.
fn entries<R: BufRead>(
    lines: &mut Lines<'_, R>,
    above: usize,
    gathered: &mut Gathered,
    sink: &mut dyn Sink,
) -> Result<(), IndexError> {
    let mut expected = None;
    loop {
        let column = match lines.start() {
            Some(Start::Nothing) => {
                lines.advance()?;
                continue;
            }
            Some(Start::Text(column)) if column > above => column,
            Some(Start::Item(column)) if column >= above => {
                return Err(IndexError::Malformed(
                    "json: cannot unmarshal array into Go struct field IndexFile.entries of type map[string]repo.ChartVersions".to_owned(),
                ));
            }
            _ => return Ok(()),
        };
        if *expected.get_or_insert(column) != column {
            return Err(IndexError::Malformed(format!(
                "error converting YAML to JSON: yaml: line {}: did not find expected key",
                lines.number()
            )));
        }
        chart(lines, column, gathered, sink)?;
    }
}

/// Reads the versions of one chart, whose key stands in that column.
fn chart<R: BufRead>(
    lines: &mut Lines<'_, R>,
    column: usize,
    gathered: &mut Gathered,
    sink: &mut dyn Sink,
) -> Result<(), IndexError> {
    let number = lines.number();
    let Some(name) = key_alone(lines.line()).map(str::to_owned) else {
        return inline_chart(lines, column, gathered, sink);
    };
    if !gathered.begin(&name, sink)? {
        return Err(already_set(number, &name));
    }
    lines.advance()?;
    let mut at = None;
    let mut piece = Vec::new();
    loop {
        match lines.start() {
            Some(Start::Nothing) => lines.advance()?,
            Some(Start::Item(here)) if here >= column && *at.get_or_insert(here) == here => {
                let value = version(lines, here, &mut piece)?;
                gathered.version(value, true, sink)?;
            }
            start if ends(start, column) => return Ok(()),
            _ => {
                return Err(IndexError::Malformed(format!(
                    "error converting YAML to JSON: yaml: line {}: did not find expected '-' indicator",
                    lines.number()
                )));
            }
        }
    }
}

/// Reads one item of the list in that column.
fn version<R: BufRead>(
    lines: &mut Lines<'_, R>,
    column: usize,
    piece: &mut Vec<u8>,
) -> Result<Value, IndexError> {
    let ends = |start: Option<Start>| match start {
        None => true,
        Some(Start::Nothing) => false,
        Some(Start::Item(at) | Start::Text(at)) => at <= column,
    };
    let first = lines.number();
    piece.clear();
    lines.take(piece)?;
    more(lines, piece, ends)?;
    if let Some(value) = simple::item(piece, column) {
        return Ok(value);
    }
    match parse_growing(lines, piece.clone(), first, ends)? {
        Value::Array(mut items) if items.len() == 1 => Ok(items.remove(0)),
        Value::Array(_) => Err(IndexError::Malformed(format!(
            "line {first}: versions of charts run into each other"
        ))),
        other => Err(mismatch(&other, "repo.ChartVersions")),
    }
}

/// Reads a chart whose value, or an unusual name, stands on the line of its key.
fn inline_chart<R: BufRead>(
    lines: &mut Lines<'_, R>,
    column: usize,
    gathered: &mut Gathered,
    sink: &mut dyn Sink,
) -> Result<(), IndexError> {
    let number = lines.number();
    let map = match pair(lines, column)? {
        Value::Object(map) => map,
        other => return Err(mismatch(&other, "map[string]repo.ChartVersions")),
    };
    for (name, versions) in map {
        if !gathered.begin(&name, sink)? {
            return Err(already_set(number, &name));
        }
        list(versions, gathered, sink)?;
    }
    Ok(())
}

fn list(versions: Value, gathered: &mut Gathered, sink: &mut dyn Sink) -> Result<(), IndexError> {
    match versions {
        Value::Null => Ok(()),
        Value::Array(items) => items
            .into_iter()
            .try_for_each(|item| gathered.version(item, true, sink)),
        other => Err(mismatch(&other, "repo.ChartVersions")),
    }
}

/// The key of a line that holds a plain key and nothing else; `None` where it takes a parser to tell.
fn key_alone(line: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(line).ok()?.trim();
    let key = text.strip_suffix(':')?;
    simple::is_plain_key(key).then_some(key)
}

/// The keys and values of a mapping node, for tests of the shortcut.
#[cfg(test)]
pub(super) fn parsed_item(piece: &[u8]) -> Option<Value> {
    match parse(piece, 1).ok()? {
        Value::Array(mut items) if items.len() == 1 => Some(items.remove(0)),
        _ => None,
    }
}
