//! Text into tokens, by libyaml's rules as both go-yaml versions apply them.
//!
//! A token is handed out only when enough tokens behind it are known to decide whether it starts a simple
//! key; go-yaml v3 always looks two tokens further, which decides what error is seen first. Line breaks are
//! LF, CR, CRLF, U+0085, U+2028 and U+2029.

mod block;
mod class;
mod comment;
mod directive;
mod fetch;
mod plain;
mod quoted;
mod token;

use std::collections::VecDeque;

pub(crate) use class::{BLANK, BREAK, CLASS, COLON, FLOW, INDICATOR, URI, WIDE, WORD};
pub(crate) use comment::Comment;
pub(crate) use token::{Fault, Kind, Place, Token};

use crate::{Dialect, ReadOptions};

/// Deepest nesting of flow collections and of block indentation, as in go-yaml.
const MAX_LEVELS: usize = 10_000;
/// Longest simple key, in characters.
const MAX_SIMPLE_KEY: u32 = 1024;

type Scan<T> = Result<T, Box<Fault>>;

/// A place where a simple key may have started.
#[derive(Clone, Copy, Debug)]
struct SimpleKey {
    possible: bool,
    /// Whether tokens wait for it: closing an empty flow collection forgets the key that it would start.
    listed: bool,
    required: bool,
    token_number: usize,
    place: Place,
}

/// State of the scan.
pub(crate) struct Scanner<'a> {
    source: &'a str,
    bytes: &'a [u8],
    pos: usize,
    line: u32,
    /// Offset of the first byte of the line.
    line_start: usize,
    /// Bytes of the line, up to `pos`, that continue a character.
    line_extra: usize,
    /// Line breaks since the last character that is no blank.
    newlines: u32,
    queue: VecDeque<Token>,
    /// Kind and start of the two newest tokens, queued or not.
    newest: [Option<(Kind, Place)>; 2],
    /// Tokens handed out so far.
    parsed: usize,
    ready: bool,
    started: bool,
    indent: i64,
    indents: Vec<i64>,
    simple_key_allowed: bool,
    simple_keys: Vec<SimpleKey>,
    flow_level: usize,
    dialect: Dialect,
    keep_comments: bool,
    pub comments: VecDeque<Comment>,
}

impl<'a> Scanner<'a> {
    pub fn new(source: &'a str, options: &ReadOptions) -> Self {
        Self {
            source,
            bytes: source.as_bytes(),
            pos: 0,
            line: 0,
            line_start: 0,
            line_extra: 0,
            newlines: 0,
            queue: VecDeque::with_capacity(16),
            newest: [None, None],
            parsed: 0,
            ready: false,
            started: false,
            indent: -1,
            indents: Vec::new(),
            simple_key_allowed: true,
            simple_keys: Vec::new(),
            flow_level: 0,
            dialect: options.dialect,
            keep_comments: options.keep_comments,
            comments: VecDeque::new(),
        }
    }

    /// Returns the next token without consuming it.
    pub fn peek(&mut self) -> Scan<&Token> {
        if !self.ready {
            self.fetch_more()?;
        }
        Ok(self
            .queue
            .front()
            .expect("fetching leaves at least one token"))
    }

    /// Consumes the token that [`Self::peek`] showed.
    pub fn next(&mut self) -> Scan<Token> {
        if !self.ready {
            self.fetch_more()?;
        }
        self.ready = false;
        self.parsed += 1;
        Ok(self
            .queue
            .pop_front()
            .expect("fetching leaves at least one token"))
    }

    /// Fetches until the first token of the queue can be handed out.
    fn fetch_more(&mut self) -> Scan<()> {
        let lookahead = match self.dialect {
            Dialect::V3 => 2,
            Dialect::V11 => 0,
        };
        loop {
            if self.queue.len() > lookahead && !self.head_may_be_key()? {
                break;
            }
            self.fetch_next()?;
        }
        self.ready = true;
        Ok(())
    }

    /// Tells whether the first token of the queue may yet turn out to start a simple key.
    fn head_may_be_key(&mut self) -> Scan<bool> {
        // Numbers grow along the stack, so the first match is found by bisection.
        let mut index = self
            .simple_keys
            .partition_point(|key| key.token_number < self.parsed);
        while let Some(key) = self.simple_keys.get(index) {
            if key.token_number != self.parsed {
                return Ok(false);
            }
            if key.listed && key.possible {
                return self.key_is_valid(index);
            }
            index += 1;
        }
        Ok(false)
    }

    /// Tells whether a simple key can still be completed here; forgets it where not.
    fn key_is_valid(&mut self, index: usize) -> Scan<bool> {
        let key = self.simple_keys[index];
        if !key.possible {
            return Ok(false);
        }
        if key.place.line < self.line || key.place.column + MAX_SIMPLE_KEY < self.column() {
            if key.required {
                return Err(self.fault_in(key.place, "could not find expected ':'"));
            }
            self.simple_keys[index].possible = false;
            return Ok(false);
        }
        Ok(true)
    }

    /// Notes that a simple key may start here.
    fn save_simple_key(&mut self) -> Scan<()> {
        if !self.simple_key_allowed {
            return Ok(());
        }
        let required = self.flow_level == 0 && self.indent == i64::from(self.column());
        let key = SimpleKey {
            possible: true,
            listed: true,
            required,
            token_number: self.parsed + self.queue.len(),
            place: self.place(),
        };
        self.remove_simple_key()?;
        *self
            .simple_keys
            .last_mut()
            .expect("there is one per flow level") = key;
        Ok(())
    }

