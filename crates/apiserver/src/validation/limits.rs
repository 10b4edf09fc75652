//! Resource quotas and limit ranges: names of resources, amounts, scopes, bounds in their order.

use std::collections::BTreeSet;

use objects::quantity::Quantity;
use objects::{Map, Value};

use super::{Faults, Subject, at, items, pod, text};

/// Resources without a prefix that a quota can limit.
const QUOTA_NAMES: [&str; 19] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
    "services.nodeports",
    "services.loadbalancers",
];
const SCOPES: [&str; 7] = [
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
];
const CONFLICTS: [[&str; 2]; 2] = [
    ["BestEffort", "NotBestEffort"],
    ["Terminating", "NotTerminating"],
];
const MISAPPLIED: &str = "unsupported scope applied to resource";

fn amount(value: &Value) -> Option<Quantity> {
    Quantity::parse(value.as_str()?).ok()
}

fn members<'a>(map: &'a Map, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
    map.get(key)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

fn is_quota_name(name: &str) -> bool {
    let huge = name.starts_with("hugepages-") || name.starts_with("requests.hugepages-");
    QUOTA_NAMES.contains(&name) || huge
}

/// Checks a ResourceQuota.
pub(super) fn resource_quota(subject: &Subject<'_>, faults: &mut Faults) {
    let Some(spec) = subject.object.get("spec").and_then(Value::as_object) else {
        return;
    };
    hard(spec, "spec", "hard", faults);
    scopes(spec, faults);
    scope_selector(spec, faults);
    if let Some(live) = subject.live {
        fixed_scopes(spec, live, faults);
    }
}

/// Checks the status of a ResourceQuota.
pub(super) fn quota_status(status: &Map, faults: &mut Faults) {
    for key in ["hard", "used"] {
        hard(status, "status", key, faults);
    }
}

fn hard(of: &Map, path: &str, key: &str, faults: &mut Faults) {
    for (name, value) in members(of, key) {
        let path = format!("{path}.{key}[{name}]");
        pod::resource_name(&path, name, faults);
        if !name.contains('/') && !is_quota_name(name) {
            faults.invalid(
                &path,
                &name.as_str().into(),
                "must be a standard resource for quota",
            );
        }
        let Some(amount) = amount(value) else {
            continue;
        };
        if amount.is_negative() {
            faults.invalid(&path, value, "must be greater than or equal to 0");
        }
        if pod::is_integer(name) && !amount.is_whole() {
            faults.invalid(&path, value, "must be an integer");
        }
    }
}

/// Tells whether a scope says nothing about a resource.
fn misses(scope: &str, resource: &str) -> bool {
    const COMPUTE: [&str; 6] = [
        "cpu",
        "memory",
        "limits.cpu",
        "limits.memory",
        "requests.cpu",
        "requests.memory",
    ];
    if !is_quota_name(resource) {
        return false;
    }
    match scope {
        "BestEffort" => resource != "pods",
        "Terminating"
        | "NotTerminating"
        | "NotBestEffort"
        | "PriorityClass"
        | "CrossNamespacePodAffinity" => resource != "pods" && !COMPUTE.contains(&resource),
        "VolumeAttributesClass" => {
            !matches!(resource, "persistentvolumeclaims" | "requests.storage")
        }
        _ => false,
    }
}

fn scopes(spec: &Map, faults: &mut Faults) {
    const PATH: &str = "spec.scopes";
    let Some(listed) = spec.get("scopes").and_then(Value::as_array) else {
        return;
    };
    let shown = Value::Array(listed.clone());
    let names: BTreeSet<&str> = listed.iter().filter_map(Value::as_str).collect();
    for scope in listed.iter().filter_map(Value::as_str) {
        if !SCOPES.contains(&scope) {
            faults.invalid(PATH, &shown, "unsupported scope");
        }
        for _ in members(spec, "hard").filter(|(resource, _)| misses(scope, resource)) {
            faults.invalid(PATH, &shown, MISAPPLIED);
        }
    }
    for pair in CONFLICTS {
        if pair.iter().all(|scope| names.contains(scope)) {
            faults.invalid(PATH, &shown, "conflicting scopes");
        }
    }
}

