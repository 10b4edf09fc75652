//! Table rows and column texts of the built-in kinds: what `kubectl get` shows.
//!
//! One function a kind returns the cells after the name and may leave out trailing ones; a kind without one shows its name and age.
//! Follows the printers of Kubernetes 1.35.

mod core;
mod describe;
mod plain;
mod pods;
mod workloads;

use jiff::Timestamp;
use objects::{LabelSelector, Map, Value};

use crate::catalog::Resource;

pub use describe::description;

/// What a cell function sees.
struct Row<'a> {
    object: &'a Map,
    now: Timestamp,
}

type Cells = fn(&Row<'_>) -> Vec<Value>;

/// Cell functions by group and plural.
const TABLE: &[(&str, &str, Cells)] = &[
    ("", "pods", pods::pod),
    ("", "services", core::service),
    ("", "configmaps", core::config_map),
    ("", "secrets", core::secret),
    ("", "namespaces", core::namespace),
    ("", "nodes", core::node),
    ("", "endpoints", core::endpoints),
    ("", "persistentvolumeclaims", core::claim),
    ("", "persistentvolumes", core::volume),
    ("", "replicationcontrollers", workloads::replica_set),
    ("", "events", core::event),
    ("events.k8s.io", "events", core::event),
    ("apps", "deployments", workloads::deployment),
    ("apps", "replicasets", workloads::replica_set),
    ("apps", "statefulsets", workloads::stateful_set),
    ("apps", "daemonsets", workloads::daemon_set),
    ("batch", "jobs", workloads::job),
    ("batch", "cronjobs", workloads::cron_job),
    (
        "autoscaling",
        "horizontalpodautoscalers",
        workloads::autoscaler,
    ),
    (
        "policy",
        "poddisruptionbudgets",
        workloads::disruption_budget,
    ),
    ("networking.k8s.io", "ingresses", core::ingress),
    ("networking.k8s.io", "ingressclasses", core::ingress_class),
    ("networking.k8s.io", "networkpolicies", core::network_policy),
    ("discovery.k8s.io", "endpointslices", core::endpoint_slice),
    (
        "rbac.authorization.k8s.io",
        "rolebindings",
        core::role_binding,
    ),
    (
        "rbac.authorization.k8s.io",
        "clusterrolebindings",
        core::role_binding,
    ),
    ("storage.k8s.io", "storageclasses", core::storage_class),
    ("scheduling.k8s.io", "priorityclasses", core::priority_class),
    ("coordination.k8s.io", "leases", core::lease),
    (
        "admissionregistration.k8s.io",
        "validatingwebhookconfigurations",
        core::webhooks,
    ),
    (
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        core::webhooks,
    ),
    ("apiregistration.k8s.io", "apiservices", core::api_service),
    ("", "resourcequotas", plain::resource_quota),
    ("", "podtemplates", plain::pod_template),
    ("apps", "controllerrevisions", plain::controller_revision),
    (
        "admissionregistration.k8s.io",
        "validatingadmissionpolicies",
        plain::admission_policy,
    ),
    (
        "admissionregistration.k8s.io",
        "validatingadmissionpolicybindings",
        plain::policy_binding,
    ),
    ("node.k8s.io", "runtimeclasses", plain::runtime_class),
    ("storage.k8s.io", "csinodes", plain::csi_node),
    ("storage.k8s.io", "csidrivers", plain::csi_driver),
    (
        "storage.k8s.io",
        "volumeattachments",
        plain::volume_attachment,
    ),
    (
        "storage.k8s.io",
        "volumeattributesclasses",
        plain::attributes_class,
    ),
    ("networking.k8s.io", "servicecidrs", plain::service_cidr),
    ("networking.k8s.io", "ipaddresses", plain::ip_address),
    (
        "flowcontrol.apiserver.k8s.io",
        "flowschemas",
        plain::flow_schema,
    ),
    (
        "flowcontrol.apiserver.k8s.io",
        "prioritylevelconfigurations",
        plain::priority_level,
    ),
    (
        "certificates.k8s.io",
        "certificatesigningrequests",
        plain::signing_request,
    ),
];

/// Builds the cells of a row, one for each column.
pub fn cells(resource: &Resource, object: &Map, now: Timestamp) -> Vec<Value> {
    let row = Row { object, now };
    let entry = TABLE
        .iter()
        .find(|(group, plural, _)| resource.is(group, plural));
    let mut cells = Vec::with_capacity(resource.columns.len());
    match entry {
        Some((_, "events", cells_of)) => cells.extend(cells_of(&row)),
        Some((_, plural, cells_of)) => {
            let name = row.text(&["metadata", "name"]);
            let default = matches!(*plural, "storageclasses" | "volumeattributesclasses")
                && row.is_default_class();
            cells.push(if default {
                format!("{name} (default)").into()
            } else {
                name.into()
            });
            cells.extend(cells_of(&row));
        }
        None => cells.extend(
            resource
                .columns
                .iter()
                .map(|column| common(&row, &column.name)),
        ),
    }
    // Addresses have a cell more than columns, upstream too.
    let count = resource.columns.len().max(cells.len());
    cells.resize(count, Value::Null);
    cells
}

/// The cell of a column that every kind may have.
fn common(row: &Row<'_>, column: &str) -> Value {
    match column {
        "Name" => row.text(&["metadata", "name"]).into(),
        "Age" => row.age(),
        "Created At" => row.text(&["metadata", "creationTimestamp"]).into(),
        _ => Value::Null,
    }
}

impl Row<'_> {
    fn at(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter()
            .try_fold(self.object.get(*first)?, |value, key| value.get(*key))
            .filter(|value| !value.is_null())
    }

    /// Tells whether an annotation makes this class the default one.
    fn is_default_class(&self) -> bool {
        [
            "storageclass.kubernetes.io/is-default-class",
            "storageclass.beta.kubernetes.io/is-default-class",
        ]
        .iter()
        .any(|key| self.text(&["metadata", "annotations", key]) == "true")
    }

    fn text(&self, path: &[&str]) -> &str {
        self.at(path).and_then(Value::as_str).unwrap_or("")
    }

    /// Returns a text, or another where it is empty.
    fn text_or(&self, path: &[&str], other: &str) -> Value {
        match self.text(path) {
            "" => other.into(),
            text => text.into(),
        }
    }

    fn number(&self, path: &[&str]) -> i64 {
        self.at(path).and_then(Value::as_i64).unwrap_or(0)
    }

    fn list(&self, path: &[&str]) -> &[Value] {
        self.at(path)
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    fn map(&self, path: &[&str]) -> Option<&Map> {
        self.at(path)?.as_object()
    }

    /// Counts the entries of a list or map.
    fn count(&self, path: &[&str]) -> usize {
        match self.at(path) {
            Some(Value::Array(items)) => items.len(),
            Some(Value::Object(map)) => map.len(),
            _ => 0,
        }
    }

    fn age(&self) -> Value {
        self.since(&["metadata", "creationTimestamp"]).into()
    }

    /// Returns the time since a moment, or `<unknown>`.
    fn since(&self, path: &[&str]) -> String {
        match self.text(path).parse::<Timestamp>() {
            Ok(moment) => crate::age::since(moment, self.now),
            Err(_) => "<unknown>".into(),
        }
    }
}

/// Reads a text field of an item, or "".
fn text_in<'a>(item: &'a Value, key: &str) -> &'a str {
    item.get(key).and_then(Value::as_str).unwrap_or("")
}

/// Writes labels as `a=b,c=d`, or `<none>`.
fn labels(map: Option<&Map>) -> String {
    let Some(map) = map.filter(|map| !map.is_empty()) else {
        return "<none>".into();
    };
    let pairs: Vec<String> = map
        .iter()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")))
        .collect();
    pairs.join(",")
}

/// Writes a label selector as kubectl does, or `<none>`.
fn selector(selector: Option<&Map>) -> String {
    let text = selector.map(|selector| LabelSelector::of_object(selector).to_string());
    text.filter(|text| !text.is_empty())
        .unwrap_or_else(|| "<none>".into())
}

/// Lists names and images of the containers of a template.
fn containers(row: &Row<'_>, path: &[&str]) -> (String, String) {
    let list = row.list(path);
    let join = |key: &str| {
        let texts: Vec<&str> = list.iter().map(|c| text_in(c, key)).collect();
        texts.join(",")
    };
    (join("name"), join("image"))
}

/// Returns a text, or `<none>` where it is empty.
fn or_none(text: &str) -> Value {
    if text.is_empty() {
        "<none>".into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests;
