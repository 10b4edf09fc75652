//! The grammar of `--set` and its sisters: `a.b[0].c=v,x={1,2}` written into a map of values.
//!
//! Text flows in character by character, because a key may end anywhere; each flag has its [`Mode`]. Limits
//! and texts are Helm's. What was assigned before an error stays assigned.

use gocompat::number::{NumberError, parse_int};
use gocompat::quote::{quote, quote_rune};
use gotemplate::json;
use objects::{Map, Value};

use crate::Version;
use crate::convert::to_json_floats;

/// Largest list index.
const INDEX_MAX: i64 = 65_536;
/// Deepest nesting of names.
const NESTING_MAX: usize = 30;

/// Reads the file that `--set-file` names; the error is its text.
pub type ReadFile<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// Which flag the text comes from.
#[derive(Clone, Copy)]
pub enum Mode<'a> {
    /// `--set`: values are typed.
    Set,
    /// `--set-string`: values stay text.
    String,
    /// `--set-json`: each value is one JSON value.
    Json,
    /// `--set-literal`: one key, everything behind `=` is its value.
    Literal,
    /// `--set-file`: values are paths of files to read.
    File(ReadFile<'a>),
}

/// What is wrong with the text, in Helm's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// A name ends where a value should follow.
    #[error("key {0} has no value")]
    NoValue(String),
    /// A name ends in a comma.
    #[error("key {0} has no value (cannot end with ,)")]
    EndsWithComma(String),
    /// Nothing was assigned below a name.
    #[error("key map {0} has no value")]
    EmptyMap(String),
    /// Deeper than 30 names.
    #[error(
        "value name nested level is greater than maximum supported nested level of {NESTING_MAX}"
    )]
    TooDeep,
    /// The value that stands there is of another type.
    #[error("unable to parse key: interface conversion: interface {{}} is {found}, not {wanted}")]
    Conversion {
        /// Go type found.
        found: &'static str,
        /// Go type needed.
        wanted: &'static str,
    },
    /// No number between brackets.
    #[error("error parsing index: {0}")]
    Index(String),
    /// Text between a bracket and what must follow it.
    #[error("unexpected data at end of array index: {0}")]
    BehindIndex(String),
    /// A negative index.
    #[error("negative {0} index not allowed")]
    NegativeIndex(i64),
    /// An index that would make the list too long.
    #[error("index of {0} is greater than maximum supported index of {INDEX_MAX}")]
    IndexTooLarge(i64),
    /// A `{` list without its end.
    #[error("list must terminate with '}}'")]
    OpenList,
    /// The text behind `=` is no JSON value.
    #[error("{0}")]
    Json(String),
    /// A file could not be read.
    #[error("{0}")]
    File(String),
    /// The text ends in the middle; the caller of a flag sees this only from Helm 3.
    #[error("EOF")]
    End,
}

const MAP_TYPE: &str = "map[string]interface {}";
const LIST_TYPE: &str = "[]interface {}";

