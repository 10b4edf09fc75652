//! What the server adds to a new or changed object of a built-in kind beyond defaults: selectors of jobs, tolerations of pods,
//! protective finalizers, the first status; addresses and ports of services come from [`services`].

use objects::{Map, Value, json};

use crate::catalog::Resource;
use crate::defaults;
use crate::engine::{Engine, metadata_mut, metadata_text};
use crate::kinds::services;

/// Finishes a new object of a built-in kind; defaults are set, the uid is known.
pub fn create(engine: &Engine, resource: &Resource, object: &mut Map) {
    match (resource.group(), resource.plural()) {
        ("", "pods") => pod(object),
        ("", "services") => services::complete(engine, object, None),
        ("", "persistentvolumeclaims") => {
            object.insert("status".into(), json!({"phase": "Pending"}));
            data_source(object);
            protect(object, "kubernetes.io/pvc-protection");
        }
        ("", "persistentvolumes") => {
            let now = engine.environment.timestamp();
            let status = json!({"lastPhaseTransitionTime": now, "phase": "Pending"});
            object.insert("status".into(), status);
            protect(object, "kubernetes.io/pv-protection");
        }
        ("", "nodes") => node(object),
        ("storage.k8s.io", "volumeattributesclasses") => {
            protect(object, "kubernetes.io/vac-protection");
        }
        ("batch", "jobs") => {
            let (name, uid) = (
                metadata_text(object, "name").to_owned(),
                metadata_text(object, "uid").to_owned(),
            );
            reset_status(resource, object);
            defaults::generate_selector(object, &name, &uid);
        }
        ("apps", "daemonsets") => {
            reset_status(resource, object);
            defaults::set_template_generation(object, None);
        }
        ("", "namespaces") => {}
        _ if resource.custom.is_none() && resource.subresource("status").is_some() => {
            reset_status(resource, object);
        }
        _ => {}
    }
}

/// Finishes a changed object of a built-in kind.
pub fn update(engine: &Engine, resource: &Resource, object: &mut Map, live: &Map) {
    match (resource.group(), resource.plural()) {
        ("", "services") => services::complete(engine, object, Some(live)),
        ("apps", "daemonsets") => defaults::set_template_generation(object, Some(live)),
        ("", "secrets") => {
            object.remove("stringData");
        }
        ("", "pods") => keep_of_pod(object, live),
        _ => {}
    }
}

/// Keeps what admission gave a pod, where the new state leaves it out.
fn keep_of_pod(object: &mut Map, live: &Map) {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    crate::admission::pods::tolerate(spec);
    let old = live.get("spec").and_then(Value::as_object);
    for key in ["priority", "preemptionPolicy"] {
        let kept = old.and_then(|old| old.get(key));
        if let Some(value) = kept.filter(|_| !spec.contains_key(key)) {
            spec.insert(key.to_owned(), value.clone());
        }
    }
}

/// Gives a new object the status that Go prints of an empty one.
fn reset_status(resource: &Resource, object: &mut Map) {
    let (schema, ty) = crate::fields::schema_of(resource);
    let empty = objects::managed::empty_object(&schema, ty);
    match empty.get("status") {
        Some(status) => object.insert("status".into(), status.clone()),
        None => object.remove("status"),
    };
}

/// Keeps the two fields that name what a claim is filled from equal, and drops what the older one cannot name.
fn data_source(object: &mut Map) {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    let known = |source: &Value| {
        let text = |key: &str| source.get(key).and_then(Value::as_str).unwrap_or("");
        matches!(
            (text("apiGroup"), text("kind")),
            ("", "PersistentVolumeClaim") | ("snapshot.storage.k8s.io", "VolumeSnapshot")
        )
    };
    if spec.get("dataSource").is_some_and(|source| !known(source)) {
        spec.remove("dataSource");
    }
    match (
        spec.get("dataSource").cloned(),
        spec.get("dataSourceRef").cloned(),
    ) {
        (Some(source), None) => {
            spec.insert("dataSourceRef".into(), source);
        }
        (None, Some(reference)) if reference.get("namespace").is_none_or(Value::is_null) => {
            spec.insert("dataSource".into(), reference);
        }
        _ => {}
    }
}

fn protect(object: &mut Map, finalizer: &str) {
    let finalizers = metadata_mut(object)
        .entry("finalizers")
        .or_insert_with(|| json!([]));
    if let Some(list) = finalizers.as_array_mut()
        && !list.iter().any(|f| f.as_str() == Some(finalizer))
    {
        list.push(finalizer.into());
    }
}

fn node(object: &mut Map) {
    let Some(spec) = object
        .entry("spec")
        .or_insert_with(|| json!({}))
        .as_object_mut()
    else {
        return;
    };
    let taint = json!({"effect": "NoSchedule", "key": "node.kubernetes.io/not-ready"});
    let taints = spec.entry("taints").or_insert_with(|| json!([]));
    if let Some(list) = taints.as_array_mut()
        && !list.contains(&taint)
    {
        list.push(taint);
    }
}

fn pod(object: &mut Map) {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    let grace = spec.get("terminationGracePeriodSeconds");
    if grace.and_then(Value::as_i64).is_some_and(|grace| grace < 0) {
        spec.insert("terminationGracePeriodSeconds".into(), 1.into());
    }
    let class = defaults::quality_of_service(spec);
    object.insert(
        "status".into(),
        json!({"phase": "Pending", "qosClass": class}),
    );
}
