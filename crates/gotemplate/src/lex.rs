//! The lexer: template text in, tokens with offset and line out. Rules are those of Go 1.26.

mod characters;
mod token;

use characters::{
    byte_is_space, decode, find, is_alphanumeric, left_marker, newlines, right_marker, trim_end,
    trim_start, unicode,
};

pub(crate) use token::{Kind, Token};

const LEFT: &[u8] = b"{{";
const RIGHT: &[u8] = b"}}";
/// A trim marker is a dash and a space, on either side.
const MARKER: usize = 2;

/// Longest text, in bytes: offsets are kept in 32 bits.
pub(crate) const TEXT_MAX: usize = u32::MAX as usize;

pub(crate) struct Lexer<'t> {
    text: &'t [u8],
    /// The text, or nothing after an error.
    input: &'t [u8],
    pos: usize,
    start: usize,
    line: u32,
    start_line: u32,
    inside: bool,
    parens: usize,
    message: String,
}

impl<'t> Lexer<'t> {
    /// A lexer for a text of at most [`TEXT_MAX`] bytes.
    pub(crate) fn new(text: &'t [u8]) -> Self {
        Self {
            text,
            input: text,
            pos: 0,
            start: 0,
            line: 1,
            start_line: 1,
            inside: false,
            parens: 0,
            message: String::new(),
        }
    }

    pub(crate) fn next(&mut self) -> Token {
        if self.inside {
            return self.action();
        }
        loop {
            if let Some(token) = self.outside() {
                return token;
            }
        }
    }

    /// The bytes of a token; those of an error are its message.
    pub(crate) fn value(&self, token: Token) -> &[u8] {
        match token.kind {
            Kind::Error => self.message.as_bytes(),
            Kind::Eof => b"EOF",
            _ => &self.text[token.range()],
        }
    }

    /// As [`Lexer::value`], with malformed bytes replaced.
    pub(crate) fn value_text(&self, token: Token) -> String {
        String::from_utf8_lossy(self.value(token)).into_owned()
    }

    /// The token as error messages show it.
    pub(crate) fn describe(&self, token: Token) -> String {
        let value = self.value(token);
        match token.kind {
            Kind::Eof | Kind::Error => self.value_text(token),
            kind if kind.is_keyword() => format!("<{}>", self.value_text(token)),
            _ if value.len() > 10 => {
                // More than ten bytes, of which ten runes are shown.
                let cut = gocompat::fmt::truncated(value, 10);
                format!("{}...", gocompat::quote::quote(cut))
            }
            _ => gocompat::quote::quote(value),
        }
    }

