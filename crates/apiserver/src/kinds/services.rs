//! Addresses and ports of services: what the server gives, what it keeps, what others have already.
//!
//! Services are read anew for each allocation: there is no bitmap to repair, and the stored facts have address and type.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use cluster::StatusCause;
use objects::{Map, Value, json};

use crate::catalog::text;
use crate::engine::{Engine, metadata_text};
use crate::failure::field;
use crate::store::Entry;

/// First address that is given to services, 10.0.0.10; the range is a /16.
const FIRST_ADDRESS: u32 = u32::from_be_bytes([10, 0, 0, 10]);
const ADDRESSES: u32 = (1 << 16) - 20;
const FIRST_NODE_PORT: u32 = 30_000;
const NODE_PORTS: u32 = 2_768;

/// Finishes a new or changed service; `live` is its state before an update.
pub fn complete(engine: &Engine, object: &mut Map, live: Option<&Map>) {
    let others = Others::of(engine, metadata_text(object, "uid"));
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    let live = live.and_then(|live| live.get("spec")?.as_object());
    if let Some(live) = live {
        drop_type_dependent(spec, live);
    }
    if text(spec, "type") == "ExternalName" {
        return forward(spec);
    }
    if let Some(live) = live {
        keep_allocated(spec, live);
    }
    give_address(&others, spec);
    let former = live.and_then(|live| live.get("ports")?.as_array());
    node_ports(&others, spec, former);
    health_port(&others, spec, live);
    let balanced = text(spec, "type") == "LoadBalancer";
    if !balanced && let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
        status.insert("loadBalancer".into(), json!({}));
    }
}

/// Leaves a service that is another name for something outside without node ports.
fn forward(spec: &mut Map) {
    let own = spec
        .get("clusterIP")
        .filter(|own| !own.is_null() && own.as_str() != Some(""));
    if let Some(own) = own.cloned() {
        put(spec, "clusterIPs", json!([own]));
    }
    let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        port.remove("nodePort");
    }
}

fn give_address(others: &Others<'_>, spec: &mut Map) {
    let listed = spec.get("clusterIPs").and_then(Value::as_array);
    if text(spec, "clusterIP").is_empty() && listed.is_none_or(Vec::is_empty) {
        spec.insert("clusterIP".into(), others.free_address().into());
    }
    let address = spec.get("clusterIP").cloned().unwrap_or_default();
    let headless = address.as_str() == Some("None");
    put(spec, "clusterIPs", json!([address]));
    let selected = spec.get("selector").is_some_and(|s| !s.is_null());
    if headless && !selected {
        put(spec, "ipFamilies", json!(["IPv4", "IPv6"]));
        put(spec, "ipFamilyPolicy", "RequireDualStack".into());
    } else {
        put(spec, "ipFamilies", json!(["IPv4"]));
        put(spec, "ipFamilyPolicy", "SingleStack".into());
    }
}

/// Sets what is absent.
fn put(spec: &mut Map, key: &str, value: Value) {
    if spec.get(key).is_none_or(Value::is_null) {
        spec.insert(key.to_owned(), value);
    }
}

fn node_ports(others: &Others<'_>, spec: &mut Map, former: Option<&Vec<Value>>) {
    let allocates = spec.get("allocateLoadBalancerNodePorts") != Some(&Value::Bool(false));
    let wanted = match text(spec, "type") {
        "NodePort" => true,
        "LoadBalancer" => allocates,
        _ => false,
    };
    let clusters = text(spec, "type") == "ClusterIP";
    let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        let number = port.get("nodePort").and_then(Value::as_i64).unwrap_or(0);
        // A port of the former type that was left alone goes with it.
        let kept = |live: &Value| {
            live.get("port") == port.get("port") && live.get("nodePort") == port.get("nodePort")
        };
        let stale = former.is_some_and(|ports| ports.iter().any(kept));
        if clusters && number != 0 && stale {
            port.remove("nodePort");
        }
        if wanted && number == 0 {
            port.insert("nodePort".into(), others.free_node_port().into());
        }
    }
}

