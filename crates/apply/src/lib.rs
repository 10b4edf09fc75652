//! The resource manager: stages, drift, apply, prune, wait, change sets.
//!
//! Objects come in, API requests go out through the `Cluster` port, a [`ChangeSet`] comes back. Applying is
//! server-side apply under one field manager; an object whose desired state and observed version are those of
//! the last time costs no request. Follows fluxcd/pkg's `ssa` in order, ownership and texts.

mod adopt;
mod change;
mod control;
mod diff;
mod drift;
mod error;
mod manager;
mod normalize;
mod observe;
mod order;
mod pods;
mod prune;
mod wait;

pub use change::{Action, ChangeSet, ChangeSetEntry};
pub use control::{Controls, any_in_metadata};
pub use diff::Difference;
pub use drift::{IgnoreRule, IgnoreRuleError, IgnoreRules};
pub use error::{ApplyFailure, ObjectError};
pub use manager::{ApplyOptions, ResourceManager};
pub use normalize::normalize;
pub use observe::{LiveVersion, LiveVersions, Observations};
pub use order::{Stage, sort, stage_of};
pub use prune::{PruneOptions, PruneOutcome, Stored};
pub use wait::{WaitFailure, WaitOptions, WaitTarget};
