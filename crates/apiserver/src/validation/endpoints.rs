//! Where services lead: endpoint slices, and the older endpoints.

use std::collections::BTreeSet;
use std::net::IpAddr;

use objects::{Map, Value, names};

use super::service::endpoint_address as reachable;
use super::{Faults, NO_FIELDS, Subject, at, items, map_at, number, pod, text};

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
/// Most addresses of one endpoint.
const ADDRESSES_MAX: usize = 100;

pub(super) fn slice(subject: &Subject<'_>, faults: &mut Faults) {
    let object = subject.object;
    let kind = text(object, "addressType");
    match kind {
        "" => faults.required("addressType", ""),
        kind => faults.one_of("addressType", kind, &["FQDN", "IPv4", "IPv6"]),
    }
    slice_ports(object, faults);
    let before = subject.live.and_then(|live| live.get("endpoints"));
    if before.is_none() || before != object.get("endpoints") {
        for (i, endpoint) in items(object, &["endpoints"]) {
            self::endpoint(endpoint, kind, &format!("endpoints[{i}]"), faults);
        }
    }
    if let Some(live) = subject.live {
        faults.immutable(
            "addressType",
            object.get("addressType"),
            live.get("addressType"),
        );
    }
}

fn slice_ports(object: &Map, faults: &mut Faults) {
    let mut seen = BTreeSet::new();
    for (i, port) in items(object, &["ports"]) {
        let path = format!("ports[{i}]");
        let name = text(port, "name");
        let own = format!("{path}.name");
        if !name.is_empty() {
            faults.problems(&own, name, names::dns_label(name));
        }
        if !seen.insert(name) {
            faults.duplicate(&own, name);
        }
        match text(port, "protocol") {
            "" => faults.required(&format!("{path}.protocol"), ""),
            protocol => faults.one_of(&format!("{path}.protocol"), protocol, &PROTOCOLS),
        }
        if let Some(protocol) = at(port, &["appProtocol"]).and_then(Value::as_str) {
            let problems = names::qualified_name(protocol);
            faults.problems(&format!("{path}.appProtocol"), protocol, problems);
        }
    }
}

fn endpoint(endpoint: &Map, kind: &str, path: &str, faults: &mut Faults) {
    let own = format!("{path}.addresses");
    let addresses = at(endpoint, &["addresses"]).and_then(Value::as_array);
    let addresses: Vec<&str> = addresses
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if addresses.is_empty() {
        faults.required(&own, "must contain at least 1 address");
    } else if addresses.len() > ADDRESSES_MAX {
        let count = addresses.len();
        let fault = crate::failure::field::too_many(&own, count, ADDRESSES_MAX);
        faults.0.push(fault);
    }
    for (i, address) in addresses.iter().enumerate() {
        slice_address(address, kind, &own, i, faults);
    }
    if let Some(node) = at(endpoint, &["nodeName"]).and_then(Value::as_str) {
        faults.problems(
            &format!("{path}.nodeName"),
            node,
            names::dns_subdomain(node),
        );
    }
    if let Some(host) = at(endpoint, &["hostname"]).and_then(Value::as_str) {
        faults.problems(&format!("{path}.hostname"), host, names::dns_label(host));
    }
    let hints = map_at(endpoint, &["hints"]).unwrap_or(&NO_FIELDS);
    let mut seen = BTreeSet::new();
    for (i, zone) in items(hints, &["forZones"]) {
        let own = format!("{path}.hints.forZones[{i}].name");
        let name = text(zone, "name");
        if !seen.insert(name) {
            faults.duplicate(&own, name);
        }
        faults.problems(&own, name, names::label_value(name));
    }
}

fn slice_address(address: &str, kind: &str, path: &str, i: usize, faults: &mut Faults) {
    let own = format!("{path}[{i}]");
    if kind == "FQDN" {
        let bare = address.strip_suffix('.').unwrap_or(address);
        return faults.problems(&own, address, names::dns_subdomain(bare));
    }
    let Ok(parsed) = address.parse::<IpAddr>() else {
        faults.address(&own, address);
        return;
    };
    if !matches!(kind, "IPv4" | "IPv6") {
        return;
    }
    if parsed.is_ipv4() != (kind == "IPv4") {
        // Upstream names the list here.
        faults.invalid(path, &address.into(), &format!("must be an {kind} address"));
    }
    reachable(&own, address, faults);
}

pub(super) fn endpoints(subject: &Subject<'_>, faults: &mut Faults) {
    let subsets = at(subject.object, &["subsets"]).and_then(Value::as_array);
    for (i, subset) in subsets.into_iter().flatten().enumerate() {
        let subset = subset.as_object().unwrap_or(&NO_FIELDS);
        let path = format!("subsets[{i}]");
        let lists = ["addresses", "notReadyAddresses"];
        if lists
            .iter()
            .all(|list| items(subset, &[list]).next().is_none())
        {
            faults.required(&path, "must specify `addresses` or `notReadyAddresses`");
        }
        for list in lists {
            for (j, address) in items(subset, &[list]) {
                self::address(address, &format!("{path}.{list}[{j}]"), faults);
            }
        }
        let count = items(subset, &["ports"]).count();
        for (j, port) in items(subset, &["ports"]) {
            self::port(port, &format!("{path}.ports[{j}]"), count > 1, faults);
        }
    }
}

fn address(address: &Map, path: &str, faults: &mut Faults) {
    let own = format!("{path}.ip");
    let shown = text(address, "ip");
    let parsed = shown.parse::<IpAddr>();
    faults.address(&own, shown);
    let host = text(address, "hostname");
    if !host.is_empty() {
        faults.problems(&format!("{path}.hostname"), host, names::dns_label(host));
    }
    if let Some(node) = at(address, &["nodeName"]).and_then(Value::as_str) {
        faults.problems(
            &format!("{path}.nodeName"),
            node,
            names::dns_subdomain(node),
        );
    }
    match parsed {
        Ok(_) => reachable(&own, shown, faults),
        Err(_) => faults.invalid(&own, &shown.into(), "must be a valid IP address"),
    }
}

fn port(port: &Map, path: &str, named: bool, faults: &mut Faults) {
    let own = format!("{path}.name");
    match text(port, "name") {
        "" if named => faults.required(&own, ""),
        "" => {}
        name => faults.problems(&own, name, names::dns_label(name)),
    }
    pod::port_number(&format!("{path}.port"), number(port, "port"), faults);
    match text(port, "protocol") {
        "" => faults.required(&format!("{path}.protocol"), ""),
        protocol => faults.one_of(&format!("{path}.protocol"), protocol, &PROTOCOLS),
    }
    if let Some(protocol) = at(port, &["appProtocol"]).and_then(Value::as_str) {
        let problems = names::qualified_name(protocol);
        faults.problems(&format!("{path}.appProtocol"), protocol, problems);
    }
}
