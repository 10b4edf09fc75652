//! OCI registries: names, logging in, tags, manifests, blobs, and pushing.
//!
//! A thin client of the distribution specification over this crate's own HTTP clients, so that CA certificates, client
//! certificates, proxies, redirects and limits mean here what they mean elsewhere. Every byte that is named by a digest
//! is checked against it. Texts of errors follow go-containerregistry.

mod auth;
mod error;
mod manifest;
mod push;
mod reference;
mod registry;
mod session;

use async_trait::async_trait;

use crate::Credentials;

pub use auth::{DockerConfig, DockerConfigError};
pub use error::RegistryError;
pub use manifest::{Descriptor, Manifest, media_type};
pub use push::{Layer, Package};
pub use reference::{Reference, ReferenceError, Repository, Selector};
pub use registry::{Registry, RegistryOptions, Retry};

/// A way to log in that is not a fixed credential, such as a cloud's.
#[async_trait]
pub trait Login: Send + Sync {
    /// Returns credentials for a repository.
    async fn login(&self, repository: &Repository) -> Result<Credentials, String>;
}
