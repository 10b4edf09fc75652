//! Feeds a store from list and watch.
//!
//! Lists in pages, then watches from the list's version; resumes a broken watch where it stopped; lists anew
//! when the version expired (410). Failures wait with back-off and never end the loop; a kind that the cluster does
//! not serve yet is asked for again until it is there.

use std::sync::Arc;
use std::time::Duration;

use cluster::{ApiResource, Cluster, Error, ListParams, Scope, WatchEvent, WatchParams};
use futures::StreamExt;
use objects::Object;
use tracing::{debug, warn};

use crate::clock::Clock;
use crate::queue::Backoff;
use crate::store::{Store, WatchSpec};

/// Objects per page of a list.
const PAGE: u32 = 500;

/// Waits between failed lists and watches.
const BACKOFF: Backoff = Backoff {
    min: Duration::from_millis(200),
    max: Duration::from_secs(10),
};

/// Runs until dropped.
pub(crate) async fn reflect(
    cluster: Arc<dyn Cluster>,
    clock: Arc<dyn Clock>,
    spec: WatchSpec,
    store: Arc<Store>,
) {
    let mut failures = 0;
    let mut resume = String::new();
    loop {
        match follow(&*cluster, &spec, &store, &mut resume).await {
            Ok(()) => failures = 0,
            Err(error) => {
                if error.is_expired() {
                    resume.clear();
                    failures = 0;
                    continue;
                }
                failures += 1;
                if failures == 1 && !error.is_no_match() {
                    warn!(kind = %spec.gvk, %error, "watch failed, trying again");
                } else {
                    debug!(kind = %spec.gvk, %error, failures, "watch failed, trying again");
                }
                clock.sleep(BACKOFF.delay(failures)).await;
            }
        }
    }
}

/// One list (unless resuming) and one watch until its end.
async fn follow(
    cluster: &dyn Cluster,
    spec: &WatchSpec,
    store: &Store,
    resume: &mut String,
) -> Result<(), Error> {
    let resource = cluster.resolve(&spec.gvk).await?;
    let scope = Scope {
        resource,
        namespace: spec.namespace.clone(),
    };
    if resume.is_empty() {
        let (items, version) = list(cluster, spec, &scope).await?;
        store.replace(items, &version);
        *resume = version;
    }
    let params = WatchParams {
        label_selector: spec.label_selector.clone(),
        resource_version: resume.clone(),
        metadata_only: spec.metadata_only,
        ..WatchParams::default()
    };
    let mut events = cluster.watch(&scope, &params).await?;
    while let Some(event) = events.next().await {
        take(event?, &scope.resource, store, resume);
    }
    Ok(())
}

async fn list(
    cluster: &dyn Cluster,
    spec: &WatchSpec,
    scope: &Scope,
) -> Result<(Vec<Object>, String), Error> {
    let mut params = ListParams {
        label_selector: spec.label_selector.clone(),
        limit: PAGE,
        metadata_only: spec.metadata_only,
        ..ListParams::default()
    };
    let mut items = Vec::new();
    loop {
        let page = cluster.list(scope, &params).await?;
        items.extend(page.items.into_iter().map(|o| typed(o, &scope.resource)));
        if page.continue_token.is_empty() {
            return Ok((items, page.resource_version));
        }
        params.continue_token = page.continue_token;
    }
}

fn take(event: WatchEvent, resource: &ApiResource, store: &Store, resume: &mut String) {
    match event {
        WatchEvent::Added(object) | WatchEvent::Modified(object) => {
            remember(resume, object.str_at(&["metadata", "resourceVersion"]));
            store.observe(typed(object, resource));
        }
        WatchEvent::Deleted(object) => {
            remember(resume, object.str_at(&["metadata", "resourceVersion"]));
            store.observe_deleted(&typed(object, resource));
        }
        WatchEvent::Bookmark(version) => remember(resume, &version),
    }
}

fn remember(resume: &mut String, version: &str) {
    if !version.is_empty() {
        version.clone_into(resume);
    }
}

/// Gives metadata-only objects the kind of what they describe.
fn typed(mut object: Object, resource: &ApiResource) -> Object {
    if object.kind() != resource.gvk.kind {
        object
            .0
            .insert("kind".into(), resource.gvk.kind.clone().into());
        object
            .0
            .insert("apiVersion".into(), resource.gvk.api_version().into());
    }
    object
}
