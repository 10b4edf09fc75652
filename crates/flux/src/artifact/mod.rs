//! Artifacts as the commands see them: files packed with upstream's bytes, and registries.

pub mod files;
pub mod registry;
