//! Controllers on the embedded API server, end to end.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod gitrepository;
mod helmrelease;
mod kustomization;
mod remote_bases;
mod world;
