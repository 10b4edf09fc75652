//! Services: ports, types and what each allows, addresses, and the status of load balancers.

use std::collections::BTreeSet;

use objects::{Map, Value, names};

use super::{Faults, NO_FIELDS, Subject, at, items, map_at, number, pod, text};

const FAMILIES: [&str; 2] = ["IPv4", "IPv6"];
const POLICIES: [&str; 2] = ["Cluster", "Local"];

/// The addresses of services are in 10.0.0.0/16.
const NETWORK: [u8; 2] = [10, 0];
/// Node ports that can be asked for.
const NODE_PORTS: std::ops::RangeInclusive<i64> = 30_000..=32_767;

pub(super) fn service(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    // Upstream allocates before it validates, and reports what cannot be had alone.
    allocation(subject, spec, faults);
    if !faults.0.is_empty() {
        return;
    }
    if let Some(live) = subject.live.and_then(|live| map_at(live, &["spec"])) {
        changes(spec, live, faults);
    }
    kind(spec, faults);
    ports(spec, faults);
    faults.labels("spec.selector", map_at(spec, &["selector"]));
    affinity(spec, faults);
    cluster_addresses(spec, faults);
    external_addresses(spec, faults);
    faults.one_of(
        "spec.type",
        text(spec, "type"),
        &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"],
    );
    repeated_ports(spec, faults);
    balancer(spec, faults);
    traffic(spec, faults);
    status(subject, spec, faults);
}

fn list<'a>(spec: &'a Map, key: &str) -> impl Iterator<Item = (usize, &'a str)> {
    let values = at(spec, &[key]).and_then(Value::as_array);
    let texts = values.into_iter().flatten().enumerate();
    texts.map(|(index, value)| (index, value.as_str().unwrap_or("")))
}

fn headless(spec: &Map) -> bool {
    text(spec, "clusterIP") == "None"
}

fn needs_health_check(spec: &Map) -> bool {
    text(spec, "type") == "LoadBalancer" && text(spec, "externalTrafficPolicy") == "Local"
}

/// What the one IPv4 range of addresses and the range of node ports do not have.
fn allocation(subject: &Subject<'_>, spec: &Map, faults: &mut Faults) {
    let live = subject.live.and_then(|live| map_at(live, &["spec"]));
    if text(spec, "type") == "ExternalName" {
        return;
    }
    cluster_addresses(spec, faults);
    if !faults.0.is_empty() {
        return;
    }
    let selected = at(spec, &["selector"]).is_some();
    if !headless(spec) || selected {
        if text(spec, "ipFamilyPolicy") == "RequireDualStack" {
            let why = "this cluster is not configured for dual-stack services";
            faults.invalid("spec.ipFamilyPolicy", &"RequireDualStack".into(), why);
        }
        for (index, family) in list(spec, "ipFamilies") {
            if family == "IPv6" {
                let path = format!("spec.ipFamilies[{index}]");
                faults.invalid(&path, &family.into(), "not configured on this cluster");
            }
        }
    }
    let own = text(spec, "clusterIP");
    let kept = live.is_some_and(|live| !text(live, "clusterIP").is_empty());
    let foreign = own
        .parse::<std::net::Ipv4Addr>()
        .is_ok_and(|address| address.octets()[..2] != NETWORK);
    if !kept && foreign {
        let value = Value::from(vec![own]);
        let why = format!(
            "failed to allocate IP {own}: the provided IP ({own}) is not in the valid range. The range of valid IPs is 10.0.0.0/16"
        );
        faults.invalid("spec.clusterIPs", &value, &why);
    }
    if matches!(text(spec, "type"), "NodePort" | "LoadBalancer") {
        node_ports(spec, faults);
    }
}

fn node_ports(spec: &Map, faults: &mut Faults) {
    let mut taken = BTreeSet::new();
    for (index, port) in items(spec, &["ports"]) {
        let number = number(port, "nodePort");
        let path = format!("spec.ports[{index}].nodePort");
        if number == 0 {
            continue;
        }
        if !NODE_PORTS.contains(&number) {
            let why =
                "provided port is not in the valid range. The range of valid ports is 30000-32767";
            faults.invalid(&path, &number.into(), why);
        } else if !taken.insert((number, text(port, "protocol"))) {
            faults.invalid(&path, &number.into(), "provided port is already allocated");
        }
    }
}

