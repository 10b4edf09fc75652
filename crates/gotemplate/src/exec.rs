//! The evaluator: a parsed body and data in, text out. Semantics and messages are those of Go 1.26.

mod call;
mod chain;
mod operand;

use std::sync::Arc;

use foldhash::HashMap;

use crate::ast::{Block, Branch, Command, Expr, Node, Pipe, Template, text_of};
use crate::error::{Cause, ExecError, Place, RunError};
use crate::function::{CallError, Host};
use crate::parse::Tree;
use crate::set::Set;
use crate::text::Text;
use crate::value::{Element, List, MapKind, Value};

/// The result of evaluating something: absent, of a concrete static type, or held in an interface.
///
/// The difference shows in messages and in what a nil does (see the specification, 2.3).
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Invalid,
    Is(Value),
    Interface(Value),
}

impl Item {
    /// The value with interfaces taken away; nil becomes absent.
    fn dig(self) -> Self {
        match self {
            Self::Interface(Value::Nil) | Self::Is(Value::Nil) => Self::Invalid,
            Self::Interface(value) => Self::Is(value),
            other => other,
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Invalid => Value::Nil,
            Self::Is(value) | Self::Interface(value) => value.clone(),
        }
    }

    fn value_ref(&self) -> Option<&Value> {
        match self {
            Self::Invalid => None,
            Self::Is(value) | Self::Interface(value) => Some(value),
        }
    }

    fn of(value: Value) -> Self {
        if value.is_nil() {
            Self::Invalid
        } else {
            Self::Is(value)
        }
    }
}

/// One run over a set: what is left of the limits, and the set seen at present.
pub struct Run<'r> {
    set: Arc<Set>,
    host: &'r dyn Host,
    fuel: u64,
    depth: usize,
    includes: HashMap<Text, usize>,
    texts: HashMap<Text, Arc<Vec<Tree>>>,
}

/// Most active inclusions of one name.
const INCLUDES_MAX: usize = 1000;
/// Most layers that nested `tpl` calls may put on a set.
const LAYERS_MAX: usize = 200;

type Exec<T> = Result<T, Box<ExecError>>;

impl<'r> Run<'r> {
    /// Starts a run with full limits.
    pub fn new(set: Arc<Set>, host: &'r dyn Host) -> Self {
        Self {
            fuel: set.limits().fuel,
            set,
            host,
            depth: 0,
            includes: HashMap::default(),
            texts: HashMap::default(),
        }
    }

