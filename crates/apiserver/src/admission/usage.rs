//! What an object counts against a quota: its number, the resources of a pod, the storage of a claim, the ports of a service.
//!
//! Follows Kubernetes' quota evaluators. A pod counts the larger of its containers' sum and its largest init container; a pod
//! that has ended counts as an object only.

use std::collections::BTreeMap;

use objects::quantity::Quantity;
use objects::{Map, Value};

use crate::catalog::{Resource, text};

/// Amounts by resource name.
pub type Amounts = BTreeMap<String, Quantity>;

/// Resources of pods that a quota may also demand of every container.
const DEMANDED: [&str; 6] = [
    "cpu",
    "limits.cpu",
    "limits.memory",
    "memory",
    "requests.cpu",
    "requests.memory",
];

/// Kinds that are also counted under their bare name.
const BARE: [&str; 5] = [
    "configmaps",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
];

/// Returns what an object uses.
pub fn of(resource: &Resource, object: &Map) -> Amounts {
    let mut used = Amounts::new();
    let one = Quantity::whole(1);
    used.insert(count_name(resource), one);
    if !resource.group().is_empty() {
        return used;
    }
    let plural = resource.plural();
    if BARE.contains(&plural) {
        used.insert(plural.to_owned(), one);
    }
    match plural {
        "pods" => pod(object, &mut used),
        "services" => service(object, &mut used),
        "persistentvolumeclaims" => claim(object, &mut used),
        _ => {}
    }
    used
}

/// Tells whether updates of a kind can change what it uses.
pub fn changes(resource: &Resource) -> bool {
    resource.group().is_empty()
        && matches!(
            resource.plural(),
            "pods" | "services" | "persistentvolumeclaims"
        )
}

/// Returns the resource whose objects a name of a quota counts: group and plural.
pub fn counted(name: &str) -> Option<(&str, &str)> {
    if let Some(counted) = name.strip_prefix("count/") {
        let (plural, group) = counted.split_once('.').unwrap_or((counted, ""));
        return Some((group, plural));
    }
    if BARE.contains(&name) {
        return Some(("", name));
    }
    if name == "persistentvolumeclaims"
        || name == "requests.storage"
        || name.contains(".storageclass.storage.k8s.io/")
    {
        return Some(("", "persistentvolumeclaims"));
    }
    if name.starts_with("services.") {
        return Some(("", "services"));
    }
    let of_pods = name == "pods"
        || matches!(name, "cpu" | "memory" | "ephemeral-storage")
        || name.starts_with("requests.")
        || name.starts_with("limits.");
    of_pods.then_some(("", "pods"))
}

fn count_name(resource: &Resource) -> String {
    match resource.group() {
        "" => format!("count/{}", resource.plural()),
        group => format!("count/{}.{group}", resource.plural()),
    }
}

/// Reads a quantity, which may be a bare number.
pub fn quantity(value: &Value) -> Option<Quantity> {
    match value {
        Value::String(text) => Quantity::parse(text).ok(),
        Value::Number(number) => Quantity::parse(&number.to_string()).ok(),
        _ => None,
    }
}

/// Reads a map of quantities; what is none is left out.
pub fn amounts(value: Option<&Value>) -> Amounts {
    let map = value.and_then(Value::as_object).into_iter().flatten();
    map.filter_map(|(name, value)| Some((name.clone(), quantity(value)?)))
        .collect()
}

fn pod(pod: &Map, used: &mut Amounts) {
    if has_ended(pod) {
        return;
    }
    used.insert("pods".into(), Quantity::whole(1));
    for (name, amount) in pod_resources(pod, "requests") {
        if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") {
            used.insert(name.clone(), amount);
        }
        used.insert(format!("requests.{name}"), amount);
    }
    for (name, amount) in pod_resources(pod, "limits") {
        used.insert(format!("limits.{name}"), amount);
    }
}

fn has_ended(pod: &Map) -> bool {
    let phase = pod.get("status").and_then(|s| s.get("phase"));
    matches!(phase.and_then(Value::as_str), Some("Succeeded" | "Failed"))
}

