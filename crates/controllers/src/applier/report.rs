//! Writing what a pass reports: the finalizer and the status, each only where it changes something.

use cluster::Target;
use controller_runtime::{Failed, Run, add_finalizer, patch_status};
use objects::Object;
use serde::Serialize;

/// Adds the finalizer where it is missing; `written` becomes the object as it is then.
pub(crate) async fn ensure_finalizer(
    run: &Run,
    target: &Target,
    written: &mut Object,
    finalizer: &str,
    manager: &str,
) -> Result<(), Failed> {
    let cluster = &*run.runtime.cluster;
    if let Some(object) = add_finalizer(cluster, target, written, finalizer, manager).await? {
        run.runtime.observe(&object);
        *written = object;
    }
    Ok(())
}

/// Writes the status where it differs from what was last written; an object that is gone needs none.
pub(crate) async fn write_status(
    run: &Run,
    target: &Target,
    written: &mut Object,
    status: &(impl Serialize + Sync),
    owned: &[&str],
    manager: &str,
) -> Result<(), Failed> {
    let after = serde_json::to_value(status).map_err(|e| Failed(e.to_string()))?;
    let cluster = &*run.runtime.cluster;
    match patch_status(cluster, target, written, &after, owned, manager).await {
        Ok(Some(object)) => {
            run.runtime.observe(&object);
            *written = object;
        }
        Ok(None) => {}
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
