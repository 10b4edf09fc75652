//! The effects of the controllers, the artifact store and its server.
//!
//! [`start`] runs them all on one [`cluster::Cluster`], which may be a real cluster or the embedded server.

pub mod artifact;
mod drift;
pub mod events;
pub mod gitrepository;
pub mod helmrelease;
pub mod kustomization;
mod start;
pub mod telemetry;

pub use start::{Components, Handle, Options, StartError, shard_digest, start};
