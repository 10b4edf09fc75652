//! What stands below an error: the lines that are wrong, marked, and where the values in them came from.
//!
//! [`explain`] takes a failure and the sources that it was rendered from; Helm's own text stays as it is. The
//! result is data for controllers and displays as lines for people. Values themselves are never shown.

use std::fmt;
use std::ops::Range;

use gotemplate::trace::{Level, Step};
use gotemplate::{Map, Value};

use crate::action::{ActionError, coalesced};
use crate::origin::{Said, Sources};

/// A line with a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// File by the path that errors name, or what else the line is from.
    pub file: String,
    /// Line counted from 1.
    pub line: usize,
    /// Column counted from 1, in bytes; `None` where only the line is known.
    pub column: Option<usize>,
    /// The line.
    pub text: String,
    /// Bytes of the line that are marked.
    pub mark: Range<usize>,
}

/// A value that a failing node depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueNote {
    /// Names of the charts from the root to the one whose value it is; empty for the root.
    pub charts: Vec<String>,
    /// Keys below `.Values`.
    pub path: Vec<String>,
    /// What there is at the path, such as `a string`; `None` where nothing is.
    pub found: Option<&'static str>,
    /// What decided about the value, or about its nearest part that is set.
    pub said: Option<Said>,
    /// Length of the part of the path that `said` is about.
    pub known: usize,
}

/// Everything that can be said about a failure beside its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// Lines, from the file that was being rendered inwards.
    pub excerpts: Vec<Excerpt>,
    /// Values.
    pub values: Vec<ValueNote>,
}

/// Most levels of a chain of inclusions that are shown: the outermost and the innermost ones.
const EXCERPTS_MAX: usize = 4;
/// Most values that are named.
const VALUES_MAX: usize = 8;

/// Explains a failure.
pub fn explain(error: &ActionError, sources: &Sources<'_>) -> Explanation {
    match error {
        ActionError::Template { fault, .. } => template(fault, sources),
        ActionError::Schema { violations, .. } => Explanation {
            excerpts: Vec::new(),
            values: violation_notes(violations, sources),
        },
        ActionError::Invalid { excerpt, .. } => Explanation {
            excerpts: excerpt.iter().map(|one| (**one).clone()).collect(),
            values: Vec::new(),
        },
        ActionError::Failed(_) => Explanation::default(),
    }
}

/// A template that does not parse or fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateFault {
    /// A text does not parse.
    Parse(Excerpt),
    /// An execution failed.
    Exec {
        /// Path of the file that was being rendered.
        file: String,
        /// From the file inwards.
        levels: Vec<Level>,
    },
}

/// A value that a schema does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Names of the charts from the root to the one whose schema it is; empty for the root.
    pub charts: Vec<String>,
    /// Keys and indexes below `.Values`.
    pub path: Vec<String>,
}

fn template(fault: &TemplateFault, sources: &Sources<'_>) -> Explanation {
    let (file, levels) = match fault {
        TemplateFault::Parse(excerpt) => {
            return Explanation {
                excerpts: vec![excerpt.clone()],
                values: Vec::new(),
            };
        }
        TemplateFault::Exec { file, levels } => (file, levels),
    };
    let excerpt = |level: &Level| Excerpt {
        file: level.file.clone(),
        line: level.line,
        column: Some(level.mark.start + 1),
        text: level.text.clone(),
        mark: level.mark.clone(),
    };
    let skipped = levels.len().saturating_sub(EXCERPTS_MAX);
    let shown = levels
        .iter()
        .enumerate()
        .filter(|(index, _)| *index == 0 || *index > skipped);
    let excerpts = shown.map(|(_, level)| excerpt(level)).collect();
    let charts = charts_of(file);
    let mut values = Vec::new();
    let view = View::new(sources);
    // The innermost level that names values says most.
    let named = levels.iter().rev().find_map(|level| {
        let paths: Vec<_> = level
            .data
            .iter()
            .filter_map(|path| values_path(path, &charts))
            .collect();
        (!paths.is_empty()).then_some(paths)
    });
    for (charts, path) in named.into_iter().flatten().take(VALUES_MAX) {
        let note = view.note(charts, path);
        if !values.contains(&note) {
            values.push(note);
        }
    }
    Explanation { excerpts, values }
}

