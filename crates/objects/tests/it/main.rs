//! Integration tests of the object model.

#![allow(clippy::unwrap_used, reason = "a test may stop at what cannot be")]

mod conformance_smd;
mod properties;
