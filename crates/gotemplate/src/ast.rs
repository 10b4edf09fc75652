//! The parsed template: nodes with their offsets, and the canonical text that error messages quote.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::function::Function;
use crate::text::{Text, lossy};
use crate::value::Value;

/// A list of nodes.
pub(crate) type Block = Box<[Node]>;

/// A node of a template's body.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    /// Bytes of the source.
    Text(Range<u32>),
    Action(u32, Pipe),
    If(Box<Branch>),
    With(Box<Branch>),
    Range(Box<Branch>),
    Template(Box<Template>),
    Break,
    Continue,
}

/// `if`, `with` and `range`.
#[derive(Debug, Clone)]
pub(crate) struct Branch {
    pub(crate) pipe: Pipe,
    pub(crate) body: Block,
    pub(crate) otherwise: Option<Block>,
}

/// `{{template "name" pipe}}`.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    pub(crate) pos: u32,
    pub(crate) name: Text,
    pub(crate) pipe: Option<Pipe>,
}

/// Commands joined by `|`, with the variables they set.
#[derive(Debug, Clone)]
pub(crate) struct Pipe {
    pub(crate) pos: u32,
    pub(crate) assign: bool,
    pub(crate) variables: Box<[Text]>,
    pub(crate) first: Command,
    /// The commands after the first `|`.
    pub(crate) others: Box<[Command]>,
}

impl Pipe {
    pub(crate) fn commands(&self) -> impl Iterator<Item = &Command> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

/// Operands of one command.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) args: Box<[Expr]>,
}

/// An operand with its offset.
#[derive(Debug, Clone)]
pub(crate) struct Expr {
    pub(crate) pos: u32,
    pub(crate) kind: ExprKind,
}

/// The function that a name stands for, found once when the text is parsed.
#[derive(Debug, Clone)]
pub(crate) enum Callee {
    /// Of the set's registry.
    Own(Arc<Function>),
    /// Of the language.
    Builtin(&'static Function),
    /// Of a text that is only looked at.
    Named(Arc<str>),
}

impl Callee {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Own(function) => function.name,
            Self::Builtin(function) => function.name,
            Self::Named(name) => name,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum ExprKind {
    Bool(bool),
    Dot,
    Nil,
    Number(Box<Number>),
    Text(Text, Marks),
    Field(Box<[Text]>),
    /// The variable's name and the fields behind it.
    Variable(Box<[Text]>),
    Function(Callee),
    Chain(Box<Expr>, Box<[Text]>),
    Pipe(Box<Pipe>),
}

/// How a text literal is written.
#[derive(Debug, Clone)]
pub(crate) enum Marks {
    /// As its value between double quotes.
    Quotes,
    /// As its value between backquotes.
    Backquotes,
    /// In another way.
    Written(Box<str>),
}

/// A number by every interpretation it has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Number {
    pub(crate) text: String,
    pub(crate) int: Option<i64>,
    pub(crate) uint: Option<u64>,
    pub(crate) float: Option<f64>,
    pub(crate) complex: Option<(f64, f64)>,
    /// The value in an untyped position; `None` overflows int.
    pub(crate) ideal: Option<Value>,
}

/// Whether a body holds nothing but space.
pub(crate) fn is_empty(block: &Block, source: &[u8]) -> bool {
    block.iter().all(|node| match node {
        Node::Text(range) => lossy(text_of(range, source)).trim().is_empty(),
        _ => false,
    })
}

/// The bytes of a text node.
pub(crate) fn text_of<'s>(range: &Range<u32>, source: &'s [u8]) -> &'s [u8] {
    &source[range.start as usize..range.end as usize]
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, variable) in self.variables.iter().enumerate() {
            f.write_str(if index > 0 { ", " } else { "" })?;
            write!(f, "{variable}")?;
        }
        if !self.variables.is_empty() {
            f.write_str(if self.assign { " = " } else { " := " })?;
        }
        for (index, command) in self.commands().enumerate() {
            f.write_str(if index > 0 { " | " } else { "" })?;
            write!(f, "{command}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, arg) in self.args.iter().enumerate() {
            f.write_str(if index > 0 { " " } else { "" })?;
            match &arg.kind {
                ExprKind::Pipe(pipe) => write!(f, "({pipe})")?,
                _ => write!(f, "{arg}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Bool(flag) => write!(f, "{flag}"),
            ExprKind::Dot => f.write_str("."),
            ExprKind::Nil => f.write_str("nil"),
            ExprKind::Number(number) => f.write_str(&number.text),
            ExprKind::Text(text, Marks::Quotes) => write!(f, "\"{text}\""),
            ExprKind::Text(text, Marks::Backquotes) => write!(f, "`{text}`"),
            ExprKind::Text(_, Marks::Written(written)) => f.write_str(written),
            ExprKind::Function(callee) => f.write_str(callee.name()),
            ExprKind::Field(names) => fields(f, names),
            ExprKind::Variable(names) => {
                write!(f, "{}", names[0])?;
                fields(f, &names[1..])
            }
            ExprKind::Chain(base, names) => {
                match &base.kind {
                    ExprKind::Pipe(pipe) => write!(f, "({pipe})")?,
                    _ => write!(f, "{base}")?,
                }
                fields(f, names)
            }
            ExprKind::Pipe(pipe) => write!(f, "{pipe}"),
        }
    }
}

fn fields(f: &mut fmt::Formatter<'_>, names: &[Text]) -> fmt::Result {
    names.iter().try_for_each(|name| write!(f, ".{name}"))
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{{template ")?;
        f.write_str(&gocompat::quote::quote(&self.name))?;
        if let Some(pipe) = &self.pipe {
            write!(f, " {pipe}")?;
        }
        f.write_str("}}")
    }
}

impl Branch {
    /// Canonical text of the whole structure; the body is left out of error messages' reach.
    pub(crate) fn describe(&self, keyword: &str, source: &[u8]) -> String {
        let mut out = format!("{{{{{keyword} {}}}}}", self.pipe);
        write_block(&mut out, &self.body, source);
        if let Some(block) = &self.otherwise {
            out.push_str("{{else}}");
            write_block(&mut out, block, source);
        }
        out.push_str("{{end}}");
        out
    }
}

fn write_block(out: &mut String, block: &Block, source: &[u8]) {
    for node in block {
        match node {
            Node::Text(range) => out.push_str(&lossy(text_of(range, source))),
            Node::Action(_, pipe) => out.push_str(&format!("{{{{{pipe}}}}}")),
            Node::If(branch) => out.push_str(&branch.describe("if", source)),
            Node::With(branch) => out.push_str(&branch.describe("with", source)),
            Node::Range(branch) => out.push_str(&branch.describe("range", source)),
            Node::Template(template) => out.push_str(&template.to_string()),
            Node::Break => out.push_str("{{break}}"),
            Node::Continue => out.push_str("{{continue}}"),
        }
    }
}
