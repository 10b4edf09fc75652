//! Registries and Helm repositories on loopback.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod helm;
mod hostile;
mod oci;
