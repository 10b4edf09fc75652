//! Loopback servers, object builders and checkers for tests.
//!
//! A development-only room: nothing in the product depends on it.

pub mod charts;
pub mod corpus;
pub mod githttp;
pub mod gitrepo;
pub mod goprogram;
pub mod helmhttp;
pub mod loopback;
pub mod ociregistry;
