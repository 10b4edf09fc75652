//! Integration tests of the engine.
#![allow(clippy::unwrap_used)]

mod conformance;
mod golden;
mod properties;
mod recorded;
