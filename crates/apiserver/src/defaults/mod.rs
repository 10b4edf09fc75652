//! Defaults of the built-in kinds, as Kubernetes 1.35 writes them into every created and updated object.
//!
//! In: an object already decoded by its schema (structs that Go always prints are there). Out: the same object with the values
//! that its author left out. One function a kind, chosen by a table; kinds without one keep only the schema's form.
//! What depends on other objects or is allocated (service addresses, tokens, priorities) is admission, not defaulting.

mod batch;
mod configuration;
mod networking;
mod pod;
mod storage;
mod workload;

use objects::{Map, Value, json};

pub use batch::{generate_selector, label_job};
pub use pod::quality_of_service;
pub use workload::set_template_generation;

type Default = fn(&mut Map);

/// Kinds with defaults: group, kind, function. Versions of one kind differ only where the function looks.
const TABLE: &[(&str, &str, Default)] = &[
    ("", "Pod", pod::pod),
    ("", "PodTemplate", workload::pod_template),
    (
        "",
        "ReplicationController",
        workload::replication_controller,
    ),
    ("", "Service", networking::service),
    ("", "Endpoints", networking::endpoints),
    ("", "Secret", configuration::secret),
    ("", "LimitRange", configuration::limit_range),
    ("", "PersistentVolumeClaim", storage::claim),
    ("", "PersistentVolume", storage::volume),
    ("", "Namespace", configuration::namespace),
    ("apps", "Deployment", workload::deployment),
    ("apps", "ReplicaSet", workload::replica_set),
    ("apps", "StatefulSet", workload::stateful_set),
    ("apps", "DaemonSet", workload::daemon_set),
    ("batch", "Job", batch::job),
    ("batch", "CronJob", batch::cron_job),
    (
        "autoscaling",
        "HorizontalPodAutoscaler",
        configuration::autoscaler,
    ),
    (
        "networking.k8s.io",
        "NetworkPolicy",
        networking::network_policy,
    ),
    (
        "networking.k8s.io",
        "IngressClass",
        networking::ingress_class,
    ),
    (
        "discovery.k8s.io",
        "EndpointSlice",
        networking::endpoint_slice,
    ),
    (
        "rbac.authorization.k8s.io",
        "RoleBinding",
        configuration::role_binding,
    ),
    (
        "rbac.authorization.k8s.io",
        "ClusterRoleBinding",
        configuration::role_binding,
    ),
    (
        "scheduling.k8s.io",
        "PriorityClass",
        configuration::priority_class,
    ),
    ("storage.k8s.io", "StorageClass", storage::class),
    ("storage.k8s.io", "CSIDriver", storage::driver),
    (
        "admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration",
        configuration::webhooks,
    ),
    (
        "admissionregistration.k8s.io",
        "MutatingWebhookConfiguration",
        configuration::webhooks,
    ),
    (
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicy",
        configuration::admission_policy,
    ),
    (
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicyBinding",
        configuration::admission_binding,
    ),
    (
        "flowcontrol.apiserver.k8s.io",
        "FlowSchema",
        configuration::flow_schema,
    ),
];

/// Fills in the defaults of an object's kind.
pub fn default(group: &str, kind: &str, object: &mut Map) {
    let entry = TABLE.iter().find(|(g, k, _)| *g == group && *k == kind);
    if let Some((_, _, default)) = entry {
        default(object);
    }
}

/// Sets a field that is absent or null.
fn put(object: &mut Map, key: &str, value: impl Into<Value>) {
    match object.get_mut(key) {
        Some(present) if !present.is_null() => {}
        Some(present) => *present = value.into(),
        None => {
            object.insert(key.to_owned(), value.into());
        }
    }
}

/// Sets a text field that is absent, null or empty.
fn put_text(object: &mut Map, key: &str, value: &str) {
    if text(object, key).is_empty() {
        object.insert(key.to_owned(), value.into());
    }
}

/// Returns a text field, or "".
fn text<'a>(object: &'a Map, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or("")
}

/// Returns the map in a field, if there is one.
fn map<'a>(object: &'a mut Map, key: &str) -> Option<&'a mut Map> {
    object.get_mut(key)?.as_object_mut()
}

/// Returns the map in a field, making it where the field is absent or null.
fn made<'a>(object: &'a mut Map, key: &str) -> Option<&'a mut Map> {
    put(object, key, json!({}));
    map(object, key)
}

/// Calls a function with each map of a list.
fn each(object: &mut Map, key: &str, mut visit: impl FnMut(&mut Map)) {
    let items = object.get_mut(key).and_then(Value::as_array_mut);
    for item in items.into_iter().flatten().filter_map(Value::as_object_mut) {
        visit(item);
    }
}

/// Tells whether a list field is absent, null or empty.
fn is_empty_list(object: &Map, key: &str) -> bool {
    object
        .get(key)
        .and_then(Value::as_array)
        .is_none_or(Vec::is_empty)
}
