//! Amounts of resources: their names, that requests stay below limits, and claims to devices.

use std::collections::BTreeSet;

use objects::quantity::Quantity;
use objects::{Map, Value, names};

use super::super::{Faults, NO_FIELDS, at, items, map_at, text};
use super::Scene;

const NATIVE: &str = "kubernetes.io/";
const HUGE: &str = "hugepages-";
/// Names without a prefix that mean something somewhere.
const STANDARD: [&str; 20] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "storage",
    "requests.storage",
    "services.nodeports",
    "services.loadbalancers",
];
/// Those that are counted, not measured.
const COUNTED: [&str; 9] = [
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];

/// Tells whether a resource is Kubernetes' own.
fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains(NATIVE)
}

fn is_extended(name: &str) -> bool {
    let in_quotas = format!("requests.{name}");
    !is_native(name)
        && !name.starts_with("requests.")
        && names::qualified_name(&in_quotas).is_empty()
}

/// Tells whether amounts of a resource are whole numbers.
pub(in super::super) fn is_integer(name: &str) -> bool {
    COUNTED.contains(&name) || is_extended(name)
}

/// Tells whether containers may ask for a resource without a prefix.
fn standard_for_containers(name: &str) -> bool {
    matches!(name, "cpu" | "memory" | "ephemeral-storage") || name.starts_with(HUGE)
}

/// Checks the name of a resource in general; tells whether it is sound.
pub(in super::super) fn resource_name(path: &str, name: &str, faults: &mut Faults) -> bool {
    let problems = names::qualified_name(name);
    let sound = problems.is_empty();
    faults.problems(path, name, problems);
    if !sound {
        return false;
    }
    let huge = name.starts_with(HUGE) || name.starts_with("requests.hugepages-");
    if !name.contains('/') && !STANDARD.contains(&name) && !huge {
        let why = "must be a standard resource type or fully qualified";
        faults.invalid(path, &name.into(), why);
        return false;
    }
    true
}

/// Checks the name of a resource that containers ask for.
pub(in super::super) fn container_name(path: &str, name: &str, faults: &mut Faults) {
    resource_name(path, name, faults);
    if !name.contains('/') {
        if !standard_for_containers(name) {
            let why = "must be a standard resource for containers";
            faults.invalid(path, &name.into(), why);
        }
    } else if !is_native(name) && !is_extended(name) {
        let why = "doesn't follow extended resource name standard";
        faults.invalid(path, &name.into(), why);
    }
}

fn amount(value: &Value) -> Option<Quantity> {
    Quantity::parse(value.as_str().unwrap_or("")).ok()
}

/// Checks one amount: its resource, and that it is neither negative nor a part of something whole.
fn checked(path: &str, name: &str, value: &Value, faults: &mut Faults) {
    container_name(path, name, faults);
    let Some(quantity) = amount(value) else {
        return;
    };
    if quantity.is_negative() {
        faults.invalid(path, value, "must be greater than or equal to 0");
    }
    if is_integer(name) && !quantity.is_whole() {
        faults.invalid(path, value, "must be an integer");
    }
}

fn pages(path: &str, name: &str, value: &Value, faults: &mut Faults) {
    let Some(size) = name.strip_prefix(HUGE) else {
        return;
    };
    let (Ok(size), Some(amount)) = (Quantity::parse(size), amount(value)) else {
        return;
    };
    let (size, bytes) = (size.milli() / 1000, amount.milli() / 1000);
    if size > 0 && bytes % size != 0 {
        let why = format!("{amount} is not positive integer multiple of {name}");
        faults.invalid(path, value, &why);
    }
}

