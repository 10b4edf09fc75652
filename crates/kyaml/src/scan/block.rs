//! Literal and folded block scalars.

use super::{BREAK, CLASS, Kind, Place, Scan, Scanner, Token, WIDE};
use crate::{Style, Text};

/// What the header says about the end of the text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

impl Scanner<'_> {
    pub(super) fn scan_block_scalar(&mut self, style: Style) -> Scan<Token> {
        let start = self.place();
        self.skip();
        let (chomping, increment) = self.scan_block_header(start)?;
        self.finish_header_line(start)?;
        let mut indent = match increment {
            0 => 0,
            n if self.indent >= 0 => self.indent + n,
            n => n,
        };
        let mut text = String::new();
        let mut leading_break = "";
        let mut trailing_breaks = String::new();
        self.scan_block_breaks(&mut indent, &mut trailing_breaks, start)?;
        let mut leading_blank = false;
        while i64::from(self.column()) == indent && !self.at_end() {
            let blank = self.is_blank(0);
            let folds = style == Style::Folded && !leading_blank && !blank && leading_break == "\n";
            if !folds {
                text.push_str(leading_break);
            } else if trailing_breaks.is_empty() {
                text.push(' ');
            }
            text.push_str(&trailing_breaks);
            trailing_breaks.clear();
            leading_blank = blank;
            let end = self.line_end();
            text.push_str(&self.source[self.pos..end]);
            if end > self.pos {
                self.newlines = 0;
            }
            self.advance_to(end);
            leading_break = if self.at_end() { "" } else { self.take_break() };
            self.scan_block_breaks(&mut indent, &mut trailing_breaks, start)?;
        }
        if chomping != Chomping::Strip {
            text.push_str(leading_break);
        }
        if chomping == Chomping::Keep {
            text.push_str(&trailing_breaks);
        }
        let mut token = Token::new(Kind::Scalar, start, 0);
        token.style = style;
        token.text = Text::from(text);
        Ok(token)
    }

    /// Reads the chomping and indentation indicators, in either order.
    fn scan_block_header(&mut self, start: Place) -> Scan<(Chomping, i64)> {
        let mut chomping = self.scan_chomping();
        let mut increment = 0;
        if self.byte(0).is_ascii_digit() {
            if self.byte(0) == b'0' {
                return Err(self.fault_in(start, "found an indentation indicator equal to 0"));
            }
            increment = i64::from(self.byte(0) - b'0');
            self.pos += 1;
            if chomping.is_none() {
                chomping = self.scan_chomping();
            }
        }
        Ok((chomping.unwrap_or(Chomping::Clip), increment))
    }

    fn scan_chomping(&mut self) -> Option<Chomping> {
        let chomping = match self.byte(0) {
            b'+' => Chomping::Keep,
            b'-' => Chomping::Strip,
            _ => return None,
        };
        self.pos += 1;
        Some(chomping)
    }

    /// Reads blanks, a comment and the line break behind the header.
    fn finish_header_line(&mut self, start: Place) -> Scan<()> {
        self.skip_blanks();
        if self.byte(0) == b'#' {
            if self.keep_comments {
                self.scan_line_comment(start.at);
            }
            self.skip_comment();
        }
        if !self.is_break_or_end(0) {
            return Err(self.fault_in(start, "did not find expected comment or line break"));
        }
        if !self.at_end() {
            self.take_break();
        }
        Ok(())
    }

    /// Reads indentation and empty lines; finds out the indentation where it is still 0.
    fn scan_block_breaks(
        &mut self,
        indent: &mut i64,
        breaks: &mut String,
        start: Place,
    ) -> Scan<()> {
        let mut deepest = 0;
        loop {
            while (*indent == 0 || i64::from(self.column()) < *indent) && self.byte(0) == b' ' {
                self.pos += 1;
            }
            let column = i64::from(self.column());
            deepest = deepest.max(column);
            if (*indent == 0 || column < *indent) && self.byte(0) == b'\t' {
                let problem = "found a tab character where an indentation space is expected";
                return Err(self.fault_in(start, problem));
            }
            if self.break_length(0) == 0 {
                break;
            }
            let written = self.take_break();
            breaks.push_str(written);
        }
        if *indent == 0 {
            *indent = deepest.max(self.indent + 1).max(1);
        }
        Ok(())
    }

    /// Finds the end of this line.
    pub(super) fn line_end(&self) -> usize {
        let mut end = self.pos;
        while end < self.bytes.len() {
            let class = CLASS[usize::from(self.bytes[end])];
            if class & BREAK != 0 || class & WIDE != 0 && self.break_length(end - self.pos) > 0 {
                break;
            }
            end += 1;
        }
        end
    }
}
