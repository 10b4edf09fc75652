//! Admission: what other objects of the cluster say about a write.
//!
//! [`mutate`] runs before an object is validated, [`validate`] after it, each in upstream's order of plugins: limit ranges,
//! policies, webhooks, quotas. A cluster without such objects pays a few look-ups.

mod authorizer;
pub mod expression;
mod limits;
pub mod pods;
pub mod policy;
pub mod quota;
mod review;
mod rules;
mod usage;
pub mod webhook;

use objects::Map;

use crate::engine::{Context, Engine, Place};
use crate::failure::Answered;
use crate::kinds;
use crate::kinds::form;

pub use rules::Operation;

/// One write that is being admitted.
pub struct Request<'a> {
    /// Sender.
    pub context: &'a Context,
    /// Object or subresource.
    pub place: &'a Place,
    /// What happens.
    pub operation: Operation,
    /// State before it; absent for a create.
    pub live: Option<&'a Map>,
    /// Whether nothing will be stored.
    pub dry_run: bool,
}

/// Changes an object as other objects of the cluster demand.
pub fn mutate(engine: &Engine, request: &Request<'_>, object: &mut Map) -> Answered<()> {
    if request.live.is_none() {
        limits::default(engine, request.place, object);
    }
    if webhook::mutate(engine, request, object)? {
        let resource = &request.place.resource;
        form::settle(resource, object)?;
        kinds::default(resource, object);
    }
    Ok(())
}

/// Refuses a valid object that other objects of the cluster forbid.
pub fn validate(engine: &Engine, request: &Request<'_>, object: &Map) -> Answered<()> {
    if request.live.is_none() {
        limits::check(engine, request.place, object)?;
    }
    policy::check(engine, request, Some(object))?;
    webhook::validate(engine, request, Some(object))?;
    quota::check(engine, request.place, object, request.live, request.dry_run)
}

/// Refuses the end of an object that other objects of the cluster forbid.
pub fn validate_delete(engine: &Engine, request: &Request<'_>) -> Answered<()> {
    policy::check(engine, request, None)?;
    webhook::mutate(engine, request, &mut Map::new())?;
    webhook::validate(engine, request, None)
}
