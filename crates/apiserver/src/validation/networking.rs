//! Ingresses and their classes.

use objects::{Map, Value};

use super::{Faults, NO_FIELDS, Subject, at, items, map_at, number, pod, text};
use crate::names;

pub(super) fn ingress(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    let rules = at(spec, &["rules"])
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    if rules == 0 && at(spec, &["defaultBackend"]).is_none() {
        let value = Value::Object(spec.clone());
        let why = "either `defaultBackend` or `rules` must be specified";
        faults.invalid("spec", &value, why);
    }
    if let Some(backend) = map_at(spec, &["defaultBackend"]) {
        self::backend(backend, "spec.defaultBackend", faults);
    }
    for (i, rule) in items(spec, &["rules"]) {
        let path = format!("spec.rules[{i}]");
        host(text(rule, "host"), &format!("{path}.host"), faults);
        for (j, entry) in items(rule, &["http", "paths"]) {
            ingress_path(entry, &format!("{path}.http.paths[{j}]"), faults);
        }
        let http = map_at(rule, &["http"]);
        if http.is_some_and(|http| at(http, &["paths"]).is_none()) {
            faults.required(&format!("{path}.http.paths"), "");
        }
    }
}

fn host(host: &str, path: &str, faults: &mut Faults) {
    if host.is_empty() {
        return;
    }
    if host.parse::<std::net::IpAddr>().is_ok() {
        faults.invalid(path, &host.into(), "must be a DNS name, not an IP address");
        return;
    }
    if host.contains('*') {
        let rest = host.strip_prefix("*.").unwrap_or("");
        if rest.is_empty() || !names::dns_subdomain(rest).is_empty() {
            let why = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
            faults.invalid(path, &host.into(), why);
        }
        return;
    }
    for problem in names::dns_subdomain(host) {
        faults.invalid(path, &host.into(), &problem);
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
    let (service, resource) = (map_at(backend, &["service"]), at(backend, &["resource"]));
    match (service, resource) {
        (Some(_), Some(_)) => {
            faults.invalid(
                path,
                &"".into(),
                "cannot set both resource and service backends",
            );
        }
        (None, None) => faults.required(path, "resource or service backend is required"),
        (None, Some(_)) => {}
        (Some(service), None) => {
            let name = text(service, "name");
            if name.is_empty() {
                faults.required(&format!("{path}.service.name"), "");
            } else {
                faults.label_name(&format!("{path}.service.name"), name);
            }
            let port = map_at(service, &["port"]).unwrap_or(&NO_FIELDS);
            let (word, digits) = (text(port, "name"), number(port, "number"));
            let own = format!("{path}.service.port");
            match (word.is_empty(), digits) {
                (true, 0) => faults.required(&own, "port name or number is required"),
                (true, digits) => pod::port_number(&format!("{own}.number"), digits, faults),
                (false, 0) => pod::port_value(&format!("{own}.name"), &word.into(), faults),
                _ => faults.invalid(&own, &"".into(), "cannot set both port name & port number"),
            }
        }
    }
}

pub(super) fn ingress_class(subject: &Subject<'_>, faults: &mut Faults) {
    let controller = |object| at(object, &["spec", "controller"]);
    match subject.live {
        Some(live) => {
            faults.immutable(
                "spec.controller",
                controller(subject.object),
                controller(live),
            );
        }
        None if controller(subject.object)
            .and_then(Value::as_str)
            .unwrap_or("")
            .is_empty() =>
        {
            faults.required("spec.controller", "");
        }
        None => {}
    }
}
