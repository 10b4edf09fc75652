//! Cutting TOML into items, each with its line. The text is cut up to its first fault; what comes before a fault is
//! looked at first.

use gocompat::quote::{quote, quote_rune};
use gocompat::unicode::is_letter;

use super::super::is_bare;

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Str,
    StrEscaped,
    MultiStr,
    Raw,
    MultiRaw,
    Bool,
    Integer,
    Float,
    Moment,
    Array,
    ArrayEnd,
    Table,
    TableEnd,
    Tables,
    TablesEnd,
    Key,
    KeyEnd,
    Comment,
    Inline,
    InlineEnd,
}

/// An item with its text and the line on which it ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'t> {
    pub kind: Kind,
    pub text: &'t [u8],
    pub line: usize,
}

/// A line and what is wrong there.
pub(super) type Fault = (usize, String);

type Lex<T> = Result<T, Fault>;

/// The end of the text as a character; the byte itself is refused wherever it stands.
const END: char = '\0';

/// Cuts a text; the fault is what stopped it.
pub(super) fn items(text: &[u8]) -> (Vec<Item<'_>>, Option<Fault>) {
    let mut lexer = Lexer {
        text,
        start: 0,
        pos: 0,
        line: 1,
        items: Vec::new(),
    };
    let fault = lexer.document().err();
    (lexer.items, fault)
}

struct Lexer<'t> {
    text: &'t [u8],
    start: usize,
    pos: usize,
    line: usize,
    items: Vec<Item<'t>>,
}

/// What began where a value stands.
enum Begun {
    Scalar,
    Array,
    Inline,
}

/// Where the lexer is within nested values.
enum Step {
    Value,
    Element,
    AfterElement,
    Pair,
    AfterPair,
    Finished,
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r')
}

fn shown(c: char) -> String {
    quote_rune(c, false)
}

fn or_end(c: char) -> String {
    match c {
        END => "end of file".to_owned(),
        c => format!("'{c}'"),
    }
}

impl<'t> Lexer<'t> {
    /// The next character; those that TOML never has are faults.
    fn peek(&self) -> Lex<char> {
        let rest = &self.text[self.pos..];
        let Some(&first) = rest.first() else {
            return Ok(END);
        };
        let bare = first == b'\r' && rest.get(1) != Some(&b'\n');
        if bare || first == 0x7f || first < b' ' && !b"\t\r\n".contains(&first) {
            let text = format!("TOML files cannot contain control characters: '0x{first:02x}'");
            return Err((self.line, text));
        }
        let head = rest[..rest.len().min(4)].utf8_chunks().next();
        let c = head.and_then(|head| head.valid().chars().next());
        c.ok_or_else(|| (self.line, format!("invalid UTF-8 byte: 0x{first:02x}")))
    }

    fn next(&mut self) -> Lex<char> {
        let c = self.peek()?;
        if self.pos < self.text.len() {
            self.pos += c.len_utf8();
            self.line += usize::from(c == '\n');
        }
        Ok(c)
    }

    fn accept(&mut self, wanted: char) -> Lex<bool> {
        let found = self.peek()? == wanted;
        if found {
            self.next()?;
        }
        Ok(found)
    }

    fn accept_while(&mut self, test: impl Fn(char) -> bool) -> Lex<()> {
        while test(self.peek()?) {
            self.next()?;
        }
        Ok(())
    }

    fn skip_blanks(&mut self) -> Lex<()> {
        self.accept_while(is_blank)?;
        self.ignore();
        Ok(())
    }

    fn ignore(&mut self) {
        self.start = self.pos;
    }

