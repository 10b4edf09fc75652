//! What makes the controller look: indexes over HelmReleases, and which of them a change concerns.

use std::sync::Arc;

use api::{Kind, names};
use controller_runtime::{Change, Key, Runtime, Store, Trigger};
use objects::Object;

use super::Settings;
use crate::applier::triggers::{
    self as applier, BY_DEPENDENCY, BY_SOURCE, Watched, condition, is_settled, label_of,
    waits_by_expression,
};

pub(super) fn add_indexes(store: &Store) {
    applier::add_indexes(store, source_of, configs_of);
}

/// Builds the watches beside the own kind.
pub(super) fn triggers(runtime: &Runtime, settings: &Settings) -> Vec<Trigger> {
    let mut sources = vec![names::HELM_CHART, names::OCI_REPOSITORY];
    if settings.gates.external_artifact {
        sources.push(names::EXTERNAL_ARTIFACT);
    }
    let watched = Watched {
        own: runtime.spec(api::HelmReleaseSpec::gvk(), &settings.label_selector),
        sources: &sources,
        configs: (!settings.gates.disable_config_watchers)
            .then_some(settings.configs_label_selector.as_str()),
    };
    applier::triggers(runtime, watched, source_changed, dependency_changed)
}

fn source_of(object: &Object) -> String {
    let own = object.namespace();
    let or_own = |namespace: &str| match namespace {
        "" => own.to_owned(),
        namespace => namespace.to_owned(),
    };
    let text = |field: &str| object.str_at(&["spec", "chartRef", field]);
    if !text("name").is_empty() {
        let namespace = or_own(text("namespace"));
        return format!("{}/{namespace}/{}", text("kind"), text("name"));
    }
    let namespace = or_own(object.str_at(&["spec", "chart", "spec", "sourceRef", "namespace"]));
    format!("{}/{namespace}/{own}-{}", names::HELM_CHART, object.name())
}

fn configs_of(object: &Object) -> Vec<String> {
    applier::configs_of(object, &["spec", "valuesFrom"])
}

fn revision(object: &Object) -> &str {
    object.str_at(&["status", "artifact", "revision"])
}

/// A source that has something new, or became ready, concerns the releases that did not try it yet.
fn source_changed(change: &Change, store: &Store) -> Vec<Key> {
    let Some(new) = &change.new else {
        return Vec::new();
    };
    if revision(new).is_empty() {
        return source_failed(change, new, store);
    }
    let digest = |o: &Object| o.str_at(&["status", "artifact", "digest"]).to_owned();
    let observed = |o: &Object| o.get(&["status", "observedGeneration"]).cloned();
    let facts = |o: &Object| {
        let ready = condition(o, names::READY) == Some("True");
        (revision(o).to_owned(), digest(o), ready, observed(o))
    };
    if change
        .old
        .as_ref()
        .is_some_and(|old| facts(old) == facts(new))
    {
        return Vec::new();
    }
    // A pass may be reading the old source just now: what the cache says of the release is no reason to stay away then.
    let appeared = change.old.as_ref().is_some_and(|old| {
        let (revision, _, ready, _) = facts(old);
        revision.is_empty() || !ready
    });
    let label = label_of(change.object());
    let keys = store.by_index(BY_SOURCE, &label).into_iter();
    keys.filter(|key| {
        let release = store.get(key);
        let is_done = |release| has_tried(&release, new) && is_settled(&release);
        appeared || release.is_none_or(|release| !is_done(release))
    })
    .collect()
}

/// What keeps a source from having anything concerns the releases that wait for it: they repeat its words.
fn source_failed(change: &Change, new: &Object, store: &Store) -> Vec<Key> {
    let said = |object: &Object| {
        let conditions = object.get(&["status", "conditions"])?.as_array()?;
        let ready = conditions.iter().find(|c| c["type"] == names::READY)?;
        (ready["status"] == "False").then(|| ready["message"].clone())
    };
    let now = said(new);
    if now.is_none() || change.old.as_ref().and_then(|old| said(old)) == now {
        return Vec::new();
    }
    let keys = store.by_index(BY_SOURCE, &label_of(new)).into_iter();
    let waits = |key: &Key| {
        let release = store.get(key);
        release.is_none_or(|release| condition(&release, names::READY) != Some("True"))
    };
    keys.filter(waits).collect()
}