fn scope_selector(spec: &Map, faults: &mut Faults) {
    const PATH: &str = "spec.scopeSelector.matchExpressions";
    let Some(selector) = spec.get("scopeSelector").and_then(Value::as_object) else {
        return;
    };
    let mut names = BTreeSet::new();
    for (_, expression) in items(selector, &["matchExpressions"]) {
        let (scope, operator) = (text(expression, "scopeName"), text(expression, "operator"));
        names.insert(scope);
        if !SCOPES.contains(&scope) {
            faults.invalid(
                &format!("{PATH}.scopeName"),
                &scope.into(),
                "unsupported scope",
            );
        }
        for _ in members(spec, "hard").filter(|(resource, _)| misses(scope, resource)) {
            faults.invalid_text(PATH, &shown_selector(selector), MISAPPLIED);
        }
        let own = format!("{PATH}.operator");
        let valued = matches!(scope, "PriorityClass" | "VolumeAttributesClass");
        if SCOPES.contains(&scope) && !valued && operator != "Exists" {
            let why = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
            faults.invalid(&own, &operator.into(), why);
        }
        let values = at(expression, &["values"]);
        let none = values.and_then(Value::as_array).is_none_or(Vec::is_empty);
        let at_values = format!("{PATH}.values");
        match operator {
            "In" | "NotIn" if none => {
                let why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
                faults.required(&at_values, why);
            }
            "Exists" | "DoesNotExist" if !none => {
                let why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
                faults.invalid(&at_values, values.unwrap_or(&Value::Null), why);
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            _ => faults.invalid(&own, &operator.into(), "not a valid selector operator"),
        }
    }
    for pair in CONFLICTS {
        if pair.iter().all(|scope| names.contains(scope)) {
            let shown = spec.get("scopes").cloned().unwrap_or_default();
            faults.invalid(PATH, &shown, "conflicting scopes");
        }
    }
}

/// Writes a scope selector as Go prints its struct.
fn shown_selector(selector: &Map) -> String {
    let expressions: Vec<String> = items(selector, &["matchExpressions"])
        .map(|(_, expression)| {
            let part = |key: &str| expression.get(key).cloned().unwrap_or_default();
            format!(
                "{{\"ScopeName\":{},\"Operator\":{},\"Values\":{}}}",
                part("scopeName"),
                part("operator"),
                part("values")
            )
        })
        .collect();
    format!("{{\"MatchExpressions\":[{}]}}", expressions.join(","))
}

/// Scopes stay as they were made.
fn fixed_scopes(spec: &Map, live: &Map, faults: &mut Faults) {
    let names = |spec: &Map| -> BTreeSet<String> {
        let list = spec.get("scopes").and_then(Value::as_array);
        let list = list.into_iter().flatten().filter_map(Value::as_str);
        list.map(str::to_owned).collect()
    };
    let old = live
        .get("spec")
        .and_then(Value::as_object)
        .map(names)
        .unwrap_or_default();
    if names(spec) != old {
        let shown = spec.get("scopes").cloned().unwrap_or_default();
        faults.invalid("spec.scopes", &shown, "field is immutable");
    }
}

/// Checks a LimitRange.
pub(super) fn limit_range(subject: &Subject<'_>, faults: &mut Faults) {
    let limits = at(subject.object, &["spec", "limits"]).and_then(Value::as_array);
    let mut kinds: Vec<&str> = Vec::new();
    let limits = limits.into_iter().flatten().filter_map(Value::as_object);
    for (index, item) in limits.enumerate() {
        let path = format!("spec.limits[{index}]");
        let kind = text(item, "type");
        limit_type(kind, &format!("{path}.type"), faults);
        if kinds.contains(&kind) {
            faults.duplicate(&format!("{path}.type"), kind);
        }
        kinds.push(kind);
        limit_names(item, kind, &path, faults);
        bounds(item, kind, &path, faults);
    }
}

fn limit_type(kind: &str, path: &str, faults: &mut Faults) {
    let problems = objects::names::qualified_name(kind);
    let sound = problems.is_empty();
    faults.problems(path, kind, problems);
    let standard = matches!(kind, "Pod" | "Container" | "PersistentVolumeClaim");
    if sound && !kind.contains('/') && !standard {
        let why = "must be a standard limit type or fully qualified";
        faults.invalid(path, &kind.into(), why);
    }
}

fn limit_names(item: &Map, kind: &str, path: &str, faults: &mut Faults) {
    let check = |key: &str, faults: &mut Faults| {
        for (name, _) in members(item, key) {
            let own = format!("{path}.{key}[{name}]");
            match kind {
                "Pod" | "Container" => pod::container_resource(&own, name, faults),
                _ => {
                    pod::resource_name(&own, name, faults);
                }
            }
        }
    };
    check("max", faults);
    check("min", faults);
    for key in ["default", "defaultRequest"] {
        if kind != "Pod" {
            check(key, faults);
        } else if members(item, key).next().is_some() {
            let why = "may not be specified when `type` is 'Pod'";
            faults.forbidden(&format!("{path}.{key}"), why);
        }
    }
    let stored = ["min", "max"]
        .iter()
        .any(|key| members(item, key).any(|(n, _)| n == "storage"));
    if kind == "PersistentVolumeClaim" && !stored {
        let why = "either minimum or maximum storage value is required, but neither was provided";
        faults.required(&format!("{path}.limits"), why);
    }
    check("maxLimitRequestRatio", faults);
}

/// Compares the amounts of each resource with each other.
fn bounds(item: &Map, kind: &str, path: &str, faults: &mut Faults) {
    const KEYS: [&str; 5] = [
        "max",
        "min",
        "default",
        "defaultRequest",
        "maxLimitRequestRatio",
    ];
    let names: BTreeSet<&String> = KEYS
        .iter()
        .flat_map(|key| members(item, key))
        .map(|(name, _)| name)
        .collect();
    for name in names {
        let find = |key: &str| {
            let (_, value) = members(item, key).find(|(own, _)| *own == name)?;
            Some((value, amount(value)?))
        };
        let (min, max) = (find("min"), find("max"));
        let of_pod = kind == "Pod";
        let default = find("default").filter(|_| !of_pod);
        let request = find("defaultRequest").filter(|_| !of_pod);
        // Smaller and larger with their words, where the fault is, and which of the two is shown.
        let pairs = [
            (&min, "min value", &max, "max value", "min", true),
            (
                &min,
                "min value",
                &request,
                "default request value",
                "defaultRequest",
                false,
            ),
            (
                &request,
                "default request value",
                &max,
                "max value",
                "defaultRequest",
                true,
            ),
            (
                &request,
                "default request value",
                &default,
                "default limit value",
                "defaultRequest",
                true,
            ),
            (
                &min,
                "min value",
                &default,
                "default value",
                "default",
                true,
            ),
            (
                &default,
                "default value",
                &max,
                "max value",
                "default",
                false,
            ),
        ];
        for (low, low_word, high, high_word, key, shows_low) in pairs {
            let (Some((low_value, low)), Some((high_value, high))) = (low, high) else {
                continue;
            };
            if low.compare(high).is_gt() {
                let shown = if shows_low { low_value } else { high_value };
                let why = format!("{low_word} {low} is greater than {high_word} {high}");
                faults.invalid(&format!("{path}.{key}[{name}]"), shown, &why);
            }
        }
        let Some((value, ratio)) = find("maxLimitRequestRatio") else {
            continue;
        };
        let own = format!("{path}.maxLimitRequestRatio[{name}]");
        if ratio.compare(&Quantity::whole(1)).is_lt() {
            faults.invalid(&own, value, &format!("ratio {ratio} is less than 1"));
        }
        if let (Some((_, min)), Some((_, max))) = (min, max) {
            let most = max.approximate() / min.approximate();
            if ratio.approximate() > most {
                let why = format!("ratio {ratio} is greater than max/min = {most:.6}");
                faults.invalid(&own, value, &why);
            }
        }
    }
}