    fn rest(&self) -> &'t [u8] {
        &self.input[self.pos..]
    }

    fn byte(&self) -> Option<u8> {
        self.input.get(self.pos).copied()
    }

    fn peek(&self) -> Option<char> {
        decode(self.rest()).map(|(c, _)| c)
    }

    fn bump(&mut self) -> Option<char> {
        let (c, width) = decode(self.rest())?;
        self.pos += width;
        self.line += u32::from(c == '\n');
        Some(c)
    }

    fn emit(&mut self, kind: Kind) -> Token {
        let token = Token {
            kind,
            pos: self.start as u32,
            end: self.pos as u32,
            line: self.start_line,
        };
        self.start = self.pos;
        self.start_line = self.line;
        token
    }

    fn skip_to(&mut self, pos: usize) {
        self.pos = pos;
        self.line += newlines(&self.input[self.start..pos]);
        self.start = pos;
        self.start_line = self.line;
    }

    fn error(&mut self, message: impl Into<String>) -> Token {
        let token = Token {
            kind: Kind::Error,
            pos: self.start as u32,
            end: self.start as u32,
            line: self.start_line,
        };
        // What stands after an error is its end: one error is all that is ever reported.
        self.message = message.into();
        self.input = &[];
        self.start = 0;
        self.pos = 0;
        token
    }

    /// Text up to an action, a comment (skipped), or the end.
    fn outside(&mut self) -> Option<Token> {
        let rest = self.rest();
        let Some(offset) = find(rest, LEFT) else {
            self.pos = self.input.len();
            if self.pos == self.start {
                return Some(self.emit(Kind::Eof));
            }
            self.line += newlines(rest);
            return Some(self.emit(Kind::Text));
        };
        if offset > 0 {
            let delim = self.pos + offset;
            let mut end = delim;
            if left_marker(&self.input[delim + LEFT.len()..]) {
                end = self.start + trim_end(&self.input[self.start..delim]);
            }
            self.pos = end;
            self.line += newlines(&self.input[self.start..end]);
            let text = self.emit(Kind::Text);
            self.skip_to(delim);
            if !text.range().is_empty() {
                return Some(text);
            }
        }
        self.left_delim()
    }

    fn left_delim(&mut self) -> Option<Token> {
        self.pos += LEFT.len();
        let after = if left_marker(self.rest()) { MARKER } else { 0 };
        if self.input[self.pos + after..].starts_with(b"/*") {
            let pos = self.pos + after;
            self.skip_to(pos);
            return self.comment();
        }
        let token = self.emit(Kind::LeftDelim);
        self.inside = true;
        self.parens = 0;
        let pos = self.pos + after;
        self.skip_to(pos);
        Some(token)
    }

    fn comment(&mut self) -> Option<Token> {
        self.pos += 2;
        let Some(end) = find(self.rest(), b"*/") else {
            return Some(self.error("unclosed comment"));
        };
        self.pos += end + 2;
        let Some(trim) = self.right_delim_here() else {
            return Some(self.error("comment ends before closing delimiter"));
        };
        let mut pos = self.pos + RIGHT.len();
        if trim {
            pos += MARKER;
            pos += trim_start(&self.input[pos..]);
        }
        self.skip_to(pos);
        None
    }

    /// Whether a right delimiter starts here, and if so whether it trims.
    fn right_delim_here(&self) -> Option<bool> {
        let rest = self.rest();
        if right_marker(rest) && rest[MARKER..].starts_with(RIGHT) {
            return Some(true);
        }
        rest.starts_with(RIGHT).then_some(false)
    }

    fn right_delim(&mut self) -> Token {
        let trim = self.right_delim_here() == Some(true);
        if trim {
            let pos = self.pos + MARKER;
            self.skip_to(pos);
        }
        self.pos += RIGHT.len();
        let token = self.emit(Kind::RightDelim);
        if trim {
            let pos = self.pos + trim_start(self.rest());
            self.skip_to(pos);
        }
        self.inside = false;
        token
    }

    fn action(&mut self) -> Token {
        let Some(byte) = self.byte() else {
            return self.error("unclosed action");
        };
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => self.space(),
            b'}' if self.rest().starts_with(RIGHT) => self.close(),
            b'+' | b'-' | b'0'..=b'9' => self.number(),
            // A dot that ends the text is taken for a number too.
            b'.' if self.rest().get(1).is_none_or(u8::is_ascii_digit) => self.number(),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.identifier(),
            0..0x80 => {
                self.pos += 1;
                self.mark(byte)
            }
            _ => {
                let c = self.peek().unwrap_or('\u{fffd}');
                if is_alphanumeric(c) {
                    return self.identifier();
                }
                self.bump();
                self.unrecognized(c)
            }
        }
    }

    /// Punctuation, control characters, and what starts with a mark.
    fn mark(&mut self, byte: u8) -> Token {
        match byte {
            b'=' => self.emit(Kind::Assign),
            b':' => {
                if self.bump() == Some('=') {
                    self.emit(Kind::Declare)
                } else {
                    self.error("expected :=")
                }
            }
            b'|' => self.emit(Kind::Pipe),
            b'"' => self.quoted(b'"', Kind::Str, "unterminated quoted string"),
            b'\'' => self.quoted(b'\'', Kind::CharConstant, "unterminated character constant"),
            b'`' => self.raw_string(),
            b'$' => self.field_or_variable(Kind::Variable),
            b'.' => self.field_or_variable(Kind::Field),
            b'(' => {
                self.parens += 1;
                self.emit(Kind::LeftParen)
            }
            b')' => match self.parens.checked_sub(1) {
                Some(parens) => {
                    self.parens = parens;
                    self.emit(Kind::RightParen)
                }
                None => self.error("unexpected right paren"),
            },
            b' '..=b'~' => self.emit(Kind::Char),
            _ => self.unrecognized(char::from(byte)),
        }
    }

    fn unrecognized(&mut self, c: char) -> Token {
        self.error(format!("unrecognized character in action: {}", unicode(c)))
    }

    /// The end of an action, unless parentheses are open.
    fn close(&mut self) -> Token {
        if self.parens == 0 {
            return self.right_delim();
        }
        self.error("unclosed left paren")
    }

    fn space(&mut self) -> Token {
        let rest = self.rest();
        let count = trim_start(rest);
        // The last space may belong to a trimming right delimiter.
        let last = &rest[count - 1..];
        let closes = right_marker(last) && last[MARKER..].starts_with(RIGHT);
        if closes && count == 1 {
            return self.close();
        }
        let taken = count - usize::from(closes);
        self.pos += taken;
        self.line += newlines(&rest[..taken]);
        self.emit(Kind::Space)
    }

    /// Passes letters, digits and underscores; none of them is a line feed.
    fn word(&mut self) {
        loop {
            let plain = |b: &&u8| b.is_ascii_alphanumeric() || **b == b'_';
            self.pos += self.rest().iter().take_while(plain).count();
            match self.peek() {
                Some(c) if !c.is_ascii() && is_alphanumeric(c) => self.bump(),
                _ => return,
            };
        }
    }

    fn identifier(&mut self) -> Token {
        self.word();
        if !self.at_terminator() {
            return self.bad_character();
        }
        let kind = Kind::of_word(&self.input[self.start..self.pos]);
        self.emit(kind)
    }

    fn field_or_variable(&mut self, kind: Kind) -> Token {
        if self.at_terminator() {
            let kind = if kind == Kind::Field { Kind::Dot } else { kind };
            return self.emit(kind);
        }
        self.word();
        if !self.at_terminator() {
            return self.bad_character();
        }
        self.emit(kind)
    }

    fn bad_character(&mut self) -> Token {
        let c = self.peek().unwrap_or('\u{fffd}');
        self.error(format!("bad character {}", unicode(c)))
    }

    fn at_terminator(&self) -> bool {
        match self.byte() {
            None | Some(b'.' | b',' | b'|' | b':' | b')' | b'(') => true,
            Some(b'}') => self.rest().starts_with(RIGHT),
            Some(byte) => byte_is_space(byte),
        }
    }

    fn quoted(&mut self, mark: u8, kind: Kind, unterminated: &str) -> Token {
        loop {
            let Some(offset) = memchr::memchr3(mark, b'\\', b'\n', self.rest()) else {
                return self.error(unterminated);
            };
            self.pos += offset + 1;
            match self.input[self.pos - 1] {
                b'\\' => {
                    if matches!(self.bump(), None | Some('\n')) {
                        return self.error(unterminated);
                    }
                }
                b'\n' => return self.error(unterminated),
                _ => return self.emit(kind),
            }
        }
    }

    fn raw_string(&mut self) -> Token {
        let rest = self.rest();
        match memchr::memchr(b'`', rest) {
            None => self.error("unterminated raw quoted string"),
            Some(offset) => {
                self.pos += offset + 1;
                self.line += newlines(&rest[..offset]);
                self.emit(Kind::RawString)
            }
        }
    }

    fn number(&mut self) -> Token {
        if !self.scan_number() {
            return self.bad_number();
        }
        if matches!(self.peek(), Some('+' | '-')) {
            if !self.scan_number() || self.input[self.pos - 1] != b'i' {
                return self.bad_number();
            }
            return self.emit(Kind::Complex);
        }
        self.emit(Kind::Number)
    }

    fn bad_number(&mut self) -> Token {
        let shown = gocompat::quote::quote(&self.input[self.start..self.pos]);
        self.error(format!("bad number syntax: {shown}"))
    }

    fn accept(&mut self, valid: &str) -> bool {
        let found = self.peek().is_some_and(|c| valid.contains(c));
        if found {
            self.bump();
        }
        found
    }

    fn accept_run(&mut self, valid: &str) {
        while self.accept(valid) {}
    }

    fn scan_number(&mut self) -> bool {
        self.accept("+-");
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.accept_run(digits);
        if self.accept(".") {
            self.accept_run(digits);
        }
        let exponent = match digits.len() {
            11 => "eE",
            23 => "pP",
            _ => "",
        };
        if self.accept(exponent) {
            self.accept("+-");
            self.accept_run("0123456789_");
        }
        self.accept("i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.bump();
            return false;
        }
        true
    }
}
