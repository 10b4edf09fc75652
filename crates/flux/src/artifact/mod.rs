//! Artifacts as the commands see them: files packed with upstream's bytes, and registries.

mod docker_helper;
pub mod files;
pub mod registry;
