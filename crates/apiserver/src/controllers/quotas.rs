//! Quotas show what their namespace holds: counted anew when their limits change, and when something goes.

use std::sync::Arc;

use objects::Value;

use super::{Seen, follow};
use crate::admission::quota::{TABLE, recount};
use crate::engine::Engine;

/// Runs the controller.
pub async fn run(engine: Arc<Engine>) {
    let inner = engine.clone();
    let changed = follow(&engine, TABLE, move |seen: &Seen<'_>| {
        let entry = seen.entry();
        if seen.removed() {
            return;
        }
        let quota = entry.decode("v1", "ResourceQuota");
        let hard = |part: &str| quota.get(part).and_then(|p| p.get("hard")).cloned();
        if hard("spec").unwrap_or(Value::Null) != hard("status").unwrap_or(Value::Null) {
            recount(&inner, &entry.meta.namespace, &entry.meta.name);
        }
    });
    let freed = async {
        loop {
            for namespace in engine.quotas.next().await {
                for entry in engine.store.list(TABLE, &namespace).1 {
                    recount(&engine, &namespace, &entry.meta.name);
                }
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::join!(changed, freed);
}