/// Writes what one flag says into `values`.
///
/// # Errors
/// The text is no assignment, an index is too large, or it nests too deeply. What was written before stays.
pub fn parse_into(
    text: &str,
    mode: Mode<'_>,
    version: Version,
    values: &mut Map,
) -> Result<(), SetError> {
    let mut parser = Parser {
        text: text.chars().collect(),
        at: 0,
        mode,
        version,
    };
    loop {
        match parser.key(values, 0) {
            Ok(()) => {}
            Err(SetError::End) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

struct Parser<'a> {
    text: Vec<char>,
    at: usize,
    mode: Mode<'a>,
    version: Version,
}

/// Text up to a stop character; `stop` is `None` where the input ended first.
struct Run {
    text: Vec<char>,
    stop: Option<char>,
}

impl Run {
    fn string(&self) -> String {
        self.text.iter().collect()
    }

    fn quoted(&self) -> String {
        quote(self.string().as_bytes())
    }

    /// Prints the characters as Go prints a slice of runes with `%q`.
    fn quoted_chars(&self) -> String {
        let chars: Vec<String> = self.text.iter().map(|c| quote_rune(*c, false)).collect();
        format!("[{}]", chars.join(" "))
    }
}

impl Parser<'_> {
    fn next(&mut self) -> Option<char> {
        let character = self.text.get(self.at).copied()?;
        self.at += 1;
        Some(character)
    }

    /// Reads up to and past one of the stop characters; `\` makes the next character an ordinary one.
    fn run(&mut self, stops: &[char]) -> Run {
        let escapes = !matches!(self.mode, Mode::Literal);
        let mut text = Vec::new();
        loop {
            match self.next() {
                None => return Run { text, stop: None },
                Some(c) if stops.contains(&c) => {
                    return Run {
                        text,
                        stop: Some(c),
                    };
                }
                Some('\\') if escapes => match self.next() {
                    None => return Run { text, stop: None },
                    Some(c) => text.push(c),
                },
                Some(c) => text.push(c),
            }
        }
    }

    /// Reads one assignment into `map`.
    fn key(&mut self, map: &mut Map, depth: usize) -> Result<(), SetError> {
        let stops: &[char] = match self.mode {
            Mode::Literal => &['=', '[', '.'],
            _ => &['=', '[', ',', '.'],
        };
        let run = self.run(stops);
        let name = run.string();
        match run.stop {
            None if run.text.is_empty() => Err(SetError::End),
            None => Err(SetError::NoValue(run.quoted())),
            Some('[') => self.list(map, &name, depth),
            Some('=') => self.value(|value| {
                set(map, &name, value);
                Ok(())
            }),
            Some('.') => self.table(map, &name, &run, depth + 1),
            Some(_) => {
                set(map, &name, "".into());
                Err(SetError::EndsWithComma(run.quoted()))
            }
        }
    }

    /// Reads what is below `name.`.
    fn table(
        &mut self,
        map: &mut Map,
        name: &str,
        run: &Run,
        depth: usize,
    ) -> Result<(), SetError> {
        if depth > NESTING_MAX {
            return Err(SetError::TooDeep);
        }
        let mut inner = match map.get_mut(name) {
            None => Map::new(),
            Some(Value::Object(inner)) => std::mem::take(inner),
            Some(other) => return Err(conversion(other, MAP_TYPE)),
        };
        let outcome = self.key(&mut inner, depth);
        if outcome.is_ok() && inner.is_empty() {
            return Err(SetError::EmptyMap(run.quoted()));
        }
        if !inner.is_empty() {
            set(map, name, Value::Object(inner));
        }
        outcome
    }

    /// Reads what is below `name[`.
    fn list(&mut self, map: &mut Map, name: &str, depth: usize) -> Result<(), SetError> {
        let index = self.index()?;
        let mut list = match map.get_mut(name) {
            None => Vec::new(),
            Some(Value::Array(list)) => std::mem::take(list),
            Some(other) => return Err(conversion(other, LIST_TYPE)),
        };
        let outcome = self.item(&mut list, index, depth);
        set(map, name, Value::Array(list));
        outcome
    }

    /// Reads `N]`.
    fn index(&mut self) -> Result<i64, SetError> {
        let run = self.run(&[']']);
        if run.stop.is_none() {
            // Helm 4 takes the wrapped end of input for the end of the flag.
            return Err(match self.version {
                Version::V3 => SetError::Index("EOF".into()),
                Version::V4 => SetError::End,
            });
        }
        let text = run.string();
        parse_int(&text, 10, 64).map_err(|error| {
            let words = match error {
                NumberError::Range => "value out of range",
                NumberError::Syntax => "invalid syntax",
            };
            SetError::Index(format!(
                "strconv.Atoi: parsing {}: {words}",
                quote(text.as_bytes())
            ))
        })
    }

    /// Reads what follows `name[index]`.
    fn item(&mut self, list: &mut Vec<Value>, index: i64, depth: usize) -> Result<(), SetError> {
        let position = usize::try_from(index).map_err(|_| SetError::NegativeIndex(index))?;
        let run = self.run(&['[', '.', '=']);
        if !run.text.is_empty() {
            return Err(SetError::BehindIndex(run.quoted_chars()));
        }
        match run.stop {
            None => Err(SetError::End),
            // Other than behind a name, the end of the input is nothing special here.
            Some('=') => match self.value(|value| set_index(list, index, value)) {
                Err(SetError::End) => Ok(()),
                outcome => outcome,
            },
            Some('[') => {
                let next = self.index()?;
                let mut inner = match list.get_mut(position) {
                    None | Some(Value::Null) => Vec::new(),
                    Some(Value::Array(inner)) => std::mem::take(inner),
                    Some(other) => return Err(conversion(other, LIST_TYPE)),
                };
                let outcome = self.item(&mut inner, next, depth);
                assign_below(list, index, Value::Array(inner), outcome)
            }
            Some(_) => {
                if depth + 1 > NESTING_MAX {
                    return Err(SetError::TooDeep);
                }
                let mut inner = match list.get_mut(position) {
                    Some(Value::Object(inner)) => std::mem::take(inner),
                    _ => Map::new(),
                };
                let outcome = self.key(&mut inner, depth + 1);
                assign_below(list, index, Value::Object(inner), outcome)
            }
        }
    }

    /// Reads a value and hands it to `assign`; an input that ends at `=` assigns the empty text and reports the end.
    fn value(
        &mut self,
        assign: impl FnOnce(Value) -> Result<(), SetError>,
    ) -> Result<(), SetError> {
        match self.mode {
            Mode::Json => {
                if self.skip_blanks_and_comma() {
                    return assign(Value::Null);
                }
                let value = self.json_value()?;
                assign(value)?;
                self.skip_blanks_and_comma();
                Ok(())
            }
            Mode::Literal => {
                let rest: String = self.text[self.at..].iter().collect();
                self.at = self.text.len();
                assign(rest.into())
            }
            _ => self.plain_value(assign),
        }
    }

    fn plain_value(
        &mut self,
        assign: impl FnOnce(Value) -> Result<(), SetError>,
    ) -> Result<(), SetError> {
        match self.text.get(self.at) {
            None => {
                assign("".into())?;
                Err(SetError::End)
            }
            Some('{') => {
                self.at += 1;
                let list = self.braced_list()?;
                assign(Value::Array(list))
            }
            Some(_) => {
                let run = self.run(&[',']);
                let value = self.typed(run.string())?;
                assign(value)
            }
        }
    }

    /// Reads `a,b}` and the comma behind it.
    fn braced_list(&mut self) -> Result<Vec<Value>, SetError> {
        let mut list = Vec::new();
        loop {
            let run = self.run(&[',', '}']);
            let Some(stop) = run.stop else {
                return Err(SetError::OpenList);
            };
            let value = self.typed(run.string())?;
            list.push(value);
            if stop == '}' {
                if self.text.get(self.at) == Some(&',') {
                    self.at += 1;
                }
                return Ok(list);
            }
        }
    }

    fn typed(&self, text: String) -> Result<Value, SetError> {
        match self.mode {
            Mode::Set => Ok(typed_value(text)),
            Mode::File(read) => read(&text).map(Value::String).map_err(SetError::File),
            _ => Ok(Value::String(text)),
        }
    }

    /// Skips white space and one comma; tells whether there was a comma or the end.
    fn skip_blanks_and_comma(&mut self) -> bool {
        while let Some(c) = self.text.get(self.at) {
            match c {
                ',' => {
                    self.at += 1;
                    return true;
                }
                c if c.is_whitespace() => self.at += 1,
                _ => return false,
            }
        }
        true
    }

    /// Reads one JSON value; numbers are floats, as Go decodes them.
    fn json_value(&mut self) -> Result<Value, SetError> {
        let rest: String = self.text[self.at..].iter().collect();
        let told = |error: String| SetError::Json(error);
        let (value, bytes) =
            json::parse_first(rest.as_bytes()).map_err(|error| told(error.to_string()))?;
        self.at += rest[..bytes].chars().count();
        to_json_floats(&value).map_err(|error| told(error.to_string()))
    }
}

/// Types a `--set` value: bools, null and decimal integers; all else stays text.
fn typed_value(text: String) -> Value {
    if text.eq_ignore_ascii_case("true") {
        return true.into();
    }
    if text.eq_ignore_ascii_case("false") {
        return false.into();
    }
    if text.eq_ignore_ascii_case("null") {
        return Value::Null;
    }
    if text == "0" {
        return 0_i64.into();
    }
    match text.parse::<i64>() {
        Ok(number) if !text.starts_with('0') => number.into(),
        _ => Value::String(text),
    }
}

fn set(map: &mut Map, name: &str, value: Value) {
    // Helm drops assignments to the empty name.
    if !name.is_empty() {
        map.insert(name.to_owned(), value);
    }
}

/// Puts back what stood at an index, with what was assigned below it even where that ended with an error; what is new
/// there comes only without one.
fn assign_below(
    list: &mut Vec<Value>,
    index: i64,
    value: Value,
    outcome: Result<(), SetError>,
) -> Result<(), SetError> {
    let existing = usize::try_from(index).ok().and_then(|at| list.get_mut(at));
    match (existing, &outcome) {
        (Some(Value::Null), Err(_)) if value.is_array() => {}
        (Some(place), Err(_)) => *place = value,
        (None, Err(_)) => {}
        (_, Ok(())) => set_index(list, index, value)?,
    }
    outcome
}

fn set_index(list: &mut Vec<Value>, index: i64, value: Value) -> Result<(), SetError> {
    let position = usize::try_from(index).map_err(|_| SetError::NegativeIndex(index))?;
    if index > INDEX_MAX {
        return Err(SetError::IndexTooLarge(index));
    }
    if list.len() <= position {
        list.resize(position + 1, Value::Null);
    }
    list[position] = value;
    Ok(())
}

fn conversion(found: &Value, wanted: &'static str) -> SetError {
    let found = match found {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => LIST_TYPE,
        Value::Object(_) => MAP_TYPE,
    };
    SetError::Conversion { found, wanted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::json as object;

    fn check(text: &str, expected: Value) {
        let mut values = Map::new();
        parse_into(text, Mode::Set, Version::V4, &mut values).unwrap();
        assert_eq!(Value::Object(values), expected, "{text}");
    }

    #[test]
    fn names_lists_and_types() {
        check(
            "a.b[1].c=1,d={x,2},e=1.5",
            object!({"a": {"b": [null, {"c": 1}]}, "d": ["x", 2], "e": "1.5"}),
        );
        check(r"a\.b=c\,d", object!({"a.b": "c,d"}));
        check("a=null,b=TRUE,c=", object!({"a": null, "b": true, "c": ""}));
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in "[a-c.,=\\[\\]{}0-9\\\\é-]{0,40}") {
            for mode in [Mode::Set, Mode::String, Mode::Json, Mode::Literal] {
                let _ = parse_into(&text, mode, Version::V4, &mut Map::new());
            }
        }
    }
}
