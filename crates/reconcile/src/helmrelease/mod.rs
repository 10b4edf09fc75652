//! What a HelmRelease does next, and what it reports.
//!
//! One pass is a loop: [`determine`] names the state of the release in storage, [`next_step`] chooses the action,
//! [`before`] and [`after`] say whether the loop may go on, and the `end_…` functions write what an action did into
//! the status. Follows helm-controller 1.6; the few states in which upstream would wait for a person are resolved
//! here (see `State::Uninstalling` and the statuses `superseded` and `unknown`).

mod dependencies;
mod digest;
mod failure;
mod history;
mod name;
mod next;
mod outcome;
mod recovery;
mod requests;
mod revision;
mod source;
mod state;
mod summary;
mod target;

pub use dependencies::{DependencyError, check_dependencies};
pub use digest::{common_metadata_digest, json_digest, post_renderers_digest};
pub use failure::{Decision, Failure, clear_stale, settle};
pub use history::{Observation, latest, previous, truncate, truncate_to_newest};
pub use name::shorten;
pub use next::{
    Action, ActionKind, Pause, RollbackCheck, Settings, Step, Stop, active_retry, after, before,
    begin_action, next_step, rollback_step,
};
pub use outcome::{
    Attempt, DriftOutcome, Ended, Outcome, begin_release, chart_event, drift_event, end_drift,
    end_release, end_rollback, end_test, end_uninstall, end_uninstall_remediation, end_unlock,
    event_metadata,
};
pub use recovery::{interrupted_action, recover};
pub use requests::{must_reset_failures, take_force_request, take_reset_request};
pub use revision::{Revision, RevisionError, chart_revision};
pub use source::source_ready;
pub use state::{Ownership, State, StateFacts, Stored, determine};
pub use summary::summarize;
pub use target::target_changed;

#[cfg(test)]
mod tests;
