//! The parser's look-ahead, its texts and its errors.

use super::{Parsed, Parser};
use crate::error::ParseError;
use crate::lex::{Kind, Token};
use crate::text::Text;

impl<'t> Parser<'t, '_> {
    pub(super) fn next(&mut self) -> Token {
        let frame = &mut self.frame;
        if frame.ahead > 0 {
            frame.ahead -= 1;
        } else {
            frame.tokens[0] = self.lexer.next();
        }
        frame.tokens[frame.ahead]
    }

    pub(super) fn backup(&mut self) {
        self.frame.ahead += 1;
    }

    pub(super) fn backup2(&mut self, token: Token) {
        self.frame.tokens[1] = token;
        self.frame.ahead = 2;
    }

    pub(super) fn backup3(&mut self, second: Token, first: Token) {
        self.frame.tokens[1] = first;
        self.frame.tokens[2] = second;
        self.frame.ahead = 3;
    }

    pub(super) fn peek(&mut self) -> Token {
        let frame = &mut self.frame;
        if frame.ahead == 0 {
            frame.ahead = 1;
            frame.tokens[0] = self.lexer.next();
        }
        frame.tokens[frame.ahead - 1]
    }

    /// The bytes of a token that is no error.
    pub(super) fn bytes(&self, token: Token) -> &'t [u8] {
        &self.text[token.range()]
    }

    /// The one text with these bytes.
    pub(super) fn name(&mut self, bytes: &[u8]) -> Text {
        if let Some(known) = self.names.get(bytes) {
            return known.clone();
        }
        let name = Text::from(bytes);
        self.names.insert(name.clone());
        name
    }

    pub(super) fn next_non_space(&mut self) -> Token {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    pub(super) fn peek_non_space(&mut self) -> Token {
        let token = self.next_non_space();
        self.backup();
        token
    }

    pub(super) fn error<T>(&self, message: impl AsRef<str>) -> Parsed<T> {
        Err(ParseError {
            template: self.source.name.clone(),
            line: self.frame.tokens[0].line as usize,
            message: message.as_ref().to_owned(),
        })
    }

    pub(super) fn unexpected<T>(&self, token: Token, context: &str) -> Parsed<T> {
        let shown = self.lexer.describe(token);
        if token.kind != Kind::Error {
            return self.error(format!("unexpected {shown} in {context}"));
        }
        let line = self.frame.action_line;
        let mut extra = String::new();
        if line != 0 && line != token.line {
            extra = format!(" in action started at {}:{line}", self.source.name);
            if shown.ends_with(" action") {
                extra.drain(.." in action".len());
            }
        }
        self.error(shown + &extra)
    }

    pub(super) fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Token> {
        let token = self.next_non_space();
        if token.kind == kind {
            return Ok(token);
        }
        self.unexpected(token, context)
    }
}
