//! Single- and double-quoted scalars.

use super::plain::{Fold, Gathered};
use super::{BLANK, BREAK, CLASS, Kind, Place, Scan, Scanner, Token, WIDE};
use crate::Style;

impl Scanner<'_> {
    pub(super) fn scan_quoted(&mut self, style: Style) -> Scan<Token> {
        let start = self.place();
        let quote = self.byte(0);
        self.skip();
        let mut text = Gathered::at(self.pos);
        loop {
            if self.at_document_indicator() {
                return Err(self.fault_in(start, "found unexpected document indicator"));
            }
            if self.at_end() {
                return Err(self.fault_in(start, "found unexpected end of stream"));
            }
            let escaped_break = self.scan_quoted_word(quote, &mut text, start)?;
            if self.byte(0) == quote {
                break;
            }
            self.scan_quoted_gap(escaped_break, &mut text);
        }
        self.newlines = 0;
        self.pos += 1;
        let mut token = Token::new(Kind::Scalar, start, 0);
        token.style = style;
        token.text = text.finish(self.source);
        Ok(token)
    }

    /// Reads up to a blank, a break, the end or the closing quote; tells whether it ended at `\` before a
    /// line break, which swallows the blanks of the next line.
    fn scan_quoted_word(&mut self, quote: u8, text: &mut Gathered, start: Place) -> Scan<bool> {
        loop {
            let from = self.pos;
            let mut end = from;
            while end < self.bytes.len() {
                let byte = self.bytes[end];
                let special = byte == quote || quote == b'"' && byte == b'\\';
                if special || CLASS[usize::from(byte)] & (BLANK | BREAK | WIDE) != 0 {
                    break;
                }
                end += 1;
            }
            if end > from {
                text.extend(self.source, from, end);
                self.newlines = 0;
                self.advance_to(end);
            }
            match self.byte(0) {
                _ if self.is_blank_or_end(0) => return Ok(false),
                b'\'' if quote == b'\'' && self.byte(1) == b'\'' => {
                    text.push(self.source, '\'');
                    self.pos += 2;
                }
                byte if byte == quote => return Ok(false),
                b'\\' if quote == b'"' && self.break_length(1) > 0 => {
                    // The pieces around it are no longer contiguous.
                    text.buffer(self.source);
                    self.pos += 1;
                    self.take_break();
                    return Ok(true);
                }
                b'\\' if quote == b'"' => self.scan_escape(text, start)?,
                // The first byte of a wide character that is no break.
                _ => {
                    let length = self.source[self.pos..]
                        .chars()
                        .next()
                        .map_or(1, char::len_utf8);
                    text.extend(self.source, self.pos, self.pos + length);
                    self.advance_to(self.pos + length);
                }
            }
        }
    }

    /// Reads blanks and breaks between words; `swallow` drops blanks before the first break too.
    fn scan_quoted_gap(&mut self, swallow: bool, text: &mut Gathered) {
        let from = self.pos;
        let mut leading_blanks = swallow;
        let mut blanks_to = from;
        let mut fold = Fold::default();
        let mut rest = String::new();
        while self.is_blank(0) || self.break_length(0) > 0 {
            if self.is_blank(0) {
                self.pos += 1;
                if !leading_blanks {
                    blanks_to = self.pos;
                }
            } else {
                let written = self.take_break();
                if swallow {
                    rest.push_str(written);
                } else {
                    fold.add(written);
                }
                leading_blanks = true;
            }
        }
        if swallow {
            text.append(self.source, &rest);
        } else if leading_blanks {
            fold.write(text.buffer(self.source));
        } else if blanks_to > from {
            text.extend(self.source, from, blanks_to);
        }
    }

    fn scan_escape(&mut self, text: &mut Gathered, start: Place) -> Scan<()> {
        let (plain, digits) = match self.byte(1) {
            b'0' => ('\0', 0),
            b'a' => ('\u{7}', 0),
            b'b' => ('\u{8}', 0),
            b't' | b'\t' => ('\t', 0),
            b'n' => ('\n', 0),
            b'v' => ('\u{b}', 0),
            b'f' => ('\u{c}', 0),
            b'r' => ('\r', 0),
            b'e' => ('\u{1b}', 0),
            b' ' => (' ', 0),
            b'"' => ('"', 0),
            b'\'' => ('\'', 0),
            b'\\' => ('\\', 0),
            b'N' => ('\u{85}', 0),
            b'_' => ('\u{a0}', 0),
            b'L' => ('\u{2028}', 0),
            b'P' => ('\u{2029}', 0),
            b'x' => (' ', 2),
            b'u' => (' ', 4),
            b'U' => (' ', 8),
            _ => return Err(self.fault_in(start, "found unknown escape character")),
        };
        if digits == 0 {
            self.pos += 2;
            text.push(self.source, plain);
            return Ok(());
        }
        self.pos += 2;
        let code = self
            .bytes
            .get(self.pos..self.pos + digits)
            .filter(|code| code.iter().all(u8::is_ascii_hexdigit))
            .ok_or_else(|| self.fault_in(start, "did not find expected hexdecimal number"))?;
        let value = code.iter().fold(0u32, |value, digit| {
            value << 4 | char::from(*digit).to_digit(16).unwrap_or(0)
        });
        let c = char::from_u32(value)
            .ok_or_else(|| self.fault_in(start, "found invalid Unicode character escape code"))?;
        self.pos += digits;
        text.push(self.source, c);
        Ok(())
    }
}
