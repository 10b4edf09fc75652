//! Validation of the built-in kinds: required fields, formats, bounds, and what an update must not change.
//!
//! In: an object with its defaults, and its state before an update. Out: every fault, in the words of Kubernetes 1.35. One
//! function a kind, chosen by a table; a kind without one is checked by its schema and metadata only, and no fault is ever
//! made up for it.

mod admission;
mod autoscaler;
mod configuration;
mod cron_job;
mod endpoints;
mod event;
mod job;
mod limits;
mod networking;
mod pod;
mod policies;
mod rbac;
mod service;
mod stateful_set;
mod status;
mod storage;
mod workload;

use cluster::StatusCause;
use objects::{Map, Value, names};

use crate::failure::field;

/// What a validator sees.
struct Subject<'a> {
    object: &'a Map,
    /// State before an update.
    live: Option<&'a Map>,
}

/// Faults found so far.
#[derive(Default)]
struct Faults(Vec<StatusCause>);

type Validator = fn(&Subject<'_>, &mut Faults);

const TABLE: &[(&str, &str, Validator)] = &[
    ("", "Namespace", configuration::namespace),
    ("", "Pod", pod::pod),
    ("", "Service", service::service),
    ("", "ConfigMap", configuration::config_map),
    ("", "Secret", configuration::secret),
    ("", "PersistentVolumeClaim", storage::claim),
    ("", "PersistentVolume", storage::volume),
    ("", "Event", event::core),
    ("events.k8s.io", "Event", event::modern),
    (
        "",
        "ReplicationController",
        workload::replication_controller,
    ),
    ("", "PodTemplate", workload::pod_template),
    ("apps", "Deployment", workload::deployment),
    ("apps", "ReplicaSet", workload::replica_set),
    ("apps", "StatefulSet", stateful_set::set),
    ("apps", "DaemonSet", workload::daemon_set),
    ("apps", "ControllerRevision", configuration::revision),
    (
        "certificates.k8s.io",
        "CertificateSigningRequest",
        configuration::signing_request,
    ),
    ("batch", "Job", job::check),
    ("batch", "CronJob", cron_job::check),
    ("networking.k8s.io", "Ingress", networking::ingress),
    (
        "networking.k8s.io",
        "IngressClass",
        networking::ingress_class,
    ),
    ("networking.k8s.io", "NetworkPolicy", networking::policy),
    ("rbac.authorization.k8s.io", "Role", rbac::role),
    ("rbac.authorization.k8s.io", "ClusterRole", rbac::role),
    ("rbac.authorization.k8s.io", "RoleBinding", rbac::binding),
    (
        "rbac.authorization.k8s.io",
        "ClusterRoleBinding",
        rbac::binding,
    ),
    (
        "policy",
        "PodDisruptionBudget",
        configuration::disruption_budget,
    ),
    (
        "autoscaling",
        "HorizontalPodAutoscaler",
        autoscaler::autoscaler,
    ),
    ("coordination.k8s.io", "Lease", configuration::lease),
    (
        "scheduling.k8s.io",
        "PriorityClass",
        configuration::priority_class,
    ),
    ("storage.k8s.io", "StorageClass", storage::class),
    ("node.k8s.io", "RuntimeClass", configuration::runtime_class),
    ("storage.k8s.io", "CSIDriver", configuration::csi_driver),
    ("", "Endpoints", endpoints::endpoints),
    ("discovery.k8s.io", "EndpointSlice", endpoints::slice),
    ("", "ResourceQuota", limits::resource_quota),
    ("", "LimitRange", limits::limit_range),
    (
        "admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration",
        admission::webhooks,
    ),
    (
        "admissionregistration.k8s.io",
        "MutatingWebhookConfiguration",
        admission::webhooks,
    ),
    (
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicy",
        policies::policy,
    ),
    (
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicyBinding",
        policies::binding,
    ),
];

/// Lists the faults of a status that is written through its subresource.
pub fn validate_status(group: &str, kind: &str, object: &Map, live: &Map) -> Vec<StatusCause> {
    let mut faults = Faults::default();
    let live = Some(live);
    status::status(group, kind, &Subject { object, live }, &mut faults);
    faults.0
}

/// Lists the faults of an object of a built-in kind.
pub fn validate(group: &str, kind: &str, object: &Map, live: Option<&Map>) -> Vec<StatusCause> {
    let mut faults = Faults::default();
    let entry = TABLE.iter().find(|(g, k, _)| *g == group && *k == kind);
    if let Some((_, _, validator)) = entry {
        validator(&Subject { object, live }, &mut faults);
    }
    faults.0
}

impl Faults {
    fn required(&mut self, path: &str, detail: &str) {
        self.0.push(field::required(path, detail));
    }

    fn invalid(&mut self, path: &str, value: &Value, detail: &str) {
        self.0.push(field::invalid(path, value, detail));
    }

    fn forbidden(&mut self, path: &str, detail: &str) {
        self.0.push(field::forbidden(path, detail));
    }

    fn not_supported(&mut self, path: &str, value: &str, supported: &[&str]) {
        self.0
            .push(field::not_supported(path, &value.into(), supported));
    }

    /// Refuses a value for each of its problems.
    fn problems(&mut self, path: &str, value: &str, problems: Vec<String>) {
        for problem in problems {
            self.invalid(path, &value.into(), &problem);
        }
    }

    fn duplicate(&mut self, path: &str, value: &str) {
        self.0.push(field::duplicate(path, &value.into()));
    }

    fn not_found(&mut self, path: &str, value: &str) {
        self.0.push(field::not_found(path, &value.into()));
    }

    /// Requires a qualified name, as keys of labels are.
    fn qualified_name(&mut self, path: &str, name: &str) {
        for problem in names::qualified_name(name) {
            self.invalid(path, &name.into(), &problem);
        }
    }

    /// Requires keys and values of labels.
    fn labels(&mut self, path: &str, labels: Option<&Map>) {
        for (key, value) in labels.into_iter().flatten() {
            self.qualified_name(path, key);
            for problem in names::label_value(value.as_str().unwrap_or("")) {
                self.invalid(path, value, &problem);
            }
        }
    }

    /// Requires an IP address.
    fn address(&mut self, path: &str, address: &str) -> bool {
        let fits = address.parse::<std::net::IpAddr>().is_ok();
        if !fits {
            let why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
            self.invalid(path, &address.into(), why);
        }
        fits
    }

    /// Requires a network such as 10.0.0.0/8.
    fn network(&mut self, path: &str, network: &str) {
        let parts = network.split_once('/').and_then(|(address, bits)| {
            let address: std::net::IpAddr = address.parse().ok()?;
            let max = if address.is_ipv4() { 32 } else { 128 };
            bits.parse::<u8>().ok().filter(|bits| *bits <= max)
        });
        if parts.is_none() {
            let why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
            self.invalid(path, &network.into(), why);
        }
    }

    /// Requires a range of addresses; returns its first address and length where it is one.
    fn range(&mut self, path: &str, value: &str) -> Option<(std::net::IpAddr, u32)> {
        let parsed = value.split_once('/').and_then(|(address, bits)| {
            let address: std::net::IpAddr = address.parse().ok()?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            let bits: u32 = bits.parse().ok()?;
            (bits <= most).then_some((address, bits))
        });
        if parsed.is_none() {
            let why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
            self.invalid(path, &value.into(), why);
        }
        parsed
    }

    /// Requires one of the listed words; an absent one counts as empty.
    fn one_of(&mut self, path: &str, value: &str, supported: &[&str]) {
        if !supported.contains(&value) {
            self.not_supported(path, value, supported);
        }
    }

    /// Requires a present, whole number not below zero.
    fn not_negative(&mut self, object: &Map, path: &str, key: &str) {
        if let Some(number) = object.get(key).and_then(Value::as_i64)
            && number < 0
        {
            let why = "must be greater than or equal to 0";
            self.invalid(&format!("{path}.{key}"), &number.into(), why);
        }
    }

    /// As [`Faults::invalid`], for a value that is not shown as it was sent.
    fn invalid_text(&mut self, path: &str, shown: &str, detail: &str) {
        self.0.push(StatusCause {
            reason: "FieldValueInvalid".into(),
            message: format!("Invalid value: {shown}: {detail}"),
            field: path.to_owned(),
        });
    }

    /// Refuses a changed value.
    fn immutable(&mut self, path: &str, new: Option<&Value>, old: Option<&Value>) {
        if new != old {
            let value = new.cloned().unwrap_or_default();
            self.invalid(path, &value, "field is immutable");
        }
    }

    /// Requires a DNS label.
    fn label_name(&mut self, path: &str, name: &str) {
        if name.is_empty() {
            self.required(path, "");
            return;
        }
        for problem in names::dns_label(name) {
            self.invalid(path, &name.into(), &problem);
        }
    }
}

/// Returns the value at a path of keys.
fn at<'a>(object: &'a Map, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(object.get(*first)?, |value, key| value.get(*key))
        .filter(|value| !value.is_null())
}

/// Returns the map at a path of keys.
fn map_at<'a>(object: &'a Map, path: &[&str]) -> Option<&'a Map> {
    at(object, path)?.as_object()
}

/// Returns the maps of the list at a path, with their positions.
fn items<'a>(object: &'a Map, path: &[&str]) -> impl Iterator<Item = (usize, &'a Map)> + use<'a> {
    let list = at(object, path).and_then(Value::as_array);
    let items = list.into_iter().flatten().enumerate();
    items.filter_map(|(at, item)| Some((at, item.as_object()?)))
}

/// Returns a text field, or "".
fn text<'a>(object: &'a Map, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or("")
}

/// Reads a whole number, or 0.
fn number(object: &Map, key: &str) -> i64 {
    object.get(key).and_then(Value::as_i64).unwrap_or(0)
}

static NO_FIELDS: std::sync::LazyLock<Map> = std::sync::LazyLock::new(Map::new);
