//! The Kustomization controller: what it builds, and the effects around it.

pub mod build;
pub mod generate;