/// Refuses another address or family once there is one.
fn changes(spec: &Map, live: &Map, faults: &mut Faults) {
    let external = |spec: &Map| text(spec, "type") == "ExternalName";
    if !external(spec) && !external(live) {
        let (before, own) = (text(live, "clusterIP"), text(spec, "clusterIP"));
        let why = "may not change once set";
        if !before.is_empty() && before != own {
            faults.invalid("spec.clusterIPs[0]", &Value::from(vec![own]), why);
        }
        let (families, former) = (at(spec, &["ipFamilies"]), at(live, &["ipFamilies"]));
        if !headless(spec)
            && !headless(live)
            && let (Some(Value::Array(new)), Some(Value::Array(old))) = (families, former)
            && let (Some(first), Some(before)) = (new.first(), old.first())
            && first != before
        {
            faults.invalid("spec.ipFamilies[0]", &Value::Array(new.clone()), why);
        }
    }
    let balanced = |spec: &Map| text(spec, "type") == "LoadBalancer";
    let class = |spec: &'_ Map| at(spec, &["loadBalancerClass"]).cloned();
    if balanced(spec) && balanced(live) && class(spec) != class(live) {
        let value = class(spec).unwrap_or_default();
        faults.invalid("spec.loadBalancerClass", &value, "may not change once set");
    }
    let check = |spec: &Map| number(spec, "healthCheckNodePort");
    if needs_health_check(spec) && needs_health_check(live) && check(spec) != check(live) {
        faults.forbidden("spec.healthCheckNodePort", "field is immutable");
    }
}

fn kind(spec: &Map, faults: &mut Faults) {
    let kind = text(spec, "type");
    let none = items(spec, &["ports"]).next().is_none();
    if none && !headless(spec) && kind != "ExternalName" {
        faults.required("spec.ports", "");
    }
    match kind {
        "LoadBalancer" | "NodePort" if headless(spec) => {
            let why = format!("may not be set to 'None' for {kind} services");
            faults.invalid("spec.clusterIPs[0]", &"None".into(), &why);
        }
        "ExternalName" => {
            for key in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
                if at(spec, &[key]).is_some() {
                    let path = format!("spec.{key}");
                    faults.forbidden(&path, "may not be set for ExternalName services");
                }
            }
            let name = text(spec, "externalName");
            let trimmed = name.strip_suffix('.').unwrap_or(name);
            if trimmed.is_empty() {
                faults.required("spec.externalName", "");
            } else {
                for problem in names::dns_subdomain(trimmed) {
                    faults.invalid("spec.externalName", &trimmed.into(), &problem);
                }
            }
        }
        _ => {}
    }
}

fn ports(spec: &Map, faults: &mut Faults) {
    let several = items(spec, &["ports"]).count() > 1;
    let mut names = BTreeSet::new();
    for (index, port) in items(spec, &["ports"]) {
        let path = format!("spec.ports[{index}]");
        let name = text(port, "name");
        if name.is_empty() {
            if several {
                faults.required(&format!("{path}.name"), "");
            }
        } else {
            faults.label_name(&format!("{path}.name"), name);
            if !names.insert(name) {
                faults.duplicate(&format!("{path}.name"), name);
            }
        }
        pod::port_number(&format!("{path}.port"), number(port, "port"), faults);
        faults.one_of(
            &format!("{path}.protocol"),
            text(port, "protocol"),
            &["SCTP", "TCP", "UDP"],
        );
        if let Some(target) = at(port, &["targetPort"]) {
            pod::port_value(&format!("{path}.targetPort"), target, faults);
        }
        if let Some(Value::String(protocol)) = at(port, &["appProtocol"]) {
            faults.qualified_name(&format!("{path}.appProtocol"), protocol);
        }
    }
}

fn affinity(spec: &Map, faults: &mut Faults) {
    let affinity = text(spec, "sessionAffinity");
    faults.one_of("spec.sessionAffinity", affinity, &["ClientIP", "None"]);
    const CONFIG: &str = "spec.sessionAffinityConfig";
    let config = at(spec, &["sessionAffinityConfig"]);
    if affinity == "None" && config.is_some() {
        faults.forbidden(CONFIG, "must not be set when session affinity is None");
    }
    if affinity == "ClientIP"
        && let Some(seconds) = at(
            spec,
            &["sessionAffinityConfig", "clientIP", "timeoutSeconds"],
        )
        && !seconds.as_i64().is_some_and(|s| (1..=86_400).contains(&s))
    {
        let path = format!("{CONFIG}.clientIP.timeoutSeconds");
        faults.invalid(&path, seconds, "must be greater than 0 and less than 86400");
    }
}

