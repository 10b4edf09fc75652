//! Pipelines: declared variables, commands, operands and literals.

use super::{Parsed, Parser, taken};
use crate::ast::{Callee, Command, Expr, ExprKind, Marks, Pipe};
use crate::lex::{Kind, Token};
use crate::number;
use crate::text::Text;

/// Deepest nesting of parentheses. Go allows 10,000, which needs a growing stack.
const PARENS_MAX: usize = 100;

impl<'t> Parser<'t, '_> {
    pub(super) fn unquote(&mut self, token: Token) -> Parsed<Text> {
        // Almost no literal has anything to resolve.
        let bytes = self.bytes(token);
        let inner = bytes.get(1..bytes.len().max(2) - 1);
        if let Some(inner) = inner.filter(|inner| memchr::memchr2(b'\\', b'\r', inner).is_none())
            && std::str::from_utf8(inner).is_ok()
        {
            return Ok(self.name(inner));
        }
        match gocompat::quote::unquote(&String::from_utf8_lossy(bytes)) {
            Some(text) => Ok(Text::from(text)),
            None => self.error("invalid syntax"),
        }
    }

    pub(super) fn pipeline(&mut self, context: &'static str, end: Kind) -> Parsed<Pipe> {
        let pos = self.peek_non_space().pos;
        let words = self.words.len();
        let assign = self.declarations(words, context)?;
        let variables = taken(&mut self.words, words);
        let start = self.commands.len();
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => {
                    self.check_pipeline(start, context)?;
                    let mut commands = self.commands.drain(start..);
                    return Ok(Pipe {
                        pos,
                        assign,
                        variables,
                        first: commands
                            .next()
                            .expect("a pipeline without commands is refused"),
                        others: commands.collect(),
                    });
                }
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::Str
                | Kind::Variable
                | Kind::LeftParen => {
                    self.backup();
                    let command = self.command()?;
                    self.commands.push(command);
                }
                _ => return self.unexpected(token, context),
            }
        }
    }

    /// Reads the variables before `=` or `:=` onto the words; `true` where they are assigned.
    fn declarations(&mut self, start: usize, context: &str) -> Parsed<bool> {
        loop {
            let variable = self.peek_non_space();
            if variable.kind != Kind::Variable {
                return Ok(false);
            }
            self.next();
            let after = self.peek();
            let next = self.peek_non_space();
            if matches!(next.kind, Kind::Assign | Kind::Declare) {
                self.next_non_space();
                self.declare(variable);
                return Ok(next.kind == Kind::Assign);
            }
            if next.kind != Kind::Char || *self.bytes(next) != *b"," {
                if after.kind == Kind::Space {
                    self.backup3(variable, after);
                } else {
                    self.backup2(variable);
                }
                return Ok(false);
            }
            self.next_non_space();
            self.declare(variable);
            if context != "range" || self.words.len() - start >= 2 {
                return self.error(format!("too many declarations in {context}"));
            }
            let known = [Kind::Variable, Kind::RightDelim, Kind::RightParen];
            if !known.contains(&self.peek_non_space().kind) {
                return self.error("range can only initialize variables");
            }
        }
    }

    fn declare(&mut self, variable: Token) {
        let name = self.name(self.bytes(variable));
        self.words.push(name.clone());
        self.frame.variables.push(name);
    }

    fn check_pipeline(&mut self, start: usize, context: &str) -> Parsed<()> {
        let commands = &self.commands[start..];
        if commands.is_empty() {
            return self.error(format!("missing value for {context}"));
        }
        for (index, command) in commands.iter().enumerate().skip(1) {
            if matches!(
                command.args[0].kind,
                ExprKind::Bool(_)
                    | ExprKind::Dot
                    | ExprKind::Nil
                    | ExprKind::Number(_)
                    | ExprKind::Text(..)
            ) {
                let stage = index + 1;
                return self.error(format!("non executable command in pipeline stage {stage}"));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Parsed<Command> {
        let start = self.exprs.len();
        loop {
            self.peek_non_space();
            if let Some(operand) = self.operand()? {
                self.exprs.push(operand);
            }
            let token = self.next();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.backup(),
                Kind::Pipe => {}
                _ => return self.unexpected(token, "operand"),
            }
            break;
        }
        if self.exprs.len() == start {
            return self.error("empty command");
        }
        Ok(Command {
            args: taken(&mut self.exprs, start),
        })
    }

    fn operand(&mut self) -> Parsed<Option<Expr>> {
        let words = self.words.len();
        let Some(term) = self.term()? else {
            return Ok(None);
        };
        let pos = self.peek().pos;
        let chained = self.peek().kind == Kind::Field;
        while self.peek().kind == Kind::Field {
            let token = self.next();
            let name = self.name(&self.bytes(token)[1..]);
            self.words.push(name);
        }
        let pos = if chained { pos } else { term.pos };
        let expr = |kind| Ok(Some(Expr { pos, kind }));
        match term.kind {
            ExprKind::Field(_) => expr(ExprKind::Field(taken(&mut self.words, words))),
            ExprKind::Variable(_) => expr(ExprKind::Variable(taken(&mut self.words, words))),
            _ if !chained => Ok(Some(term)),
            ExprKind::Bool(_)
            | ExprKind::Text(..)
            | ExprKind::Number(_)
            | ExprKind::Nil
            | ExprKind::Dot => {
                let shown = gocompat::quote::quote(term.to_string().as_bytes());
                self.error(format!("unexpected . after term {shown}"))
            }
            _ => {
                let names = taken(&mut self.words, words);
                expr(ExprKind::Chain(Box::new(term), names))
            }
        }
    }

    /// Reads one term. The names of a field or variable are left on the words: more may follow.
    fn term(&mut self) -> Parsed<Option<Expr>> {
        let token = self.next_non_space();
        let kind = match token.kind {
            Kind::Identifier => ExprKind::Function(self.callee(token)?),
            Kind::Dot => ExprKind::Dot,
            Kind::Nil => ExprKind::Nil,
            Kind::Variable => {
                let name = self.name(self.bytes(token));
                if !self.frame.variables.contains(&name) {
                    let shown = gocompat::quote::quote(&name);
                    return self.error(format!("undefined variable {shown}"));
                }
                self.words.push(name);
                ExprKind::Variable(Box::default())
            }
            Kind::Field => {
                let name = self.name(&self.bytes(token)[1..]);
                self.words.push(name);
                ExprKind::Field(Box::default())
            }
            Kind::Bool => ExprKind::Bool(*self.bytes(token) == *b"true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => {
                match number::parse(&self.lexer.value_text(token), token.kind) {
                    Ok(number) => ExprKind::Number(Box::new(number)),
                    Err(message) => return self.error(message),
                }
            }
            Kind::LeftParen => {
                if self.frame.parens >= PARENS_MAX {
                    return self.error("max expression depth exceeded");
                }
                self.frame.parens += 1;
                let pipe = self.pipeline("parenthesized pipeline", Kind::RightParen)?;
                self.frame.parens -= 1;
                let pos = pipe.pos;
                let kind = ExprKind::Pipe(Box::new(pipe));
                return Ok(Some(Expr { pos, kind }));
            }
            Kind::Str | Kind::RawString => {
                let value = self.unquote(token)?;
                ExprKind::Text(value, self.marks(token))
            }
            _ => {
                self.backup();
                return Ok(None);
            }
        };
        let pos = token.pos;
        Ok(Some(Expr { pos, kind }))
    }

    fn marks(&self, token: Token) -> Marks {
        let bytes = self.bytes(token);
        let plain = memchr::memchr2(b'\\', b'\r', bytes).is_none();
        match std::str::from_utf8(bytes) {
            Ok(_) if plain && token.kind == Kind::Str => Marks::Quotes,
            Ok(_) if plain => Marks::Backquotes,
            _ => Marks::Written(String::from_utf8_lossy(bytes).into()),
        }
    }

    fn callee(&mut self, token: Token) -> Parsed<Callee> {
        let name = self.bytes(token);
        if let Some(known) = self.callees.get(name) {
            return Ok(known.clone());
        }
        let Some(callee) = (self.known)(&String::from_utf8_lossy(name)) else {
            let shown = gocompat::quote::quote(name);
            return self.error(format!("function {shown} not defined"));
        };
        self.callees.insert(name, callee.clone());
        Ok(callee)
    }
}
