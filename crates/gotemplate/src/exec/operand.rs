//! Commands and operands: literals, variables, and arguments by the type a parameter asks for.

use super::{At, Exec, Frame, Item};
use crate::ast::{Command, Expr, ExprKind, Number};
use crate::function::Type;
use crate::value::{Kind, MapKind, Value};

impl<'f> Frame<'f, '_> {
    /// Evaluates one command; `last` is the value piped into it.
    pub(super) fn command(
        &mut self,
        dot: &Item,
        command: &'f Command,
        last: Option<Item>,
    ) -> Exec<Item> {
        self.charge(1)?;
        let first = &command.args[0];
        match &first.kind {
            ExprKind::Field(names) => {
                self.at = At::Expr(first);
                return self.chain(dot, dot.clone(), names, first, Some(&command.args), last);
            }
            ExprKind::Chain(base, names) => {
                return self.chain_expr(dot, first, base, names, Some(&command.args), last);
            }
            ExprKind::Function(callee) => {
                self.at = At::Expr(first);
                return self.function(dot, callee, At::Command(command), &command.args[1..], last);
            }
            ExprKind::Pipe(pipe) => {
                self.not_a_function(&command.args, &last)?;
                return self.pipeline(dot, pipe);
            }
            ExprKind::Variable(names) => {
                return self.variable(dot, first, names, Some(&command.args), last);
            }
            _ => {}
        }
        self.at = At::Expr(first);
        self.not_a_function(&command.args, &last)?;
        match &first.kind {
            ExprKind::Bool(flag) => Ok(Item::Is(Value::Bool(*flag))),
            ExprKind::Dot => Ok(dot.clone()),
            ExprKind::Number(number) => self.ideal(first, number),
            ExprKind::Text(value, _) => Ok(Item::Is(Value::Text(value.clone()))),
            _ => self.fail("nil is not a command"),
        }
    }

    fn not_a_function(&self, args: &[Expr], last: &Option<Item>) -> Exec<()> {
        if args.len() > 1 || last.is_some() {
            return self.fail(format!(
                "can't give argument to non-function {}",
                shown(&args[0])
            ));
        }
        Ok(())
    }

    fn ideal(&mut self, expr: &'f Expr, number: &Number) -> Exec<Item> {
        self.at = At::Expr(expr);
        match &number.ideal {
            Some(value) => Ok(Item::Is(value.clone())),
            None => self.fail(format!("{} overflows int", number.text)),
        }
    }

    pub(super) fn variable(
        &mut self,
        dot: &Item,
        expr: &'f Expr,
        names: &'f [crate::text::Text],
        args: Option<&'f [Expr]>,
        last: Option<Item>,
    ) -> Exec<Item> {
        self.at = At::Expr(expr);
        let (name, names) = names.split_first().expect("a variable has a name");
        let found = self.variables.iter().rev().find(|(known, _)| known == name);
        let Some((_, value)) = found else {
            return self.fail(format!("undefined variable: {name}"));
        };
        let value = value.clone();
        if names.is_empty() {
            self.not_a_function(args.unwrap_or(std::slice::from_ref(expr)), &last)?;
            return Ok(value);
        }
        self.chain(dot, value, names, expr, args, last)
    }

    /// Evaluates an argument for a parameter of a type; no type for the base of a chain.
    pub(super) fn argument(
        &mut self,
        dot: &Item,
        wanted: Option<Type>,
        expr: &'f Expr,
    ) -> Exec<Item> {
        self.at = At::Expr(expr);
        let value = match &expr.kind {
            ExprKind::Dot => dot.clone(),
            ExprKind::Nil => return self.nil(wanted),
            ExprKind::Field(names) => self.chain(dot, dot.clone(), names, expr, None, None)?,
            ExprKind::Variable(names) => self.variable(dot, expr, names, None, None)?,
            ExprKind::Pipe(pipe) => self.pipeline(dot, pipe)?,
            ExprKind::Function(callee) => self.function(dot, callee, At::Expr(expr), &[], None)?,
            ExprKind::Chain(base, names) => self.chain_expr(dot, expr, base, names, None, None)?,
            _ => return self.literal(wanted, expr),
        };
        self.validate(value, wanted)
    }

    fn nil(&self, wanted: Option<Type>) -> Exec<Item> {
        match wanted {
            None | Some(Type::Reflect) => Ok(Item::Invalid),
            Some(Type::Any) => Ok(Item::Interface(Value::Nil)),
            Some(Type::Map) => Ok(Item::Is(Value::Map(crate::value::Map::nil()))),
            Some(Type::List) => {
                let list = crate::value::List::nil(crate::value::Element::Any);
                Ok(Item::Is(Value::List(list)))
            }
            Some(Type::Object(name)) if name.starts_with('*') => Ok(Item::Invalid),
            Some(other) => self.fail(format!("cannot assign nil to {}", other.name())),
        }
    }

    fn literal(&mut self, wanted: Option<Type>, expr: &'f Expr) -> Exec<Item> {
        let wanted = wanted.unwrap_or(Type::Any);
        let expected = match (wanted, &expr.kind) {
            (Type::Any | Type::Reflect, ExprKind::Number(number)) => {
                return self.ideal(expr, number);
            }
            (Type::Any | Type::Reflect | Type::Bool, ExprKind::Bool(flag)) => {
                return Ok(Item::Is(Value::Bool(*flag)));
            }
            (Type::Any | Type::Reflect | Type::Text, ExprKind::Text(value, _)) => {
                return Ok(Item::Is(Value::Text(value.clone())));
            }
            (_, ExprKind::Number(number)) => match typed(wanted, number) {
                Some(value) => return Ok(Item::Is(value)),
                None => wanted,
            },
            _ => wanted,
        };
        let found = shown(expr);
        self.fail(match expected {
            Type::Bool => format!("expected bool; found {found}"),
            Type::Text => format!("expected string; found {found}"),
            Type::Int | Type::Int64 => format!("expected integer; found {found}"),
            Type::Uint32 | Type::Uint64 => format!("expected unsigned integer; found {found}"),
            Type::Float64 => format!("expected float; found {found}"),
            other => format!("can't handle {found} for arg of type {}", other.name()),
        })
    }

    /// Checks that a value may be passed for a type.
    pub(super) fn validate(&self, value: Item, wanted: Option<Type>) -> Exec<Item> {
        let Some(wanted) = wanted else {
            return Ok(value);
        };
        let (inner, interface) = match value {
            Item::Invalid => {
                return match wanted {
                    Type::Any | Type::Reflect | Type::Map | Type::List => self.nil(Some(wanted)),
                    Type::Object(name) if name.starts_with('*') => Ok(Item::Invalid),
                    other => self.fail(format!("invalid value; expected {}", other.name())),
                };
            }
            Item::Is(inner) => (inner, false),
            Item::Interface(inner) => (inner, true),
        };
        if matches!(wanted, Type::Any | Type::Reflect) {
            return Ok(if interface {
                Item::Interface(inner)
            } else {
                Item::Is(inner)
            });
        }
        if assignable(&inner, wanted) {
            return Ok(Item::Is(inner));
        }
        let got = if inner.is_nil() {
            "interface {}".into()
        } else {
            inner.type_name()
        };
        if inner.kind() == Kind::Ptr && got.strip_prefix('*') == Some(wanted.name()) {
            return Ok(Item::Is(inner));
        }
        self.fail(format!(
            "wrong type for value; expected {}; got {got}",
            wanted.name()
        ))
    }
}

fn typed(wanted: Type, number: &Number) -> Option<Value> {
    match wanted {
        Type::Int => number.int.map(Value::Int),
        Type::Int64 => number.int.map(Value::Int64),
        Type::Uint32 => number.uint.map(|n| Value::Uint64(n & 0xffff_ffff)),
        Type::Uint64 => number.uint.map(Value::Uint64),
        Type::Float64 => number.float.map(Value::Float),
        _ => None,
    }
}

fn assignable(value: &Value, wanted: Type) -> bool {
    match (wanted, value) {
        (Type::Text, Value::Text(_))
        | (Type::Bool, Value::Bool(_))
        | (Type::Int, Value::Int(_))
        | (Type::Int64, Value::Int64(_))
        | (Type::Uint64, Value::Uint64(_))
        | (Type::Float64, Value::Float(_)) => true,
        (Type::Map, Value::Map(map)) => map.kind() != MapKind::Text,
        (Type::List, Value::List(list)) => list.element() == crate::value::Element::Any,
        (Type::Object(name), Value::Object(object)) => object.type_name() == name,
        _ => false,
    }
}

/// An operand as messages show it.
fn shown(expr: &Expr) -> String {
    expr.to_string()
}
