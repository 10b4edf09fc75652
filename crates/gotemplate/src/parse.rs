//! The parser: tokens in, named bodies out. Errors are Go 1.26's texts with template name and line.

use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use crate::ast::{
    self, Block, Branch, Callee, Command, Expr, ExprKind, Marks, Node, Pipe, Template,
};
use crate::error::ParseError;
use crate::lex::{Kind, Lexer, TEXT_MAX, Token};
use crate::number;
use crate::text::Text;

/// Deepest nesting of parentheses. Go allows 10,000, which needs a growing stack.
const PARENS_MAX: usize = 100;
/// Deepest nesting of control structures; Go has no limit but a growing stack.
const BLOCKS_MAX: usize = 200;

/// A parsed body and where its text came from.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub(crate) name: Text,
    pub(crate) source: Arc<Source>,
    pub(crate) body: Arc<Block>,
}

/// A template text under the name it was parsed as.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: Text,
}

/// Parses a text into its own body and the bodies it defines; the former comes last.
pub(crate) fn parse(
    name: &str,
    text: &Text,
    known: &dyn Fn(&str) -> Option<Callee>,
) -> Result<Vec<Tree>, ParseError> {
    if text.len() > TEXT_MAX {
        return Err(ParseError {
            template: name.to_owned(),
            line: 1,
            message: format!("the text is longer than {TEXT_MAX} bytes"),
        });
    }
    let source = Arc::new(Source {
        name: name.to_owned(),
        text: text.clone(),
    });
    let mut parser = Parser {
        lexer: Lexer::new(text),
        text,
        source: source.clone(),
        known,
        callees: HashMap::default(),
        names: HashSet::default(),
        frame: Frame::default(),
        trees: Vec::new(),
        blocks: 0,
        nodes: Vec::new(),
        commands: Vec::new(),
        exprs: Vec::new(),
        words: Vec::new(),
    };
    let body = parser.file()?;
    parser.add(Text::from(name), body)?;
    Ok(parser.trees)
}

struct Parser<'t, 'k> {
    lexer: Lexer<'t>,
    text: &'t [u8],
    source: Arc<Source>,
    known: &'k dyn Fn(&str) -> Option<Callee>,
    /// Functions that the text has named so far.
    callees: HashMap<&'t [u8], Callee>,
    /// Names and literals of the text, each of them once.
    names: HashSet<Text>,
    frame: Frame,
    trees: Vec<Tree>,
    blocks: usize,
    // Parts of what is being read, innermost last; what is complete is taken from the end at once and fits exactly.
    nodes: Vec<Node>,
    commands: Vec<Command>,
    exprs: Vec<Expr>,
    words: Vec<Text>,
}

/// State that each definition has of its own, the look-ahead included.
struct Frame {
    tokens: [Token; 3],
    ahead: usize,
    variables: Vec<Text>,
    ranges: usize,
    parens: usize,
    action_line: u32,
}

impl Default for Frame {
    fn default() -> Self {
        Self {
            tokens: [Token::none(); 3],
            ahead: 0,
            variables: vec![Text::dollar()],
            ranges: 0,
            parens: 0,
            action_line: 0,
        }
    }
}

/// The end of a list from an index on, as a list of its own.
fn taken<T>(all: &mut Vec<T>, from: usize) -> Box<[T]> {
    all.drain(from..).collect()
}

/// What ended a list of nodes.
enum Ending {
    End,
    Else,
}

enum Item {
    Node(Node),
    End,
    Else,
}

type Parsed<T> = Result<T, ParseError>;

