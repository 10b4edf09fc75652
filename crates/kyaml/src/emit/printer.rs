//! Values into block style, in one pass.

use std::borrow::Cow;
use std::fmt::Write as _;

use gocompat::number::write_float;

use super::analyze::{Allowed, analyze, is_break};
use super::scalar::Sheet;
use super::{Source, View};
use crate::reader::is_forbidden;
use crate::resolve::{is_base_60, old_bool};
use crate::{ConvertError, Dialect, Resolved, resolve_text};

/// Which library's habits are followed.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub dialect: Dialect,
    /// Whether lists stand deeper than their key.
    pub indent_lists: bool,
    /// Column past which text is folded.
    pub width: usize,
    /// Whether values go through JSON, which some characters do not survive.
    pub over_json: bool,
}

impl Rules {
    pub const SIGS: Self = Self {
        dialect: Dialect::V11,
        indent_lists: false,
        width: 80,
        over_json: true,
    };
    pub const PRETTY: Self = Self {
        dialect: Dialect::V3,
        indent_lists: true,
        width: usize::MAX,
        over_json: false,
    };
}

/// Longest simple key, in bytes.
const MAX_SIMPLE_KEY: usize = 128;
/// Deepest nesting; the printer recurses.
const MAX_DEPTH: usize = 200;
/// A longer key cannot be read back from JSON: libyaml's bound for keys is 1024 with the quotes.
const MAX_JSON_KEY: usize = 1022;

/// Prints one document.
pub(crate) struct Printer<'a> {
    sheet: Sheet<'a>,
    rules: Rules,
    depth: usize,
}

/// Where a node stands.
#[derive(Clone, Copy)]
struct Spot {
    /// Indentation of the block it stands in; `None` at the root.
    indent: Option<usize>,
    /// Whether the line so far is indentation and indicators only, so that a collection may start on it.
    fresh: bool,
    /// Whether it is the value of a key.
    in_mapping: bool,
}

impl Spot {
    /// Indentation of the children of a mapping or an indented list here.
    fn inner(self) -> usize {
        self.indent.map_or(0, |indent| indent + 2)
    }

    /// Indentation of continuation lines of a scalar here.
    fn continuation(self) -> usize {
        self.indent.map_or(2, |indent| indent + 2)
    }
}

impl<'a> Printer<'a> {
    pub fn new(out: &'a mut String, rules: Rules) -> Self {
        let width = rules.width;
        Self {
            sheet: Sheet { out, width },
            rules,
            depth: 0,
        }
    }

    /// Prints a whole document with its final line break.
    pub fn document<S: Source>(&mut self, root: &S) -> Result<(), ConvertError> {
        let spot = Spot {
            indent: None,
            fresh: true,
            in_mapping: false,
        };
        self.node(root, spot)?;
        self.end_line();
        Ok(())
    }

    fn node<S: Source>(&mut self, node: &S, spot: Spot) -> Result<(), ConvertError> {
        let rules = self.rules;
        match node.view(&rules)? {
            View::Word(word) => {
                self.space(spot);
                self.sheet.out.push_str(word);
            }
            View::Int(value) => {
                self.space(spot);
                let _ = write!(self.sheet.out, "{value}");
            }
            View::Uint(value) => {
                self.space(spot);
                let _ = write!(self.sheet.out, "{value}");
            }
            View::Float(value) => {
                self.space(spot);
                self.float(value);
            }
            View::Text(text) => {
                self.space(spot);
                self.text(&text, spot)?;
            }
            View::Sequence([]) => {
                self.space(spot);
                self.sheet.out.push_str("[]");
            }
            View::Mapping(entries) if entries.is_empty() => {
                self.space(spot);
                self.sheet.out.push_str("{}");
            }
            View::Sequence(items) => self.nested(|printer| printer.sequence(items, spot))?,
            View::Mapping(entries) => self.nested(|printer| printer.mapping(&entries, spot))?,
        }
        Ok(())
    }

