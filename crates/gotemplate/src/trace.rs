//! What a failed execution looked at: the source line of each level, and the data that the failing node names.
//!
//! Nothing is recorded while templates run. The text of each level is parsed again, its data is followed from
//! the outermost level inwards by name alone: through `with`, `range`, variables, `dict` and `include`. What
//! cannot be followed is left out.

use std::ops::Range;

use crate::ast::{Block, Branch, Callee, Command, Expr, ExprKind, Node, Pipe};
use crate::error::{Cause, ExecError};
use crate::function::CallError;
use crate::parse;
use crate::text::Text;

/// One step into the data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Below a key.
    Key(String),
    /// Some element of a list or map.
    Element,
}

/// A way from the data that the outermost template was given to a part of it.
pub type DataPath = Vec<Step>;

/// One level of a failed execution; the outermost is the template that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// Name under which the text was parsed.
    pub file: String,
    /// Name of the executing template.
    pub template: String,
    /// Line counted from 1.
    pub line: usize,
    /// Byte offset in the line, counted from 0.
    pub column: usize,
    /// Text of that line, without its break.
    pub text: String,
    /// Bytes of `text` that the failing node takes.
    pub mark: Range<usize>,
    /// Data that the failing node names.
    pub data: Vec<DataPath>,
}

/// Most levels that are looked at; deeper recursion repeats itself.
const LEVELS_MAX: usize = 64;
/// Longest way into the data that is followed.
const STEPS_MAX: usize = 64;
/// Most paths that one node is said to depend on.
const PATHS_MAX: usize = 16;

/// Follows a failure from the outermost level inwards.
pub fn levels(error: &ExecError) -> Vec<Level> {
    let mut levels = Vec::new();
    let mut dollar = Shape::Path(Vec::new());
    let mut current = Some(error);
    while let Some(error) = current.filter(|_| levels.len() < LEVELS_MAX) {
        let (data, passed) = examine(error, dollar);
        let (text, start) = line_of(&error.source, error.pos);
        let mark = mark(&text, start, &error.node);
        levels.push(Level {
            file: error.place.file.clone(),
            template: error.template.clone(),
            line: error.place.line,
            column: error.place.column,
            text,
            mark,
            data,
        });
        dollar = passed;
        current = inner(error);
    }
    levels
}

fn inner(error: &ExecError) -> Option<&ExecError> {
    match &error.cause {
        Cause::Call {
            error: CallError::Exec(_, inner),
            ..
        } => Some(inner),
        _ => None,
    }
}

/// The line around an offset, and the offset inside it.
fn line_of(source: &[u8], pos: usize) -> (String, usize) {
    let pos = pos.min(source.len());
    let start = source[..pos]
        .iter()
        .rposition(|&b| b == b'\n')
        .map_or(0, |at| at + 1);
    let end = source[pos..]
        .iter()
        .position(|&b| b == b'\n')
        .map_or(source.len(), |at| pos + at);
    let before = String::from_utf8_lossy(&source[start..pos]).into_owned();
    let after = String::from_utf8_lossy(&source[pos..end]);
    let at = before.len();
    ((before + &after).trim_end_matches('\r').to_owned(), at)
}

/// The bytes of a line that a node takes, where its text stands around the offset; else one character.
fn mark(line: &str, at: usize, node: &str) -> Range<usize> {
    let found = line.match_indices(node).find_map(|(start, text)| {
        let range = start..start + text.len();
        (range.contains(&at) || start == at).then_some(range)
    });
    let one = || {
        let width = line
            .get(at..)
            .and_then(|rest| rest.chars().next())
            .map_or(0, char::len_utf8);
        at.min(line.len())..(at + width).min(line.len())
    };
    found.filter(|range| !range.is_empty()).unwrap_or_else(one)
}

/// What is known about a value.
#[derive(Clone, Debug)]
enum Shape {
    /// A part of the data.
    Path(DataPath),
    /// A map built by `dict`.
    Dict(Vec<(Text, Shape)>),
    /// Something made of parts of the data.
    Derived(Vec<DataPath>),
}

impl Shape {
    fn unknown() -> Self {
        Self::Derived(Vec::new())
    }

    fn step(self, step: Step) -> Self {
        match self {
            Self::Path(path) if path.len() >= STEPS_MAX => Self::unknown(),
            Self::Path(mut path) => {
                path.push(step);
                Self::Path(path)
            }
            Self::Dict(entries) => match step {
                Step::Key(key) => entries
                    .into_iter()
                    .rev()
                    .find(|(name, _)| name.as_bytes() == key.as_bytes())
                    .map_or_else(Self::unknown, |(_, shape)| shape),
                Step::Element => Self::Derived(Self::Dict(entries).paths()),
            },
            derived @ Self::Derived(_) => derived,
        }
    }

