//! What makes the controller look: indexes over Kustomizations, and which of them a change concerns.

use std::collections::HashMap;
use std::sync::Arc;

use api::Kind;
use api::names::{self, reason};
use controller_runtime::{Change, Key, Runtime, Store, Trigger, WatchSpec};
use objects::{Gvk, Object};
use parking_lot::Mutex;

use super::Settings;
use crate::applier::triggers::{
    self as applier, BY_DEPENDENCY, BY_SOURCE, Watched, condition, is_settled, label_of,
    waits_by_expression,
};

pub(super) fn add_indexes(store: &Store) {
    applier::add_indexes(store, source_of, configs_of);
}

/// Builds the watches beside the own kind.
pub(super) fn triggers(
    runtime: &Runtime,
    settings: &Settings,
    missing_kinds: &Arc<Mutex<HashMap<Key, Vec<Gvk>>>>,
) -> Vec<Trigger> {
    let mut sources = vec![names::GIT_REPOSITORY, names::OCI_REPOSITORY, names::BUCKET];
    if settings.gates.external_artifact {
        sources.push(names::EXTERNAL_ARTIFACT);
    }
    let watched = Watched {
        own: runtime.spec(api::KustomizationSpec::gvk(), &settings.label_selector),
        sources: &sources,
        configs: (!settings.gates.disable_config_watchers)
            .then_some(settings.configs_label_selector.as_str()),
    };
    let mut triggers = applier::triggers(runtime, watched, source_changed, dependency_changed);
    let watch = WatchSpec {
        gvk: Gvk::new("apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
        metadata_only: true,
        ..WatchSpec::default()
    };
    let missing = missing_kinds.clone();
    triggers.push(Trigger::new(watch, move |change, _| {
        definition_changed(change, &missing)
    }));
    triggers
}

fn source_of(object: &Object) -> String {
    let text = |field: &str| object.str_at(&["spec", "sourceRef", field]);
    let namespace = match text("namespace") {
        "" => object.namespace(),
        namespace => namespace,
    };
    format!("{}/{namespace}/{}", text("kind"), text("name"))
}

fn configs_of(object: &Object) -> Vec<String> {
    let mut configs = applier::configs_of(object, &["spec", "postBuild", "substituteFrom"]);
    let keys = object.str_at(&["spec", "decryption", "secretRef", "name"]);
    if !keys.is_empty() {
        configs.push(format!("Secret/{}/{keys}", object.namespace()));
    }
    configs
}

fn revision(object: Option<&Arc<Object>>) -> &str {
    object.map_or("", |o| o.str_at(&["status", "artifact", "revision"]))
}

/// A new artifact concerns the Kustomizations that have not tried its revision yet.
fn source_changed(change: &Change, store: &Store) -> Vec<Key> {
    let new = revision(change.new.as_ref());
    let same_file = change.old.as_ref().is_some_and(|old| {
        let digest = |o: &Object| o.str_at(&["status", "artifact", "digest"]).to_owned();
        revision(Some(old)) == new && digest(old) == digest(change.object())
    });
    let label = label_of(change.object());
    if new.is_empty() && change.old.is_none() {
        // It was said to be missing.
        let users = store.by_index(BY_SOURCE, &label).into_iter();
        return users
            .filter(|key| store.get(key).is_some_and(|o| lacks_source(&o)))
            .collect();
    }
    if new.is_empty() || same_file {
        return Vec::new();
    }
    store
        .by_index(BY_SOURCE, &label)
        .into_iter()
        .filter(|key| {
            let object = store.get(key);
            object.is_none_or(|o| !(has_tried(&o, new) && is_settled(&o)))
        })
        .collect()
}

fn has_tried(object: &Object, revision: &str) -> bool {
    object.str_at(&["status", "lastAttemptedRevision"]) == revision
}

fn lacks_source(object: &Object) -> bool {
    let conditions = object
        .get(&["status", "conditions"])
        .and_then(|all| all.as_array());
    let mut ready = conditions
        .into_iter()
        .flatten()
        .filter(|c| c["type"] == names::READY);
    ready.any(|c| c["reason"] == reason::ARTIFACT_FAILED)
}

/// A dependency that became ready, or applied another revision, concerns those that depend on it.
fn dependency_changed(change: &Change, store: &Store) -> Vec<Key> {
    let facts = |object: &Object| {
        (
            condition(object, names::READY) == Some("True"),
            object.str_at(&["status", "lastAppliedRevision"]).to_owned(),
            object.get(&["status", "observedGeneration"]).cloned(),
        )
    };
    let Some(new) = &change.new else {
        return Vec::new();
    };
    let after = facts(new);
    // Expressions may look at anything, so their readers hear of every change.
    let told = after.0 && change.old.as_ref().is_none_or(|old| facts(old) != after);
    let label = format!("{}/{}", new.namespace(), new.name());
    store
        .by_index(BY_DEPENDENCY, &label)
        .into_iter()
        .filter(|key| told || store.get(key).is_some_and(|o| waits_by_expression(&o)))
        .collect()
}

/// A CRD concerns those that failed on a kind of its group.
fn definition_changed(change: &Change, missing: &Mutex<HashMap<Key, Vec<Gvk>>>) -> Vec<Key> {
    let Some(definition) = &change.new else {
        return Vec::new();
    };
    let group = definition
        .name()
        .split_once('.')
        .map_or("", |(_, group)| group);
    missing
        .lock()
        .iter()
        .filter(|(_, kinds)| kinds.iter().any(|kind| kind.group == group))
        .map(|(key, _)| key.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::applier::triggers::config_changed;
    use crate::source::source_gvk;
    use objects::{Value, json};

    fn kustomization(name: &str, version: u32, spec: Value, status: Value) -> Object {
        Object::from_value(json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": name, "namespace": "flux", "resourceVersion": version.to_string()},
            "spec": spec, "status": status
        }))
        .unwrap()
    }

    fn store(objects: &[Object]) -> Store {
        let store = Store::default();
        add_indexes(&store);
        for object in objects {
            store.observe(object.clone());
        }
        store
    }

    fn change(old: Option<Object>, new: Option<Object>) -> Change {
        Change {
            old: old.map(Arc::new),
            new: new.map(Arc::new),
        }
    }

    fn named(keys: Vec<Key>) -> Vec<String> {
        keys.into_iter().map(|k| k.name).collect()
    }

    #[test]
    fn a_new_artifact_concerns_exactly_its_users_that_did_not_try_it() {
        let source = json!({"sourceRef": {"kind": "GitRepository", "name": "repo"}});
        let elsewhere =
            json!({"sourceRef": {"kind": "GitRepository", "name": "repo", "namespace": "other"}});
        let ready = json!({"lastAttemptedRevision": "r2", "conditions": [{"type": "Ready", "status": "True"}]});
        let failed = json!({"conditions": [{"type": "Ready", "status": "False", "reason": "ArtifactFailed"}]});
        let store = store(&[
            kustomization("behind", 1, source.clone(), json!({})),
            kustomization("done", 2, source.clone(), ready),
            kustomization("elsewhere", 3, elsewhere, json!({})),
            kustomization("lacking", 4, source, failed),
        ]);
        let repo = |revision: &str| {
            let mut object = Object::new(&source_gvk("GitRepository"), "flux", "repo");
            object.set(&["status", "artifact", "revision"], revision);
            object
        };
        for (name, old, new, keys) in [
            (
                "a new revision",
                Some(repo("r1")),
                Some(repo("r2")),
                vec!["behind", "lacking"],
            ),
            (
                "the same revision",
                Some(repo("r2")),
                Some(repo("r2")),
                vec![],
            ),
            ("a new source", None, Some(repo("")), vec!["lacking"]),
            ("still no artifact", Some(repo("")), Some(repo("")), vec![]),
            ("a deleted source", Some(repo("r2")), None, vec![]),
        ] {
            assert_eq!(
                named(source_changed(&change(old, new), &store)),
                keys,
                "{name}"
            );
        }
    }

    #[test]
    fn a_dependency_that_becomes_ready_concerns_those_that_wait() {
        let depends = json!({"dependsOn": [{"name": "infra"}]});
        let by_expression = json!({"dependsOn": [{"name": "infra", "readyExpr": "true"}]});
        let store = store(&[
            kustomization("apps", 1, depends, json!({})),
            kustomization("expr", 2, by_expression, json!({})),
            kustomization("free", 3, json!({}), json!({})),
        ]);
        let infra = |status: &str, revision: &str| {
            kustomization(
                "infra",
                9,
                json!({}),
                json!({"lastAppliedRevision": revision, "conditions": [{"type": "Ready", "status": status}]}),
            )
        };
        for (name, old, new, keys) in [
            (
                "it becomes ready",
                infra("False", "r1"),
                infra("True", "r1"),
                vec!["apps", "expr"],
            ),
            (
                "it applies a new revision",
                infra("True", "r1"),
                infra("True", "r2"),
                vec!["apps", "expr"],
            ),
            (
                "nothing that counts changes",
                infra("True", "r1"),
                infra("True", "r1"),
                vec!["expr"],
            ),
            (
                "it fails",
                infra("True", "r1"),
                infra("False", "r1"),
                vec!["expr"],
            ),
        ] {
            assert_eq!(
                named(dependency_changed(&change(Some(old), Some(new)), &store)),
                keys,
                "{name}"
            );
        }
    }

    #[test]
    fn configs_concern_their_readers() {
        let spec =
            json!({"postBuild": {"substituteFrom": [{"kind": "ConfigMap", "name": "vars"}]}});
        let store = store(&[kustomization("apps", 1, spec, json!({}))]);
        let vars =
            |namespace: &str| Object::new(&Gvk::new("", "v1", "ConfigMap"), namespace, "vars");
        assert_eq!(
            named(config_changed(&change(None, Some(vars("flux"))), &store)),
            ["apps"]
        );
        assert_eq!(
            named(config_changed(&change(Some(vars("flux")), None), &store)),
            ["apps"]
        );
        assert!(config_changed(&change(None, Some(vars("other"))), &store).is_empty());
    }
}
