//! The lexer: template text in, tokens with offset and line out. Rules are those of Go 1.26.

use std::borrow::Cow;

use gocompat::unicode::{is_digit, is_letter, is_print};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Error,
    Bool,
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    Eof,
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    Str,
    Text,
    Variable,
    Block,
    Break,
    Continue,
    Dot,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

const KEYWORDS: [(&str, Kind); 12] = [
    ("block", Kind::Block),
    ("break", Kind::Break),
    ("continue", Kind::Continue),
    ("define", Kind::Define),
    ("else", Kind::Else),
    ("end", Kind::End),
    ("if", Kind::If),
    ("nil", Kind::Nil),
    ("range", Kind::Range),
    ("template", Kind::Template),
    ("with", Kind::With),
    (".", Kind::Dot),
];

impl Kind {
    fn is_keyword(self) -> bool {
        KEYWORDS.iter().any(|(_, kind)| *kind == self)
    }
}

/// A token: kind, offset in the text, value (borrowed but for errors), line counted from 1.
#[derive(Clone, Debug)]
pub(crate) struct Token<'t> {
    pub(crate) kind: Kind,
    pub(crate) pos: usize,
    pub(crate) value: Cow<'t, [u8]>,
    pub(crate) line: usize,
}

impl Token<'_> {
    pub(crate) fn none() -> Self {
        Self {
            kind: Kind::Error,
            pos: 0,
            value: Cow::Borrowed(&[]),
            line: 0,
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.value).into_owned()
    }

    /// The token as error messages show it.
    pub(crate) fn describe(&self) -> String {
        match self.kind {
            Kind::Eof => "EOF".to_owned(),
            Kind::Error => self.text(),
            kind if kind.is_keyword() => format!("<{}>", self.text()),
            _ if self.value.len() > 10 => {
                // More than ten bytes, of which ten runes are shown.
                let cut = gocompat::fmt::truncated(&self.value, 10);
                format!("{}...", gocompat::quote::quote(cut))
            }
            _ => gocompat::quote::quote(&self.value),
        }
    }
}

const LEFT: &[u8] = b"{{";
const RIGHT: &[u8] = b"}}";
/// A trim marker is a dash and a space, on either side.
const MARKER: usize = 2;

pub(crate) struct Lexer<'t> {
    input: &'t [u8],
    pos: usize,
    start: usize,
    line: usize,
    start_line: usize,
    inside: bool,
    parens: usize,
}

impl<'t> Lexer<'t> {
    pub(crate) fn new(input: &'t [u8]) -> Self {
        Self {
            input,
            pos: 0,
            start: 0,
            line: 1,
            start_line: 1,
            inside: false,
            parens: 0,
        }
    }

