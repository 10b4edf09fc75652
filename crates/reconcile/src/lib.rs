//! Every controller's decision: (desired, facts, now) to action, status, events and next look.

mod dependencies;
pub mod expression;
pub mod gitrepository;
pub mod helmchart;
pub mod helmrelease;
pub mod helmrepository;
pub mod kustomization;
pub mod ocirepository;
mod report;
pub mod source;

pub use report::{EventDraft, Requeue};