    fn fields(self, names: &[Text]) -> Self {
        if names.len() > STEPS_MAX {
            return Self::unknown();
        }
        names.iter().fold(self, |shape, name| {
            shape.step(Step::Key(name.to_str().into_owned()))
        })
    }

    fn paths(&self) -> Vec<DataPath> {
        let mut paths = match self {
            Self::Path(path) if path.is_empty() => Vec::new(),
            Self::Path(path) => vec![path.clone()],
            Self::Dict(entries) => entries
                .iter()
                .flat_map(|(_, shape)| shape.paths())
                .collect(),
            Self::Derived(paths) => paths.clone(),
        };
        paths.truncate(PATHS_MAX);
        paths
    }
}

/// Names in scope: variables with their shapes, the latest last, and the dot.
#[derive(Clone)]
struct Scope {
    variables: Vec<(Text, Shape)>,
    dot: Shape,
}

impl Scope {
    fn expr(&self, expr: &Expr) -> Shape {
        match &expr.kind {
            ExprKind::Dot => self.dot.clone(),
            ExprKind::Field(names) => self.dot.clone().fields(names),
            ExprKind::Variable(names) => {
                let (name, names) = names.split_first().expect("a variable has a name");
                let found = self.variables.iter().rev().find(|(known, _)| known == name);
                found
                    .map_or_else(Shape::unknown, |(_, shape)| shape.clone())
                    .fields(names)
            }
            ExprKind::Chain(base, names) => self.expr(base).fields(names),
            ExprKind::Pipe(pipe) => self.pipe(pipe),
            _ => Shape::unknown(),
        }
    }

    fn pipe(&self, pipe: &Pipe) -> Shape {
        let mut last = None;
        for command in pipe.commands() {
            last = Some(self.command(command, last));
        }
        last.unwrap_or_else(Shape::unknown)
    }

    fn command(&self, command: &Command, last: Option<Shape>) -> Shape {
        let Some((first, rest)) = command.args.split_first() else {
            return Shape::unknown();
        };
        let ExprKind::Function(callee) = &first.kind else {
            return self.expr(first);
        };
        let mut args: Vec<(Option<&Expr>, Shape)> = rest
            .iter()
            .map(|expr| (Some(expr), self.expr(expr)))
            .collect();
        args.extend(last.map(|shape| (None, shape)));
        call(callee.name(), args)
    }

    fn declare(&mut self, pipe: &Pipe, shape: &Shape) {
        for name in &pipe.variables {
            let known = self
                .variables
                .iter_mut()
                .rev()
                .find(|(known, _)| known == name);
            match known.filter(|_| pipe.assign) {
                Some((_, slot)) => *slot = shape.clone(),
                None => self.variables.push((name.clone(), shape.clone())),
            }
        }
    }
}

/// The shape of a function's result.
fn call(name: &str, mut args: Vec<(Option<&Expr>, Shape)>) -> Shape {
    let literal = |expr: &Option<&Expr>| match expr.map(|expr| &expr.kind) {
        Some(ExprKind::Text(value, _)) => Some(value.clone()),
        _ => None,
    };
    match name {
        "dict" => {
            let pairs = args.chunks(2).filter_map(|pair| {
                let [(key, _), (_, shape)] = pair else {
                    return None;
                };
                Some((literal(key)?, shape.clone()))
            });
            Shape::Dict(pairs.collect())
        }
        "index" | "get" if !args.is_empty() => {
            let (_, base) = args.remove(0);
            args.iter().fold(base, |shape, (key, _)| {
                shape.step(
                    literal(key).map_or(Step::Element, |key| Step::Key(key.to_str().into_owned())),
                )
            })
        }
        "dig" if args.len() >= 3 => {
            let (_, base) = args.pop().expect("there are three");
            args.pop();
            args.iter().fold(base, |shape, (key, _)| {
                shape.step(
                    literal(key).map_or(Step::Element, |key| Step::Key(key.to_str().into_owned())),
                )
            })
        }
        "first" | "last" if args.len() == 1 => args.remove(0).1.step(Step::Element),
        "deepCopy" | "mustDeepCopy" | "omit" | "pick" if !args.is_empty() => args.remove(0).1,
        "default" if args.len() == 2 => args.remove(1).1,
        "required" if args.len() == 2 => args.remove(1).1,
        _ => {
            let paths = args.iter().flat_map(|(_, shape)| shape.paths());
            Shape::Derived(paths.take(PATHS_MAX).collect())
        }
    }
}

