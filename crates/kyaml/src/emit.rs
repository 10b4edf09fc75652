//! Values and trees into text.

mod analyze;
mod printer;
mod scalar;
mod tree;

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use crate::json::{Integral, duplicates_first, integral, non_finite_name, string_key};
use crate::natural::{natural_cmp, natural_cmp_v3, sort_keys};
use crate::resolve::Resolved;
use crate::{ConvertError, Dialect, Node, NodeValue, Style, expand_aliases, resolve};

pub(crate) use printer::{Printer, Rules};
pub use tree::{EmitOptions, emit, emit_documents, emit_with};

/// Prints a value as sigs.k8s.io/yaml and kustomize do: keys in natural order, lists at the indentation of
/// their key, folding at 80.
///
/// # Errors
/// Control characters (U+007F to U+009F but U+0085, U+FFFE, U+FFFF), which do not survive Go's way over
/// JSON; keys longer than 1022 characters; nesting beyond 200.
pub fn emit_sigs(value: &Value) -> Result<String, ConvertError> {
    let mut out = String::new();
    write_sigs(&mut out, value)?;
    Ok(out)
}

/// Appends what [`emit_sigs`] returns.
///
/// # Errors
/// As [`emit_sigs`]; `out` then holds a part of the text.
pub fn write_sigs(out: &mut String, value: &Value) -> Result<(), ConvertError> {
    Printer::new(out, Rules::SIGS).document(value)
}

/// Prints a value as go-yaml v3's encoder does with an indentation of 2: lists indented below their key, no
/// folding, floats as floats. This is Helm's `toYamlPretty`.
///
/// # Errors
/// Nesting beyond 200.
pub fn emit_pretty(value: &Value) -> Result<String, ConvertError> {
    let mut out = String::new();
    Printer::new(&mut out, Rules::PRETTY).document(value)?;
    Ok(out)
}

/// Prints a tree as kustomize prints a resource: typed by go-yaml v3's rules, written as [`emit_sigs`] writes.
///
/// # Errors
/// As [`emit_sigs`] and [`crate::to_json`] (v3).
pub fn emit_sigs_node(node: &Node) -> Result<String, ConvertError> {
    let mut out = String::new();
    write_sigs_node(&mut out, node)?;
    Ok(out)
}

/// Appends what [`emit_sigs_node`] returns.
///
/// # Errors
/// As [`emit_sigs_node`]; `out` then holds a part of the text.
pub fn write_sigs_node(out: &mut String, node: &Node) -> Result<(), ConvertError> {
    let start = out.len();
    match Printer::new(out, Rules::SIGS).document(node) {
        // Aliases and merge keys are rare enough to start over.
        Err(ConvertError::UnknownAnchor(_)) => {
            out.truncate(start);
            let mut plain = node.clone();
            expand_aliases(&mut plain, &crate::ReadOptions::v3())?;
            Printer::new(out, Rules::SIGS)
                .document(&plain)
                .map_err(|error| duplicates_first(&plain, error))
        }
        done => done.map_err(|error| duplicates_first(node, error)),
    }
}

/// A tree that can be printed.
pub(crate) trait Source: Sized {
    /// Looks at the outermost node.
    fn view(&self, rules: &Rules) -> Result<View<'_, Self>, ConvertError>;
}

/// One node of a tree that can be printed.
pub(crate) enum View<'a, S> {
    /// Text that stands for itself: `null`, booleans, integers.
    Word(&'static str),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(Cow<'a, str>),
    Sequence(&'a [S]),
    /// Keys in the order of printing.
    Mapping(Vec<Entry<'a, S>>),
}

/// One entry of a mapping: its key, and where its value is.
pub(crate) type Entry<'a, S> = (Key<'a>, &'a S);

/// Text of a key.
#[derive(Clone, Copy)]
pub(crate) struct Key<'a>(pub &'a str);

fn order(rules: &Rules) -> fn(&str, &str) -> Ordering {
    match rules.dialect {
        Dialect::V11 => natural_cmp,
        Dialect::V3 => natural_cmp_v3,
    }
}

