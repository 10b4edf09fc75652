//! Text into nodes.
//!
//! Tokens are scanned with a test per character that sees how long the token is with it; that is how operators
//! of one and two characters are told apart.

use super::EnvsubstError;

/// Deepest nesting of expressions; deep enough for any manifest, shallow enough for any stack.
const DEPTH_MAX: usize = 100;

/// A piece of text.
#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Expression(Expression),
}

/// One `${…}`.
#[derive(Debug)]
pub(super) struct Expression {
    pub(super) name: String,
    /// Operator characters as written; empty for a plain reference.
    pub(super) operator: String,
    pub(super) arguments: Vec<Node>,
}

impl Expression {
    /// Tells whether the operator copes with a variable that does not exist.
    pub(super) fn brings_default(&self) -> bool {
        matches!(self.operator.as_str(), "=" | ":-" | ":+" | ":=" | ":?")
    }
}

pub(super) fn parse(text: &str) -> Result<Vec<Node>, EnvsubstError> {
    let mut scanner = Scanner { rest: text };
    let mut nodes = Vec::new();
    while scanner.peek().is_some() {
        if scanner.open() {
            nodes.push(Node::Expression(expression(&mut scanner, 1)?));
        } else {
            // Only a doubled dollar is an escape outside of expressions.
            let text = scanner.token(&|_, _| true, Stops::Open, Escapes::Dollar);
            nodes.push(Node::Text(text));
        }
    }
    Ok(nodes)
}

/// Reads an expression after its `${`, including its `}`.
fn expression(scanner: &mut Scanner<'_>, depth: usize) -> Result<Expression, EnvsubstError> {
    if depth > DEPTH_MAX {
        return Err(EnvsubstError::TooDeep(DEPTH_MAX));
    }
    if scanner.peek() == Some('#') {
        return length(scanner);
    }
    let name = scanner.word(&|c, _| is_name(c));
    if name.is_empty() {
        return Err(EnvsubstError::VariableName);
    }
    let mut expression = Expression {
        name,
        operator: String::new(),
        arguments: Vec::new(),
    };
    match scanner.peek() {
        Some(':') => default_or_substring(scanner, &mut expression, depth)?,
        Some('=') => default(scanner, &mut expression, depth)?,
        Some(',' | '^') => {
            expression.operator = scanner.word(&|c, n| matches!(c, ',' | '^') && n < 3);
            scanner.close()?;
        }
        Some('/') => replace(scanner, &mut expression, depth)?,
        Some(sign @ ('#' | '%')) => {
            expression.operator = scanner.word(&|c, n| c == sign && n < 3);
            expression
                .arguments
                .push(argument(scanner, &not_closing, Escapes::None, depth)?);
            scanner.close()?;
        }
        _ => {
            scanner
                .close()
                .map_err(|_| EnvsubstError::MissingClosingBrace)?;
        }
    }
    Ok(expression)
}

/// `${#name}`
fn length(scanner: &mut Scanner<'_>) -> Result<Expression, EnvsubstError> {
    let operator = scanner.word(&|c, n| c == '#' && n == 1);
    let name = scanner.word(&|c, _| is_name(c));
    if name.is_empty() {
        return Err(EnvsubstError::BadSubstitution);
    }
    scanner.close()?;
    Ok(Expression {
        name,
        operator,
        arguments: Vec::new(),
    })
}

fn default_or_substring(
    scanner: &mut Scanner<'_>,
    expression: &mut Expression,
    depth: usize,
) -> Result<(), EnvsubstError> {
    match scanner.second() {
        Some('=' | '-' | '?' | '+') => default(scanner, expression, depth),
        // Upstream steps back by the width of what it peeked at, and stumbles unless that is one byte.
        Some(next) if next.is_ascii() => substring(scanner, expression, depth),
        _ => Err(EnvsubstError::BadSubstitution),
    }
}

/// `${name:-word}` and its like; the word may contain any number of expressions.
fn default(
    scanner: &mut Scanner<'_>,
    expression: &mut Expression,
    depth: usize,
) -> Result<(), EnvsubstError> {
    let single = scanner.peek() == Some('=');
    expression.operator = scanner.word(&|c, n| match n {
        1 if single => c == '=',
        1 => c == ':',
        2 if !single => matches!(c, '=' | '-' | '?' | '+'),
        _ => false,
    });
    if expression.operator.is_empty() {
        return Err(EnvsubstError::DefaultFunction);
    }
    while scanner.peek() != Some('}') {
        let part = argument(scanner, &not_closing, Escapes::None, depth)?;
        expression.arguments.push(part);
    }
    scanner.close()
}

