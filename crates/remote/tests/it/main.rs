//! Registries and Helm repositories on loopback.

mod helm;
mod oci;