    /// The host.
    pub fn host(&self) -> &'r dyn Host {
        self.host
    }

    /// The set seen at present.
    pub fn set(&self) -> &Arc<Set> {
        &self.set
    }

    /// Takes fuel for work or memory.
    ///
    /// # Errors
    /// The fuel is used up.
    pub fn charge(&mut self, amount: u64) -> Result<(), CallError> {
        match self.fuel.checked_sub(amount) {
            Some(left) => {
                self.fuel = left;
                Ok(())
            }
            None => {
                self.fuel = 0;
                Err(CallError::Limit(
                    "the template exceeded its budget of work and memory".to_owned(),
                ))
            }
        }
    }

    /// Runs a template of the set.
    ///
    /// # Errors
    /// There is no such template, or it fails.
    pub fn execute(&mut self, name: &[u8], data: &Value) -> Result<Vec<u8>, RunError> {
        let set = self.set.clone();
        let Some(tree) = set.lookup(name) else {
            return Err(RunError::Missing {
                name: String::from_utf8_lossy(name).into_owned(),
                set: set.name().to_owned(),
            });
        };
        let mut out = Vec::new();
        self.run_tree(tree, Item::of(data.clone()), &mut out)
            .map_err(RunError::Exec)?;
        Ok(out)
    }

    /// Runs a template as `include` does, guarding against endless inclusion.
    ///
    /// # Errors
    /// As [`Run::execute`], or the template includes itself too often.
    pub fn include(&mut self, name: &Text, data: &Value) -> Result<Vec<u8>, CallError> {
        let active = self.includes.entry(name.clone()).or_insert(0);
        if *active > INCLUDES_MAX {
            return Err(CallError::text(format!(
                "rendering template has a nested reference name: {name}: unable to execute template"
            )));
        }
        *active += 1;
        let result = self.execute(name, data);
        if let Some(active) = self.includes.get_mut(name) {
            *active -= 1;
        }
        Ok(result?)
    }

    /// Parses and runs a text as `tpl` does: what it defines is visible to it alone.
    ///
    /// # Errors
    /// The text does not parse or fails; both are worded as Helm words them.
    pub fn evaluate(&mut self, text: &Text, data: &Value) -> Result<Vec<u8>, CallError> {
        let outer = self.set.clone();
        if outer.layers() >= LAYERS_MAX {
            return Err(CallError::Limit(format!(
                "tpl is nested more than {LAYERS_MAX} times"
            )));
        }
        let trees = self.compiled(text, &outer)?;
        let own = trees.last().expect("a text has a body of its own").clone();
        self.set = Arc::new(Set::layer(&outer, &trees));
        let mut out = Vec::new();
        let result = self.run_tree(&own, Item::of(data.clone()), &mut out);
        self.set = outer;
        result.map_err(|error| {
            let shown = gocompat::quote::quote(text);
            CallError::Exec(
                format!("error during tpl function execution for {shown}: "),
                error,
            )
        })?;
        Ok(out)
    }

    fn compiled(&mut self, text: &Text, set: &Arc<Set>) -> Result<Arc<Vec<Tree>>, CallError> {
        if let Some(trees) = self.texts.get(text) {
            return Ok(trees.clone());
        }
        self.charge(text.len() as u64 * 8)?;
        let trees = set.compile(set.name(), text).map_err(|error| {
            let shown = gocompat::quote::quote(text);
            CallError::text(format!("cannot parse template {shown}: {error}"))
        })?;
        let trees = Arc::new(trees);
        self.texts.insert(text.clone(), trees.clone());
        Ok(trees)
    }

    fn run_tree(&mut self, tree: &Tree, dot: Item, out: &mut Vec<u8>) -> Exec<()> {
        self.depth += 1;
        let mut frame = Frame {
            variables: vec![(Text::dollar(), dot.clone())],
            tree,
            at: At::Start,
            out,
            run: self,
        };
        let result = frame
            .guard_depth()
            .and_then(|()| frame.block(&dot, &tree.body));
        self.depth -= 1;
        result.map(|_| ())
    }
}

/// One executing template.
struct Frame<'f, 'r> {
    run: &'f mut Run<'r>,
    tree: &'f Tree,
    out: &'f mut Vec<u8>,
    variables: Vec<(Text, Item)>,
    at: At<'f>,
}

