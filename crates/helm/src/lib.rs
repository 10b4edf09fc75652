//! Charts, values, rendering, hooks, release records and repository indexes.
//!
//! Two versions of the reference program are followed, [`Version::V4`] by default; where they differ, a function
//! takes the version as an argument.

pub mod action;
pub mod cache;
pub mod capabilities;
pub mod chart;
mod coalesce;
pub mod content;
mod context;
pub mod convert;
pub mod dependencies;
mod documents;
pub mod explain;
mod failure;
pub mod functions;
mod glob;
mod head;
pub mod ignore;
pub mod index;
pub mod kinds;
pub mod lint;
pub mod load;
pub mod manifest;
pub mod metadata;
pub mod note;
pub mod origin;
pub mod package;
pub mod provenance;
pub mod release;
pub mod render;
pub mod schema;
pub mod strvals;
pub mod template;
pub mod toml;
pub mod values;
mod values_type;

pub use context::Release;
pub use gotemplate::Map as Values;
pub use gotemplate::with_deep_stack;

/// Major version of the reference program whose behaviour is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Version {
    /// Helm 3 (3.21).
    V3,
    /// Helm 4 (4.2).
    #[default]
    V4,
}
