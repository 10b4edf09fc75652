//! Tests of the API server from outside: through the port, over HTTP, against recorded answers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod admission;
mod answers;
mod api;
mod auth;
mod clientgo;
mod clients;
mod conformance;
mod definitions;
mod durable;
mod faults;
mod hostile;
mod judgements;
mod kubectl;
mod ownership;
mod port;
mod protobuf;
mod quotas;
mod recorded;
mod services;
mod transport;
mod workloads;
