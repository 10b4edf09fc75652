//! Controllers on the embedded API server, end to end.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod gitrepository;
mod helmchart;
mod helmrelease;
mod helmrepository;
mod kustomization;
mod ocirepository;
mod remote_bases;
mod shelf;
mod source_doors;
mod sources;
mod stage;
mod world;