/// `${name:offset}`, `${name:offset:length}`
fn substring(
    scanner: &mut Scanner<'_>,
    expression: &mut Expression,
    depth: usize,
) -> Result<(), EnvsubstError> {
    expression.operator = scanner.word(&|c, n| c == ':' && n == 1);
    let offset = argument(scanner, &|c, _| c != ':' && c != '}', Escapes::None, depth)?;
    expression.arguments.push(offset);
    if scanner.peek() == Some('}') {
        return scanner.close();
    }
    if scanner.word(&|c, _| c == ':').is_empty() {
        return Err(EnvsubstError::BadSubstitution);
    }
    let length = argument(scanner, &not_closing, Escapes::None, depth)?;
    expression.arguments.push(length);
    scanner.close()
}

/// `${name/from/to}`, `${name//from/to}`, `${name/#from/to}`, `${name/%from/to}`
fn replace(
    scanner: &mut Scanner<'_>,
    expression: &mut Expression,
    depth: usize,
) -> Result<(), EnvsubstError> {
    expression.operator = scanner.word(&|c, n| match n {
        1 => c == '/',
        2 => matches!(c, '/' | '#' | '%'),
        _ => false,
    });
    let from = argument(scanner, &|c, _| c != '/', Escapes::All, depth)?;
    expression.arguments.push(from);
    if scanner.word(&|c, _| c == '/').is_empty() {
        return Err(EnvsubstError::BadSubstitution);
    }
    if scanner.peek() == Some('}') {
        return scanner.close();
    }
    let to = argument(scanner, &not_closing, Escapes::All, depth)?;
    expression.arguments.push(to);
    scanner.close()
}

/// One argument: a nested expression, or text up to one or to what `accept` refuses.
fn argument(
    scanner: &mut Scanner<'_>,
    accept: &dyn Fn(char, usize) -> bool,
    escapes: Escapes,
    depth: usize,
) -> Result<Node, EnvsubstError> {
    if scanner.open() {
        return expression(scanner, depth + 1).map(Node::Expression);
    }
    let text = scanner.token(accept, Stops::Open, escapes);
    if text.is_empty() {
        return Err(EnvsubstError::FunctionSubstitution);
    }
    Ok(Node::Text(text))
}

fn is_name(c: char) -> bool {
    c.is_alphabetic() || c.is_ascii_digit() || c == '_'
}

fn not_closing(c: char, _: usize) -> bool {
    c != '}'
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stops {
    /// Only at what is not accepted.
    Never,
    /// Also before `${`.
    Open,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    None,
    /// `$$` is `$`.
    Dollar,
    /// Also `\/` is `/` and `\\` is `\`.
    All,
}

struct Scanner<'a> {
    rest: &'a str,
}

impl Scanner<'_> {
    /// Returns the next character; NUL ends the text, as upstream has it.
    fn peek(&self) -> Option<char> {
        self.rest.chars().next().filter(|c| *c != '\0')
    }

    fn second(&self) -> Option<char> {
        self.rest.chars().nth(1).filter(|c| *c != '\0')
    }

    fn advance(&mut self, c: char) {
        self.rest = &self.rest[c.len_utf8()..];
    }

    /// Takes `${` where it stands next.
    fn open(&mut self) -> bool {
        let Some(rest) = self.rest.strip_prefix("${") else {
            return false;
        };
        self.rest = rest;
        true
    }

    /// Takes `}`.
    fn close(&mut self) -> Result<(), EnvsubstError> {
        self.rest = self
            .rest
            .strip_prefix('}')
            .ok_or(EnvsubstError::BadSubstitution)?;
        Ok(())
    }

    fn word(&mut self, accept: &dyn Fn(char, usize) -> bool) -> String {
        self.token(accept, Stops::Never, Escapes::None)
    }

    /// Takes characters while accepted; the test sees the token's length in bytes with the character.
    fn token(
        &mut self,
        accept: &dyn Fn(char, usize) -> bool,
        stops: Stops,
        escapes: Escapes,
    ) -> String {
        let mut token = String::new();
        while let Some(c) = self.peek() {
            if stops == Stops::Open && self.rest.starts_with("${") {
                break;
            }
            if let Some(escaped) = self.escaped(c, escapes) {
                self.advance(c);
                self.advance(escaped);
                token.push(escaped);
                continue;
            }
            if !accept(c, token.len() + c.len_utf8()) {
                break;
            }
            self.advance(c);
            token.push(c);
        }
        token
    }

    /// Returns the character that an escape stands for.
    fn escaped(&self, c: char, escapes: Escapes) -> Option<char> {
        let next = self.second()?;
        match (escapes, c, next) {
            (Escapes::Dollar | Escapes::All, '$', '$') => Some('$'),
            (Escapes::All, '\\', '/' | '\\') => Some(next),
            _ => None,
        }
    }
}