/// Checks what a container asks for.
pub(super) fn requirements(resources: &Map, path: &str, scene: &Scene<'_>, faults: &mut Faults) {
    let part = |key: &str| map_at(resources, &[key]).unwrap_or(&NO_FIELDS);
    let (limits, requests) = (part("limits"), part("requests"));
    for (name, value) in limits {
        let own = format!("{path}.limits[{name}]");
        checked(&own, name, value, faults);
        pages(&own, name, value, faults);
    }
    for (name, value) in requests {
        let own = format!("{path}.requests[{name}]");
        checked(&own, name, value, faults);
        below_limit(name, value, limits.get(name), path, faults);
        pages(&own, name, value, faults);
    }
    let any = |found: fn(&str) -> bool| limits.keys().chain(requests.keys()).any(|n| found(n));
    if any(|name| name.starts_with(HUGE)) && !any(|name| matches!(name, "cpu" | "memory")) {
        faults.forbidden(path, "HugePages require cpu or memory");
    }
    claim_names(resources, path, scene, faults);
}

fn below_limit(name: &str, value: &Value, limit: Option<&Value>, path: &str, faults: &mut Faults) {
    let own = format!("{path}.requests");
    let shared = is_native(name) && !name.starts_with(HUGE);
    let Some(limit) = limit else {
        if !shared {
            let why = "Limit must be set for non overcommitable resources";
            faults.required(&format!("{path}.limits"), why);
        }
        return;
    };
    let (Some(wanted), Some(most)) = (amount(value), amount(limit)) else {
        return;
    };
    let order = wanted.compare(&most);
    if order.is_ne() && !shared {
        faults.invalid(
            &own,
            value,
            &format!("must be equal to {name} limit of {most}"),
        );
    } else if order.is_gt() {
        let why = format!("must be less than or equal to {name} limit of {most}");
        faults.invalid(&own, value, &why);
    }
}

fn claim_names(resources: &Map, path: &str, scene: &Scene<'_>, faults: &mut Faults) {
    let mut seen = BTreeSet::new();
    for (i, claim) in items(resources, &["claims"]) {
        let own = format!("{path}.claims[{i}]");
        let name = text(claim, "name");
        if name.is_empty() {
            faults.required(&own, "");
            continue;
        }
        if !seen.insert((name, text(claim, "request"))) {
            faults.duplicate(&own, name);
        }
        if !scene.claims.contains(name) {
            let known: Vec<&str> = scene.claims.iter().copied().collect();
            let rest = match known.is_empty() {
                true => " which is empty".to_owned(),
                false => format!(": {}", known.join(", ")),
            };
            let why = format!("must be one of the names in pod.spec.resourceClaims{rest}");
            let mut fault = crate::failure::field::not_found(&own, &name.into());
            fault.message = format!("{}: {why}", fault.message);
            faults.0.push(fault);
        }
    }
}

/// Checks the resource claims of a pod.
pub(super) fn claims(spec: &Map, path: &str, faults: &mut Faults) {
    let mut seen = BTreeSet::new();
    for (i, claim) in items(spec, &["resourceClaims"]) {
        let own = format!("{path}.resourceClaims[{i}]");
        let name = text(claim, "name");
        if name.is_empty() {
            faults.required(&format!("{own}.name"), "");
        } else if !seen.insert(name) {
            faults.duplicate(&format!("{own}.name"), name);
        } else {
            faults.problems(&format!("{own}.name"), name, names::dns_label(name));
        }
        let shown = || crate::internals::compact("PodResourceClaim", claim);
        let sources = ["resourceClaimName", "resourceClaimTemplateName"];
        match sources
            .iter()
            .filter(|key| at(claim, &[key]).is_some())
            .count()
        {
            0 => {
                let why = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`";
                faults.invalid_text(&own, &shown(), why);
            }
            2 => {
                let why = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified";
                faults.invalid_text(&own, &shown(), why);
            }
            _ => {}
        }
    }
}

/// Checks what the pod as a whole asks for.
pub(super) fn of_pod(spec: &Map, path: &str, scene: &Scene<'_>, faults: &mut Faults) {
    let Some(resources) = map_at(spec, &["resources"]) else {
        return;
    };
    let own = format!("{path}.resources");
    if scene.system == Some("windows") {
        return faults.forbidden(&own, "may not be set for a windows pod");
    }
    if at(resources, &["claims"]).is_some() {
        let why = "claims may not be set for Resources at pod-level";
        faults.forbidden(&format!("{own}.claims"), why);
    }
    let mut bare = resources.clone();
    bare.remove("claims");
    requirements(&bare, &own, scene, faults);
}
