//! The parser: tokens in, named bodies out. Errors are Go 1.26's texts with template name and line.

use std::sync::Arc;

use crate::ast::{self, Block, Branch, Callee, Command, Expr, ExprKind, Node, Pipe, Template};
use crate::error::ParseError;
use crate::lex::{Kind, Lexer, Token};
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
    let source = Arc::new(Source {
        name: name.to_owned(),
        text: text.clone(),
    });
    let mut parser = Parser {
        lexer: Lexer::new(text),
        source: source.clone(),
        known,
        frame: Frame::default(),
        trees: Vec::new(),
        blocks: 0,
    };
    let body = parser.file()?;
    parser.add(Text::from(name), body)?;
    Ok(parser.trees)
}

struct Parser<'t, 'k> {
    lexer: Lexer<'t>,
    source: Arc<Source>,
    known: &'k dyn Fn(&str) -> Option<Callee>,
    frame: Frame<'t>,
    trees: Vec<Tree>,
    blocks: usize,
}

/// State that each definition has of its own, the look-ahead included.
struct Frame<'t> {
    tokens: [Token<'t>; 3],
    ahead: usize,
    variables: Vec<Text>,
    ranges: usize,
    parens: usize,
    action_line: usize,
}

impl Default for Frame<'_> {
    fn default() -> Self {
        Self {
            tokens: [Token::none(), Token::none(), Token::none()],
            ahead: 0,
            variables: vec![Text::dollar()],
            ranges: 0,
            parens: 0,
            action_line: 0,
        }
    }
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
    fn next(&mut self) -> Token<'t> {
        let frame = &mut self.frame;
        if frame.ahead > 0 {
            frame.ahead -= 1;
        } else {
            frame.tokens[0] = self.lexer.next();
        }
        frame.tokens[frame.ahead].clone()
    }

    fn backup(&mut self) {
        self.frame.ahead += 1;
    }

    fn backup2(&mut self, token: Token<'t>) {
        self.frame.tokens[1] = token;
        self.frame.ahead = 2;
    }

    fn backup3(&mut self, second: Token<'t>, first: Token<'t>) {
        self.frame.tokens[1] = first;
        self.frame.tokens[2] = second;
        self.frame.ahead = 3;
    }

    fn peek(&mut self) -> &Token<'t> {
        let frame = &mut self.frame;
        if frame.ahead == 0 {
            frame.ahead = 1;
            frame.tokens[0] = self.lexer.next();
        }
        &frame.tokens[frame.ahead - 1]
    }

    fn next_non_space(&mut self) -> Token<'t> {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    fn peek_non_space(&mut self) -> Token<'t> {
        let token = self.next_non_space();
        self.backup();
        token
    }

    fn error<T>(&self, message: impl AsRef<str>) -> Parsed<T> {
        Err(ParseError {
            template: self.source.name.clone(),
            line: self.frame.tokens[0].line,
            message: message.as_ref().to_owned(),
        })
    }

    fn unexpected<T>(&self, token: &Token, context: &str) -> Parsed<T> {
        if token.kind != Kind::Error {
            return self.error(format!("unexpected {} in {context}", token.describe()));
        }
        let line = self.frame.action_line;
        let mut extra = String::new();
        if line != 0 && line != token.line {
            extra = format!(" in action started at {}:{line}", self.source.name);
            if token.value.ends_with(b" action") {
                extra.drain(.." in action".len());
            }
        }
        self.error(token.describe() + &extra)
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Token<'t>> {
        let token = self.next_non_space();
        if token.kind == kind {
            return Ok(token);
        }
        self.unexpected(&token, context)
    }

    fn file(&mut self) -> Parsed<Block> {
        let mut body = Block::new();
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
                Item::Node(node) => body.push(node),
                Item::End => return self.error("unexpected {{end}}"),
                Item::Else => return self.error("unexpected {{else}}"),
            }
        }
        Ok(body)
    }

    fn definition(&mut self) -> Parsed<()> {
        const CONTEXT: &str = "define clause";
        let outer = std::mem::take(&mut self.frame);
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
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
        let empty = ast::is_empty(&body);
        let tree = Tree {
            name,
            source: self.source.clone(),
            body: Arc::new(body),
        };
        match position {
            None => self.trees.push(tree),
            Some(index) if ast::is_empty(&self.trees[index].body) => self.trees[index] = tree,
            Some(_) if empty => {}
            Some(_) => {
                let name = gocompat::quote::quote(&tree.name);
                return self.error(format!("template: multiple definition of template {name}"));
            }
        }
        Ok(())
    }

    fn list(&mut self) -> Parsed<(Block, Ending)> {
        let mut body = Block::new();
        while self.peek_non_space().kind != Kind::Eof {
            match self.text_or_action()? {
                Item::Node(node) => body.push(node),
                Item::End => return Ok((body, Ending::End)),
                Item::Else => return Ok((body, Ending::Else)),
            }
        }
        self.error("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Parsed<Item> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(Text::from(&*token.value)))),
            Kind::LeftDelim => {
                self.frame.action_line = token.line;
                let item = self.action()?;
                self.frame.action_line = 0;
                Ok(item)
            }
            _ => self.unexpected(&token, "input"),
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
            return self.unexpected(&token, &format!("{{{{{word}}}}}"));
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
            return Ok(vec![Node::If(Box::new(self.control("if")?))]);
        }
        if context == "with" && next == Kind::With {
            self.next();
            return Ok(vec![Node::With(Box::new(self.control("with")?))]);
        }
        match self.list()? {
            (body, Ending::End) => Ok(body),
            (_, Ending::Else) => self.error("expected end; found {{else}}"),
        }
    }

    fn block_control(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "block clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
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
        let name = self.template_name(&token, CONTEXT)?;
        let mut pipe = None;
        if self.next_non_space().kind != Kind::RightDelim {
            self.backup();
            pipe = Some(self.pipeline(CONTEXT, Kind::RightDelim)?);
        }
        Ok(template_node(token.pos, name, pipe))
    }

    fn template_name(&mut self, token: &Token, context: &str) -> Parsed<Text> {
        match token.kind {
            Kind::Str | Kind::RawString => self.unquote(token),
            _ => self.unexpected(token, context),
        }
    }

    fn unquote(&mut self, token: &Token) -> Parsed<Text> {
        // Almost no literal has anything to resolve.
        let inner = token.value.get(1..token.value.len().max(2) - 1);
        if let Some(inner) = inner.filter(|inner| memchr::memchr2(b'\\', b'\r', inner).is_none())
            && std::str::from_utf8(inner).is_ok()
        {
            return Ok(Text::from(inner));
        }
        match gocompat::quote::unquote(&token.text()) {
            Some(text) => Ok(Text::from(text)),
            None => self.error("invalid syntax"),
        }
    }

    fn pipeline(&mut self, context: &'static str, end: Kind) -> Parsed<Pipe> {
        let mut pipe = Pipe {
            pos: self.peek_non_space().pos,
            assign: false,
            variables: Vec::new(),
            commands: Vec::new(),
        };
        while self.declaration(&mut pipe, context)? {}
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => {
                    self.check_pipeline(&pipe, context)?;
                    return Ok(pipe);
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
                    pipe.commands.push(command);
                }
                _ => return self.unexpected(&token, context),
            }
        }
    }

    /// Reads one declared variable; `true` where another may follow.
    fn declaration(&mut self, pipe: &mut Pipe, context: &str) -> Parsed<bool> {
        let variable = self.peek_non_space();
        if variable.kind != Kind::Variable {
            return Ok(false);
        }
        self.next();
        let after = self.peek().clone();
        let next = self.peek_non_space();
        if matches!(next.kind, Kind::Assign | Kind::Declare) {
            pipe.assign = next.kind == Kind::Assign;
            self.next_non_space();
            self.declare(pipe, variable);
            return Ok(false);
        }
        if next.kind == Kind::Char && *next.value == *b"," {
            self.next_non_space();
            self.declare(pipe, variable);
            if context == "range" && pipe.variables.len() < 2 {
                return match self.peek_non_space().kind {
                    Kind::Variable | Kind::RightDelim | Kind::RightParen => Ok(true),
                    _ => self.error("range can only initialize variables"),
                };
            }
            return self.error(format!("too many declarations in {context}"));
        }
        if after.kind == Kind::Space {
            self.backup3(variable, after);
        } else {
            self.backup2(variable);
        }
        Ok(false)
    }

    fn declare(&mut self, pipe: &mut Pipe, variable: Token<'t>) {
        let name = Text::from(&*variable.value);
        pipe.variables.push(name.clone());
        self.frame.variables.push(name);
    }

    fn check_pipeline(&mut self, pipe: &Pipe, context: &str) -> Parsed<()> {
        if pipe.commands.is_empty() {
            return self.error(format!("missing value for {context}"));
        }
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            if matches!(
                command.args[0].kind,
                ExprKind::Bool(_)
                    | ExprKind::Dot
                    | ExprKind::Nil
                    | ExprKind::Number(_)
                    | ExprKind::Text { .. }
            ) {
                let stage = index + 1;
                return self.error(format!("non executable command in pipeline stage {stage}"));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Parsed<Command> {
        let mut args = Vec::new();
        loop {
            self.peek_non_space();
            if let Some(operand) = self.operand()? {
                args.push(operand);
            }
            let token = self.next();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.backup(),
                Kind::Pipe => {}
                _ => return self.unexpected(&token, "operand"),
            }
            break;
        }
        if args.is_empty() {
            return self.error("empty command");
        }
        Ok(Command { args })
    }

    fn operand(&mut self) -> Parsed<Option<Expr>> {
        let Some(term) = self.term()? else {
            return Ok(None);
        };
        if self.peek().kind != Kind::Field {
            return Ok(Some(term));
        }
        let pos = self.peek().pos;
        let mut names = Vec::new();
        while self.peek().kind == Kind::Field {
            names.push(Text::from(&self.next().value[1..]));
        }
        let kind = match term.kind {
            ExprKind::Field(mut first) => {
                first.append(&mut names);
                ExprKind::Field(first)
            }
            ExprKind::Variable(name, mut first) => {
                first.append(&mut names);
                ExprKind::Variable(name, first)
            }
            ExprKind::Bool(_)
            | ExprKind::Text { .. }
            | ExprKind::Number(_)
            | ExprKind::Nil
            | ExprKind::Dot => {
                let shown = gocompat::quote::quote(term.to_string().as_bytes());
                return self.error(format!("unexpected . after term {shown}"));
            }
            _ => ExprKind::Chain(Box::new(term), names),
        };
        Ok(Some(Expr { pos, kind }))
    }

    fn term(&mut self) -> Parsed<Option<Expr>> {
        let token = self.next_non_space();
        let kind = match token.kind {
            Kind::Identifier => {
                let Some(callee) = (self.known)(&String::from_utf8_lossy(&token.value)) else {
                    let shown = gocompat::quote::quote(&token.value);
                    return self.error(format!("function {shown} not defined"));
                };
                ExprKind::Function(callee)
            }
            Kind::Dot => ExprKind::Dot,
            Kind::Nil => ExprKind::Nil,
            Kind::Variable => self.variable(&token)?,
            Kind::Field => ExprKind::Field(vec![Text::from(&token.value[1..])]),
            Kind::Bool => ExprKind::Bool(*token.value == *b"true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => {
                match number::parse(&token.text(), token.kind) {
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
            Kind::Str | Kind::RawString => ExprKind::Text {
                value: self.unquote(&token)?,
                quoted: token.text(),
            },
            _ => {
                self.backup();
                return Ok(None);
            }
        };
        let pos = token.pos;
        Ok(Some(Expr { pos, kind }))
    }

    fn variable(&mut self, token: &Token) -> Parsed<ExprKind> {
        let name = Text::from(&token.value[..]);
        if !self.frame.variables.contains(&name) {
            let shown = gocompat::quote::quote(&name);
            return self.error(format!("undefined variable {shown}"));
        }
        Ok(ExprKind::Variable(name, Vec::new()))
    }
}

fn template_node(pos: usize, name: Text, pipe: Option<Pipe>) -> Node {
    Node::Template(Box::new(Template { pos, name, pipe }))
}
