//! Ingresses, their classes, and network policies.

use std::net::IpAddr;

use objects::{Map, Value, names};

use super::{Faults, NO_FIELDS, Subject, at, items, map_at, number, pod, text};

/// Annotation that named the class before there was a field.
const CLASS: &str = "kubernetes.io/ingress.class";

pub(super) fn ingress(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    let rules = at(spec, &["rules"]);
    let none = rules.and_then(Value::as_array).is_none_or(Vec::is_empty);
    if none && at(spec, &["defaultBackend"]).is_none() {
        let why = "either `defaultBackend` or `rules` must be specified";
        faults.invalid("spec", rules.unwrap_or(&Value::Null), why);
    }
    if let Some(backend) = map_at(spec, &["defaultBackend"]) {
        self::backend(backend, "spec.defaultBackend", faults);
    }
    for (i, rule) in items(spec, &["rules"]) {
        let path = format!("spec.rules[{i}]");
        let name = text(rule, "host");
        if !name.is_empty() {
            if name.parse::<IpAddr>().is_ok() {
                let why = "must be a DNS name, not an IP address";
                faults.invalid(&format!("{path}.host"), &name.into(), why);
            }
            host(name, &format!("{path}.host"), faults);
        }
        let Some(http) = map_at(rule, &["http"]) else {
            continue;
        };
        if items(http, &["paths"]).next().is_none() {
            faults.required(&format!("{path}.http.paths"), "");
        }
        for (j, entry) in items(http, &["paths"]) {
            ingress_path(entry, &format!("{path}.http.paths[{j}]"), faults);
        }
    }
    secured(spec, faults);
    let class = at(spec, &["ingressClassName"]).and_then(Value::as_str);
    if let Some(class) = class {
        faults.problems("spec.ingressClassName", class, names::dns_subdomain(class));
    }
    let annotated = at(subject.object, &["metadata", "annotations", CLASS]);
    if let (None, Some(class), Some(annotated)) = (subject.live, class, annotated)
        && annotated != class
    {
        let why = "must match `ingressClassName` when both are specified";
        faults.invalid(&format!("annotations.{CLASS}"), annotated, why);
    }
}

fn secured(spec: &Map, faults: &mut Faults) {
    for (i, entry) in items(spec, &["tls"]) {
        let hosts = at(entry, &["hosts"]).and_then(Value::as_array);
        for (j, name) in hosts.into_iter().flatten().enumerate() {
            let path = format!("spec.tls[{i}].hosts[{j}]");
            host(name.as_str().unwrap_or(""), &path, faults);
        }
        let secret = text(entry, "secretName");
        if !secret.is_empty() {
            let problems = names::dns_subdomain(secret);
            faults.problems(&format!("spec.tls[{i}].secretName"), secret, problems);
        }
    }
}

/// Checks the name of a host, which may be a wildcard.
fn host(host: &str, path: &str, faults: &mut Faults) {
    if !host.contains('*') {
        return faults.problems(path, host, names::dns_subdomain(host));
    }
    let rest = host.strip_prefix("*.").unwrap_or("");
    if rest.is_empty() || !names::dns_subdomain(rest).is_empty() {
        let why = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
        faults.invalid(path, &host.into(), why);
    }
}

fn ingress_path(entry: &Map, path: &str, faults: &mut Faults) {
    let kind = text(entry, "pathType");
    if kind.is_empty() {
        faults.required(&format!("{path}.pathType"), "pathType must be specified");
        return;
    }
    let place = text(entry, "path");
    match kind {
        "Exact" | "Prefix" => {
            if !place.starts_with('/') {
                faults.invalid(
                    &format!("{path}.path"),
                    &place.into(),
                    "must be an absolute path",
                );
            }
            for sequence in ["//", "/./", "/../", "%2f", "%2F"] {
                if place.contains(sequence) {
                    let why = format!("must not contain '{sequence}'");
                    faults.invalid(&format!("{path}.path"), &place.into(), &why);
                }
            }
            for end in ["/..", "/."] {
                if place.ends_with(end) {
                    let why = format!("cannot end with '{end}'");
                    faults.invalid(&format!("{path}.path"), &place.into(), &why);
                }
            }
        }
        "ImplementationSpecific" => {
            if !place.is_empty() && !place.starts_with('/') {
                faults.invalid(
                    &format!("{path}.path"),
                    &place.into(),
                    "must be an absolute path",
                );
            }
        }
        other => faults.not_supported(
            &format!("{path}.pathType"),
            other,
            &["Exact", "ImplementationSpecific", "Prefix"],
        ),
    }
    let backend = map_at(entry, &["backend"]).unwrap_or(&NO_FIELDS);
    self::backend(backend, &format!("{path}.backend"), faults);
}