/// Names of the charts below the root on the path of a template.
fn charts_of(file: &str) -> Vec<String> {
    let parts: Vec<&str> = file.split('/').collect();
    let mut names = Vec::new();
    let mut at = 1;
    while parts.get(at) == Some(&"charts") && at + 2 < parts.len() {
        names.push(parts[at + 1].to_owned());
        at += 2;
    }
    names
}

/// The value that a way into a template's data leads to.
fn values_path(path: &[Step], charts: &[String]) -> Option<(Vec<String>, Vec<String>)> {
    let mut charts = charts.to_vec();
    let mut rest = path;
    loop {
        match rest {
            [Step::Key(first), Step::Key(name), after @ ..] if first == "Subcharts" => {
                charts.push(name.clone());
                rest = after;
            }
            [Step::Key(first), after @ ..] if first == "Values" => {
                let keys = after.iter().map_while(|step| match step {
                    Step::Key(key) => Some(key.clone()),
                    Step::Element => None,
                });
                let keys: Vec<String> = keys.collect();
                return (!keys.is_empty()).then_some((charts, keys));
            }
            _ => return None,
        }
    }
}

fn violation_notes(violations: &[Violation], sources: &Sources<'_>) -> Vec<ValueNote> {
    let view = View::new(sources);
    let mut notes = Vec::new();
    for violation in violations.iter().filter(|v| !v.path.is_empty()) {
        let note = view.note(violation.charts.clone(), violation.path.clone());
        if !notes.contains(&note) {
            notes.push(note);
        }
        if notes.len() == VALUES_MAX {
            break;
        }
    }
    notes
}

/// The values as templates saw them, and their sources.
struct View<'s> {
    sources: Sources<'s>,
    values: Option<Map>,
}

impl<'s> View<'s> {
    fn new(sources: &Sources<'s>) -> Self {
        let read = |_: &str| Ok(String::new());
        let values = sources
            .user
            .merge(sources.version, &read)
            .and_then(|user| {
                let mut chart = sources.chart.clone();
                coalesced(&mut chart, &user, sources.version, &mut Vec::new())
            })
            .ok();
        Self {
            sources: *sources,
            values,
        }
    }

    fn note(&self, charts: Vec<String>, path: Vec<String>) -> ValueNote {
        let (found, depth) = self.found(&charts, &path);
        let mut known = if found.is_some() { path.len() } else { depth };
        let mut said = self.sources.find(&charts, &path[..known]);
        // A null further down may be why there is nothing.
        for length in (known + 1..=path.len()).rev() {
            if let Some(null @ Said::Null(_)) = self.sources.find(&charts, &path[..length]) {
                (known, said) = (length, Some(null));
                break;
            }
        }
        while said.is_none() && known > 1 {
            known -= 1;
            said = self.sources.find(&charts, &path[..known]);
        }
        if known == 0 {
            said = None;
        }
        ValueNote {
            charts,
            path,
            found,
            said,
            known,
        }
    }

    /// What is at a path, and how many keys of it lead somewhere.
    fn found(&self, charts: &[String], path: &[String]) -> (Option<&'static str>, usize) {
        let Some(values) = &self.values else {
            return (None, 0);
        };
        let mut current = Value::Map(values.clone());
        let all = charts.iter().chain(path);
        for (index, key) in all.enumerate() {
            let next = match &current {
                Value::Map(map) => map.get(key.as_bytes()),
                Value::List(list) => key
                    .parse::<usize>()
                    .ok()
                    .and_then(|at| list.items().get(at).cloned()),
                _ => None,
            };
            let Some(next) = next else {
                return (None, index.saturating_sub(charts.len()));
            };
            current = next;
        }
        (Some(kind(&current)), path.len())
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nil => "null",
        Value::Bool(_) => "a boolean",
        Value::Text(_) | Value::Bytes(_) => "a string",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
        Value::Object(_) => "an object",
        _ => "a number",
    }
}