/// Returns the containers of a list of a pod's spec.
pub fn containers<'a>(pod: &'a Map, list: &str) -> impl Iterator<Item = &'a Map> {
    pod.get("spec")
        .and_then(|spec| spec.get(list)?.as_array())
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
}

/// Adds up requests or limits of a pod.
pub fn pod_resources(pod: &Map, side: &str) -> Amounts {
    let of = |container: &Map| amounts(container.get("resources").and_then(|r| r.get(side)));
    let mut total = Amounts::new();
    for container in containers(pod, "containers") {
        add(&mut total, &of(container));
    }
    let mut sidecars = Amounts::new();
    for container in containers(pod, "initContainers") {
        let mut own = of(container);
        if container.get("restartPolicy").and_then(Value::as_str) == Some("Always") {
            add(&mut total, &own);
            add(&mut sidecars, &own);
            own = sidecars.clone();
        } else {
            add(&mut own, &sidecars);
        }
        for (name, amount) in own {
            let present = total.entry(name).or_insert(amount);
            if present.compare(&amount).is_lt() {
                *present = amount;
            }
        }
    }
    let overhead = amounts(pod.get("spec").and_then(|spec| spec.get("overhead")));
    if side == "requests" {
        add(&mut total, &overhead);
    } else {
        for (name, amount) in overhead {
            if let Some(present) = total.get_mut(&name) {
                *present = present.plus(&amount);
            }
        }
    }
    total
}

/// Adds amounts to others.
pub fn add(total: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        let present = total.entry(name.clone()).or_insert(Quantity::ZERO);
        *present = present.plus(amount);
    }
}

fn service(service: &Map, used: &mut Amounts) {
    let spec = service.get("spec").and_then(Value::as_object);
    let kind = spec.map_or("", |spec| text(spec, "type"));
    let ports = spec.and_then(|spec| spec.get("ports")?.as_array());
    let ports = ports.map_or(0, Vec::len) as i64;
    let allocates = spec.and_then(|spec| spec.get("allocateLoadBalancerNodePorts"))
        != Some(&Value::Bool(false));
    let (node_ports, balancers) = match kind {
        "NodePort" => (ports, 0),
        "LoadBalancer" => (if allocates { ports } else { 0 }, 1),
        _ => (0, 0),
    };
    used.insert("services.nodeports".into(), Quantity::whole(node_ports));
    used.insert("services.loadbalancers".into(), Quantity::whole(balancers));
}

fn claim(claim: &Map, used: &mut Amounts) {
    used.insert("persistentvolumeclaims".into(), Quantity::whole(1));
    let spec = claim.get("spec");
    let storage = spec.and_then(|s| s.pointer("/resources/requests/storage"));
    let storage = storage.and_then(quantity);
    let class = spec
        .and_then(|s| s.get("storageClassName")?.as_str())
        .filter(|class| !class.is_empty());
    if let Some(class) = class {
        let name = format!("{class}.storageclass.storage.k8s.io/persistentvolumeclaims");
        used.insert(name, Quantity::whole(1));
    }
    let Some(storage) = storage else { return };
    used.insert("requests.storage".into(), storage);
    if let Some(class) = class {
        let name = format!("{class}.storageclass.storage.k8s.io/requests.storage");
        used.insert(name, storage);
    }
}

/// Says which containers lack what a quota demands of every container; empty where none does.
pub fn missing(pod: &Map, hard: &Amounts) -> String {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let lists = ["containers", "initContainers"];
    for container in lists.iter().flat_map(|list| containers(pod, list)) {
        let resources = container.get("resources");
        for demanded in DEMANDED.iter().filter(|name| hard.contains_key(**name)) {
            let (side, name) = demanded.split_once('.').unwrap_or(("requests", *demanded));
            if resources.and_then(|r| r.get(side)?.get(name)).is_none() {
                found
                    .entry(*demanded)
                    .or_default()
                    .push(text(container, "name"));
            }
        }
    }
    let parts: Vec<String> = found
        .into_iter()
        .map(|(name, mut containers)| {
            containers.sort_unstable();
            containers.dedup();
            format!("{name} for: {}", containers.join(","))
        })
        .collect();
    parts.join("; ")
}
