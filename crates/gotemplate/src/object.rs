//! Custom objects: structs, pointers and named types with fields and methods, such as times, versions,
//! certificates and what a host adds (`.Files`, `.Capabilities`).

use std::any::Any;
use std::borrow::Cow;
use std::fmt;

use crate::function::{CallError, Signature};
use crate::value::{Kind, Tree, Value};

/// A value whose type is not one of Go's basic ones.
pub trait Object: Any + fmt::Debug + Send + Sync {
    /// Go's name of the type, as `%T` prints it.
    fn type_name(&self) -> Cow<'static, str>;

    /// Go's kind of the type.
    fn kind(&self) -> Kind;

    /// The object for downcasting.
    fn as_any(&self) -> &dyn Any;

    /// An exported struct field.
    fn field(&self, _name: &str) -> Option<Value> {
        None
    }

    /// The exported fields in order of declaration, for printing and for JSON.
    fn fields(&self) -> Vec<(String, Value)> {
        Vec::new()
    }

    /// The signature of a method.
    fn method(&self, _name: &str) -> Option<&'static Signature> {
        None
    }

    /// Calls a method that [`Object::method`] knows; the arguments fit its signature.
    ///
    /// # Errors
    /// What the method returns or panics with.
    fn call(&self, name: &str, _args: &[Value]) -> Result<Value, CallError> {
        Err(CallError::text(format!("no method {name}")))
    }

    /// The text of a `String` method, where the type has one.
    fn string(&self) -> Option<Vec<u8>> {
        None
    }

    /// The text of a `String` method that only the type's pointer has: an action that prints a struct's field sees
    /// it, functions do not.
    fn address_string(&self) -> Option<Vec<u8>> {
        None
    }

    /// The value without its place in a struct, as functions return it; `None` where that makes no difference.
    fn detached(&self) -> Option<Value> {
        None
    }

    /// The text of a `GoString` method, where the type has one: what `%#v` prints.
    fn go_string(&self) -> Option<Vec<u8>> {
        None
    }

    /// The elements, where the kind is a slice.
    fn elements(&self) -> Option<Vec<Value>> {
        None
    }

    /// The entries, where the kind is a map.
    fn entries(&self) -> Option<Tree> {
        None
    }

    /// The number, where the kind is a signed integer.
    fn int(&self) -> Option<i64> {
        None
    }

    /// What JSON (and so YAML) makes of the object.
    fn json(&self) -> Value {
        self.plain()
    }

    /// What JSON text makes of a struct, in order of declaration.
    fn json_fields(&self) -> Option<Vec<(String, Value)>> {
        None
    }

    /// The object as plain data: a map of fields, a list, a map or a number.
    fn plain(&self) -> Value {
        match self.kind() {
            Kind::Slice => Value::list(self.elements().unwrap_or_default()),
            Kind::Map => Value::map(self.entries().unwrap_or_default()),
            Kind::Int64 | Kind::Int => Value::Int64(self.int().unwrap_or_default()),
            _ => Value::map(self.fields()),
        }
    }
}
