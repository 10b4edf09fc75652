//! Integration tests of the Helm engine; one binary, because linking is what costs.

#![allow(clippy::unwrap_used)]

mod charts;
mod conformance_charts;
mod conformance_release;
mod conformance_tables;
mod conformance_templates;
mod explain;
mod functions;
mod goldens;
mod known;
mod language;
mod lint;
mod package;
mod properties;
mod schema;
