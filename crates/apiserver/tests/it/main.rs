//! Tests of the API server from outside: through the port, over HTTP, against recorded answers.

mod conformance;
mod port;
mod recorded;
mod workloads;
