//! Function calls: counting and checking arguments, short-circuit `and`/`or`, errors of the callee.

use super::{At, Exec, Frame, Item};
use crate::ast::{Callee, Expr};
use crate::error::Cause;
use crate::function::{Call, CallError, Signature, Type};
use crate::value::Value;

impl<'f> Frame<'f, '_> {
    /// Calls a function; `node` is what an error of the callee names.
    pub(super) fn function(
        &mut self,
        dot: &Item,
        callee: &'f Callee,
        node: At<'f>,
        args: &'f [Expr],
        last: Option<Item>,
    ) -> Exec<Item> {
        let name = callee.name();
        let function = match callee {
            Callee::Own(function) => function,
            Callee::Builtin(function) => *function,
            Callee::Named(_) => {
                let shown = gocompat::quote::quote(name.as_bytes());
                return self.fail(format!("{shown} is not a defined function"));
            }
        };
        if matches!(callee, Callee::Builtin(_)) && (name == "and" || name == "or") {
            self.count(name, &function.signature, args, &last)?;
            return self.short_circuit(dot, name == "or", args, last);
        }
        let items = self.arguments(dot, name, &function.signature, args, last)?;
        let absent = items
            .iter()
            .take(32)
            .enumerate()
            .fold(0, |mask, (i, item)| {
                mask | u32::from(matches!(item, Item::Invalid)) << i
            });
        let values: Vec<Value> = items.into_iter().map(into_value).collect();
        let first_operand = match (name, args.first()) {
            ("call", Some(expr)) => expr.to_string(),
            ("call", None) => match values.first() {
                Some(Value::Text(text)) => text.to_string(),
                Some(value) => format!("<{} Value>", value.type_name()),
                None => String::new(),
            },
            _ => String::new(),
        };
        let mut call = Call {
            args: &values,
            absent,
            first_operand,
            run: self.run,
        };
        match (function.code)(&mut call) {
            Ok(value) => {
                let size = size(&value);
                if size > RESULT_COST_MAX {
                    self.at = node;
                    return self.fail("a function result is too large");
                }
                self.charge(size)?;
                let detached = match &value {
                    Value::Object(object) => object.detached(),
                    _ => None,
                };
                Ok(if value.is_nil() {
                    Item::Interface(value)
                } else {
                    Item::Is(detached.unwrap_or(value))
                })
            }
            Err(CallError::Limit(message)) => {
                self.at = node;
                self.fail(message)
            }
            Err(error) => {
                self.at = node;
                self.raise(Cause::Call {
                    function: name.to_owned(),
                    error,
                })
            }
        }
    }

    fn short_circuit(
        &mut self,
        dot: &Item,
        until: bool,
        args: &'f [Expr],
        last: Option<Item>,
    ) -> Exec<Item> {
        let mut value = Item::Invalid;
        for arg in args {
            value = self.argument(dot, Some(Type::Reflect), arg)?;
            if value.value_ref().is_some_and(Value::truth) == until {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    fn count(
        &self,
        name: &str,
        signature: &Signature,
        args: &[Expr],
        last: &Option<Item>,
    ) -> Exec<()> {
        let given = args.len() + usize::from(last.is_some());
        let wanted = signature.params.len();
        if signature.variadic {
            if given < wanted - 1 {
                let (least, got) = (wanted - 1, args.len());
                return self.fail(format!(
                    "wrong number of args for {name}: want at least {least} got {got}"
                ));
            }
        } else if given != wanted {
            return self.fail(format!(
                "wrong number of args for {name}: want {wanted} got {given}"
            ));
        }
        Ok(())
    }

    /// Evaluates the arguments; the piped value comes last.
    pub(super) fn arguments(
        &mut self,
        dot: &Item,
        name: &str,
        signature: &Signature,
        args: &'f [Expr],
        last: Option<Item>,
    ) -> Exec<Vec<Item>> {
        self.count(name, signature, args, &last)?;
        let wanted = |index: usize| {
            let params = signature.params;
            *params
                .get(index)
                .or_else(|| params.last())
                .expect("arguments were counted")
        };
        let mut items = Vec::with_capacity(args.len() + 1);
        for (index, arg) in args.iter().enumerate() {
            items.push(self.argument(dot, Some(wanted(index)), arg)?);
        }
        if let Some(last) = last {
            let item = self.validate(last, Some(wanted(args.len())))?;
            items.push(item);
        }
        Ok(items)
    }
}

fn into_value(item: Item) -> Value {
    match item {
        Item::Invalid => Value::Nil,
        Item::Is(value) | Item::Interface(value) => value,
    }
}

/// Most that one result may cost: 64 MiB of text, a million elements and more.
const RESULT_COST_MAX: u64 = 256 << 20;

/// What a result costs: all results together hold at most a quarter of the fuel in bytes.
fn size(value: &Value) -> u64 {
    match value {
        Value::Text(text) => text.len() as u64 * 4,
        Value::Bytes(bytes) => bytes.len() as u64 * 4,
        Value::List(list) => list.items().len() as u64 * 128,
        _ => 1,
    }
}
