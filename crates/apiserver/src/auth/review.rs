//! Requests that are answered and not stored: access reviews, token reviews.

use objects::Map;

use crate::engine::{Context, Engine, Place, Reply, WriteOptions};
use crate::failure::Answered;

/// Answers a review; `None` for kinds that are stored.
pub fn create(
    engine: &Engine,
    context: &Context,
    place: &Place,
    object: &mut Map,
    options: &WriteOptions,
) -> Answered<Option<Reply>> {
    let _ = (engine, context, place, object, options);
    Ok(None)
}