fn backend(backend: &Map, path: &str, faults: &mut Faults) {
    let (service, resource) = (
        map_at(backend, &["service"]),
        map_at(backend, &["resource"]),
    );
    match (service, resource) {
        (Some(_), Some(_)) => {
            let why = "cannot set both resource and service backends";
            faults.invalid(path, &"".into(), why);
        }
        (None, None) => {
            faults.invalid(path, &"".into(), "resource or service backend is required");
        }
        (None, Some(resource)) => reference(resource, &format!("{path}.resource"), faults),
        (Some(service), None) => service_backend(service, path, faults),
    }
}

fn service_backend(service: &Map, path: &str, faults: &mut Faults) {
    let own = format!("{path}.service.name");
    match text(service, "name") {
        "" => faults.required(&own, ""),
        name => faults.problems(&own, name, names::dns_1035_label(name)),
    }
    let port = map_at(service, &["port"]).unwrap_or(&NO_FIELDS);
    let (word, digits) = (text(port, "name"), number(port, "number"));
    let own = format!("{path}.service.port");
    match (word.is_empty(), digits) {
        (true, 0) => faults.required(path, "port name or number is required"),
        (true, digits) => pod::port_number(&format!("{own}.number"), digits, faults),
        (false, 0) => pod::port_value(&format!("{own}.name"), &word.into(), faults),
        _ => faults.invalid(path, &"".into(), "cannot set both port name & port number"),
    }
}

/// Checks a reference to an object of any kind.
fn reference(reference: &Map, path: &str, faults: &mut Faults) {
    if let Some(group) = at(reference, &["apiGroup"]).and_then(Value::as_str) {
        faults.problems(
            &format!("{path}.apiGroup"),
            group,
            names::dns_subdomain(group),
        );
    }
    for key in ["kind", "name"] {
        let own = format!("{path}.{key}");
        match text(reference, key) {
            "" => faults.required(&own, ""),
            value => faults.problems(&own, value, names::path_segment(value)),
        }
    }
}

/// Checks a name such as `acme.io/foo`.
pub(super) fn domain_prefixed(path: &str, value: &str, faults: &mut Faults) {
    match value.split_once('/') {
        _ if value.is_empty() => faults.required(path, ""),
        Some((domain, name)) if !domain.is_empty() && !name.is_empty() => {
            faults.problems(path, domain, names::dns_subdomain(domain));
        }
        _ => {
            let why = "must be a domain-prefixed path (such as \"acme.io/foo\")";
            faults.invalid(path, &value.into(), why);
        }
    }
}

/// Longest name of a controller.
const CONTROLLER_MAX: usize = 250;

pub(super) fn ingress_class(subject: &Subject<'_>, faults: &mut Faults) {
    const CONTROLLER: &str = "spec.controller";
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    if let Some(live) = subject.live {
        let controller = |object| at(object, &["spec", "controller"]);
        faults.immutable(CONTROLLER, controller(subject.object), controller(live));
    }
    let controller = text(spec, "controller");
    if controller.len() > CONTROLLER_MAX {
        faults.0.push(crate::failure::field::too_long(
            CONTROLLER,
            "bytes",
            CONTROLLER_MAX,
        ));
    }
    if subject.live.is_none() || !controller.is_empty() {
        domain_prefixed(CONTROLLER, controller, faults);
    }
    let Some(parameters) = map_at(spec, &["parameters"]) else {
        return;
    };
    reference(parameters, "spec.parameters", faults);
    let namespace = at(parameters, &["namespace"]).and_then(Value::as_str);
    const NAMESPACE: &str = "spec.parameters.namespace";
    match (text(parameters, "scope"), namespace) {
        ("", _) => faults.required("spec.parameters.scope", ""),
        ("Namespace", None) => {
            faults.required(NAMESPACE, "`parameters.scope` is set to 'Namespace'");
        }
        ("Namespace", Some(name)) => faults.problems(NAMESPACE, name, names::dns_label(name)),
        ("Cluster", Some(_)) => {
            faults.forbidden(NAMESPACE, "`parameters.scope` is set to 'Cluster'");
        }
        ("Cluster", None) => {}
        (scope, _) => {
            faults.not_supported("spec.parameters.scope", scope, &["Cluster", "Namespace"]);
        }
    }
}

