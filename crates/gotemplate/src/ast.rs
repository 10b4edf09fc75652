//! The parsed template: nodes with their offsets, and the canonical text that error messages quote.

use std::fmt;
use std::sync::Arc;

use crate::function::Function;
use crate::text::Text;
use crate::value::Value;

/// A list of nodes.
pub(crate) type Block = Vec<Node>;

/// A node of a template's body.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Text(Text),
    Action(usize, Pipe),
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
    pub(crate) pos: usize,
    pub(crate) name: Text,
    pub(crate) pipe: Option<Pipe>,
}

/// Commands joined by `|`, with the variables they set.
#[derive(Debug, Clone)]
pub(crate) struct Pipe {
    pub(crate) pos: usize,
    pub(crate) assign: bool,
    pub(crate) variables: Vec<Text>,
    pub(crate) commands: Vec<Command>,
}

/// Operands of one command.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) args: Vec<Expr>,
}

/// An operand with its offset.
#[derive(Debug, Clone)]
pub(crate) struct Expr {
    pub(crate) pos: usize,
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
    Text { quoted: String, value: Text },
    Field(Vec<Text>),
    Variable(Text, Vec<Text>),
    Function(Callee),
    Chain(Box<Expr>, Vec<Text>),
    Pipe(Box<Pipe>),
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
pub(crate) fn is_empty(block: &Block) -> bool {
    block.iter().all(|node| match node {
        Node::Text(text) => text.to_str().trim().is_empty(),
        _ => false,
    })
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
        for (index, command) in self.commands.iter().enumerate() {
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
            ExprKind::Text { quoted, .. } => f.write_str(quoted),
            ExprKind::Function(callee) => f.write_str(callee.name()),
            ExprKind::Field(names) => fields(f, names),
            ExprKind::Variable(name, names) => {
                write!(f, "{name}")?;
                fields(f, names)
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
    pub(crate) fn describe(&self, keyword: &str) -> String {
        let mut out = format!("{{{{{keyword} {}}}}}", self.pipe);
        write_block(&mut out, &self.body);
        if let Some(block) = &self.otherwise {
            out.push_str("{{else}}");
            write_block(&mut out, block);
        }
        out.push_str("{{end}}");
        out
    }
}

fn write_block(out: &mut String, block: &Block) {
    for node in block {
        match node {
            Node::Text(text) => out.push_str(&text.to_str()),
            Node::Action(_, pipe) => out.push_str(&format!("{{{{{pipe}}}}}")),
            Node::If(branch) => out.push_str(&branch.describe("if")),
            Node::With(branch) => out.push_str(&branch.describe("with")),
            Node::Range(branch) => out.push_str(&branch.describe("range")),
            Node::Template(template) => out.push_str(&template.to_string()),
            Node::Break => out.push_str("{{break}}"),
            Node::Continue => out.push_str("{{continue}}"),
        }
    }
}