impl<'t> Parser<'t, '_> {
    fn next(&mut self) -> Token {
        let frame = &mut self.frame;
        if frame.ahead > 0 {
            frame.ahead -= 1;
        } else {
            frame.tokens[0] = self.lexer.next();
        }
        frame.tokens[frame.ahead]
    }

    fn backup(&mut self) {
        self.frame.ahead += 1;
    }

    fn backup2(&mut self, token: Token) {
        self.frame.tokens[1] = token;
        self.frame.ahead = 2;
    }

    fn backup3(&mut self, second: Token, first: Token) {
        self.frame.tokens[1] = first;
        self.frame.tokens[2] = second;
        self.frame.ahead = 3;
    }

    fn peek(&mut self) -> Token {
        let frame = &mut self.frame;
        if frame.ahead == 0 {
            frame.ahead = 1;
            frame.tokens[0] = self.lexer.next();
        }
        frame.tokens[frame.ahead - 1]
    }

    /// The bytes of a token that is no error.
    fn bytes(&self, token: Token) -> &'t [u8] {
        &self.text[token.range()]
    }

    /// The one text with these bytes.
    fn name(&mut self, bytes: &[u8]) -> Text {
        if let Some(known) = self.names.get(bytes) {
            return known.clone();
        }
        let name = Text::from(bytes);
        self.names.insert(name.clone());
        name
    }

    fn next_non_space(&mut self) -> Token {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    fn peek_non_space(&mut self) -> Token {
        let token = self.next_non_space();
        self.backup();
        token
    }

    fn error<T>(&self, message: impl AsRef<str>) -> Parsed<T> {
        Err(ParseError {
            template: self.source.name.clone(),
            line: self.frame.tokens[0].line as usize,
            message: message.as_ref().to_owned(),
        })
    }

    fn unexpected<T>(&self, token: Token, context: &str) -> Parsed<T> {
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

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Token> {
        let token = self.next_non_space();
        if token.kind == kind {
            return Ok(token);
        }
        self.unexpected(token, context)
    }

    fn file(&mut self) -> Parsed<Block> {
        let start = self.nodes.len();
        while self.peek().kind != Kind::Eof {
            if self.peek().kind == Kind::LeftDelim {
                let delim = self.next();
                if self.next_non_space().kind == Kind::Define {
                    self.definition()?;
                    continue;
                }
                self.backup2(delim);
            }
            match self.text_or_action()? {
                Item::Node(node) => self.nodes.push(node),
                Item::End => return self.error("unexpected {{end}}"),
                Item::Else => return self.error("unexpected {{else}}"),
            }
        }
        Ok(taken(&mut self.nodes, start))
    }

    fn definition(&mut self) -> Parsed<()> {
        const CONTEXT: &str = "define clause";
        let outer = std::mem::take(&mut self.frame);
        let token = self.next_non_space();
        let name = self.template_name(token, CONTEXT)?;
        self.expect(Kind::RightDelim, CONTEXT)?;
        let body = self.ended_list(CONTEXT)?;
        self.add(name, body)?;
        self.frame = outer;
        Ok(())
    }

    fn ended_list(&mut self, context: &str) -> Parsed<Block> {
        match self.list()? {
            (body, Ending::End) => Ok(body),
            (_, Ending::Else) => self.error(format!("unexpected {{{{else}}}} in {context}")),
        }
    }

    /// Adds a body; within one text an empty body gives way, two others collide.
    fn add(&mut self, name: Text, body: Block) -> Parsed<()> {
        let position = self.trees.iter().position(|tree| tree.name == name);
        let empty = ast::is_empty(&body, self.text);
        let tree = Tree {
            name,
            source: self.source.clone(),
            body: Arc::new(body),
        };
        match position {
            None => self.trees.push(tree),
            Some(index) if ast::is_empty(&self.trees[index].body, self.text) => {
                self.trees[index] = tree
            }
            Some(_) if empty => {}
            Some(_) => {
                let name = gocompat::quote::quote(&tree.name);
                return self.error(format!("template: multiple definition of template {name}"));
            }
        }
        Ok(())
    }

    fn list(&mut self) -> Parsed<(Block, Ending)> {
        let start = self.nodes.len();
        while self.peek_non_space().kind != Kind::Eof {
            let ending = match self.text_or_action()? {
                Item::Node(node) => {
                    self.nodes.push(node);
                    continue;
                }
                Item::End => Ending::End,
                Item::Else => Ending::Else,
            };
            return Ok((taken(&mut self.nodes, start), ending));
        }
        self.error("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Parsed<Item> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(token.pos..token.range().end as u32))),
            Kind::LeftDelim => {
                self.frame.action_line = token.line;
                let item = self.action()?;
                self.frame.action_line = 0;
                Ok(item)
            }
            _ => self.unexpected(token, "input"),
        }
    }

    fn action(&mut self) -> Parsed<Item> {
        let token = self.next_non_space();
        let node = match token.kind {
            Kind::Block => self.block_control()?,
            Kind::Break => self.loop_control("break", Node::Break)?,
            Kind::Continue => self.loop_control("continue", Node::Continue)?,
            Kind::Else => return self.else_control(),
            Kind::End => {
                self.expect(Kind::RightDelim, "end")?;
                return Ok(Item::End);
            }
            Kind::If => Node::If(Box::new(self.control("if")?)),
            Kind::Range => Node::Range(Box::new(self.control("range")?)),
            Kind::With => Node::With(Box::new(self.control("with")?)),
            Kind::Template => self.template_control()?,
            _ => {
                self.backup();
                let pos = self.peek().pos;
                Node::Action(pos, self.pipeline("command", Kind::RightDelim)?)
            }
        };
        Ok(Item::Node(node))
    }

    fn loop_control(&mut self, word: &str, node: Node) -> Parsed<Node> {
        let token = self.next_non_space();
        if token.kind != Kind::RightDelim {
            return self.unexpected(token, &format!("{{{{{word}}}}}"));
        }
        if self.frame.ranges == 0 {
            return self.error(format!("{{{{{word}}}}} outside {{{{range}}}}"));
        }
        Ok(node)
    }

    fn else_control(&mut self) -> Parsed<Item> {
        let kind = self.peek_non_space().kind;
        if !matches!(kind, Kind::If | Kind::With) {
            self.expect(Kind::RightDelim, "else")?;
        }
        Ok(Item::Else)
    }

    fn control(&mut self, context: &'static str) -> Parsed<Branch> {
        self.blocks += 1;
        if self.blocks > BLOCKS_MAX {
            return self.error(format!("more than {BLOCKS_MAX} nested control structures"));
        }
        let variables = self.frame.variables.len();
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        self.frame.ranges += usize::from(context == "range");
        let (body, ending) = self.list()?;
        self.frame.ranges -= usize::from(context == "range");
        let otherwise = match ending {
            Ending::End => None,
            Ending::Else => Some(self.otherwise(context)?),
        };
        self.frame.variables.truncate(variables);
        self.blocks -= 1;
        Ok(Branch {
            pipe,
            body,
            otherwise,
        })
    }

    fn otherwise(&mut self, context: &'static str) -> Parsed<Block> {
        let next = self.peek().kind;
        if context == "if" && next == Kind::If {
            self.next();
            return Ok([Node::If(Box::new(self.control("if")?))].into());
        }
        if context == "with" && next == Kind::With {
            self.next();
            return Ok([Node::With(Box::new(self.control("with")?))].into());
        }
        match self.list()? {
            (body, Ending::End) => Ok(body),
            (_, Ending::Else) => self.error("expected end; found {{else}}"),
        }
    }

    fn block_control(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "block clause";
        let token = self.next_non_space();
        let name = self.template_name(token, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, Kind::RightDelim)?;
        let outer = std::mem::take(&mut self.frame);
        self.blocks += 1;
        if self.blocks > BLOCKS_MAX {
            return self.error(format!("more than {BLOCKS_MAX} nested control structures"));
        }
        let body = self.ended_list(CONTEXT)?;
        self.blocks -= 1;
        self.add(name.clone(), body)?;
        self.frame = outer;
        Ok(template_node(token.pos, name, Some(pipe)))
    }

    fn template_control(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "template clause";
        let token = self.next_non_space();
        let name = self.template_name(token, CONTEXT)?;
        let mut pipe = None;
        if self.next_non_space().kind != Kind::RightDelim {
            self.backup();
            pipe = Some(self.pipeline(CONTEXT, Kind::RightDelim)?);
        }
        Ok(template_node(token.pos, name, pipe))
    }

    fn template_name(&mut self, token: Token, context: &str) -> Parsed<Text> {
        match token.kind {
            Kind::Str | Kind::RawString => self.unquote(token),
            _ => self.unexpected(token, context),
        }
    }

    fn unquote(&mut self, token: Token) -> Parsed<Text> {
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

    fn pipeline(&mut self, context: &'static str, end: Kind) -> Parsed<Pipe> {
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

fn template_node(pos: u32, name: Text, pipe: Option<Pipe>) -> Node {
    Node::Template(Box::new(Template { pos, name, pipe }))
}