/// Balancers that keep to the node of a pod ask it at a port of its own.
fn health_port(others: &Others<'_>, spec: &mut Map, live: Option<&Map>) {
    let kept = live.and_then(|live| live.get("healthCheckNodePort"));
    let local = text(spec, "externalTrafficPolicy") == "Local";
    if text(spec, "type") == "LoadBalancer" && local {
        let number = || others.free_node_port().into();
        let number = kept.cloned().unwrap_or_else(number);
        put(spec, "healthCheckNodePort", number);
    } else if kept == spec.get("healthCheckNodePort") {
        spec.remove("healthCheckNodePort");
    }
}

/// Drops what only the former type of a service needed, where the new state kept it unchanged.
fn drop_type_dependent(spec: &mut Map, live: &Map) {
    let kind = text(spec, "type").to_owned();
    let exposed = matches!(kind.as_str(), "NodePort" | "LoadBalancer");
    let mut drop = Vec::new();
    if !exposed {
        drop.push("externalTrafficPolicy");
    }
    if kind == "ExternalName" {
        drop.extend([
            "clusterIP",
            "clusterIPs",
            "ipFamilies",
            "ipFamilyPolicy",
            "internalTrafficPolicy",
        ]);
    }
    if kind != "LoadBalancer" {
        drop.extend(["allocateLoadBalancerNodePorts", "loadBalancerClass"]);
    }
    let external = spec.get("externalIPs").is_some();
    for key in drop {
        let kept = key == "externalTrafficPolicy" && external;
        if !kept && spec.get(key) == live.get(key) {
            spec.remove(key);
        }
    }
}

/// Keeps what was allocated before, where the new state leaves it out.
fn keep_allocated(spec: &mut Map, live: &Map) {
    for key in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        let absent = spec
            .get(key)
            .is_none_or(|v| v.is_null() || v.as_str() == Some(""));
        if absent && let Some(value) = live.get(key) {
            spec.insert(key.to_owned(), value.clone());
        }
    }
    // Who changes the one address means the first of all.
    let same = |key: &str| spec.get(key) == live.get(key);
    if !same("clusterIP")
        && same("clusterIPs")
        && let Some(own) = spec.get("clusterIP").cloned()
        && let Some(first) = spec.get_mut("clusterIPs").and_then(|all| all.get_mut(0))
    {
        *first = own;
    }
    let live_ports = live.get("ports").and_then(Value::as_array);
    let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        if port.get("nodePort").and_then(Value::as_i64).unwrap_or(0) != 0 {
            continue;
        }
        let same = live_ports.into_iter().flatten().find(|l| {
            l.get("port") == port.get("port") && l.get("protocol") == port.get("protocol")
        });
        if let Some(number) = same.and_then(|l| l.get("nodePort")) {
            port.insert("nodePort".into(), number.clone());
        }
    }
}

/// Returns a number that is not handed out twice while the server runs, and differs after a restart.
fn next_number(engine: &Engine) -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let floor = u32::try_from(engine.store.revision() & 0xffff_ffff).unwrap_or(0);
    let last = LAST
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
            Some(last.max(floor).wrapping_add(1))
        })
        .unwrap_or(floor);
    last.max(floor).wrapping_add(1)
}

/// The services but one: what is taken when that one gets its addresses and ports.
struct Others<'a> {
    engine: &'a Engine,
    /// Uid of the one.
    uid: String,
    entries: OnceCell<Vec<Arc<Entry>>>,
    node_ports: OnceCell<HashSet<i64>>,
}

impl<'a> Others<'a> {
    fn of(engine: &'a Engine, uid: &str) -> Self {
        Self {
            engine,
            uid: uid.to_owned(),
            entries: OnceCell::new(),
            node_ports: OnceCell::new(),
        }
    }

    fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        let entries = || self.engine.store.list("/services", "").1;
        let entries = self.entries.get_or_init(entries).iter();
        entries.filter(|entry| entry.meta.uid != self.uid)
    }

    fn has_address(&self, address: &str) -> bool {
        self.entries()
            .any(|other| other.field("spec.clusterIP") == Some(address))
    }

    /// Returns the node ports in use. Most services have none, and decoding them all would make many services slow.
    fn node_ports(&self) -> &HashSet<i64> {
        self.node_ports.get_or_init(|| {
            self.entries()
                .filter(|other| other.field("spec.type") != Some("ClusterIP"))
                .filter_map(|other| spec_of(&other.decode("v1", "Service")))
                .flat_map(|spec| all_node_numbers(&spec))
                .collect()
        })
    }

    /// Takes the next address that no service has; where all are taken, one that the validation refuses.
    fn free_address(&self) -> String {
        let next = || Ipv4Addr::from(FIRST_ADDRESS + next_number(self.engine) % ADDRESSES);
        let first = next().to_string();
        if !self.has_address(&first) {
            return first;
        }
        let addresses = self.entries().filter_map(|o| o.field("spec.clusterIP"));
        let taken: HashSet<&str> = addresses.collect();
        (1..ADDRESSES)
            .map(|_| next().to_string())
            .find(|address| !taken.contains(address.as_str()))
            .unwrap_or(first)
    }

    /// Takes the next node port that no service has; where all are taken, one that the validation refuses.
    fn free_node_port(&self) -> i64 {
        let next = || i64::from(FIRST_NODE_PORT + next_number(self.engine) % NODE_PORTS);
        let taken = self.node_ports();
        let mut numbers = (0..NODE_PORTS).map(|_| next());
        numbers
            .find(|number| !taken.contains(number))
            .unwrap_or_else(next)
    }
}

/// Addresses and numbers that a service asks for and other services have.
pub fn taken(engine: &Engine, object: &Map, live: Option<&Map>) -> Vec<StatusCause> {
    let own = spec_of(object).unwrap_or_default();
    let live = live.and_then(spec_of).unwrap_or_default();
    let address = text(&own, "clusterIP");
    let had = node_numbers(&live);
    let asks = !matches!(address, "" | "None") && text(&live, "clusterIP").is_empty();
    let mut new = node_numbers(&own);
    new.retain(|(_, number)| !had.iter().any(|(_, old)| old == number));
    if text(&own, "type") == "ExternalName" || (!asks && new.is_empty()) {
        return Vec::new();
    }
    let others = Others::of(engine, metadata_text(object, "uid"));
    let mut causes = Vec::new();
    if asks && others.has_address(address) {
        let why = format!("failed to allocate IP {address}: provided IP is already allocated");
        let value = Value::from(vec![address]);
        causes.push(field::invalid("spec.clusterIPs", &value, &why));
    }
    for (i, number) in new {
        if others.node_ports().contains(&number) {
            let path = format!("spec.ports[{i}].nodePort");
            let why = "provided port is already allocated";
            causes.push(field::invalid(&path, &number.into(), why));
        }
    }
    causes
}

fn spec_of(service: &Map) -> Option<Map> {
    service.get("spec").and_then(Value::as_object).cloned()
}

/// Lists the node ports of a service, with their places.
fn node_numbers(spec: &Map) -> Vec<(usize, i64)> {
    let ports = spec.get("ports").and_then(Value::as_array);
    let ports = ports.into_iter().flatten().enumerate();
    let numbers = ports.filter_map(|(i, port)| Some((i, port.get("nodePort")?.as_i64()?)));
    numbers.filter(|(_, number)| *number != 0).collect()
}

/// Lists the node ports of a service together with that of its health checks.
fn all_node_numbers(spec: &Map) -> Vec<i64> {
    let health = spec.get("healthCheckNodePort").and_then(Value::as_i64);
    let ports = node_numbers(spec).into_iter().map(|(_, number)| number);
    ports.chain(health).collect()
}
