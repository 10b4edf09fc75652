//! The Go `text/template` language and the Sprig function library.
//!
//! A [`Set`] of templates is compiled once ([`Set::parse`]) and run many times ([`Set::execute`]) over
//! [`Value`]s, which carry Go's dynamic types because templates can see them. Lexer, parser and evaluator
//! are separate; a run is bounded in work, memory, output and depth ([`Limits`]). Behaviour and messages
//! follow Go 1.26 and Sprig 3.3; `env`, `expandenv` and name look-ups are left to the host.
//!
//! ```
//! use std::sync::Arc;
//! use gotemplate::{MissingKey, Registry, Set, Text, Value, sprig};
//!
//! let mut registry = Registry::new();
//! registry.add(&sprig::functions());
//! let mut set = Set::new("example", Arc::new(registry), MissingKey::Zero);
//! set.parse("greeting", &Text::from("Hello {{ .name | upper }}")).expect("it parses");
//! let data = Value::map([("name", Value::text("flux"))]);
//! let host = gotemplate::FixedHost::default();
//! let out = Arc::new(set).execute("greeting", &data, &host).expect("it runs");
//! assert_eq!(out, b"Hello FLUX");
//! ```

mod ast;
mod builtins;
mod bytes;
mod compare;
mod decimal;
mod error;
mod exec;
mod format;
mod function;
mod grow;
mod host;
pub mod json;
mod lex;
mod number;
mod object;
mod parse;
mod pki;
mod set;
pub mod sprig;
mod stack;
mod text;
pub mod time;
pub mod trace;
pub mod url;
mod value;

pub use bytes::{Bytes, Contents};
pub use error::{Cause, ExecError, ParseError, Place, RunError};
pub use exec::Run;
pub use format::strval;
pub use function::{Call, CallError, CallResult, Code, Function, Host, Registry, Signature, Type};
pub use host::FixedHost;
pub use object::Object;
pub use set::{Limits, MissingKey, Set};
pub use stack::with_deep_stack;
pub use text::Text;
pub use value::{Element, Kind, List, Map, MapKind, MapType, Tree, Value};