/// The node that errors name.
#[derive(Clone, Copy)]
enum At<'f> {
    Start,
    Expr(&'f Expr),
    Pipe(&'f Pipe),
    Command(&'f Command),
    Template(&'f Template),
    Branch(&'f Branch, &'static str),
    Action(u32, &'f Pipe),
}

impl At<'_> {
    fn describe(self, source: &[u8]) -> (u32, String) {
        match self {
            Self::Start => (0, String::new()),
            Self::Expr(expr) => (expr.pos, expr.to_string()),
            Self::Pipe(pipe) => (pipe.pos, pipe.to_string()),
            // Only commands that start with a function's name are reported as a whole.
            Self::Command(command) => (
                command.args.first().map_or(0, |arg| arg.pos),
                command.to_string(),
            ),
            Self::Template(template) => (template.pos, template.to_string()),
            Self::Branch(branch, keyword) => (branch.pipe.pos, branch.describe(keyword, source)),
            Self::Action(pos, pipe) => (pos, format!("{{{{{pipe}}}}}")),
        }
    }
}

/// How a block ended.
/// Upstream's words, with its bound.
const TOO_DEEP: &str = "exceeded maximum template depth (100000)";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

impl<'f> Frame<'f, '_> {
    fn fail<T>(&self, message: impl Into<String>) -> Exec<T> {
        self.raise(Cause::Message(message.into()))
    }

    fn raise<T>(&self, cause: Cause) -> Exec<T> {
        let source = &self.tree.source;
        let (pos, node) = self.at.describe(&source.text);
        let pos = pos as usize;
        let before = &source.text[..pos.min(source.text.len())];
        let line_start = before
            .iter()
            .rposition(|&b| b == b'\n')
            .map_or(0, |at| at + 1);
        Err(Box::new(ExecError {
            template: self.tree.name.to_string(),
            place: Place {
                file: source.name.clone(),
                line: 1 + before.iter().filter(|&&b| b == b'\n').count(),
                column: before.len() - line_start,
            },
            node,
            cause,
            source: source.text.clone(),
            pos,
        }))
    }

    fn charge(&mut self, amount: u64) -> Exec<()> {
        match self.run.charge(amount) {
            Ok(()) => Ok(()),
            Err(error) => self.fail(error.to_string()),
        }
    }

    fn guard_depth(&self) -> Exec<()> {
        if self.run.depth > self.run.set.limits().depth {
            return self.fail(TOO_DEEP);
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Exec<()> {
        self.out.extend_from_slice(bytes);
        let limit = self.run.set.limits().output_bytes;
        if self.out.len() > limit {
            return self.fail(format!("output exceeds {limit} bytes"));
        }
        self.charge(bytes.len() as u64 / 8)
    }

    fn block(&mut self, dot: &Item, block: &'f Block) -> Exec<Flow> {
        for node in block {
            let flow = self.node(dot, node)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn node(&mut self, dot: &Item, node: &'f Node) -> Exec<Flow> {
        match node {
            Node::Text(range) => {
                let source = &self.tree.source;
                self.write(text_of(range, &source.text))?;
            }
            Node::Action(pos, pipe) => {
                self.at = At::Action(*pos, pipe);
                let value = self.pipeline(dot, pipe)?;
                if pipe.variables.is_empty() {
                    self.at = At::Action(*pos, pipe);
                    self.print(&value)?;
                }
            }
            Node::If(branch) => return self.nested(|frame| frame.condition(dot, branch, false)),
            Node::With(branch) => return self.nested(|frame| frame.condition(dot, branch, true)),
            Node::Range(branch) => return self.nested(|frame| frame.range(dot, branch)),
            Node::Template(template) => self.template(dot, template)?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    /// Runs a control structure: its variables end with it.
    fn nested(&mut self, body: impl FnOnce(&mut Self) -> Exec<Flow>) -> Exec<Flow> {
        let variables = self.variables.len();
        self.run.depth += 1;
        let result = self.guard_depth().and_then(|()| body(self));
        self.run.depth -= 1;
        self.variables.truncate(variables);
        result
    }

    fn print(&mut self, value: &Item) -> Exec<()> {
        match value {
            Item::Invalid | Item::Is(Value::Nil) | Item::Interface(Value::Nil) => {
                self.write(b"<no value>")
            }
            Item::Is(Value::Text(text)) | Item::Interface(Value::Text(text)) => self.write(text),
            Item::Is(Value::Object(object)) if let Some(text) = object.address_string() => {
                self.write(&text)
            }
            Item::Is(value) | Item::Interface(value) => {
                let text = crate::format::display(value);
                self.write(&text)
            }
        }
    }

    fn condition(&mut self, dot: &Item, branch: &'f Branch, with: bool) -> Exec<Flow> {
        self.at = At::Branch(branch, if with { "with" } else { "if" });
        let value = self.pipeline(dot, &branch.pipe)?;
        if value.value_ref().is_some_and(Value::truth) {
            let dot = if with { &value } else { dot };
            return self.block(dot, &branch.body);
        }
        match &branch.otherwise {
            Some(block) => self.block(dot, block),
            None => Ok(Flow::Next),
        }
    }

    fn template(&mut self, dot: &Item, template: &'f Template) -> Exec<()> {
        self.at = At::Template(template);
        let set = self.run.set.clone();
        let Some(tree) = set.lookup(&template.name) else {
            let name = gocompat::quote::quote(&template.name);
            return self.fail(format!("template {name} not defined"));
        };
        let dot = match &template.pipe {
            Some(pipe) => self.pipeline(dot, pipe)?,
            None => Item::Invalid,
        };
        self.at = At::Template(template);
        // The template that would go too deep is not at fault, but the action that calls it.
        if self.run.depth >= self.run.set.limits().depth {
            return self.fail(TOO_DEEP);
        }
        self.charge(1)?;
        self.run.run_tree(tree, dot, self.out)
    }

    fn range(&mut self, dot: &Item, branch: &'f Branch) -> Exec<Flow> {
        self.at = At::Branch(branch, "range");
        let value = self.pipeline(dot, &branch.pipe)?;
        let Some(value) = value.value_ref() else {
            return self.range_else(dot, branch);
        };
        let pairs: Vec<(Value, Item)> = if let Some(count) = integer(value) {
            if branch.pipe.variables.len() > 1 {
                return self.fail(format!(
                    "can't use {count} to iterate over more than one variable"
                ));
            }
            return self.range_count(dot, branch, value, count);
        } else if let Value::List(list) = value {
            let list = list.clone();
            return self.range_list(dot, branch, &list);
        } else if let Some(elements) = value.elements() {
            let item = |(i, v): (usize, &Value)| (Value::Int(i as i64), Item::Is(v.clone()));
            elements.iter().enumerate().map(item).collect()
        } else if let Some(entries) = value.entries() {
            let concrete = matches!(value, Value::Map(map) if map.kind() == MapKind::Text);
            let item = |value| {
                if concrete {
                    Item::Is(value)
                } else {
                    Item::Interface(value)
                }
            };
            entries
                .into_iter()
                .map(|(key, value)| (Value::Text(key), item(value)))
                .collect()
        } else {
            let shown = crate::format::display(value);
            let shown = String::from_utf8_lossy(&shown).into_owned();
            return self.fail(format!("range can't iterate over {shown}"));
        };
        if pairs.is_empty() {
            return self.range_else(dot, branch);
        }
        for (key, element) in pairs {
            if self.iteration(branch, Item::Is(key), element)? == Flow::Break {
                break;
            }
        }
        Ok(Flow::Next)
    }

    fn range_else(&mut self, dot: &Item, branch: &'f Branch) -> Exec<Flow> {
        match &branch.otherwise {
            Some(block) => self.block(dot, block),
            None => Ok(Flow::Next),
        }
    }

    fn range_list(&mut self, dot: &Item, branch: &'f Branch, list: &List) -> Exec<Flow> {
        if list.items().is_empty() {
            return self.range_else(dot, branch);
        }
        for (index, value) in list.items().iter().enumerate() {
            let element = match list.element() {
                Element::Any => Item::Interface(value.clone()),
                _ => Item::Is(value.clone()),
            };
            let index = Item::Is(Value::Int(index as i64));
            if self.iteration(branch, index, element)? == Flow::Break {
                break;
            }
        }
        Ok(Flow::Next)
    }

    fn range_count(
        &mut self,
        dot: &Item,
        branch: &'f Branch,
        like: &Value,
        count: i128,
    ) -> Exec<Flow> {
        if count <= 0 {
            return self.range_else(dot, branch);
        }
        for index in 0..count {
            let element = match like {
                Value::Int64(_) => Value::Int64(index as i64),
                Value::Uint8(_) => Value::Uint8(index as u8),
                Value::Uint64(_) => Value::Uint64(index as u64),
                _ => Value::Int(index as i64),
            };
            if self.iteration(branch, Item::Invalid, Item::Is(element))? == Flow::Break {
                break;
            }
        }
        Ok(Flow::Next)
    }

    /// Runs the body once; variables of the header are set for it.
    fn iteration(&mut self, branch: &'f Branch, index: Item, element: Item) -> Exec<Flow> {
        self.charge(1)?;
        let pipe = &branch.pipe;
        let top = self.variables.len();
        match &pipe.variables[..] {
            [] => {}
            [only] if pipe.assign => self.assign(only, element.clone())?,
            [first, second, ..] if pipe.assign => {
                self.assign(first, index)?;
                self.assign(second, element.clone())?;
            }
            [_] => self.variables[top - 1].1 = element.clone(),
            [..] => {
                self.variables[top - 1].1 = element.clone();
                self.variables[top - 2].1 = index;
            }
        }
        let flow = self.block(&element, &branch.body);
        self.variables.truncate(top);
        flow
    }

    fn assign(&mut self, name: &Text, value: Item) -> Exec<()> {
        match self
            .variables
            .iter_mut()
            .rev()
            .find(|(known, _)| known == name)
        {
            Some((_, slot)) => {
                *slot = value;
                Ok(())
            }
            None => self.fail(format!("undefined variable: {name}")),
        }
    }

    /// Evaluates commands, each getting the value of the one before, and sets variables.
    fn pipeline(&mut self, dot: &Item, pipe: &'f Pipe) -> Exec<Item> {
        self.at = At::Pipe(pipe);
        let mut value = None;
        for command in pipe.commands() {
            value = Some(self.command(dot, command, value)?.dig());
        }
        let value = value.unwrap_or(Item::Invalid);
        for name in &pipe.variables {
            if pipe.assign {
                self.assign(name, value.clone())?;
            } else {
                self.variables.push((name.clone(), value.clone()));
            }
        }
        Ok(value)
    }
}

fn integer(value: &Value) -> Option<i128> {
    value
        .as_int()
        .map(i128::from)
        .or_else(|| value.as_uint().map(i128::from))
}
