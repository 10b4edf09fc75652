//! Every controller's decision: (desired, facts, now) to action, status, events and next look.

pub mod expression;
pub mod gitrepository;
pub mod helmrelease;
pub mod kustomization;