fn cluster_addresses(spec: &Map, faults: &mut Faults) {
    const ADDRESSES: &str = "spec.clusterIPs";
    if text(spec, "type") == "ExternalName" {
        return;
    }
    let own = text(spec, "clusterIP");
    let all = at(spec, &["clusterIPs"]).cloned().unwrap_or_default();
    let first = list(spec, "clusterIPs").next().map(|(_, address)| address);
    match first {
        None if !own.is_empty() => faults.required(ADDRESSES, ""),
        Some(first) if own.is_empty() && !first.is_empty() => {
            let why = "must be empty when `clusterIP` is not specified";
            faults.invalid(ADDRESSES, &all, why);
        }
        Some(first) if first != own => {
            faults.invalid(ADDRESSES, &all, "first value must match `clusterIP`");
        }
        _ => {}
    }
    let mut seen = BTreeSet::new();
    for (index, family) in list(spec, "ipFamilies") {
        let path = format!("spec.ipFamilies[{index}]");
        faults.one_of(&path, family, &FAMILIES);
        if !seen.insert(family) {
            faults.duplicate(&path, family);
        }
    }
    if let Some(policy) = at(spec, &["ipFamilyPolicy"]).and_then(Value::as_str) {
        faults.one_of(
            "spec.ipFamilyPolicy",
            policy,
            &["PreferDualStack", "RequireDualStack", "SingleStack"],
        );
    }
    let count = list(spec, "clusterIPs").count();
    for (index, address) in list(spec, "clusterIPs") {
        if index == 0 && address == "None" {
            if count > 1 {
                faults.invalid(ADDRESSES, &all, "'None' must be the first and only value");
            }
            continue;
        }
        faults.address(&format!("{ADDRESSES}[{index}]"), address);
    }
    if count > 2 {
        faults.invalid(ADDRESSES, &all, "may only hold up to 2 values");
    }
}

fn external_addresses(spec: &Map, faults: &mut Faults) {
    for (index, address) in list(spec, "externalIPs") {
        let path = format!("spec.externalIPs[{index}]");
        if faults.address(&path, address) {
            endpoint_address(&path, address, faults);
        }
    }
}

