//! Aggregated ClusterRoles: their rules are those of the roles that their selectors pick.

use std::sync::Arc;

use objects::{LabelSelector, Map, Value};

use super::{context, follow};
use crate::engine::{Engine, Place};
use crate::store::Entry;

const TABLE: &str = "rbac.authorization.k8s.io/clusterroles";

/// Runs the controller.
pub async fn run(engine: Arc<Engine>) {
    let inner = engine.clone();
    follow(&engine, TABLE, move |seen| {
        // The bootstrap roles come aggregated; only later changes matter.
        if matches!(seen, super::Seen::Changed(_)) {
            refresh(&inner);
        }
    })
    .await;
}

fn refresh(engine: &Engine) {
    let resource = engine.builtin("rbac.authorization.k8s.io", "v1", "clusterroles");
    let (_, entries) = engine.store.list(TABLE, "");
    for entry in &entries {
        let role = entry.decode(&resource.api_version, resource.kind());
        let Some(selectors) = role
            .get("aggregationRule")
            .and_then(|rule| rule.get("clusterRoleSelectors"))
            .and_then(Value::as_array)
        else {
            continue;
        };
        let rules = aggregate(&entries, &entry.meta.name, selectors);
        if role.get("rules") == Some(&rules)
            || (rules == Value::Array(Vec::new()) && role.get("rules").is_none())
        {
            continue;
        }
        let place = Place::new(&resource, "", &entry.meta.name);
        // The next change of any role looks again.
        let _ = engine.replace(
            &context("clusterrole-aggregation-controller"),
            &place,
            &|live, _| {
                let mut next = live.clone();
                next.insert("rules".into(), rules.clone());
                Ok(next)
            },
        );
    }
}

fn aggregate(entries: &[Arc<Entry>], own: &str, selectors: &[Value]) -> Value {
    let mut rules: Vec<Value> = Vec::new();
    let selectors = selectors.iter().filter_map(Value::as_object);
    for selector in selectors.map(LabelSelector::of_object) {
        for entry in entries.iter().filter(|entry| entry.meta.name != own) {
            if !selector.matches(|key| entry.label(key)) {
                continue;
            }
            let role: Map = entry.decode("rbac.authorization.k8s.io/v1", "ClusterRole");
            for rule in role
                .get("rules")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                if !rules.contains(rule) {
                    rules.push(rule.clone());
                }
            }
        }
    }
    Value::Array(rules)
}
