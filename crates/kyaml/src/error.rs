//! What can be wrong with a text, worded as the Go libraries word it, and where it stands.

use crate::Mark;

/// Why a text could not be read.
///
/// Displays as go-yaml prints it: `yaml: line 3: did not find expected key`. That line number keeps go-yaml's
/// own counting, which differs from [`ReadError::mark`] by one for errors of the grammar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("yaml: {message}")]
pub struct ReadError {
    /// Text after `yaml: `, with `line N: ` where go-yaml prints it.
    pub message: String,
    /// The place that is wrong; line 0 where it is unknown.
    pub mark: Mark,
}

impl ReadError {
    /// Makes an error without a line in its message.
    pub(crate) fn new(message: impl Into<String>, mark: Mark) -> Self {
        let message = message.into();
        Self { message, mark }
    }

    /// Renders the faulty line of `source` with its number and a marker below the column.
    ///
    /// Empty where the place is unknown. Long lines are cut around the column.
    pub fn excerpt(&self, source: &str) -> String {
        self.mark.excerpt(source)
    }
}

impl Mark {
    /// Renders the line of `source` that this place is in, with its number and a marker below the column.
    ///
    /// Empty where the place is unknown. Long lines are cut around the column.
    pub fn excerpt(&self, source: &str) -> String {
        let Some(index) = (self.line as usize).checked_sub(1) else {
            return String::new();
        };
        let Some(line) = source.lines().nth(index) else {
            return String::new();
        };
        let column = (self.column as usize).max(1);
        let skipped = column.saturating_sub(EXCERPT_BEFORE);
        let shown: String = line
            .chars()
            .skip(skipped)
            .take(EXCERPT_BEFORE * 2)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        let blank = " ".repeat(column - 1 - skipped);
        format!("{number} | {shown}\n{gutter} | {blank}^\n")
    }
}

/// Characters shown before and after the faulty column.
const EXCERPT_BEFORE: usize = 60;

/// Why a tree or value cannot be typed or converted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// A scalar does not have the form that its tag asks for.
    #[error("yaml: cannot decode {found} `{text}` as a {wanted}")]
    WrongTag {
        /// Tag that the text has by itself.
        found: &'static str,
        /// The text.
        text: String,
        /// Tag that was written.
        wanted: &'static str,
        /// Line of the scalar.
        line: u32,
    },
    /// `!!binary` text is no base64.
    #[error("yaml: !!binary value contains invalid base64 data")]
    Binary,
    /// The same key stands twice in a mapping; one line per key.
    #[error("yaml: unmarshal errors:\n{}", .0.join("\n"))]
    DuplicateKeys(Vec<String>),
    /// A mapping has keys that are no strings (go-yaml v3 rules).
    #[error("json: unsupported type: map[interface {{}}]interface {{}}")]
    KeyType,
    /// A key is null or a collection (YAML 1.1 rules).
    #[error("unsupported map key of type: {kind}, key: {key}, value: {value}")]
    UnsupportedKey {
        /// Go type of the key.
        kind: String,
        /// The key as Go prints it.
        key: String,
        /// Its value as Go prints it.
        value: String,
    },
    /// A key is a collection.
    #[error("yaml: invalid map key: {0}")]
    InvalidKey(String),
    /// An infinite or undefined number.
    #[error("json: unsupported value: {0}")]
    Number(&'static str),
    /// `<<` does not hold a mapping or a list of mappings.
    #[error("yaml: map merge requires map or sequence of maps as the value")]
    Merge,
    /// An alias names no anchor.
    #[error("yaml: unknown anchor '{0}' referenced")]
    UnknownAnchor(String),
    /// An anchored value contains an alias to itself.
    #[error("yaml: anchor '{0}' value contains itself")]
    Cycle(String),
    /// Aliases would blow the document up.
    #[error("yaml: document contains excessive aliasing")]
    Aliasing,
    /// A string has a character that the printed form could not carry.
    #[error("yaml: control characters are not allowed")]
    Control,
    /// The tree is nested too deeply.
    #[error("yaml: exceeded max depth of {0}")]
    Depth(usize),
    /// A key is too long for the printed form.
    #[error("yaml: {0}")]
    LongKey(&'static str),
}
