//! Plain scalars.

use super::{BLANK, BREAK, CLASS, COLON, FLOW, Kind, Scan, Scanner, Token, WIDE};
use crate::Text;

/// Text of a scalar: a piece of the source as long as it is contiguous, a buffer from the first fold on.
pub(super) struct Gathered {
    start: usize,
    end: usize,
    buffer: Option<String>,
}

impl Gathered {
    pub fn at(start: usize) -> Self {
        Self {
            start,
            end: start,
            buffer: None,
        }
    }

    /// Appends the piece of the source that continues what is there.
    pub fn extend(&mut self, source: &str, from: usize, to: usize) {
        match &mut self.buffer {
            Some(buffer) => buffer.push_str(&source[from..to]),
            None => self.end = to,
        }
    }

    /// Appends text that is not in the source at this place.
    pub fn append(&mut self, source: &str, text: &str) {
        self.buffer(source).push_str(text);
    }

    pub fn push(&mut self, source: &str, c: char) {
        self.buffer(source).push(c);
    }

    pub fn buffer(&mut self, source: &str) -> &mut String {
        let (start, end) = (self.start, self.end);
        self.buffer
            .get_or_insert_with(|| source[start..end].to_owned())
    }

    pub fn finish(self, source: &str) -> Text {
        match self.buffer {
            Some(buffer) => Text::from(buffer),
            None => Text::from(&source[self.start..self.end]),
        }
    }
}

/// Line breaks inside a scalar that is folded.
#[derive(Default)]
pub(super) struct Fold {
    /// The first break, if any.
    first: Option<&'static str>,
    /// Those behind it.
    rest: String,
}

impl Fold {
    pub fn add(&mut self, written: &str) {
        match self.first {
            None => self.first = Some(known_break(written)),
            Some(_) => self.rest.push_str(written),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Appends what the breaks mean: one line feed is a space, more lose the first.
    pub fn write(&mut self, out: &mut String) {
        match self.first.take() {
            Some("\n") if self.rest.is_empty() => out.push(' '),
            Some("\n") => out.push_str(&self.rest),
            Some(other) => {
                out.push_str(other);
                out.push_str(&self.rest);
            }
            None => {}
        }
        self.rest.clear();
    }
}

fn known_break(written: &str) -> &'static str {
    match written {
        "\u{2028}" => "\u{2028}",
        "\u{2029}" => "\u{2029}",
        _ => "\n",
    }
}

impl Scanner<'_> {
    pub(super) fn scan_plain(&mut self) -> Scan<Token> {
        let start = self.place();
        let indent = self.indent + 1;
        let mut text = Gathered::at(self.pos);
        let mut fold = Fold::default();
        let mut blanks_from = self.pos;
        let mut leading_blanks = false;
        loop {
            if self.at_document_indicator() || self.byte(0) == b'#' {
                break;
            }
            let from = self.pos;
            let to = self.plain_word_end();
            if to > from {
                if !fold.is_empty() {
                    fold.write(text.buffer(self.source));
                    text.extend(self.source, from, to);
                } else {
                    text.extend(self.source, blanks_from, to);
                }
                leading_blanks = false;
                self.newlines = 0;
                self.advance_to(to);
            }
            if !self.is_blank(0) && self.break_length(0) == 0 {
                break;
            }
            blanks_from = self.pos;
            while self.is_blank(0) || self.break_length(0) > 0 {
                if !self.is_blank(0) {
                    let written = self.take_break();
                    fold.add(written);
                    leading_blanks = true;
                } else if leading_blanks
                    && i64::from(self.column()) < indent
                    && self.byte(0) == b'\t'
                {
                    return Err(
                        self.fault_in(start, "found a tab character that violates indentation")
                    );
                } else {
                    self.pos += 1;
                }
            }
            if self.flow_level == 0 && i64::from(self.column()) < indent {
                break;
            }
        }
        if leading_blanks {
            self.simple_key_allowed = true;
        }
        let mut token = Token::new(Kind::Scalar, start, 0);
        token.text = text.finish(self.source);
        Ok(token)
    }

    /// Finds the end of the run of plain characters that starts here.
    fn plain_word_end(&self) -> usize {
        let flow = self.flow_level > 0;
        let stop = BLANK | BREAK | WIDE | COLON | if flow { FLOW } else { 0 };
        let mut end = self.pos;
        loop {
            while end < self.bytes.len() && CLASS[usize::from(self.bytes[end])] & stop == 0 {
                end += 1;
            }
            let ahead = end - self.pos;
            let class = self.class(ahead);
            let stops = end >= self.bytes.len()
                || class & (BLANK | BREAK) != 0
                || class & WIDE != 0 && self.break_length(ahead) > 0
                || class & COLON != 0 && self.is_blank_or_end(ahead + 1)
                || flow && class & FLOW != 0;
            if stops {
                return end;
            }
            end += 1;
        }
    }
}
