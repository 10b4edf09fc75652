//! The three patch formats of the Kubernetes API, on plain JSON values.
//!
//! [`merge_patch`] is RFC 7396, [`json_patch`] is RFC 6902 with the leniencies of the library that Kubernetes and
//! kustomize use, [`strategic`] merges lists by the keys of a schema and can also compute such patches.

mod json_patch;
mod merge_patch;
pub mod strategic;

pub use json_patch::{JsonPatchError, json_patch};
pub use merge_patch::{create_merge_patch, merge_patch};