/// Refuses addresses at which nobody else can be reached.
pub(super) fn endpoint_address(path: &str, address: &str, faults: &mut Faults) {
    let Ok(parsed) = address.parse::<std::net::IpAddr>() else {
        return;
    };
    let link_local = match parsed {
        std::net::IpAddr::V4(v4) => v4.is_link_local(),
        std::net::IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    let local_group = match parsed {
        std::net::IpAddr::V4(v4) => v4.octets()[..3] == [224, 0, 0],
        std::net::IpAddr::V6(v6) => v6.segments()[0] & 0xff0f == 0xff02,
    };
    let unspecified = format!("may not be unspecified ({address})");
    for (holds, why) in [
        (parsed.is_unspecified(), unspecified.as_str()),
        (
            parsed.is_loopback(),
            "may not be in the loopback range (127.0.0.0/8, ::1/128)",
        ),
        (
            link_local,
            "may not be in the link-local range (169.254.0.0/16, fe80::/10)",
        ),
        (
            local_group,
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
        ),
    ] {
        if holds {
            faults.invalid(path, &address.into(), why);
        }
    }
}

fn repeated_ports(spec: &Map, faults: &mut Faults) {
    if text(spec, "type") == "ClusterIP" {
        for (index, port) in items(spec, &["ports"]) {
            if number(port, "nodePort") != 0 {
                let path = format!("spec.ports[{index}].nodePort");
                faults.forbidden(&path, "may not be used when `type` is 'ClusterIP'");
            }
        }
    }
    let mut seen = BTreeSet::new();
    for (index, port) in items(spec, &["ports"]) {
        let (protocol, number) = (text(port, "protocol"), number(port, "port"));
        if !seen.insert((protocol, number)) {
            // The Go struct of the port, with what makes it the same port.
            let shown = format!(
                "Duplicate value: {{\"Name\":\"\",\"Protocol\":\"{protocol}\",\"AppProtocol\":null,\"Port\":{number},\"TargetPort\":0,\"NodePort\":0}}"
            );
            faults.0.push(cluster::StatusCause {
                reason: "FieldValueDuplicate".into(),
                message: shown,
                field: format!("spec.ports[{index}]"),
            });
        }
    }
}

/// What only load balancers have.
fn balancer(spec: &Map, faults: &mut Faults) {
    const ONLY: &str = "may only be used when `type` is 'LoadBalancer'";
    let balanced = text(spec, "type") == "LoadBalancer";
    let ranges: Vec<(usize, &str)> = list(spec, "loadBalancerSourceRanges").collect();
    // The field is spelled like this in upstream's messages.
    if !ranges.is_empty() && !balanced {
        faults.forbidden("spec.LoadBalancerSourceRanges", ONLY);
    }
    for (index, range) in ranges {
        let path = format!("spec.LoadBalancerSourceRanges[{index}]");
        faults.network(&path, range.trim());
    }
    if at(spec, &["allocateLoadBalancerNodePorts"]).is_some() && !balanced {
        faults.forbidden("spec.allocateLoadBalancerNodePorts", ONLY);
    }
    if let Some(Value::String(class)) = at(spec, &["loadBalancerClass"]) {
        if balanced {
            faults.qualified_name("spec.loadBalancerClass", class);
        } else {
            faults.forbidden("spec.loadBalancerClass", ONLY);
        }
    }
}

fn traffic(spec: &Map, faults: &mut Faults) {
    let kind = text(spec, "type");
    let external = matches!(kind, "NodePort" | "LoadBalancer")
        || kind == "ClusterIP" && list(spec, "externalIPs").next().is_some();
    let policy = text(spec, "externalTrafficPolicy");
    if external {
        if policy.is_empty() {
            faults.required("spec.externalTrafficPolicy", "");
        } else {
            faults.one_of("spec.externalTrafficPolicy", policy, &POLICIES);
        }
    } else if !policy.is_empty() {
        let why = "may only be set for externally-accessible services";
        faults.invalid("spec.externalTrafficPolicy", &policy.into(), why);
    }
    let check = number(spec, "healthCheckNodePort");
    if check != 0 && !needs_health_check(spec) {
        let why =
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
        faults.invalid("spec.healthCheckNodePort", &check.into(), why);
    }
    if let Some(Value::String(policy)) = at(spec, &["internalTrafficPolicy"]) {
        faults.one_of("spec.internalTrafficPolicy", policy, &POLICIES);
    }
    if let Some(Value::String(wanted)) = at(spec, &["trafficDistribution"]) {
        faults.one_of(
            "spec.trafficDistribution",
            wanted,
            &["PreferClose", "PreferSameZone", "PreferSameNode"],
        );
    }
}

fn status(subject: &Subject<'_>, spec: &Map, faults: &mut Faults) {
    const INGRESS: &str = "status.loadBalancer.ingress";
    let status = map_at(subject.object, &["status", "loadBalancer"]).unwrap_or(&NO_FIELDS);
    let former = subject.live.and_then(|live| map_at(live, &["status"]));
    // The main endpoint leaves the status alone.
    if former == map_at(subject.object, &["status"]) {
        return;
    }
    if text(spec, "type") != "LoadBalancer" {
        if items(status, &["ingress"]).next().is_some() {
            let why = "may only be used when `spec.type` is 'LoadBalancer'";
            faults.forbidden(INGRESS, why);
        }
        return;
    }
    for (index, ingress) in items(status, &["ingress"]) {
        let path = format!("{INGRESS}[{index}]");
        let (address, host) = (text(ingress, "ip"), text(ingress, "hostname"));
        if !address.is_empty() {
            faults.address(&format!("{path}.ip"), address);
        }
        let mode = text(ingress, "ipMode");
        if !mode.is_empty() && address.is_empty() {
            let why = "may not be specified when `ip` is not set";
            faults.forbidden(&format!("{path}.ipMode"), why);
        } else if !mode.is_empty() {
            faults.one_of(&format!("{path}.ipMode"), mode, &["Proxy", "VIP"]);
        }
        if !host.is_empty() {
            let path = format!("{path}.hostname");
            for problem in names::dns_subdomain(host) {
                faults.invalid(&path, &host.into(), &problem);
            }
            if host.parse::<std::net::IpAddr>().is_ok() {
                faults.invalid(&path, &host.into(), "must be a DNS name, not an IP address");
            }
        }
    }
}
