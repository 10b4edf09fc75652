//! Tests of kyaml against recorded answers of the Go libraries, and properties.
#![allow(clippy::unwrap_used)]

mod golden;
mod properties;
mod tree;
