//! What a Kustomization does next, and what it reports.
//!
//! The controller gathers facts and performs actions; everything a person sees (conditions, reasons, messages,
//! events, history, times of the next look) is decided here, following kustomize-controller 1.9.

mod dependencies;
mod inventory;
mod settle;

pub use dependencies::{DependencyError, check_dependencies, find_cycle};
pub use inventory::{InventoryDifference, diff, from_entries, merge, parse};
pub use settle::{
    Decision, End, Failure, PassFacts, Settings, Success, begin, finalise, notice, progress, settle,
};
