//! What makes a pass give way while it waits for health: another spec, request or source artifact, or deletion.
//!
//! Gate `CancelHealthCheckOnNewRevision`. Drift is no such thing; it is looked at after the wait.

use std::time::Duration;

use api::{HelmRelease, names};
use controller_runtime::{Key, Run};

use super::chart::SourceRef;
use super::triggers::has_tried;
use crate::source::source_gvk;

/// Time between two looks while the object is queued for something that does not count.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Waits for something newer than this pass; returns what it is, as `Kind/namespace/name`.
pub(super) async fn superseded(run: &Run, own: &HelmRelease) -> String {
    loop {
        run.queue.superseded(&run.key).await;
        if let Some(trigger) = trigger(run, own) {
            return trigger;
        }
        run.runtime.clock.sleep(LOOK_AGAIN).await;
    }
}

fn trigger(run: &Run, own: &HelmRelease) -> Option<String> {
    let metadata = &own.metadata;
    let itself = || {
        let (namespace, name) = (&metadata.namespace, &metadata.name);
        format!("{}/{namespace}/{name}", names::HELM_RELEASE)
    };
    let Some(newest) = run.store.get(&run.key) else {
        return Some(itself());
    };
    let now = api::ObjectMeta::of(&newest);
    let is_changed = now.is_deleted()
        || now.generation != metadata.generation
        || now.reconcile_request() != metadata.reconcile_request();
    if is_changed {
        return Some(itself());
    }
    let wanted = SourceRef::of(own);
    let store = run
        .runtime
        .store(&run.runtime.spec(source_gvk(&wanted.kind), ""));
    let source = store.get(&Key::new(&wanted.namespace, &wanted.name))?;
    let has_other = source.get(&["status", "artifact"]).is_some() && !has_tried(&newest, &source);
    has_other.then(|| {
        let SourceRef {
            kind,
            namespace,
            name,
        } = &wanted;
        format!("{kind}/{namespace}/{name}")
    })
}