    pub(crate) fn next(&mut self) -> Token<'t> {
        if self.inside {
            return self.action();
        }
        loop {
            if let Some(token) = self.outside() {
                return token;
            }
        }
    }

    fn rest(&self) -> &'t [u8] {
        &self.input[self.pos..]
    }

    fn peek(&self) -> Option<char> {
        decode(self.rest()).map(|(c, _)| c)
    }

    fn bump(&mut self) -> Option<char> {
        let (c, width) = decode(self.rest())?;
        self.pos += width;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn emit(&mut self, kind: Kind) -> Token<'t> {
        let token = Token {
            kind,
            pos: self.start,
            value: Cow::Borrowed(&self.input[self.start..self.pos]),
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

    fn error(&mut self, message: impl Into<String>) -> Token<'t> {
        let token = Token {
            kind: Kind::Error,
            pos: self.start,
            value: Cow::Owned(message.into().into_bytes()),
            line: self.start_line,
        };
        self.input = &[];
        self.start = 0;
        self.pos = 0;
        token
    }

    /// Text up to an action, a comment (skipped), or the end.
    fn outside(&mut self) -> Option<Token<'t>> {
        let rest = self.rest();
        let Some(offset) = find(rest, LEFT) else {
            self.pos = self.input.len();
            if self.pos == self.start {
                return Some(Token {
                    kind: Kind::Eof,
                    pos: self.pos,
                    value: Cow::Borrowed(b"EOF"),
                    line: self.start_line,
                });
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
            if !text.value.is_empty() {
                return Some(text);
            }
        }
        self.left_delim()
    }

    fn left_delim(&mut self) -> Option<Token<'t>> {
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

    fn comment(&mut self) -> Option<Token<'t>> {
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

    fn right_delim(&mut self) -> Token<'t> {
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

    fn action(&mut self) -> Token<'t> {
        if self.right_delim_here().is_some() {
            if self.parens == 0 {
                return self.right_delim();
            }
            return self.error("unclosed left paren");
        }
        let Some(c) = self.peek() else {
            return self.error("unclosed action");
        };
        if is_space(c) {
            return self.space();
        }
        // A dot that ends the text is taken for a number too.
        if matches!(c, '+' | '-' | '0'..='9')
            || (c == '.' && self.rest().get(1).is_none_or(u8::is_ascii_digit))
        {
            return self.number();
        }
        if is_alphanumeric(c) {
            return self.identifier();
        }
        self.bump();
        match c {
            '=' => self.emit(Kind::Assign),
            ':' => {
                if self.bump() == Some('=') {
                    self.emit(Kind::Declare)
                } else {
                    self.error("expected :=")
                }
            }
            '|' => self.emit(Kind::Pipe),
            '"' => self.quoted('"', Kind::Str, "unterminated quoted string"),
            '\'' => self.quoted('\'', Kind::CharConstant, "unterminated character constant"),
            '`' => self.raw_string(),
            '$' => self.field_or_variable(Kind::Variable),
            '.' => self.field_or_variable(Kind::Field),
            '(' => {
                self.parens += 1;
                self.emit(Kind::LeftParen)
            }
            ')' => match self.parens.checked_sub(1) {
                Some(parens) => {
                    self.parens = parens;
                    self.emit(Kind::RightParen)
                }
                None => self.error("unexpected right paren"),
            },
            ' '..='~' => self.emit(Kind::Char),
            c => self.error(format!("unrecognized character in action: {}", unicode(c))),
        }
    }

    fn space(&mut self) -> Token<'t> {
        let mut count = 0;
        while self.peek().is_some_and(is_space) {
            self.bump();
            count += 1;
        }
        // The last space may belong to a trimming right delimiter.
        let last = &self.input[self.pos - 1..];
        if right_marker(last) && last[MARKER..].starts_with(RIGHT) {
            self.pos -= 1;
            self.line -= usize::from(last[0] == b'\n');
            if count == 1 {
                return self.right_delim();
            }
        }
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

    fn identifier(&mut self) -> Token<'t> {
        self.word();
        if !self.at_terminator() {
            return self.bad_character();
        }
        let word = &self.input[self.start..self.pos];
        let keyword = KEYWORDS.iter().find(|(name, _)| name.as_bytes() == word);
        let kind = match keyword {
            Some((_, kind)) => *kind,
            None if word == b"true" || word == b"false" => Kind::Bool,
            None => Kind::Identifier,
        };
        self.emit(kind)
    }

    fn field_or_variable(&mut self, kind: Kind) -> Token<'t> {
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

    fn bad_character(&mut self) -> Token<'t> {
        let c = self.peek().unwrap_or('\u{fffd}');
        self.error(format!("bad character {}", unicode(c)))
    }

    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some('.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(c) => is_space(c) || self.rest().starts_with(RIGHT),
        }
    }

    fn quoted(&mut self, mark: char, kind: Kind, unterminated: &str) -> Token<'t> {
        loop {
            match self.bump() {
                Some('\\') => {
                    if matches!(self.bump(), None | Some('\n')) {
                        return self.error(unterminated);
                    }
                }
                None | Some('\n') => return self.error(unterminated),
                Some(c) if c == mark => return self.emit(kind),
                Some(_) => {}
            }
        }
    }

    fn raw_string(&mut self) -> Token<'t> {
        loop {
            match self.bump() {
                None => return self.error("unterminated raw quoted string"),
                Some('`') => return self.emit(Kind::RawString),
                Some(_) => {}
            }
        }
    }

    fn number(&mut self) -> Token<'t> {
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

    fn bad_number(&mut self) -> Token<'t> {
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

/// First rune and its width; malformed bytes are one replacement character each.
fn decode(bytes: &[u8]) -> Option<(char, usize)> {
    let first = *bytes.first()?;
    if first < 0x80 {
        return Some((char::from(first), 1));
    }
    let head = &bytes[..bytes.len().min(4)];
    let c = head.utf8_chunks().next()?.valid().chars().next();
    Some(c.map_or(('\u{fffd}', 1), |c| (c, c.len_utf8())))
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || is_letter(c) || is_digit(c)
}

fn newlines(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes).count()
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let candidate = from + memchr::memchr(needle[0], &haystack[from..])?;
        if haystack[candidate..].starts_with(needle) {
            return Some(candidate);
        }
        from = candidate + 1;
    }
}

fn byte_is_space(byte: u8) -> bool {
    is_space(char::from(byte))
}

fn left_marker(bytes: &[u8]) -> bool {
    bytes.len() >= 2 && bytes[0] == b'-' && byte_is_space(bytes[1])
}

fn right_marker(bytes: &[u8]) -> bool {
    bytes.len() >= 2 && byte_is_space(bytes[0]) && bytes[1] == b'-'
}

/// Length without trailing space.
fn trim_end(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|&b| !byte_is_space(b))
        .map_or(0, |last| last + 1)
}

/// Number of leading space bytes.
fn trim_start(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|&b| !byte_is_space(b))
        .unwrap_or(bytes.len())
}

/// Go's `%#U`.
fn unicode(c: char) -> String {
    let code = c as u32;
    if is_print(c) {
        format!("U+{code:04X} '{c}'")
    } else {
        format!("U+{code:04X}")
    }
}