impl Explanation {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.excerpts.is_empty() && self.values.is_empty()
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.excerpts
            .iter()
            .try_for_each(|excerpt| write!(f, "{excerpt}"))?;
        self.values
            .iter()
            .try_for_each(|note| writeln!(f, "  = {note}"))
    }
}

/// Most characters of a line that are shown around a mark.
const LINE_MAX: usize = 160;

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, .. } = self;
        match self.column {
            Some(column) => writeln!(f, "  --> {file}:{line}:{column}")?,
            None => writeln!(f, "  --> {file}:{line}")?,
        }
        let (text, mark) = self.window();
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        writeln!(f, "  {number} | {text}")?;
        let shown: String = text
            .char_indices()
            .take_while(|(at, _)| *at < mark.end.max(mark.start + 1))
            .map(|(at, _)| if at < mark.start { ' ' } else { '^' })
            .collect();
        let shown = if mark.start >= text.len() {
            format!("{}^", " ".repeat(text.chars().count()))
        } else {
            shown
        };
        writeln!(f, "  {gutter} | {shown}")
    }
}

impl Excerpt {
    /// The part of the line around the mark, without control characters.
    fn window(&self) -> (String, Range<usize>) {
        let floor = |mut at: usize| {
            at = at.min(self.text.len());
            while !self.text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let from = floor(self.mark.start.saturating_sub(LINE_MAX / 2));
        let from = if self.text.len() <= LINE_MAX { 0 } else { from };
        let to = floor(from + LINE_MAX);
        let clean = |text: &str| -> String {
            let shown = text.chars().map(|c| if c.is_control() { ' ' } else { c });
            shown.collect()
        };
        let start = floor(self.mark.start).clamp(from, to);
        let end = floor(self.mark.end).clamp(start, to);
        let (before, marked) = (
            clean(&self.text[from..start]),
            clean(&self.text[start..end]),
        );
        let range = before.len()..before.len() + marked.len();
        (before + &marked + &clean(&self.text[end..to]), range)
    }
}

impl fmt::Display for ValueNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |length: usize| format!(".Values.{}", self.path[..length].join("."));
        write!(f, "{}", shown(self.path.len()))?;
        if !self.charts.is_empty() {
            write!(f, " of the chart {}", self.charts.join("/"))?;
        }
        match (&self.said, self.found) {
            (Some(said), Some(found)) if self.known == self.path.len() => {
                write!(f, " is {found}, from {}", said.origin())
            }
            (Some(said), Some(found)) => {
                let part = shown(self.known);
                write!(f, " is {found}; {part} is from {}", said.origin())
            }
            (None, Some(found)) => write!(f, " is {found}"),
            (Some(Said::Null(origin)), None) if self.known == self.path.len() => {
                write!(f, " is not set: {origin} makes it null")
            }
            (Some(Said::Null(origin)), None) => {
                let part = shown(self.known);
                write!(f, " is not set: {origin} makes {part} null")
            }
            (Some(Said::Value(origin)), None) => {
                let part = shown(self.known);
                write!(f, " is not set; {part} is from {origin}")
            }
            (None, None) => write!(f, " is not set by any source"),
        }
    }
}

/// Marks a whole line of a chart's file, found by the path that errors name.
pub(crate) fn line_excerpt(text: &[u8], file: &str, line: usize) -> Excerpt {
    let text = String::from_utf8_lossy(text);
    let text = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let start = text.len() - text.trim_start().len();
    Excerpt {
        file: file.to_owned(),
        line,
        column: None,
        mark: start..text.trim_end().len().max(start),
        text: text.to_owned(),
    }
}
