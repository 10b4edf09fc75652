//! Sets of named templates: compiled once, run many times, extended by layers without copying.

use std::sync::Arc;

use foldhash::HashMap;

use crate::ast::{self, Callee};
use crate::builtins;
use crate::error::{ParseError, RunError};
use crate::exec::Run;
use crate::function::{Host, Registry};
use crate::parse::{self, Tree};
use crate::text::Text;
use crate::value::Value;

/// What a missing map key evaluates to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingKey {
    /// No value, which prints as `<no value>` and swallows further fields.
    #[default]
    Invalid,
    /// The zero value of the map's element type.
    Zero,
    /// An error.
    Error,
}

/// Bounds of one run; exceeding one is an error that names it.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Evaluated nodes, produced list elements and produced bytes, weighed together.
    pub fuel: u64,
    /// Bytes of output of one template.
    pub output_bytes: usize,
    /// Nested executions and control structures.
    pub depth: usize,
}

impl Default for Limits {
    /// Large enough for every chart seen (the largest uses 0.2 % of the fuel), small enough to end in seconds.
    fn default() -> Self {
        Self {
            fuel: 4_000_000_000,
            output_bytes: 64 << 20,
            depth: 6_000,
        }
    }
}

/// A set of templates that may refer to each other.
#[derive(Clone, Debug)]
pub struct Set {
    name: String,
    registry: Arc<Registry>,
    missing_key: MissingKey,
    limits: Limits,
    trees: HashMap<Text, Tree>,
    parent: Option<Arc<Set>>,
}

impl Set {
    /// An empty set; the name shows in errors about missing templates.
    pub fn new(name: &str, registry: Arc<Registry>, missing_key: MissingKey) -> Self {
        Self {
            name: name.to_owned(),
            registry,
            missing_key,
            limits: Limits::default(),
            trees: HashMap::default(),
            parent: None,
        }
    }

    /// Replaces the limits.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Parses a text under a name and adds what it defines.
    ///
    /// A definition replaces an earlier one of the same name, unless the new one is empty.
    ///
    /// # Errors
    /// The text does not parse; the set is then unchanged.
    pub fn parse(&mut self, name: &str, text: &Text) -> Result<(), ParseError> {
        for tree in self.compile(name, text)? {
            self.insert(tree);
        }
        Ok(())
    }

    pub(crate) fn compile(&self, name: &str, text: &Text) -> Result<Vec<Tree>, ParseError> {
        let known = |function: &str| {
            let own = self.registry.get(function).cloned().map(Callee::Own);
            own.or_else(|| builtins::get(function).map(Callee::Builtin))
        };
        parse::parse(name, text, &known)
    }

    fn insert(&mut self, tree: Tree) {
        if ast::is_empty(&tree.body, &tree.source.text) && self.lookup(&tree.name).is_some() {
            return;
        }
        self.trees.insert(tree.name.clone(), tree);
    }

    /// A layer over a set that sees its templates and adds some of its own.
    pub(crate) fn layer(parent: &Arc<Self>, trees: &[Tree]) -> Self {
        let mut layer = Self {
            trees: HashMap::default(),
            parent: Some(parent.clone()),
            name: parent.name.clone(),
            registry: parent.registry.clone(),
            ..**parent
        };
        for tree in trees {
            layer.insert(tree.clone());
        }
        layer
    }

    /// Depth of layers.
    pub(crate) fn layers(&self) -> usize {
        std::iter::successors(self.parent.as_ref(), |set| set.parent.as_ref()).count()
    }

    pub(crate) fn lookup(&self, name: &[u8]) -> Option<&Tree> {
        let mut set = self;
        loop {
            if let Some(tree) = set.trees.get(name) {
                return Some(tree);
            }
            set = set.parent.as_deref()?;
        }
    }

    /// Whether a template of that name exists.
    pub fn contains(&self, name: &str) -> bool {
        self.lookup(name.as_bytes()).is_some()
    }

    /// Name of the set.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn missing_key(&self) -> MissingKey {
        self.missing_key
    }

    /// The limits of runs.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Runs one template with fresh limits.
    ///
    /// Needs a deep stack for deeply nested templates: see [`crate::with_deep_stack`].
    ///
    /// # Errors
    /// There is no such template, or it fails.
    pub fn execute(
        self: &Arc<Self>,
        name: &str,
        data: &Value,
        host: &dyn Host,
    ) -> Result<Vec<u8>, RunError> {
        Run::new(self.clone(), host).execute(name.as_bytes(), data)
    }
}
