//! Dynamic Kubernetes objects: keys, selectors, schemas, merges with field ownership, diff, readiness.
//!
//! An object is a JSON map with sorted keys ([`Object`]); nothing here knows a Go or Rust struct for a kind.
//! Everything is a pure function of its arguments: no clock, no socket, no environment.

pub mod decode;
pub mod expression;
mod health;
mod key;
pub mod managed;
pub mod names;
mod object;
pub mod patch;
pub mod quantity;
pub mod schema;
pub mod selector;
pub mod smd;

pub use health::{Health, HealthStatus, aggregate, health};
pub use key::{GroupKind, Gvk, Gvr, ObjectKey, ParseKeyError};
pub use object::{NotAnObject, Object};
pub use selector::LabelSelector;

/// A JSON value. Maps are sorted by key, bytewise.
pub type Value = serde_json::Value;
/// A JSON object with sorted keys.
pub type Map = serde_json::Map<String, Value>;
pub use serde_json::json;
