//! Decisions against what upstream was seen to decide.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod expressions;
