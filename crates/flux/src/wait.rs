//! Waiting for the cluster: look at once, then at growing intervals of at most two seconds.
//!
//! Upstream looks every two seconds. The end of the wait is `--timeout`, which the caller's frame enforces.

use std::time::Duration;

use cluster::{Cluster, Target};
use objects::Object;

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::flux_object::{Progress, condition};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Reads an object until it is judged current; returns it. A failed one is an error with its reason.
pub async fn until_current(
    ctx: &Context,
    cluster: &dyn Cluster,
    target: &Target,
    judge: impl Fn(&Object) -> Progress,
) -> CliResult<Object> {
    let mut pause = FIRST_PAUSE;
    loop {
        let object = cluster.get(target).await?;
        match judge(&object) {
            Progress::Current => return Ok(object),
            Progress::Failed(reason) => return Err(CliError::cluster(reason)),
            Progress::Unfinished => {
                note(ctx, &object);
                tokio::time::sleep(pause).await;
            }
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Remembers what the object says of itself, for the error if the time runs out.
fn note(ctx: &Context, object: &Object) {
    let subject = format!("{} {}", object.kind(), object.name());
    ctx.awaited.set(match condition(object, "Ready") {
        Some(ready) if ready.status == "True" => {
            format!("{subject} was not looked at again: is its controller running?")
        }
        Some(ready) => format!("{subject} says: {}", ready.message),
        None => format!("{subject} says nothing yet: is its controller running?"),
    });
}
