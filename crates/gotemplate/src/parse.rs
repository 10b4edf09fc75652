//! The parser: tokens in, named bodies out. Errors are Go 1.26's texts with template name and line.

mod pipeline;
mod tokens;

use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use crate::ast::{self, Block, Branch, Callee, Command, Expr, Node, Pipe, Template};
use crate::error::ParseError;
use crate::lex::{Kind, Lexer, TEXT_MAX, Token};
use crate::text::Text;

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
}

fn template_node(pos: u32, name: Text, pipe: Option<Pipe>) -> Node {
    Node::Template(Box::new(Template { pos, name, pipe }))
}
