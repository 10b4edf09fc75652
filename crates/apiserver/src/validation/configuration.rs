//! Configuration and policy: config maps, secrets, budgets, autoscalers, leases, priorities.

use base64::Engine as _;
use objects::{Map, Value, json};

use super::{Faults, NO_FIELDS, Subject, at, map_at, number, text};

/// Bytes of all values of a config map or secret together.
const SIZE_MAX: usize = 1024 * 1024;

/// Says what is wrong with a key of a config map or secret.
pub(super) fn key_problems(key: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if key.len() > 253 {
        problems.push("must be no more than 253 characters".to_owned());
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if key.is_empty() || !key.chars().all(allowed) {
        problems.push("a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')".into());
    }
    match key {
        "." => problems.push("must not be '.'".into()),
        ".." => problems.push("must not be '..'".into()),
        _ if key.starts_with("..") => problems.push("must not start with '..'".into()),
        _ => {}
    }
    problems
}

fn decoded(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap_or("");
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap_or_default()
}

pub(super) fn namespace(subject: &Subject<'_>, faults: &mut Faults) {
    let object = subject.object;
    let listed = at(object, &["spec", "finalizers"]).and_then(Value::as_array);
    for (index, finalizer) in listed.into_iter().flatten().enumerate() {
        let name = finalizer.as_str().unwrap_or("");
        if !name.contains('/') && name != "kubernetes" {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            let path = match subject.live {
                Some(_) => format!("spec.finalizers[{index}]"),
                None => "spec.finalizers".to_owned(),
            };
            faults.invalid(&path, finalizer, why);
        }
    }
    let deleting = at(object, &["metadata", "deletionTimestamp"]).is_some();
    let phase = at(object, &["status", "phase"])
        .cloned()
        .unwrap_or_default();
    if !deleting && !phase.is_null() && phase != "Active" {
        let why = "may only be 'Active' if `deletionTimestamp` is empty";
        faults.invalid("status.Phase", &phase, why);
    }
}

pub(super) fn config_map(subject: &Subject<'_>, faults: &mut Faults) {
    let data = map_at(subject.object, &["data"]).unwrap_or(&NO_FIELDS);
    let binary = map_at(subject.object, &["binaryData"]).unwrap_or(&NO_FIELDS);
    let mut size = 0;
    for (field, own, other) in [("data", data, binary), ("binaryData", binary, data)] {
        for (key, value) in own {
            let path = format!("{field}[{key}]");
            for problem in key_problems(key) {
                faults.invalid(&path, &key.as_str().into(), &problem);
            }
            // Upstream looks from one side only.
            if field == "data" && other.contains_key(key) {
                let why = "duplicate of key present in binaryData";
                faults.invalid(&path, &key.as_str().into(), why);
            }
            size += match field {
                "data" => value.as_str().map_or(0, str::len),
                _ => decoded(value).len(),
            };
        }
    }
    if size > SIZE_MAX {
        faults
            .0
            .push(crate::failure::field::too_long("[]", "bytes", SIZE_MAX));
    }
    sealed(subject, &["data", "binaryData"], faults);
}

/// Refuses changes of what was marked immutable.
fn sealed(subject: &Subject<'_>, fields: &[&str], faults: &mut Faults) {
    const WHY: &str = "field is immutable when `immutable` is set";
    let Some(live) = subject.live else { return };
    if live.get("immutable") != Some(&Value::Bool(true)) {
        return;
    }
    if subject.object.get("immutable") != Some(&Value::Bool(true)) {
        faults.forbidden("immutable", WHY);
    }
    for field in fields {
        let content = |object: &Map| map_at(object, &[field]).cloned().unwrap_or_default();
        if content(subject.object) != content(live) {
            faults.forbidden(field, WHY);
        }
    }
}

pub(super) fn secret(subject: &Subject<'_>, faults: &mut Faults) {
    let data = map_at(subject.object, &["data"]).unwrap_or(&NO_FIELDS);
    let mut size = 0;
    for (key, value) in data {
        for problem in key_problems(key) {
            faults.invalid(&format!("data[{key}]"), &key.as_str().into(), &problem);
        }
        size += decoded(value).len();
    }
    if size > SIZE_MAX {
        faults
            .0
            .push(crate::failure::field::too_long("data", "bytes", SIZE_MAX));
    }
    secret_type(subject, data, faults);
    sealed(subject, &["data"], faults);
    if let Some(live) = subject.live {
        faults.immutable("type", subject.object.get("type"), live.get("type"));
    }
}

fn secret_type(subject: &Subject<'_>, data: &Map, faults: &mut Faults) {
    let mut need = |keys: &[&str]| {
        for key in keys.iter().filter(|key| !data.contains_key(**key)) {
            faults.required(&format!("data[{key}]"), "");
        }
    };
    match text(subject.object, "type") {
        "kubernetes.io/tls" => need(&["tls.crt", "tls.key"]),
        "kubernetes.io/ssh-auth" => {
            let key = data
                .get("ssh-privatekey")
                .and_then(Value::as_str)
                .unwrap_or("");
            if key.is_empty() {
                faults.required("data[ssh-privatekey]", "");
            }
        }
        "kubernetes.io/basic-auth"
            if !data.contains_key("username") && !data.contains_key("password") =>
        {
            need(&["username", "password"]);
        }
        "kubernetes.io/dockerconfigjson" => docker_config(".dockerconfigjson", data, faults),
        "kubernetes.io/dockercfg" => docker_config(".dockercfg", data, faults),
        "kubernetes.io/service-account-token" => {
            const ACCOUNT: &str = "kubernetes.io/service-account.name";
            if at(subject.object, &["metadata", "annotations", ACCOUNT]).is_none() {
                faults.required(&format!("metadata.annotations[{ACCOUNT}]"), "");
            }
        }
        _ => {}
    }
}

fn docker_config(key: &str, data: &Map, faults: &mut Faults) {
    let path = format!("data[{key}]");
    let Some(value) = data.get(key) else {
        faults.required(&path, "");
        return;
    };
    let bytes = decoded(value);
    if let Err(error) = serde_json::from_slice::<Map>(&bytes) {
        let why = go_json_error(&bytes, &error);
        faults.invalid(&path, &"<secret contents redacted>".into(), &why);
    }
}

/// Says what is wrong with JSON text as Go's decoder does, for the first wrong character.
fn go_json_error(bytes: &[u8], error: &serde_json::Error) -> String {
    let text = String::from_utf8_lossy(bytes);
    for literal in ["null", "true", "false"] {
        let trimmed = text.trim_start();
        if trimmed.starts_with(&literal[..1]) {
            let wrong = trimmed.chars().zip(literal.chars()).find(|(a, b)| a != b);
            if let Some((found, expected)) = wrong {
                return format!(
                    "invalid character '{found}' in literal {literal} (expecting '{expected}')"
                );
            }
        }
    }
    if error.is_eof() {
        return "unexpected end of JSON input".into();
    }
    match text.trim_start().chars().next() {
        Some(c) if !matches!(c, '{' | '[' | '"') => {
            format!("invalid character '{c}' looking for beginning of value")
        }
        _ => error.to_string(),
    }
}

pub(super) fn disruption_budget(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    let part = |key: &str| spec.get(key).cloned().unwrap_or_default();
    let (least, most) = (part("minAvailable"), part("maxUnavailable"));
    if !least.is_null() && !most.is_null() {
        let shown = json!({
            "MinAvailable": least, "Selector": part("selector"), "MaxUnavailable": most,
            "UnhealthyPodEvictionPolicy": part("unhealthyPodEvictionPolicy"),
        });
        // Go prints the fields in the order of the struct.
        let text = format!(
            "Invalid value: {{\"MinAvailable\":{},\"Selector\":{},\"MaxUnavailable\":{},\"UnhealthyPodEvictionPolicy\":{}}}: minAvailable and maxUnavailable cannot be both set",
            shown["MinAvailable"],
            shown["Selector"],
            shown["MaxUnavailable"],
            shown["UnhealthyPodEvictionPolicy"],
        );
        let mut fault = crate::failure::field::invalid("spec", &Value::Null, "");
        fault.message = text;
        faults.0.push(fault);
    }
    for key in ["minAvailable", "maxUnavailable"] {
        let value = at(spec, &[key]);
        super::workload::portion(&format!("spec.{key}"), value, faults);
        super::workload::at_most_all(&format!("spec.{key}"), value, faults);
    }
    super::pod::label_selector(map_at(spec, &["selector"]), "spec.selector", faults);
    if let Some(policy) = at(spec, &["unhealthyPodEvictionPolicy"]).and_then(Value::as_str) {
        let own = "spec.unhealthyPodEvictionPolicy";
        faults.one_of(own, policy, &["AlwaysAllow", "IfHealthyBudget"]);
    }
}

pub(super) fn lease(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    let seconds = spec.get("leaseDurationSeconds").and_then(Value::as_i64);
    if let Some(seconds) = seconds.filter(|s| *s <= 0) {
        faults.invalid(
            "spec.leaseDurationSeconds",
            &seconds.into(),
            "must be greater than 0",
        );
    }
    let moves = spec.get("leaseTransitions").and_then(Value::as_i64);
    if let Some(moves) = moves.filter(|m| *m < 0) {
        let why = "must be greater than or equal to 0";
        faults.invalid("spec.leaseTransitions", &moves.into(), why);
    }
}

/// Highest value of a class that users may make.
const PRIORITY_MAX: i64 = 1_000_000_000;

pub(super) fn priority_class(subject: &Subject<'_>, faults: &mut Faults) {
    let name = map_at(subject.object, &["metadata"]).map_or("", |metadata| text(metadata, "name"));
    let value = number(subject.object, "value");
    if let Some(live) = subject.live {
        if subject.object.get("value") != live.get("value") {
            faults.forbidden("value", "may not be changed in an update.");
        }
        let policy = |object: &Map| object.get("preemptionPolicy").cloned();
        let (new, old) = (policy(subject.object), policy(live));
        faults.immutable("preemptionPolicy", new.as_ref(), old.as_ref());
        return;
    }
    if name.starts_with("system-") {
        if !matches!(name, "system-cluster-critical" | "system-node-critical") {
            let why = format!(
                "priority class names with 'system-' prefix are reserved for system use only. error: {name} is not a known system priority class"
            );
            faults.forbidden("metadata.name", &why);
        }
    } else if value > PRIORITY_MAX {
        let why = format!("maximum allowed value of a user defined priority is {PRIORITY_MAX}");
        faults.forbidden("value", &why);
    }
    if let Some(policy) = at(subject.object, &["preemptionPolicy"]).and_then(Value::as_str) {
        faults.one_of(
            "preemptionPolicy",
            policy,
            &["PreemptLowerPriority", "Never"],
        );
    }
}

pub(super) fn runtime_class(subject: &Subject<'_>, faults: &mut Faults) {
    let object = subject.object;
    let handler = text(object, "handler");
    faults.problems("handler", handler, objects::names::dns_label(handler));
    super::pod::overhead(map_at(object, &["overhead", "podFixed"]), faults);
    let scheduling = map_at(object, &["scheduling"]).unwrap_or(&NO_FIELDS);
    let selector = map_at(scheduling, &["nodeSelector"]);
    super::pod::labels(selector, "scheduling.nodeSelector", faults);
    super::pod::tolerations(scheduling, "scheduling", faults);
    if let Some(live) = subject.live {
        faults.immutable("handler", object.get("handler"), live.get("handler"));
    }
}

pub(super) fn csi_driver(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    if let Some(policy) = at(spec, &["fsGroupPolicy"]).and_then(Value::as_str) {
        let policies = ["File", "None", "ReadWriteOnceWithFSType"];
        faults.one_of("spec.fsGroupPolicy", policy, &policies);
    }
    let modes = at(spec, &["volumeLifecycleModes"]).and_then(Value::as_array);
    for mode in modes.into_iter().flatten().filter_map(Value::as_str) {
        let modes = ["Persistent", "Ephemeral"];
        faults.one_of("spec.volumeLifecycleModes", mode, &modes);
    }
}

/// Revisions carry data, and never change them.
pub(super) fn revision(subject: &Subject<'_>, faults: &mut Faults) {
    let data = |object| at(object, &["data"]);
    if data(subject.object).is_none() {
        faults.required("data", "data is mandatory");
    }
    if number(subject.object, "revision") < 0 {
        let value = number(subject.object, "revision").into();
        faults.invalid("revision", &value, "must be greater than or equal to 0");
    }
    if let Some(live) = subject.live {
        faults.immutable("data", data(subject.object), data(live));
    }
}

/// Requests for certificates carry one in PEM; signer and usages are named.
pub(super) fn signing_request(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    let request = at(spec, &["request"]).cloned().unwrap_or_default();
    let decoded = request
        .as_str()
        .and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
    let begin = b"-----BEGIN CERTIFICATE REQUEST-----";
    let found = decoded.is_some_and(|bytes| bytes.windows(begin.len()).any(|w| w == begin));
    if subject.live.is_none() && !found {
        let why = "PEM block type must be CERTIFICATE REQUEST";
        faults.invalid("spec.request", &request, why);
    }
    if at(spec, &["usages"])
        .and_then(Value::as_array)
        .is_none_or(Vec::is_empty)
    {
        faults.required("spec.usages", "");
    }
    if text(spec, "signerName").is_empty() {
        faults.required("spec.signerName", "");
    }
}