impl Source for Value {
    fn view(&self, rules: &Rules) -> Result<View<'_, Self>, ConvertError> {
        Ok(match self {
            Self::Null => View::Word("null"),
            Self::Bool(true) => View::Word("true"),
            Self::Bool(false) => View::Word("false"),
            Self::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(value), _) => View::Int(value),
                (None, Some(value)) => View::Uint(value),
                _ => view_float(number.as_f64().unwrap_or(0.0), rules)?,
            },
            Self::String(text) => View::Text(Cow::Borrowed(text)),
            Self::Array(items) => View::Sequence(items),
            Self::Object(map) => {
                let mut entries: Vec<Entry<'_, Self>> =
                    map.iter().map(|(key, value)| (Key(key), value)).collect();
                let compare = order(rules);
                sort_keys(&mut entries, |a, b| compare(a.0.0, b.0.0));
                View::Mapping(entries)
            }
        })
    }
}

fn view_float<'a, S>(value: f64, rules: &Rules) -> Result<View<'a, S>, ConvertError> {
    if rules.dialect == Dialect::V3 {
        return Ok(View::Float(value));
    }
    Ok(match integral(value) {
        Some(Integral::Signed(value)) => View::Int(value),
        Some(Integral::Unsigned(value)) => View::Uint(value),
        None if value.is_finite() => View::Float(value),
        None => return Err(ConvertError::Number(non_finite_name(value))),
    })
}

impl Source for Node {
    fn view(&self, rules: &Rules) -> Result<View<'_, Self>, ConvertError> {
        match &self.value {
            NodeValue::Sequence(items) => Ok(View::Sequence(items)),
            NodeValue::Mapping(entries) => view_entries(self, entries, rules),
            NodeValue::Alias(name) => Err(ConvertError::UnknownAnchor(name.to_string())),
            // Resources are typed by v3 rules before they are printed by v1.1 rules.
            NodeValue::Scalar(_) => Ok(match resolve(self, Dialect::V3)? {
                Resolved::Null => View::Word("null"),
                Resolved::Bool(true) => View::Word("true"),
                Resolved::Bool(false) => View::Word("false"),
                Resolved::Int(value) => View::Int(value),
                Resolved::Uint(value) => View::Uint(value),
                Resolved::Float(value) => view_float(value, rules)?,
                Resolved::String(text) if self.style == Style::Folded => {
                    View::Text(Cow::Owned(refolded(self, &text)))
                }
                Resolved::String(text) => View::Text(text),
                Resolved::Timestamp(text) => View::Text(Cow::Owned(text)),
                Resolved::Binary(bytes) => {
                    View::Text(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
                }
                Resolved::Merge => View::Text(Cow::Borrowed("<<")),
            }),
        }
    }
}

/// Returns what folded text reads as once go-yaml has printed the node.
///
/// Resources are printed as nodes before they become JSON, and go-yaml's folded style gains and loses empty
/// lines around lines that are more indented.
pub(crate) fn refolded(node: &Node, text: &str) -> String {
    let mut scalar = Node::string(text);
    scalar.style = node.style;
    let printed = emit(&scalar);
    let read = crate::parse_first(printed.as_bytes(), &crate::ReadOptions::v3());
    match read {
        Ok(Some(read)) => read.as_str().unwrap_or(text).to_owned(),
        Ok(None) | Err(_) => text.to_owned(),
    }
}

fn view_entries<'a>(
    node: &Node,
    entries: &'a [(Node, Node)],
    rules: &Rules,
) -> Result<View<'a, Node>, ConvertError> {
    let mut sorted: Vec<Entry<'a, Node>> = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        if key.tag == crate::Tag::Merge {
            return Err(ConvertError::UnknownAnchor("<<".to_owned()));
        }
        if key.as_str().is_none() {
            // Words the error with the key in it.
            crate::to_json(node, Dialect::V3)?;
        }
        match string_key(key)? {
            Cow::Borrowed(text) => sorted.push((Key(text), value)),
            // Only decoded binary keys are owned; Go refuses those too.
            Cow::Owned(_) => return Err(ConvertError::KeyType),
        }
    }
    let compare = order(rules);
    sort_keys(&mut sorted, |a, b| compare(a.0.0, b.0.0));
    if sorted.windows(2).any(|pair| pair[0].0.0 == pair[1].0.0) {
        // The root knows all duplicates of the document.
        return Err(ConvertError::DuplicateKeys(Vec::new()));
    }
    Ok(View::Mapping(sorted))
}