    fn nested(
        &mut self,
        print: impl FnOnce(&mut Self) -> Result<(), ConvertError>,
    ) -> Result<(), ConvertError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ConvertError::Depth(MAX_DEPTH));
        }
        let done = print(self);
        self.depth -= 1;
        done
    }

    /// Separates a scalar from the indicator before it.
    fn space(&mut self, spot: Spot) {
        if spot.indent.is_some() {
            self.sheet.out.push(' ');
        }
    }

    /// Ends the line unless that has happened.
    fn end_line(&mut self) {
        // The last line of a literal may end with any break.
        if !self.sheet.out.ends_with(is_break) {
            self.sheet.out.push('\n');
        }
    }

    /// Goes to the place of an entry: the first stays on a fresh line, behind its indicator.
    fn entry_start(&mut self, first: bool, indent: usize, spot: Spot) {
        if first && spot.fresh {
            if spot.indent.is_some() {
                self.sheet.out.push(' ');
            }
            return;
        }
        self.end_line();
        self.sheet.pad(indent);
    }

    fn sequence<S: Source>(&mut self, items: &[S], spot: Spot) -> Result<(), ConvertError> {
        let flat = spot.in_mapping && !spot.fresh && !self.rules.indent_lists;
        let indent = match spot.indent {
            Some(indent) if flat => indent,
            _ => spot.inner(),
        };
        for (index, item) in items.iter().enumerate() {
            self.entry_start(index == 0, indent, spot);
            self.sheet.out.push('-');
            let spot = Spot {
                indent: Some(indent),
                fresh: true,
                in_mapping: false,
            };
            self.node(item, spot)?;
        }
        Ok(())
    }

    fn mapping<S: Source>(
        &mut self,
        entries: &[super::Entry<'_, S>],
        spot: Spot,
    ) -> Result<(), ConvertError> {
        let indent = spot.inner();
        for (index, (key, value)) in entries.iter().enumerate() {
            self.entry_start(index == 0, indent, spot);
            let simple = self.key(key.0, indent)?;
            if !simple {
                self.end_line();
                self.sheet.pad(indent);
            }
            self.sheet.out.push(':');
            let spot = Spot {
                indent: Some(indent),
                fresh: !simple,
                in_mapping: true,
            };
            self.node(*value, spot)?;
        }
        Ok(())
    }

    /// Prints a key; tells whether it was a simple one.
    fn key(&mut self, key: &str, indent: usize) -> Result<bool, ConvertError> {
        if self.rules.over_json && key.len() > MAX_JSON_KEY && json_length(key) > MAX_JSON_KEY {
            return Err(ConvertError::LongKey("did not find expected ',' or '}'"));
        }
        if self.rules.over_json && key.contains('\u{85}') {
            // A line break inside a key of a flow mapping.
            return Err(ConvertError::LongKey(
                "line 1: did not find expected ',' or '}'",
            ));
        }
        let text = self.checked(key)?;
        let allowed = analyze(&text, self.rules.dialect == Dialect::V3);
        if allowed.multiline || text.len() > MAX_SIMPLE_KEY {
            self.sheet.out.push_str("? ");
            self.styled(&text, allowed, indent + 2, true);
            return Ok(false);
        }
        self.styled(&text, allowed, indent + 2, false);
        Ok(true)
    }

    fn text(&mut self, text: &str, spot: Spot) -> Result<(), ConvertError> {
        let text = self.checked(text)?;
        let allowed = analyze(&text, self.rules.dialect == Dialect::V3);
        self.styled(&text, allowed, spot.continuation(), true);
        Ok(())
    }

    /// Refuses and changes what does not survive being JSON that YAML reads.
    fn checked<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, ConvertError> {
        if !self.rules.over_json || text.bytes().all(|b| b < 0x7f) {
            return Ok(Cow::Borrowed(text));
        }
        // JSON escapes what is below a space, so only the characters above can get in the way.
        if text.chars().any(|c| c >= '\u{7f}' && is_forbidden(c)) {
            return Err(ConvertError::Control);
        }
        if text.contains('\u{85}') {
            return Ok(Cow::Owned(fold_next_lines(text)));
        }
        Ok(Cow::Borrowed(text))
    }

    fn float(&mut self, value: f64) {
        let text = match value {
            _ if value.is_nan() => ".nan",
            f64::INFINITY => ".inf",
            f64::NEG_INFINITY => "-.inf",
            _ => return write_float(self.sheet.out, value, 'g', None, 64),
        };
        self.sheet.out.push_str(text);
    }

    /// Writes text in the style that its meaning asks for, corrected by what its characters allow.
    ///
    /// `value` is false for simple keys, which are neither folded nor literal.
    fn styled(&mut self, text: &str, allowed: Allowed, indent: usize, value: bool) {
        if text.contains('\n') {
            if allowed.block && value {
                self.sheet.block_header(text, '|', 2);
                self.sheet.out.push('\n');
                return self.sheet.literal_lines(text, indent);
            }
            return self.sheet.double_quoted(text, indent, value);
        }
        if !self.reads_as_text(text) {
            return self.sheet.double_quoted(text, indent, value);
        }
        if allowed.plain {
            self.sheet.plain(text, indent, value);
        } else if allowed.single_quoted {
            self.sheet.single_quoted(text, indent, value);
        } else {
            self.sheet.double_quoted(text, indent, value);
        }
    }

    /// Tells whether the text, unquoted, would be read as text.
    fn reads_as_text(&self, text: &str) -> bool {
        let special = match text.as_bytes().first() {
            None => return false,
            Some(b'0'..=b'9' | b'+' | b'-') => is_base_60(text),
            _ => self.rules.dialect == Dialect::V3 && old_bool(text).is_some(),
        };
        !special && matches!(resolve_text(text, self.rules.dialect), Resolved::String(_))
    }
}

/// Length of a text in JSON, in characters without the quotes.
fn json_length(text: &str) -> usize {
    text.chars()
        .map(|c| match c {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => 6,
            _ => 1,
        })
        .sum()
}

/// Folds U+0085 as a line break inside quotes: one is a space, more lose the first; blanks around vanish.
fn fold_next_lines(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\u{85}') {
        out.push_str(rest[..at].trim_end_matches(' '));
        let mut breaks = 0usize;
        let tail = rest[at..].trim_start_matches(|c| {
            breaks += usize::from(c == '\u{85}');
            c == '\u{85}' || c == ' '
        });
        if breaks == 1 {
            out.push(' ');
        }
        out.extend(std::iter::repeat_n('\n', breaks - 1));
        rest = tail;
    }
    out.push_str(rest);
    out
}
