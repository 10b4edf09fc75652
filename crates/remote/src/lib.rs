//! HTTP, TLS, proxies and retries; registries, buckets and Helm repositories.
//!
//! Every HTTP client of the product is built here ([`Clients`]), so that TLS, proxies, redirects and timeouts have one
//! meaning. Credentials are types that print redacted.

mod client;
mod error;
pub mod helm;
mod mirror;
pub mod oci;
mod secret;

pub use client::{ClientOptions, Clients, Identity, Proxy, Redirects, USER_AGENT};
pub use error::Error;
pub use mirror::{Mirror, MirrorError};
pub use secret::{Credentials, Secret};
