//! Types and kinds as Go names them.

use crate::function::{Call, Function, Type};
use crate::value::Value;

const A: Type = Type::Any;
const T: Type = Type::Text;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::fixed("typeOf", &[A], T, |c| {
        Ok(c.args[0].type_name().into_owned().into())
    }),
    Function::fixed("typeIs", &[T, A], Type::Bool, |c| {
        Ok(Value::Bool(is_type(c, "")))
    }),
    Function::fixed("typeIsLike", &[T, A], Type::Bool, |c| {
        Ok(Value::Bool(is_type(c, "") || is_type(c, "*")))
    }),
    Function::fixed("kindOf", &[A], T, |c| Ok(c.args[0].kind().name().into())),
    Function::fixed("kindIs", &[T, A], Type::Bool, |c| {
        Ok(Value::Bool(c.str(0) == c.args[1].kind().name()))
    }),
];

fn is_type(c: &Call<'_, '_>, prefix: &str) -> bool {
    format!("{prefix}{}", c.str(0)) == c.args[1].type_name()
}
