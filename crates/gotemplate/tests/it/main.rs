//! Integration tests of the template language; the corpora run with Helm's functions, in the `helm` crate.

#![allow(clippy::unwrap_used)]

mod bounds;
mod certificates;
mod language;
