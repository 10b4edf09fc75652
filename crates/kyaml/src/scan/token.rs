//! Tokens: the words of a stream, with where they start.

use crate::{Style, Text};

/// Kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    StreamStart,
    StreamEnd,
    VersionDirective,
    TagDirective,
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias,
    Anchor,
    Tag,
    Scalar,
}

/// A place in the source; lines and columns count from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Byte offset.
    pub at: usize,
    pub line: u32,
    pub column: u32,
}

/// One token.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub kind: Kind,
    /// Style of a scalar.
    pub style: Style,
    /// Characters to the end of an indicator; 0 for inserted tokens.
    pub width: u8,
    pub start: Place,
    /// Text of a scalar, name of an anchor or alias, handle of a tag.
    pub text: Text,
    /// Suffix of a tag, prefix of a tag directive.
    pub suffix: Option<Box<str>>,
}

impl Token {
    pub fn new(kind: Kind, start: Place, width: u8) -> Self {
        Self {
            kind,
            style: Style::Plain,
            width,
            start,
            text: Text::const_new(""),
            suffix: None,
        }
    }

    /// Place behind an indicator, where an omitted value stands.
    pub fn end(&self) -> Place {
        Place {
            column: self.start.column + u32::from(self.width),
            ..self.start
        }
    }
}

/// Why scanning or parsing stopped.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub problem: String,
    pub place: Place,
    /// Start of the construct that was being read, where there is one.
    pub context: Option<Place>,
    /// Found by the scanner rather than by the grammar.
    pub lexical: bool,
}
