//! The client for real clusters against a scripted server on the loopback.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod client;
mod scripted;
