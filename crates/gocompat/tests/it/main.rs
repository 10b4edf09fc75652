//! Integration tests of Go behaviour.

#![allow(clippy::unwrap_used)]

mod semver;
