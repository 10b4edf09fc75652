//! The `Cluster` port and its client for a real cluster.
//!
//! [`Cluster`] is what every controller, the resource manager and the CLI see of Kubernetes: objects in,
//! objects out, one call per API request, errors as the server's `Status`. Two rooms implement it: this
//! crate's client for a real API server, and the `apiserver` crate in process. Nothing here retries a
//! write; retries are decisions of the caller.

mod error;
mod kube_client;
mod port;

pub use error::{Error, StatusCause, StatusError};
pub use kube_client::{ConnectOptions, connect};
pub use port::{
    ApiResource, Cluster, DeleteParams, Deleted, Discovery, Identity, ListParams, ObjectList,
    Patch, Propagation, Scope, Target, TextStream, Validation, WatchEvent, WatchParams,
    WatchStream, WriteParams,
};