    fn current(&self) -> &'t [u8] {
        &self.text[self.start..self.pos]
    }

    fn emit(&mut self, kind: Kind) {
        let (text, line) = (self.current(), self.line);
        self.items.push(Item { kind, text, line });
        self.ignore();
    }

    /// A fault at what was read last.
    fn fail<T>(&self, message: impl Into<String>) -> Lex<T> {
        Err((self.line, message.into()))
    }

    /// A fault at a character that was read; the end of the text belongs to the line before its last line break.
    fn fail_at<T>(&self, c: char, message: impl Into<String>) -> Lex<T> {
        let ended = c == END && self.text.ends_with(b"\n");
        Err((self.line - usize::from(ended), message.into()))
    }

    /// A fault at a line break that was read.
    fn fail_before<T>(&self, message: impl Into<String>) -> Lex<T> {
        Err((self.line.saturating_sub(1), message.into()))
    }

    fn document(&mut self) -> Lex<()> {
        loop {
            match self.peek()? {
                END => return Ok(()),
                c if is_blank(c) || is_break(c) => {
                    self.next()?;
                    self.ignore();
                    continue;
                }
                '#' => {
                    self.next()?;
                    self.comment()?;
                    continue;
                }
                '[' => {
                    self.next()?;
                    self.header()?;
                }
                _ => {
                    self.key()?;
                    self.value()?;
                }
            }
            self.line_end()?;
        }
    }

    /// A comment whose mark was read, up to its line break.
    fn comment(&mut self) -> Lex<()> {
        self.ignore();
        self.emit(Kind::Comment);
        self.accept_while(|c| c != END && !is_break(c))?;
        self.emit(Kind::Text);
        Ok(())
    }

    fn line_end(&mut self) -> Lex<()> {
        loop {
            match self.next()? {
                '#' => return self.comment(),
                END => return Ok(()),
                c if is_blank(c) => {}
                c if is_break(c) => {
                    self.ignore();
                    return Ok(());
                }
                c => {
                    let c = shown(c);
                    return self.fail(format!("expected a top-level item to end with a newline, comment, or EOF, but got {c} instead"));
                }
            }
        }
    }

    fn header(&mut self) -> Lex<()> {
        let array = self.accept('[')?;
        self.emit(if array { Kind::Tables } else { Kind::Table });
        loop {
            self.skip_blanks()?;
            match self.peek()? {
                ']' | END => {
                    return self.fail("unexpected end of table name (table names cannot be empty)");
                }
                '.' => {
                    return self.fail("unexpected table separator (table names cannot be empty)");
                }
                c => self.name(c)?,
            }
            self.skip_blanks()?;
            match self.next()? {
                '.' => self.ignore(),
                ']' => break,
                c => {
                    let got = shown(c);
                    return self.fail_at(
                        c,
                        format!("expected '.' or ']' to end table name, but got {got} instead"),
                    );
                }
            }
        }
        if array {
            let c = self.next()?;
            if c != ']' {
                let got = shown(c);
                return self.fail_at(
                    c,
                    format!(
                        "expected end of table array name delimiter ']', but got {got} instead"
                    ),
                );
            }
        }
        self.emit(if array {
            Kind::TablesEnd
        } else {
            Kind::TableEnd
        });
        Ok(())
    }

    /// One part of a name that begins with this character.
    fn name(&mut self, first: char) -> Lex<()> {
        if matches!(first, '"' | '\'') {
            self.next()?;
            self.ignore();
            return if first == '"' {
                self.string()
            } else {
                self.raw_string()
            };
        }
        self.accept_while(|c| c.is_ascii() && is_bare(&[c as u8]))?;
        self.emit(Kind::Text);
        Ok(())
    }

    /// All parts of a key and the `=`.
    fn key(&mut self) -> Lex<()> {
        self.skip_blanks()?;
        match self.peek()? {
            '=' | END => return self.fail("unexpected '=': key name appears blank"),
            '.' => return self.fail("unexpected '.': keys cannot start with a '.'"),
            _ => self.emit(Kind::Key),
        }
        loop {
            self.skip_blanks()?;
            match self.peek()? {
                '=' | END => return self.fail("unexpected '='"),
                '.' => return self.fail("unexpected '.'"),
                c => self.name(c)?,
            }
            self.skip_blanks()?;
            let c = self.next()?;
            let got = || format!("expected '.' or '=', but got {} instead", shown(c));
            match c {
                '.' => self.ignore(),
                '=' => break,
                END => return self.fail_at(c, "unexpected EOF; expected key separator '='"),
                '\n' => return self.fail_before(got()),
                _ => return self.fail(got()),
            }
        }
        self.emit(Kind::KeyEnd);
        Ok(())
    }

    /// A value with all values inside it.
    fn value(&mut self) -> Lex<()> {
        let mut open = Vec::new();
        let mut step = Step::Value;
        loop {
            step = match step {
                Step::Value => match self.begin()? {
                    Begun::Scalar => Step::Finished,
                    Begun::Array => {
                        open.push(Step::AfterElement);
                        Step::Element
                    }
                    Begun::Inline => {
                        open.push(Step::AfterPair);
                        Step::Pair
                    }
                },
                Step::Finished => match open.last() {
                    None => return Ok(()),
                    Some(Step::AfterElement) => Step::AfterElement,
                    Some(_) => Step::AfterPair,
                },
                step => {
                    let next = self.within(step)?;
                    if matches!(next, Step::Finished) {
                        open.pop();
                    }
                    next
                }
            };
        }
    }

    /// One step inside an array or inline table; finished where it ends.
    fn within(&mut self, step: Step) -> Lex<Step> {
        let c = self.peek()?;
        if is_blank(c) || is_break(c) {
            self.next()?;
            self.ignore();
            return Ok(step);
        }
        if c == '#' {
            self.next()?;
            self.comment()?;
            return Ok(step);
        }
        match (step, c) {
            (Step::Element | Step::Pair, ',') => {
                self.next()?;
                self.fail("unexpected comma")
            }
            (Step::Element | Step::AfterElement, ']') => self.close(Kind::ArrayEnd),
            (Step::Pair | Step::AfterPair, '}') => self.close(Kind::InlineEnd),
            (Step::Element, _) => Ok(Step::Value),
            (Step::Pair, _) => {
                self.key()?;
                Ok(Step::Value)
            }
            (Step::AfterElement, ',') => {
                self.next()?;
                self.ignore();
                Ok(Step::Element)
            }
            (Step::AfterPair, ',') => {
                self.next()?;
                self.skip_blanks()?;
                // Another comma may follow one before the closing brace.
                let closes = self.peek()? == '}';
                Ok(if closes { Step::AfterPair } else { Step::Pair })
            }
            (Step::AfterElement, _) => {
                self.next()?;
                let got = or_end(c);
                self.fail_at(
                    c,
                    format!("expected a comma (',') or array terminator (']'), but got {got}"),
                )
            }
            _ => {
                self.next()?;
                let got = or_end(c);
                self.fail_at(
                    c,
                    format!(
                        "expected a comma or an inline table terminator '}}', but got {got} instead"
                    ),
                )
            }
        }
    }

    fn close(&mut self, kind: Kind) -> Lex<Step> {
        self.next()?;
        self.ignore();
        self.emit(kind);
        Ok(Step::Finished)
    }

    fn begin(&mut self) -> Lex<Begun> {
        self.skip_blanks()?;
        let c = self.next()?;
        match c {
            '[' => {
                self.ignore();
                self.emit(Kind::Array);
                return Ok(Begun::Array);
            }
            '{' => {
                self.ignore();
                self.emit(Kind::Inline);
                return Ok(Begun::Inline);
            }
            '"' | '\'' => self.begin_string(c)?,
            '0'..='9' => self.number_or_moment(c)?,
            '+' | '-' => self.signed()?,
            '.' => return self.fail("floats must start with a digit, not '.'"),
            'i' | 'n' if self.accepts_infinity_or_nan()? => self.emit(Kind::Float),
            c if is_letter(c) => {
                // The character that was read last belongs to the word, whichever it is.
                self.pos -= if c.is_ascii() { 1 } else { c.len_utf8() };
                self.word()?;
            }
            END => return self.fail_at(c, "unexpected EOF; expected value"),
            c => {
                let text = format!("expected value but found {} instead", shown(c));
                return if c == '\n' {
                    self.fail_before(text)
                } else {
                    self.fail(text)
                };
            }
        }
        Ok(Begun::Scalar)
    }

    /// Reads on in `inf` and `nan` after their first letter; others with the same letters are read too.
    fn accepts_infinity_or_nan(&mut self) -> Lex<bool> {
        if self.accept('n')? && self.accept('f')? {
            return Ok(true);
        }
        Ok(self.accept('a')? && self.accept('n')?)
    }

    fn word(&mut self) -> Lex<()> {
        let start = self.pos;
        self.accept_while(is_letter)?;
        let word = &self.text[start..self.pos];
        if word == b"true" || word == b"false" {
            self.emit(Kind::Bool);
            return Ok(());
        }
        self.fail(format!("expected value but found {} instead", quote(word)))
    }

    /// Integers, floats and times by what follows their first digits; the reader looks closer.
    fn number_or_moment(&mut self, first: char) -> Lex<()> {
        let second = self.peek()?;
        if first == '0' && !second.is_ascii_digit() {
            return self.based(second);
        }
        self.accept_while(|c| c.is_ascii_digit())?;
        match self.peek()? {
            '-' | ':' => self.moment(),
            _ => self.decimal(),
        }
    }

    fn based(&mut self, second: char) -> Lex<()> {
        let (name, test): (_, fn(char) -> bool) = match second {
            'b' => ("a binary", |c| matches!(c, '0' | '1')),
            'o' => ("an octal", |c| c.is_digit(8)),
            'x' => ("a hexadecimal", |c| c.is_ascii_hexdigit()),
            _ => return self.decimal(),
        };
        self.next()?;
        let digit = self.peek()?;
        if !test(digit) {
            let shown = String::from_utf8_lossy(self.current()).into_owned();
            return self.fail(format!("not {name} number: '{shown}{digit}'"));
        }
        self.accept_while(|c| test(c) || c == '_')?;
        self.emit(Kind::Integer);
        Ok(())
    }

    fn decimal(&mut self) -> Lex<()> {
        self.accept_while(|c| c.is_ascii_digit() || c == '_')?;
        if !matches!(self.peek()?, '.' | 'e' | 'E') {
            self.emit(Kind::Integer);
            return Ok(());
        }
        self.accept_while(|c| {
            c.is_ascii_digit() || matches!(c, '_' | '.' | '-' | '+' | 'e' | 'E')
        })?;
        self.emit(Kind::Float);
        Ok(())
    }

    fn moment(&mut self) -> Lex<()> {
        self.accept_while(|c| {
            c.is_ascii_digit() || matches!(c, '-' | ':' | 'T' | 't' | ' ' | '.' | 'Z' | 'z' | '+')
        })?;
        let item = Item {
            kind: Kind::Moment,
            text: self.current().trim_ascii(),
            line: self.line,
        };
        self.items.push(item);
        self.ignore();
        Ok(())
    }

    fn signed(&mut self) -> Lex<()> {
        let c = self.next()?;
        let rest = match c {
            'i' => ['n', 'f'],
            'n' => ['a', 'n'],
            '.' => return self.fail("floats must start with a digit, not '.'"),
            '0' if matches!(self.peek()?, 'b' | 'o' | 'x') => {
                let shown = String::from_utf8_lossy(self.current()).into_owned();
                let base = self.peek()?;
                return self.fail(format!(
                    "cannot use sign with non-decimal numbers: '{shown}{base}'"
                ));
            }
            '0'..='9' => return self.decimal(),
            c => return self.fail_at(c, format!("expected a digit but got {}", shown(c))),
        };
        if self.accept(rest[0])? && self.accept(rest[1])? {
            self.emit(Kind::Float);
            return Ok(());
        }
        let shown = String::from_utf8_lossy(self.current()).into_owned();
        self.fail(format!("invalid float: '{shown}'"))
    }

    fn begin_string(&mut self, mark: char) -> Lex<()> {
        let twice = self.accept(mark)?;
        if twice && self.accept(mark)? {
            self.ignore();
            return self.long_string(mark);
        }
        self.pos -= usize::from(twice);
        self.ignore();
        if mark == '"' {
            self.string()
        } else {
            self.raw_string()
        }
    }

    /// Emits what was read before the closing marks, and passes these.
    fn emit_before(&mut self, marks: usize, kind: Kind) {
        self.pos -= marks;
        self.emit(kind);
        self.pos += marks;
        self.ignore();
    }

    fn string(&mut self) -> Lex<()> {
        let mut escaped = false;
        loop {
            match self.next()? {
                END => return self.fail_at(END, "unexpected EOF; expected '\"'"),
                c if is_break(c) => return self.fail_before("strings cannot contain newlines"),
                '\\' => {
                    escaped = true;
                    self.escape()?;
                }
                '"' => {
                    let kind = if escaped { Kind::StrEscaped } else { Kind::Str };
                    self.emit_before(1, kind);
                    return Ok(());
                }
                _ => {}
            }
        }
    }

    fn raw_string(&mut self) -> Lex<()> {
        loop {
            match self.next()? {
                END => return self.fail_at(END, "unexpected EOF; expected \"'\""),
                c if is_break(c) => return self.fail_before("strings cannot contain newlines"),
                '\'' => {
                    self.emit_before(1, Kind::Raw);
                    return Ok(());
                }
                _ => {}
            }
        }
    }

    /// A string in three marks; up to two more may stand before the closing ones.
    fn long_string(&mut self, mark: char) -> Lex<()> {
        let plain = mark == '"';
        let marks = [mark as u8; 5];
        loop {
            let c = self.next()?;
            if c == END {
                let end = if plain { "'\"\"\"'" } else { "\"'''\"" };
                return self.fail_at(END, format!("unexpected EOF; expected {end}"));
            }
            if c == '\\' && plain {
                if !is_break(self.peek()?) {
                    self.escape()?;
                }
                continue;
            }
            if c != mark || !self.text[self.pos..].starts_with(&marks[..2]) {
                continue;
            }
            self.pos += 2;
            if self.peek()? != mark {
                let kind = if plain {
                    Kind::MultiStr
                } else {
                    Kind::MultiRaw
                };
                self.emit_before(3, kind);
                return Ok(());
            }
            let read = self.current();
            let escaped = plain && read.len() > 5 && read[read.len() - 6] == b'\\';
            if read.ends_with(&marks) && !escaped {
                let six = if plain {
                    "'\"\"\"\"\"\"'"
                } else {
                    "\"''''''\""
                };
                return self.fail(format!("unexpected {six}"));
            }
            self.pos -= 2;
        }
    }

    /// An escape whose backslash was read.
    fn escape(&mut self) -> Lex<()> {
        let c = self.next()?;
        let (count, digits) = match c {
            'e' | 'b' | 't' | 'n' | 'f' | 'r' | '"' | ' ' | '\t' | '\\' => return Ok(()),
            'x' => ("two", 2),
            'u' => ("four", 4),
            'U' => ("eight", 8),
            c => {
                let text = format!("invalid escape in string '\\{c}'");
                return if c == END {
                    self.fail_before(text)
                } else {
                    self.fail(text)
                };
            }
        };
        for _ in 0..digits {
            let digit = self.next()?;
            if !digit.is_ascii_hexdigit() {
                let got = quote(self.current());
                return self.fail_at(
                    digit,
                    format!(
                        "expected {count} hexadecimal digits after '\\{c}', but got {got} instead"
                    ),
                );
            }
        }
        Ok(())
    }
}