/// The data that the failing node names, and what it passes on to the template it calls.
fn examine(error: &ExecError, dollar: Shape) -> (Vec<DataPath>, Shape) {
    let nothing = (Vec::new(), Shape::unknown());
    let named = |name: &str| Some(Callee::Named(name.into()));
    let Ok(trees) = parse::parse(&error.place.file, &error.source, &named) else {
        return nothing;
    };
    let named = |name: &[u8]| name == error.template.as_bytes();
    let Some(tree) = trees.iter().rev().find(|tree| named(tree.name.as_bytes())) else {
        return nothing;
    };
    let mut scope = Scope {
        variables: vec![(Text::from("$"), dollar.clone())],
        dot: dollar,
    };
    let search = Search {
        pos: error.pos,
        node: &error.node,
    };
    search.block(&tree.body, &mut scope).unwrap_or(nothing)
}

/// The node to find.
struct Search<'e> {
    pos: usize,
    node: &'e str,
}

type Finding = (Vec<DataPath>, Shape);

impl Search<'_> {
    fn block(&self, block: &Block, scope: &mut Scope) -> Option<Finding> {
        block.iter().find_map(|node| self.one(node, scope))
    }

    fn one(&self, node: &Node, scope: &mut Scope) -> Option<Finding> {
        match node {
            Node::Text(_) | Node::Break | Node::Continue => None,
            Node::Action(pos, pipe) => {
                let found = self.pipe(pipe, scope);
                if found.is_some() || *pos as usize == self.pos {
                    return found.or_else(|| Some((scope.pipe(pipe).paths(), Shape::unknown())));
                }
                let shape = scope.pipe(pipe);
                scope.declare(pipe, &shape);
                None
            }
            Node::If(branch) => self.branch(branch, scope, |_, _| {}),
            Node::With(branch) => self.branch(branch, scope, |inner, shape| inner.dot = shape),
            Node::Range(branch) => self.range(branch, scope),
            Node::Template(template) => {
                let pipe = template.pipe.as_ref();
                let found = pipe.and_then(|pipe| self.pipe(pipe, scope));
                if found.is_some() || template.pos as usize == self.pos {
                    let shape = pipe.map_or_else(Shape::unknown, |pipe| scope.pipe(pipe));
                    return found.or_else(|| Some((shape.paths(), shape)));
                }
                None
            }
        }
    }

    fn branch(
        &self,
        branch: &Branch,
        scope: &mut Scope,
        enter: impl FnOnce(&mut Scope, Shape),
    ) -> Option<Finding> {
        if let Some(found) = self.head(branch, scope) {
            return Some(found);
        }
        let mut inner = scope.clone();
        let shape = inner.pipe(&branch.pipe);
        inner.declare(&branch.pipe, &shape);
        let mut otherwise = inner.clone();
        enter(&mut inner, shape);
        self.bodies(branch, scope, inner, &mut otherwise)
    }

    fn range(&self, branch: &Branch, scope: &mut Scope) -> Option<Finding> {
        if let Some(found) = self.head(branch, scope) {
            return Some(found);
        }
        let mut inner = scope.clone();
        let element = inner.pipe(&branch.pipe).step(Step::Element);
        if let Some((last, keys)) = branch.pipe.variables.split_last() {
            let keys = keys.iter().map(|key| (key.clone(), Shape::unknown()));
            inner.variables.extend(keys);
            inner.variables.push((last.clone(), element.clone()));
        }
        inner.dot = element;
        self.bodies(branch, scope, inner, &mut scope.clone())
    }

    fn head(&self, branch: &Branch, scope: &Scope) -> Option<Finding> {
        let found = self.pipe(&branch.pipe, scope);
        let here = branch.pipe.pos as usize == self.pos;
        found.or_else(|| here.then(|| (scope.pipe(&branch.pipe).paths(), Shape::unknown())))
    }

    fn bodies(
        &self,
        branch: &Branch,
        outer: &mut Scope,
        mut inner: Scope,
        otherwise: &mut Scope,
    ) -> Option<Finding> {
        let count = outer.variables.len();
        let found = self.block(&branch.body, &mut inner);
        if found.is_some() {
            return found;
        }
        // What the body assigned to variables of the outside stays assigned.
        outer.variables.clone_from_slice(&inner.variables[..count]);
        self.block(branch.otherwise.as_ref()?, otherwise)
    }

    /// Looks for the node among commands and operands, the innermost with the same text first.
    fn pipe(&self, pipe: &Pipe, scope: &Scope) -> Option<Finding> {
        let mut last: Option<Shape> = None;
        for command in pipe.commands() {
            if let Some(found) = self.command(command, last.as_ref(), scope) {
                return Some(found);
            }
            last = Some(scope.command(command, last));
        }
        let here = pipe.pos as usize == self.pos && pipe.to_string() == self.node;
        here.then(|| (scope.pipe(pipe).paths(), Shape::unknown()))
    }

    fn command(&self, command: &Command, last: Option<&Shape>, scope: &Scope) -> Option<Finding> {
        let first = command.args.first()?;
        let is_call = matches!(first.kind, ExprKind::Function(_));
        if is_call && first.pos as usize == self.pos && command.to_string() == self.node {
            return Some(passed(command, last, scope));
        }
        for arg in &command.args {
            let inside = match &arg.kind {
                ExprKind::Pipe(pipe) => self.pipe(pipe, scope),
                ExprKind::Chain(base, _) => match &base.kind {
                    ExprKind::Pipe(pipe) => self.pipe(pipe, scope),
                    _ => None,
                },
                _ => None,
            };
            if inside.is_some() {
                return inside;
            }
            if arg.pos as usize == self.pos && arg.to_string() == self.node {
                let mut paths = scope.expr(arg).paths();
                // A function without arguments of its own was given the piped value.
                paths.extend(last.filter(|_| is_call).into_iter().flat_map(Shape::paths));
                if paths.is_empty() {
                    // Errors may name the operand that was evaluated last; the whole command says more.
                    paths = scope.command(command, last.cloned()).paths();
                }
                return Some((paths, Shape::unknown()));
            }
        }
        None
    }
}

