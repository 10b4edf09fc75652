//! The types of the parts of an expression, and what does not fit.

use super::library::{Library, OVERLOADS, kubernetes_result, table_name};
use super::overload::{Resolution, resolve};
use super::syntax::{Node, Part};
use super::types::Type;

/// Variables that are known at a place, and the faults found so far.
pub(super) struct Scope<'a> {
    library: Library,
    variables: Vec<(String, Type<'a>)>,
    /// Offset and text of each fault.
    pub(super) faults: Vec<(usize, String)>,
}

/// Macros over a range with one variable, which stands in their last argument.
const MACROS: &[&str] = &["all", "exists", "exists_one", "existsOne", "filter", "map"];

/// Macros whose forms are not looked into: two variables, or those of newer libraries.
const OTHER_MACROS: &[&str] = &[
    "all",
    "exists",
    "existsOne",
    "transformList",
    "transformMap",
    "transformMapEntry",
    "optMap",
    "optFlatMap",
    "bind",
    "sortBy",
];

impl<'a> Scope<'a> {
    /// Starts with the variables of an expression.
    pub(super) fn new(library: Library, variables: Vec<(String, Type<'a>)>) -> Self {
        Self {
            library,
            variables,
            faults: Vec::new(),
        }
    }

    /// Returns the type of a part, and notes what does not fit.
    pub(super) fn infer(&mut self, node: &Node) -> Type<'a> {
        match &node.part {
            Part::Null => Type::Null,
            Part::Bool => Type::Bool,
            Part::Int => Type::Int,
            Part::Uint => Type::Uint,
            Part::Double => Type::Double,
            Part::Text => Type::Text,
            Part::Bytes => Type::Bytes,
            Part::Message => Type::Unknown,
            Part::Name(name) => self.name(node.at, name),
            Part::List(items) => Type::List(Box::new(self.elements(items.iter()))),
            Part::Map(entries) => {
                let keys = self.elements(entries.iter().map(|(key, _)| key));
                let values = self.elements(entries.iter().map(|(_, value)| value));
                Type::Map(Box::new(keys), Box::new(values))
            }
            Part::Select(operand, field, optional) => {
                let kind = self.select(node.at, operand, field);
                match kind {
                    Type::Optional(_) | Type::Unknown => kind,
                    kind if *optional => Type::Optional(Box::new(kind)),
                    kind => kind,
                }
            }
            Part::Index(operand, index) => self.operator(node.at, "_[_]", &[operand, index]),
            Part::Call(target, name, arguments) => {
                self.call(node.at, target.as_deref(), name, arguments)
            }
            Part::Unary(sign, operand) => self.operator(node.at, &format!("{sign}_"), &[operand]),
            Part::Binary(sign @ ("&&" | "||"), left, right) => self.logic(sign, left, right),
            Part::Binary("in", left, right) => self.operator(node.at, "@in", &[left, right]),
            Part::Binary(sign, left, right) => {
                self.operator(node.at, &format!("_{sign}_"), &[left, right])
            }
            Part::Choice(condition, left, right) => {
                self.operator(node.at, "_?_:_", &[condition, left, right])
            }
        }
    }

    fn fault(&mut self, at: usize, why: impl Into<String>) {
        self.faults.push((at, why.into()));
    }

