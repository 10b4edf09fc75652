//! The embedded Kubernetes API server.
//!
//! Requests come over HTTP(S) or from inside the process through the [`cluster::Cluster`] port; both end in one
//! generic engine over dynamic objects and a versioned store in memory, with an optional durable log.
//! Behaviour follows kube-apiserver 1.35; what differs is listed in `COMPATIBILITY.md`.

mod admission;
mod age;
mod auth;
mod bootstrap;
mod catalog;
mod controllers;
mod crd;
mod defaults;
mod engine;
mod environment;
mod failure;
pub mod faults;
mod fields;
mod http;
mod identity;
mod internals;
mod kinds;
mod port;
mod printers;
mod proto;
mod schedule;
mod server;
mod store;
mod validation;
mod workloads;
mod yaml;

pub use environment::{Clock, Environment, Ids, ManualClock};
pub use http::tls::ClientCertificate;
pub use server::{Error, Options, Server, Serving};
