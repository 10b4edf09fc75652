//! The effects of the controllers, the artifact store and its server.
//!
//! [`start`] runs them all on one [`cluster::Cluster`], which may be a real cluster or the embedded server.

mod applier;
pub mod artifact;
pub mod events;
pub mod gitrepository;
mod helm_access;
mod helm_index;
mod helmchart;
pub mod helmrelease;
mod helmrepository;
pub mod kustomization;
mod ocirepository;
mod place;
mod serving;
pub mod shelf;
mod source;
mod start;
pub mod telemetry;

pub use helmchart::download_chart;
pub use source::SourceSettings;
pub use start::{Components, Handle, Options, StartError, shard_digest, start};