    fn undeclared(&mut self, at: usize, name: &str) -> Type<'a> {
        self.fault(
            at,
            format!("undeclared reference to '{name}' (in container '')"),
        );
        Type::Unknown
    }

    /// Notes that a value has the wrong type, where its name is known.
    fn expected(&mut self, at: usize, wanted: &str, found: &Type<'a>) {
        if let Some(found) = found.name() {
            self.fault(at, format!("expected type '{wanted}' but found '{found}'"));
        }
    }

    fn name(&mut self, at: usize, name: &str) -> Type<'a> {
        let found = self.variables.iter().rev().find(|(known, _)| known == name);
        if let Some((_, kind)) = found {
            return kind.clone();
        }
        if !self.library.is_word(name) {
            return self.undeclared(at, name);
        }
        let of = match name {
            "bool" => Type::Bool,
            "int" => Type::Int,
            "uint" => Type::Uint,
            "double" => Type::Double,
            "string" => Type::Text,
            "bytes" => Type::Bytes,
            "null_type" => Type::Null,
            "list" => Type::List(Box::new(Type::Dyn)),
            "map" => Type::Map(Box::new(Type::Dyn), Box::new(Type::Dyn)),
            _ => return Type::Unknown,
        };
        Type::Type(Box::new(of))
    }

    /// Literals hold values of one type; where any of them is open, so is the type of all.
    fn elements<'n>(&mut self, items: impl Iterator<Item = &'n Node>) -> Type<'a> {
        let mut known: Option<Type<'a>> = None;
        let mut open = None;
        for item in items {
            let own = self.infer(item);
            match &known {
                _ if own.is_open() => open = Some(own),
                Some(all) if !all.fits(&own) => {
                    if let Some(all) = all.name() {
                        self.expected(item.at, &all, &own);
                    }
                }
                Some(_) => {}
                None => known = Some(own),
            }
        }
        open.or(known).unwrap_or(Type::Dyn)
    }

    fn select(&mut self, at: usize, operand: &Node, field: &str) -> Type<'a> {
        let kind = self.infer(operand);
        self.field(at, kind, field)
    }

    fn field(&mut self, at: usize, operand: Type<'a>, field: &str) -> Type<'a> {
        match operand {
            open if open.is_open() => open,
            Type::Map(_, value) => *value,
            Type::Optional(value) => Type::Optional(Box::new(self.field(at, *value, field))),
            Type::Object(schema, resource) => match Type::property(schema, resource, field) {
                Some(kind) => kind,
                None => {
                    self.fault(at, format!("undefined field '{field}'"));
                    Type::Unknown
                }
            },
            other => {
                if let Some(name) = other.name() {
                    self.fault(
                        at,
                        format!("type '{name}' does not support field selection"),
                    );
                }
                Type::Unknown
            }
        }
    }

    fn logic(&mut self, _sign: &str, left: &Node, right: &Node) -> Type<'a> {
        for operand in [left, right] {
            self.truth(operand);
        }
        Type::Bool
    }

    /// Infers what must be a truth value.
    fn truth(&mut self, node: &Node) {
        let kind = self.infer(node);
        if !kind.fits(&Type::Bool) {
            self.expected(node.at, "bool", &kind);
        }
    }

    fn operator(&mut self, at: usize, name: &str, operands: &[&Node]) -> Type<'a> {
        let kinds: Vec<Type<'a>> = operands.iter().map(|part| self.infer(part)).collect();
        match resolve(OVERLOADS, table_name(name), None, &kinds) {
            Resolution::Found(kind) => kind,
            Resolution::NoName | Resolution::NoMatch => self.mismatch(at, name, None, &kinds),
        }
    }

    /// Notes that no overload takes these types, where their names are known.
    fn mismatch(
        &mut self,
        at: usize,
        name: &str,
        receiver: Option<&Type<'a>>,
        arguments: &[Type<'a>],
    ) -> Type<'a> {
        let names: Option<Vec<String>> = arguments.iter().map(Type::name).collect();
        let receiver = match receiver.map(Type::name) {
            None => Some(String::new()),
            Some(name) => name.map(|name| format!("{name}.")),
        };
        if let (Some(names), Some(receiver)) = (names, receiver) {
            let types = names.join(", ");
            let why =
                format!("found no matching overload for '{name}' applied to '{receiver}({types})'");
            self.fault(at, why);
        }
        Type::Unknown
    }

    fn call(
        &mut self,
        at: usize,
        target: Option<&Node>,
        name: &str,
        arguments: &[Node],
    ) -> Type<'a> {
        if let (None, "has", [argument]) = (target, name, arguments) {
            return self.has(at, argument);
        }
        if let Some(target) = target
            && let Some(kind) = self.macros(target, name, arguments)
        {
            return kind;
        }
        // `optional.of(x)`, `sets.contains(a, b)`: the target is no value but a part of the name.
        let prefix = target.and_then(|target| match &target.part {
            Part::Name(word) if self.library.is_word(word) && !self.is_variable(word) => Some(word),
            _ => None,
        });
        let receiver = match (target, prefix) {
            (Some(target), None) => Some(self.infer(target)),
            _ => None,
        };
        let kinds: Vec<Type<'a>> = arguments.iter().map(|a| self.infer(a)).collect();
        let full = prefix.map_or_else(|| name.to_owned(), |prefix| format!("{prefix}.{name}"));
        match resolve(OVERLOADS, &full, receiver.as_ref(), &kinds) {
            Resolution::Found(kind) => kind,
            Resolution::NoMatch if self.library.is_complete() => {
                self.mismatch(at, &full, receiver.as_ref(), &kinds)
            }
            _ if self.library.is_function(name) => {
                kubernetes_result(name, receiver.as_ref(), &kinds)
            }
            _ => self.undeclared(at, &full),
        }
    }

    fn is_variable(&self, name: &str) -> bool {
        self.variables.iter().any(|(known, _)| known == name)
    }

    /// Infers `has(a.b)`; a field that does not exist is marked at the bracket.
    fn has(&mut self, at: usize, argument: &Node) -> Type<'a> {
        match &argument.part {
            Part::Select(operand, field, _) => {
                self.select(at, operand, field);
            }
            _ => self.fault(argument.at, "invalid argument to has() macro"),
        }
        Type::Bool
    }

    /// Infers the macros over lists and maps, which bring a variable; `None` for other calls.
    fn macros(&mut self, target: &Node, name: &str, arguments: &[Node]) -> Option<Type<'a>> {
        let [first, rest @ ..] = arguments else {
            return None;
        };
        let Part::Name(variable) = &first.part else {
            return None;
        };
        let parts = 1..=1 + usize::from(name == "map");
        if !MACROS.contains(&name) || !parts.contains(&rest.len()) {
            if rest.is_empty() || !OTHER_MACROS.contains(&name) || self.library.is_complete() {
                return None;
            }
            self.infer(target);
            return Some(Type::Unknown);
        }
        let element = self.range(target);
        self.variables.push((variable.clone(), element.clone()));
        let kind = match (name, rest) {
            ("all" | "exists", [condition]) => {
                self.truth(condition);
                Type::Bool
            }
            ("map", parts) => {
                let kinds: Vec<Type<'a>> = parts.iter().map(|part| self.infer(part)).collect();
                Type::List(Box::new(kinds.last().cloned().unwrap_or(Type::Unknown)))
            }
            (_, parts) => {
                for part in parts {
                    self.infer(part);
                }
                match name {
                    "filter" => Type::List(Box::new(element)),
                    _ => Type::Bool,
                }
            }
        };
        self.variables.pop();
        Some(kind)
    }

    /// Infers what a macro goes over; returns the type of its variable.
    fn range(&mut self, target: &Node) -> Type<'a> {
        match self.infer(target) {
            Type::List(element) => *element,
            Type::Map(key, _) => *key,
            Type::Object(..) => Type::Unknown,
            open if open.is_open() => open,
            other => {
                if let Some(name) = other.name() {
                    let why = format!(
                        "expression of type '{name}' cannot be range of a comprehension (must be list, map, or dynamic)"
                    );
                    self.fault(target.at, why);
                }
                Type::Unknown
            }
        }
    }
}
