//! Ignore rules and tarballs against records of Go programs, and properties of archives.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod archive;
mod ignore;
