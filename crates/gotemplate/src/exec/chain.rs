//! Fields: methods first, then struct fields, then map keys.

use super::{At, Exec, Frame, Item};
use crate::ast::{Expr, ExprKind};
use crate::bytes::Bytes;
use crate::error::Cause;
use crate::function::{CallResult, Signature, Type};
use crate::object::Object;
use crate::set::MissingKey;
use crate::text::Text;
use crate::value::{Kind, Map, MapKind, Value};

impl<'f> Frame<'f, '_> {
    pub(super) fn chain_expr(
        &mut self,
        dot: &Item,
        expr: &'f Expr,
        base: &'f Expr,
        names: &'f [Text],
        args: Option<&'f [Expr]>,
        last: Option<Item>,
    ) -> Exec<Item> {
        self.at = At::Expr(expr);
        if matches!(base.kind, ExprKind::Nil) {
            return self.fail(format!("indirection through explicit nil in {expr}"));
        }
        let receiver = self.argument(dot, None, base)?;
        self.chain(dot, receiver, names, expr, args, last)
    }

    /// Follows field names; only the last one takes arguments.
    pub(super) fn chain(
        &mut self,
        dot: &Item,
        mut receiver: Item,
        names: &'f [Text],
        expr: &'f Expr,
        args: Option<&'f [Expr]>,
        last: Option<Item>,
    ) -> Exec<Item> {
        let (final_name, leading) = names.split_last().expect("a chain has at least one field");
        for name in leading {
            receiver = self.field(dot, name, expr, &[], None, receiver)?;
        }
        let args = args.map_or(&[][..], |args| &args[1..]);
        self.field(dot, final_name, expr, args, last, receiver)
    }

    fn field(
        &mut self,
        dot: &Item,
        name: &Text,
        expr: &'f Expr,
        args: &'f [Expr],
        last: Option<Item>,
        receiver: Item,
    ) -> Exec<Item> {
        let static_type = match &receiver {
            Item::Invalid => {
                if self.run.set.missing_key() == MissingKey::Error {
                    let key = gocompat::quote::quote(name);
                    return self.fail(format!("nil data; no entry for key {key}"));
                }
                return Ok(Item::Invalid);
            }
            Item::Interface(Value::Nil) => {
                return self.fail(format!("nil pointer evaluating interface {{}}.{name}"));
            }
            Item::Interface(_) => None,
            Item::Is(value) => Some(value),
        };
        let has_args = !args.is_empty() || last.is_some();
        match receiver.value_ref() {
            Some(Value::Map(map)) => {
                if let MapKind::Named(named) = map.kind()
                    && let Some(signature) = (named.method)(name)
                {
                    let call = |values: &[Value]| (named.call)(map, name, values);
                    return self.method(dot, name, expr, signature, args, last, call);
                }
                if has_args {
                    return self.fail(format!("{name} is not a method but has arguments"));
                }
                return self.key(map, name);
            }
            Some(Value::Object(object)) => {
                let object = object.clone();
                let item = self.member(dot, &*object, name, expr, args, last)?;
                if let Some(item) = item {
                    return Ok(item);
                }
            }
            _ => {}
        }
        let type_name = static_type.map_or("interface {}".into(), Value::type_name);
        self.fail(format!("can't evaluate field {name} in type {type_name}"))
    }

    /// Calls a method with its arguments.
    #[allow(clippy::too_many_arguments)]
    fn method(
        &mut self,
        dot: &Item,
        name: &Text,
        expr: &'f Expr,
        signature: &'static Signature,
        args: &'f [Expr],
        last: Option<Item>,
        call: impl FnOnce(&[Value]) -> CallResult,
    ) -> Exec<Item> {
        let function = name.to_str();
        let values = self.arguments(dot, &function, signature, args, last)?;
        let values: Vec<Value> = values.iter().map(Item::value).collect();
        match call(&values) {
            Ok(value) if signature.result == Type::Any => Ok(Item::Interface(value)),
            Ok(value) => Ok(Item::Is(value)),
            Err(error) => {
                self.at = At::Expr(expr);
                let function = function.into_owned();
                self.raise(Cause::Call { function, error })
            }
        }
    }

    /// A map entry, or what the mode gives for a missing one.
    fn key(&self, map: &Map, name: &Text) -> Exec<Item> {
        let concrete = map.kind() == MapKind::Text;
        if let Some(value) = map.get(name) {
            return Ok(if concrete {
                Item::Is(value)
            } else {
                Item::Interface(value)
            });
        }
        self.missing(
            name,
            if concrete {
                Item::Is(Value::text(""))
            } else {
                Item::Interface(Value::Nil)
            },
        )
    }

    fn missing(&self, name: &Text, zero: Item) -> Exec<Item> {
        match self.run.set.missing_key() {
            MissingKey::Invalid => Ok(Item::Invalid),
            MissingKey::Zero => Ok(zero),
            MissingKey::Error => {
                let key = gocompat::quote::quote(name);
                self.fail(format!("map has no entry for key {key}"))
            }
        }
    }

    /// A method, struct field or entry of an object; `None` where it has none of that name.
    fn member(
        &mut self,
        dot: &Item,
        object: &dyn Object,
        name: &Text,
        expr: &'f Expr,
        args: &'f [Expr],
        last: Option<Item>,
    ) -> Exec<Option<Item>> {
        let name_text = name.to_str();
        let has_args = !args.is_empty() || last.is_some();
        if let Some(signature) = object.method(&name_text) {
            let call = |values: &[Value]| object.call(&name_text, values);
            let item = self.method(dot, name, expr, signature, args, last, call)?;
            return Ok(Some(item));
        }
        if let Some(value) = object.field(&name_text) {
            if has_args {
                return self.fail(format!(
                    "{name} has arguments but cannot be invoked as function"
                ));
            }
            return Ok(Some(Item::Is(value)));
        }
        if object.kind() != Kind::Map {
            return Ok(None);
        }
        if has_args {
            return self.fail(format!("{name} is not a method but has arguments"));
        }
        match object
            .entries()
            .and_then(|mut entries| entries.remove(name))
        {
            Some(value) => Ok(Some(Item::Is(value))),
            None => self
                .missing(name, Item::Is(Value::Bytes(Bytes::default())))
                .map(Some),
        }
    }
}
