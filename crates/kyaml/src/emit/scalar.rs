//! Writing one scalar in a given style, with folding.

use super::analyze::{is_break, is_printable};

/// Text that is being written, and how wide its lines may become.
pub(crate) struct Sheet<'a> {
    pub out: &'a mut String,
    /// Column past which a space may become a line break; `usize::MAX` for never.
    pub width: usize,
}

impl Sheet<'_> {
    /// Counts the characters since the last line break.
    pub fn column(&self) -> usize {
        let start = self.out.rfind('\n').map_or(0, |at| at + 1);
        let line = &self.out[start..];
        if line.is_ascii() {
            line.len()
        } else {
            line.chars().count()
        }
    }

    /// Starts a new line at an indentation.
    pub fn break_line(&mut self, indent: usize) {
        self.out.push('\n');
        self.pad(indent);
    }

    pub fn pad(&mut self, indent: usize) {
        const BLANKS: &str = "                                                                ";
        let mut rest = indent;
        while rest > 0 {
            let now = rest.min(BLANKS.len());
            self.out.push_str(&BLANKS[..now]);
            rest -= now;
        }
    }

    /// Tells whether a text that starts here can reach the width at all.
    fn may_fold(&self, length: usize, folds: bool) -> bool {
        folds && self.width != usize::MAX && self.column() + length > self.width
    }

    pub fn plain(&mut self, text: &str, indent: usize, folds: bool) {
        if !self.may_fold(text.len(), folds) {
            return self.out.push_str(text);
        }
        let mut column = self.column();
        let mut spaces = false;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if c == ' ' && !spaces && column > self.width && chars.peek() != Some(&' ') {
                self.break_line(indent);
                column = indent;
            } else {
                self.out.push(c);
                column += 1;
            }
            spaces = c == ' ';
        }
    }

    pub fn single_quoted(&mut self, text: &str, indent: usize, folds: bool) {
        self.out.push('\'');
        let mut column = self.column();
        let mut spaces = false;
        let mut breaks = false;
        let mut chars = text.chars().peekable();
        let mut first = true;
        while let Some(c) = chars.next() {
            let inside = !first && chars.peek().is_some();
            first = false;
            if c == ' '
                && folds
                && !spaces
                && column > self.width
                && inside
                && chars.peek() != Some(&' ')
            {
                self.break_line(indent);
                column = indent;
            } else if is_break(c) {
                // A line feed is doubled, because a single one would read as a space.
                if c == '\n' && !breaks {
                    self.out.push('\n');
                }
                self.out.push(c);
                column = 0;
                breaks = true;
                continue;
            } else {
                if breaks {
                    self.pad(indent);
                    column = indent;
                }
                if c == '\'' {
                    self.out.push('\'');
                    column += 1;
                }
                self.out.push(c);
                column += 1;
            }
            spaces = c == ' ';
            breaks = false;
        }
        self.out.push('\'');
    }

    pub fn double_quoted(&mut self, text: &str, indent: usize, folds: bool) {
        self.out.push('"');
        let folds = self.may_fold(text.len() * 2, folds);
        let mut column = if folds { self.column() } else { 0 };
        let mut spaces = false;
        // libyaml looks for the mark at the start of the text only, whatever character it writes.
        let all = text.starts_with('\u{feff}');
        let mut chars = text.chars().peekable();
        let mut first = true;
        while let Some(c) = chars.next() {
            let inside = !first && chars.peek().is_some();
            first = false;
            if all || !is_printable(c) || is_break(c) || c == '"' || c == '\\' {
                let before = self.out.len();
                self.escape(c);
                column += self.out.len() - before;
                spaces = false;
            } else if c == ' ' {
                if folds && !spaces && column > self.width && inside {
                    self.break_line(indent);
                    column = indent;
                    if chars.peek() == Some(&' ') {
                        self.out.push('\\');
                        column += 1;
                    }
                } else {
                    self.out.push(' ');
                    column += 1;
                }
                spaces = true;
            } else {
                self.out.push(c);
                column += 1;
                spaces = false;
            }
        }
        self.out.push('"');
    }

    fn escape(&mut self, c: char) {
        let short = match c {
            '\0' => '0',
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{b}' => 'v',
            '\u{c}' => 'f',
            '\r' => 'r',
            '\u{1b}' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{a0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ => ' ',
        };
        self.out.push('\\');
        if short != ' ' {
            return self.out.push(short);
        }
        let (letter, digits) = match u32::from(c) {
            ..=0xff => ('x', 2),
            0x100..=0xffff => ('u', 4),
            _ => ('U', 8),
        };
        self.out.push(letter);
        for place in (0..digits).rev() {
            let digit = u32::from(c) >> (place * 4) & 0xf;
            let digit = char::from_digit(digit, 16).unwrap_or('0');
            self.out.push(digit.to_ascii_uppercase());
        }
    }

    /// Writes `|` or `>` with its hints; `step` is the indentation that the hint names.
    pub fn block_header(&mut self, text: &str, mark: char, step: usize) {
        self.out.push(mark);
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.out.push_str(&step.to_string());
        }
        let mut ends = text.chars().rev();
        match (ends.next(), ends.next()) {
            (Some(last), before) if is_break(last) => {
                if before.is_none_or(is_break) {
                    self.out.push('+');
                }
            }
            _ => self.out.push('-'),
        }
    }

    /// Writes the lines of a literal scalar below its header; empty lines carry no indentation.
    pub fn literal_lines(&mut self, text: &str, indent: usize) {
        for line in text.split_inclusive(is_break) {
            if !line.starts_with(is_break) {
                self.pad(indent);
            }
            self.out.push_str(line);
        }
    }
}