    /// Forgets the simple key of this flow level.
    fn remove_simple_key(&mut self) -> Scan<()> {
        let key = self
            .simple_keys
            .last_mut()
            .expect("there is one per flow level");
        if key.possible {
            if key.required {
                let place = key.place;
                return Err(self.fault_in(place, "could not find expected ':'"));
            }
            key.possible = false;
        }
        Ok(())
    }

    fn push(&mut self, token: Token) {
        self.newest = [self.newest[1], Some((token.kind, token.start))];
        self.queue.push_back(token);
    }

    /// Inserts a token before the one with this number.
    fn insert(&mut self, number: usize, token: Token) {
        // A token that was handed out too early, behind an empty flow collection, cannot be preceded any more.
        let index = number.checked_sub(self.parsed).unwrap_or(usize::MAX);
        if index >= self.queue.len() {
            return self.push(token);
        }
        self.queue.insert(index, token);
        let count = self.queue.len();
        self.newest[1] = self.queue.back().map(|t| (t.kind, t.start));
        if count > 1 {
            self.newest[0] = self.queue.get(count - 2).map(|t| (t.kind, t.start));
        }
    }

    /// Opens a block collection at a column deeper than the present one.
    fn roll_indent(
        &mut self,
        column: u32,
        number: Option<usize>,
        kind: Kind,
        place: Place,
    ) -> Scan<()> {
        if self.flow_level > 0 || self.indent >= i64::from(column) {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = i64::from(column);
        if self.indents.len() > MAX_LEVELS {
            let place = self.simple_keys.last().map_or(place, |key| key.place);
            return Err(self.fault_in(place, &format!("exceeded max depth of {MAX_LEVELS}")));
        }
        let token = Token::new(kind, place, 0);
        match number {
            Some(number) => self.insert(number, token),
            None => self.push(token),
        }
        Ok(())
    }

    /// Closes the block collections that are deeper than a column; -1 closes all.
    fn unroll_indent(&mut self, column: i64, scanned_from: Place) {
        if self.flow_level > 0 {
            return;
        }
        let mut place = match self.dialect {
            Dialect::V3 => Place {
                at: scanned_from.at.saturating_sub(1),
                ..scanned_from
            },
            Dialect::V11 => self.place(),
        };
        while self.indent > column {
            if self.keep_comments {
                place = self.end_before_comments(place);
            }
            self.push(Token::new(Kind::BlockEnd, place, 0));
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.bytes.get(self.pos + ahead).copied().unwrap_or(0)
    }

    fn class(&self, ahead: usize) -> u8 {
        CLASS[usize::from(self.byte(ahead))]
    }

    fn at_end(&self) -> bool {
        self.pos >= self.bytes.len()
    }

    /// Returns the length of the line break at an offset from here; 0 where there is none.
    fn break_length(&self, ahead: usize) -> usize {
        break_length(self.bytes.get(self.pos + ahead..).unwrap_or(&[]))
    }

    fn is_blank(&self, ahead: usize) -> bool {
        self.class(ahead) & BLANK != 0
    }

    /// Tells whether a blank, a line break or the end of the text stands there.
    fn is_blank_or_end(&self, ahead: usize) -> bool {
        self.pos + ahead >= self.bytes.len() || self.is_blank(ahead) || self.break_length(ahead) > 0
    }

    fn is_break_or_end(&self, ahead: usize) -> bool {
        self.pos + ahead >= self.bytes.len() || self.break_length(ahead) > 0
    }

    fn column(&self) -> u32 {
        u32::try_from(self.pos - self.line_start - self.line_extra).unwrap_or(u32::MAX)
    }

    fn place(&self) -> Place {
        Place {
            at: self.pos,
            line: self.line,
            column: self.column(),
        }
    }

    /// Advances over one ASCII character that is no break.
    fn skip(&mut self) {
        if !self.is_blank(0) {
            self.newlines = 0;
        }
        self.pos += 1;
    }

    /// Advances over text of this line.
    fn advance_to(&mut self, end: usize) {
        let text = &self.bytes[self.pos..end];
        if !text.is_ascii() {
            self.line_extra += text.iter().filter(|b| **b & 0xc0 == 0x80).count();
        }
        self.pos = end;
    }

    /// Advances over a line break; returns what it means in a scalar: most breaks are `\n`.
    fn take_break(&mut self) -> &'a str {
        let length = self.break_length(0);
        let written = &self.source[self.pos..self.pos + length];
        self.pos += length;
        self.line += 1;
        self.line_start = self.pos;
        self.line_extra = 0;
        self.newlines += 1;
        if length == 3 { written } else { "\n" }
    }

    fn skip_blanks(&mut self) {
        while self.is_blank(0) {
            self.pos += 1;
        }
    }

    /// Tells whether `---` or `...` stands here at the start of a line.
    fn at_document_indicator(&self) -> bool {
        self.pos == self.line_start
            && matches!(
                self.bytes.get(self.pos..self.pos + 3),
                Some(b"---" | b"...")
            )
            && self.is_blank_or_end(3)
    }

    #[cold]
    fn fault_in(&self, context: Place, problem: &str) -> Box<Fault> {
        Box::new(Fault {
            problem: problem.to_owned(),
            place: self.place(),
            context: Some(context),
            lexical: true,
        })
    }
}

/// Returns the length of the line break that starts the bytes; 0 where there is none.
pub(crate) fn break_length(bytes: &[u8]) -> usize {
    match bytes {
        [b'\n', ..] => 1,
        [b'\r', b'\n', ..] => 2,
        [b'\r', ..] => 1,
        [0xc2, 0x85, ..] => 2,
        [0xe2, 0x80, 0xa8 | 0xa9, ..] => 3,
        _ => 0,
    }
}
