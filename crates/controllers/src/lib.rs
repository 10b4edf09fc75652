//! The effects of the controllers, the artifact store and its server.
//!
//! [`start`] runs them all on one [`cluster::Cluster`], which may be a real cluster or the embedded server.

pub mod artifact;
pub mod gitrepository;
pub mod kustomization;
mod start;

pub use start::{Handle, Options, StartError, start};
