//! Functions that templates call: signatures, the registry, and what a function sees while it runs.

use std::fmt;
use std::sync::Arc;

use foldhash::HashMap;

use crate::error::ExecError;
use crate::exec::Run;
use crate::text::Text;
use crate::time::Time;
use crate::value::{Map, Value};

/// Static type of a parameter or result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `interface {}`.
    Any,
    /// `reflect.Value`, which the built-in functions of the language take: absent values pass.
    Reflect,
    /// `string`.
    Text,
    /// `bool`.
    Bool,
    /// `int`.
    Int,
    /// `int64`.
    Int64,
    /// `uint32`.
    Uint32,
    /// `uint64`.
    Uint64,
    /// `float64`.
    Float64,
    /// `map[string]interface {}` and types named after it.
    Map,
    /// `[]interface {}`.
    List,
    /// An object type by Go's name.
    Object(&'static str),
    /// A concrete result of any other type.
    Concrete,
}

impl Type {
    /// Go's name of the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any | Self::Concrete => "interface {}",
            Self::Reflect => "reflect.Value",
            Self::Text => "string",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
            Self::Float64 => "float64",
            Self::Map => "map[string]interface {}",
            Self::List => "[]interface {}",
            Self::Object(name) => name,
        }
    }
}

/// Parameters and result of a function or method.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// Types of the parameters; the last one repeats where the function is variadic.
    pub params: &'static [Type],
    /// Whether the last parameter repeats.
    pub variadic: bool,
    /// Type of the result.
    pub result: Type,
}

/// What a function returns on failure.
#[derive(Clone, Debug)]
pub enum CallError {
    /// A plain error or the text of a panic.
    Text(String),
    /// The failure of a template that the function ran, with text before it (may be empty).
    Exec(String, Box<ExecError>),
    /// A limit was exceeded; the run stops.
    Limit(String),
}

impl CallError {
    /// A plain error.
    pub fn text(message: impl Into<String>) -> Self {
        Self::Text(message.into())
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(message) | Self::Limit(message) => f.write_str(message),
            Self::Exec(prefix, error) => write!(f, "{prefix}{error}"),
        }
    }
}

/// Result of a function.
pub type CallResult = Result<Value, CallError>;

/// The code of a function.
pub type Code = fn(&mut Call<'_, '_>) -> CallResult;

/// A function under its name.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Name in templates.
    pub name: &'static str,
    /// Parameters and result.
    pub signature: Signature,
    /// The code.
    pub code: Code,
}

impl Function {
    /// A function with a fixed number of parameters.
    pub const fn fixed(
        name: &'static str,
        params: &'static [Type],
        result: Type,
        code: Code,
    ) -> Self {
        let signature = Signature {
            params,
            variadic: false,
            result,
        };
        Self {
            name,
            signature,
            code,
        }
    }

    /// A function whose last parameter repeats.
    pub const fn variadic(
        name: &'static str,
        params: &'static [Type],
        result: Type,
        code: Code,
    ) -> Self {
        let signature = Signature {
            params,
            variadic: true,
            result,
        };
        Self {
            name,
            signature,
            code,
        }
    }
}

/// The functions that a set of templates may call. The built-in ones of the language are always there.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    functions: HashMap<&'static str, Arc<Function>>,
}

impl Registry {
    /// No functions beyond the built-in ones.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds functions, replacing those of the same name.
    pub fn add(&mut self, functions: &[Function]) -> &mut Self {
        self.functions
            .extend(functions.iter().map(|f| (f.name, Arc::new(*f))));
        self
    }

    /// Removes a function.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.functions.remove(name);
        self
    }

    /// The function of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<Function>> {
        self.functions.get(name)
    }

    /// Names of all functions, unsorted.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.functions.keys().copied()
    }
}

/// What functions may ask of the world; everything is an argument of the run.
pub trait Host: Send + Sync {
    /// The present time.
    fn now(&self) -> Time;

    /// Fills a buffer with random bytes.
    fn random(&self, buffer: &mut [u8]);

    /// The host for downcasting in functions that it adds itself.
    fn as_any(&self) -> &dyn std::any::Any;
}

/// One call of a function: its arguments, which fit the signature, and the run it belongs to.
pub struct Call<'c, 'r> {
    /// Arguments in order; the repeated ones follow the fixed ones.
    pub args: &'c [Value],
    /// A bit for each of the first 32 arguments that is absent, not a nil held in an interface.
    pub absent: u32,
    /// The first operand as it is written, for `call`'s messages; a piped value shows its type.
    pub first_operand: String,
    /// The run, for functions that execute templates.
    pub run: &'c mut Run<'r>,
}

impl Call<'_, '_> {
    /// The argument as text; empty where the signature has no text there.
    pub fn text(&self, index: usize) -> &[u8] {
        match self.args.get(index) {
            Some(Value::Text(text)) => text,
            _ => &[],
        }
    }

    /// The argument as UTF-8, malformed bytes replaced.
    pub fn str(&self, index: usize) -> std::borrow::Cow<'_, str> {
        crate::text::lossy(self.text(index))
    }

    /// The argument as an integer.
    pub fn int(&self, index: usize) -> i64 {
        self.args
            .get(index)
            .and_then(Value::as_int)
            .unwrap_or_default()
    }

    /// The argument as a map.
    pub fn map(&self, index: usize) -> Map {
        match self.args.get(index) {
            Some(Value::Map(map)) => map.clone(),
            _ => Map::nil(),
        }
    }

    /// Any argument.
    pub fn value(&self, index: usize) -> Value {
        self.args.get(index).cloned().unwrap_or_default()
    }

    /// The shared text of an argument.
    pub fn shared_text(&self, index: usize) -> Text {
        match self.args.get(index) {
            Some(Value::Text(text)) => text.clone(),
            _ => Text::default(),
        }
    }

    /// The host of the run.
    pub fn host(&self) -> &dyn Host {
        self.run.host()
    }
}