/// Tells whether a release tried the present revision of its source.
pub(super) fn has_tried(release: &Arc<Object>, source: &Object) -> bool {
    let attempted = |field: &str| release.str_at(&["status", field]).to_owned();
    let revision = revision(source);
    let digest = revision
        .rsplit_once('@')
        .map_or(revision, |(_, digest)| digest);
    match source.kind() {
        names::HELM_CHART => attempted("lastAttemptedRevision") == revision,
        names::OCI_REPOSITORY => attempted("lastAttemptedRevisionDigest") == digest,
        _ if revision.contains(':') => attempted("lastAttemptedRevisionDigest") == digest,
        _ => attempted("lastAttemptedRevision") == revision,
    }
}

/// A dependency that became ready concerns those that depend on it.
fn dependency_changed(change: &Change, store: &Store) -> Vec<Key> {
    let facts = |object: &Object| {
        let ready = condition(object, names::READY) == Some("True");
        let observed = object.get(&["status", "observedGeneration"]);
        (ready, observed.cloned(), object.generation())
    };
    let Some(new) = &change.new else {
        return Vec::new();
    };
    let after = facts(new);
    let told = after.0 && change.old.as_ref().is_none_or(|old| facts(old) != after);
    let label = format!("{}/{}", new.namespace(), new.name());
    let keys = store.by_index(BY_DEPENDENCY, &label).into_iter();
    keys.filter(|key| {
        let waits = |object: &Object| condition(object, names::READY) != Some("True");
        // Those that are ready need no second look; expressions may look at anything.
        store
            .get(key)
            .is_some_and(|object| (told && waits(&object)) || waits_by_expression(&object))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::source_gvk;
    use objects::{Value, json};

    fn release(name: &str, version: u32, spec: Value, status: Value) -> Object {
        Object::from_value(json!({
            "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
            "metadata": {"name": name, "namespace": "ns", "resourceVersion": version.to_string()},
            "spec": spec, "status": status
        }))
        .unwrap()
    }

    fn named(keys: Vec<Key>) -> Vec<String> {
        keys.into_iter().map(|k| k.name).collect()
    }

    #[test]
    fn a_new_artifact_concerns_the_releases_that_did_not_try_it() {
        let store = Store::default();
        add_indexes(&store);
        let ready = json!({"lastAttemptedRevision": "1.0.0", "conditions": [{"type": "Ready", "status": "True"}]});
        let template =
            json!({"chart": {"spec": {"sourceRef": {"kind": "HelmRepository", "name": "r"}}}});
        store.observe(release("a", 1, template.clone(), json!({})));
        store.observe(release("b", 2, template, ready));
        let chart = |name: &str, revision: &str| {
            let mut object = Object::new(&source_gvk("HelmChart"), "ns", name);
            object.set(&["status", "artifact", "revision"], revision);
            object
        };
        for (name, chart, keys) in [
            ("one that never tried", chart("ns-a", "1.0.0"), vec!["a"]),
            ("one that has it already", chart("ns-b", "1.0.0"), vec![]),
            ("one that has another", chart("ns-b", "1.1.0"), vec!["b"]),
            ("a source without artifact", chart("ns-a", ""), vec![]),
        ] {
            let change = Change {
                old: None,
                new: Some(Arc::new(chart)),
            };
            assert_eq!(named(source_changed(&change, &store)), keys, "{name}");
        }
        let mut broken = chart("ns-a", "");
        let ready = json!([{"type": "Ready", "status": "False", "message": "no such chart"}]);
        broken.set(&["status", "conditions"], ready);
        let broken = Some(Arc::new(broken));
        let told = |old| {
            let new = broken.clone();
            named(source_changed(&Change { old, new }, &store))
        };
        assert_eq!(told(None), ["a"], "a source that says what is wrong");
        assert!(told(broken.clone()).is_empty(), "and says it again");
        let appeared = Change {
            old: Some(Arc::new(chart("ns-b", ""))),
            new: Some(Arc::new(chart("ns-b", "1.0.0"))),
        };
        let keys = named(source_changed(&appeared, &store));
        assert_eq!(keys, ["b"], "one that may just have found nothing");
    }
}