pub(super) fn policy(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    pod::label_selector(map_at(spec, &["podSelector"]), "spec.podSelector", faults);
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        for (i, rule) in items(spec, &[direction]) {
            let path = format!("spec.{direction}[{i}]");
            for (j, port) in items(rule, &["ports"]) {
                policy_port(port, &format!("{path}.ports[{j}]"), faults);
            }
            let list = at(rule, &[peers]).and_then(Value::as_array);
            for (j, peer) in list.into_iter().flatten().enumerate() {
                let own = format!("{path}.{peers}[{j}]");
                self::peer(peer.as_object().unwrap_or(&NO_FIELDS), &own, faults);
            }
        }
    }
    let types = at(spec, &["policyTypes"]).and_then(Value::as_array);
    if let Some(types) = types.filter(|types| types.len() > 2) {
        let why = "may not specify more than two policyTypes";
        return faults.invalid("spec.policyTypes", &types.clone().into(), why);
    }
    for (i, kind) in types.into_iter().flatten().enumerate() {
        let kind = kind.as_str().unwrap_or("");
        faults.one_of(
            &format!("spec.policyTypes[{i}]"),
            kind,
            &["Ingress", "Egress"],
        );
    }
}

fn policy_port(port: &Map, path: &str, faults: &mut Faults) {
    if let Some(protocol) = at(port, &["protocol"]).and_then(Value::as_str) {
        faults.one_of(
            &format!("{path}.protocol"),
            protocol,
            &["TCP", "UDP", "SCTP"],
        );
    }
    let (own, end) = (format!("{path}.port"), at(port, &["endPort"]));
    let at_end = format!("{path}.endPort");
    match at(port, &["port"]) {
        Some(Value::Number(first)) => {
            let first = first.as_i64().unwrap_or(0);
            pod::port_number(&own, first, faults);
            if let Some(end) = end.and_then(Value::as_i64) {
                if end < first {
                    let why = "must be greater than or equal to `port`";
                    faults.invalid(&at_end, &first.into(), why);
                }
                pod::port_number(&at_end, end, faults);
            }
        }
        Some(name) => {
            if let Some(end) = end {
                let why = "may not be specified when `port` is non-numeric";
                faults.invalid(&at_end, end, why);
            }
            pod::port_value(&own, name, faults);
        }
        None => {
            if let Some(end) = end {
                let why = "may not be specified when `port` is not specified";
                faults.invalid(&at_end, end, why);
            }
        }
    }
}

fn peer(peer: &Map, path: &str, faults: &mut Faults) {
    let mut selectors = 0;
    for key in ["podSelector", "namespaceSelector"] {
        if let Some(selector) = map_at(peer, &[key]) {
            selectors += 1;
            pod::label_selector(Some(selector), &format!("{path}.{key}"), faults);
        }
    }
    match map_at(peer, &["ipBlock"]) {
        Some(block) => {
            self::block(block, &format!("{path}.ipBlock"), faults);
            if selectors > 0 {
                faults.forbidden(path, "may not specify both ipBlock and another peer");
            }
        }
        None if selectors == 0 => faults.required(path, "must specify a peer"),
        None => {}
    }
}

fn block(block: &Map, path: &str, faults: &mut Faults) {
    let range = text(block, "cidr");
    if range.is_empty() {
        return faults.required(&format!("{path}.cidr"), "");
    }
    let whole = faults.range(&format!("{path}.cidr"), range);
    let excepted = at(block, &["except"]).and_then(Value::as_array);
    let Some(whole) = whole else { return };
    for (i, part) in excepted.into_iter().flatten().enumerate() {
        let own = format!("{path}.except[{i}]");
        let part = part.as_str().unwrap_or("");
        if let Some(range) = faults.range(&own, part)
            && !(whole.1 < range.1 && prefix(whole.0, whole.1) == prefix(range.0, whole.1))
        {
            faults.invalid(&own, &part.into(), "must be a strict subset of `cidr`");
        }
    }
}

/// Returns the first bits of an address, and whether it is a long one.
fn prefix(address: IpAddr, bits: u32) -> (bool, u128) {
    match address {
        IpAddr::V4(short) => {
            let all = u128::from(u32::from(short));
            (
                false,
                all.checked_shr(32_u32.saturating_sub(bits)).unwrap_or(0),
            )
        }
        IpAddr::V6(long) => {
            let all = u128::from(long);
            (
                true,
                all.checked_shr(128_u32.saturating_sub(bits)).unwrap_or(0),
            )
        }
    }
}