/// What a call depends on, and the data that `include` and `tpl` pass on.
fn passed(command: &Command, last: Option<&Shape>, scope: &Scope) -> Finding {
    let mut shapes: Vec<Shape> = command.args[1..]
        .iter()
        .map(|arg| scope.expr(arg))
        .collect();
    shapes.extend(last.cloned());
    let paths = shapes.iter().flat_map(Shape::paths).take(PATHS_MAX);
    let paths = paths.collect();
    let data = shapes.get(1).cloned().unwrap_or_else(Shape::unknown);
    (paths, data)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{FixedHost, MissingKey, Registry, RunError, Set, sprig};

    fn check(template: &str, line: usize, marked: &str, paths: &[&str]) {
        let mut registry = Registry::new();
        registry.add(&sprig::functions());
        let mut set = Set::new("set", Arc::new(registry), MissingKey::Zero);
        set.parse("file", &Text::from(template)).unwrap();
        let data = crate::json::parse(
            br#"{"a": {"s": "text", "list": [{"x": "y"}], "map": {"k": {"s": "t"}}}, "n": null}"#,
        )
        .unwrap();
        let failed = Arc::new(set).execute("file", &data, &FixedHost::default());
        let Err(RunError::Exec(error)) = failed else {
            panic!("{template} gave {failed:?}");
        };
        let levels = levels(&error);
        let last = levels.last().unwrap();
        assert_eq!(last.line, line, "{template}");
        assert_eq!(&last.text[last.mark.clone()], marked, "{template}");
        let shown: Vec<String> = last.data.iter().map(|path| shown(path)).collect();
        assert_eq!(shown, paths, "{template}");
    }

    fn shown(path: &[Step]) -> String {
        path.iter()
            .map(|step| match step {
                Step::Key(key) => format!(".{key}"),
                Step::Element => "[]".to_owned(),
            })
            .collect()
    }

    #[test]
    fn data_is_followed_to_where_it_came_from() {
        check("a\n{{ .a.s.x }}", 2, ".a.s.x", &[".a.s.x"]);
        check("{{ .n.x.y }}", 1, ".n.x.y", &[".n.x.y"]);
        check("{{ with .a }}{{ .s.x }}{{ end }}", 1, ".s.x", &[".a.s.x"]);
        check(
            "{{ range $i, $e := .a.list }}{{ $e.x.z }}{{ end }}",
            1,
            "$e.x.z",
            &[".a.list[].x.z"],
        );
        check(
            "{{ $m := .a.map }}{{ range $m }}\n{{ .s.u }}{{ end }}",
            2,
            ".s.u",
            &[".a.map[].s.u"],
        );
        check("{{ until (index .a \"s\") }}", 1, "\"s\"", &[".a.s"]);
        check("{{ .a.s | until }}", 1, "until", &[".a.s"]);
        check(
            "{{ .a.s | toDate \"2006\" | until }}",
            1,
            "until",
            &[".a.s"],
        );
        check(
            "{{ $d := dict \"k\" .a \"r\" $ }}{{ $d.k.s.q }}",
            1,
            "$d.k.s.q",
            &[".a.s.q"],
        );
    }
}
