//! Repositories written by testkit (and by the real program where it is present), read locally and over HTTP.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod http;
mod local;
mod real;
