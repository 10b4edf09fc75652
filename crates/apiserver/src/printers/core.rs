//! Rows of the remaining kinds.

use objects::Value;

use super::{Row, labels, or_none, selector, text_in};

pub(super) fn service(row: &Row<'_>) -> Vec<Value> {
    let ports: Vec<String> = row
        .list(&["spec", "ports"])
        .iter()
        .map(|port| {
            let number = |key: &str| port.get(key).and_then(Value::as_i64).unwrap_or(0);
            let protocol = text_in(port, "protocol");
            match number("nodePort") {
                0 => format!("{}/{protocol}", number("port")),
                node => format!("{}:{node}/{protocol}", number("port")),
            }
        })
        .collect();
    vec![
        row.text(&["spec", "type"]).into(),
        row.text_or(&["spec", "clusterIP"], "<none>"),
        external_address(row).into(),
        or_none(&ports.join(",")),
        row.age(),
        labels(row.map(&["spec", "selector"])).into(),
    ]
}

fn external_address(row: &Row<'_>) -> String {
    let external: Vec<&str> = row
        .list(&["spec", "externalIPs"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    match row.text(&["spec", "type"]) {
        "LoadBalancer" => {
            let mut all = balancers(row);
            all.extend(external.iter().map(|text| (*text).to_owned()));
            if all.is_empty() {
                "<pending>".into()
            } else {
                all.join(",")
            }
        }
        "ExternalName" => row.text(&["spec", "externalName"]).to_owned(),
        _ if external.is_empty() => "<none>".into(),
        _ => external.join(","),
    }
}

fn balancers(row: &Row<'_>) -> Vec<String> {
    row.list(&["status", "loadBalancer", "ingress"])
        .iter()
        .map(|point| match text_in(point, "ip") {
            "" => text_in(point, "hostname").to_owned(),
            ip => ip.to_owned(),
        })
        .filter(|text| !text.is_empty())
        .collect()
}

pub(super) fn config_map(row: &Row<'_>) -> Vec<Value> {
    let count = row.count(&["data"]) + row.count(&["binaryData"]);
    vec![(count as i64).into(), row.age()]
}

pub(super) fn secret(row: &Row<'_>) -> Vec<Value> {
    vec![
        row.text(&["type"]).into(),
        (row.count(&["data"]) as i64).into(),
        row.age(),
    ]
}

pub(super) fn namespace(row: &Row<'_>) -> Vec<Value> {
    vec![row.text(&["status", "phase"]).into(), row.age()]
}

pub(super) fn node(row: &Row<'_>) -> Vec<Value> {
    const ROLE: &str = "node-role.kubernetes.io/";
    let ready = row
        .list(&["status", "conditions"])
        .iter()
        .find(|c| text_in(c, "type") == "Ready");
    let mut status = match ready.map(|c| text_in(c, "status")) {
        Some("True") => "Ready".to_owned(),
        Some(_) => "NotReady".into(),
        None => "Unknown".into(),
    };
    if row.at(&["spec", "unschedulable"]) == Some(&Value::Bool(true)) {
        status.push_str(",SchedulingDisabled");
    }
    let roles: Vec<&str> = row
        .map(&["metadata", "labels"])
        .into_iter()
        .flatten()
        .filter_map(|(key, _)| key.strip_prefix(ROLE))
        .collect();
    let address = |kind: &str| {
        let addresses = row.list(&["status", "addresses"]);
        let found = addresses.iter().find(|a| text_in(a, "type") == kind);
        or_none(found.map_or("", |a| text_in(a, "address")))
    };
    let info = |key: &str| row.text_or(&["status", "nodeInfo", key], "<unknown>");
    vec![
        status.into(),
        or_none(&roles.join(",")),
        row.age(),
        row.text(&["status", "nodeInfo", "kubeletVersion"]).into(),
        address("InternalIP"),
        address("ExternalIP"),
        info("osImage"),
        info("kernelVersion"),
        info("containerRuntimeVersion"),
    ]
}

/// Shows at most three of a list of texts.
fn first_three(all: &[String]) -> Value {
    match all.len() {
        0 => "<none>".into(),
        1..=3 => all.join(",").into(),
        more => format!("{} + {} more...", all[..3].join(","), more - 3).into(),
    }
}

pub(super) fn endpoints(row: &Row<'_>) -> Vec<Value> {
    let mut all = Vec::new();
    for subset in row.list(&["subsets"]) {
        let list = |key: &str| subset.get(key).and_then(Value::as_array);
        for port in list("ports").into_iter().flatten() {
            for address in list("addresses").into_iter().flatten() {
                let number = port.get("port").and_then(Value::as_i64).unwrap_or(0);
                all.push(format!("{}:{number}", text_in(address, "ip")));
            }
        }
    }
    vec![first_three(&all), row.age()]
}

pub(super) fn endpoint_slice(row: &Row<'_>) -> Vec<Value> {
    let ports: Vec<String> = row
        .list(&["ports"])
        .iter()
        .map(|port| match port.get("port").and_then(Value::as_i64) {
            Some(number) => number.to_string(),
            None => "*".into(),
        })
        .collect();
    let addresses: Vec<String> = row
        .list(&["endpoints"])
        .iter()
        .filter_map(|e| e.get("addresses")?.as_array())
        .flatten()
        .filter_map(|a| Some(a.as_str()?.to_owned()))
        .collect();
    let unset = |cell: Value| match cell.as_str() {
        Some("<none>") => "<unset>".into(),
        _ => cell,
    };
    vec![
        row.text(&["addressType"]).into(),
        unset(first_three(&ports)),
        unset(first_three(&addresses)),
        row.age(),
    ]
}

/// Writes access modes in their short forms.
fn access_modes(modes: &[Value]) -> String {
    let short = |mode: &str| match mode {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        _ => "",
    };
    let shown: Vec<&str> = modes.iter().filter_map(Value::as_str).map(short).collect();
    shown.join(",")
}

pub(super) fn claim(row: &Row<'_>) -> Vec<Value> {
    let terminating = row.at(&["metadata", "deletionTimestamp"]).is_some();
    let phase = if terminating {
        "Terminating"
    } else {
        row.text(&["status", "phase"])
    };
    let volume = row.text(&["spec", "volumeName"]);
    let (capacity, modes) = if volume.is_empty() {
        (String::new(), String::new())
    } else {
        (
            row.text(&["status", "capacity", "storage"]).to_owned(),
            access_modes(row.list(&["status", "accessModes"])),
        )
    };
    vec![
        phase.into(),
        volume.into(),
        capacity.into(),
        modes.into(),
        row.text(&["spec", "storageClassName"]).into(),
        row.text_or(&["spec", "volumeAttributesClassName"], "<unset>"),
        row.age(),
        row.text_or(&["spec", "volumeMode"], "<unset>"),
    ]
}

pub(super) fn volume(row: &Row<'_>) -> Vec<Value> {
    let terminating = row.at(&["metadata", "deletionTimestamp"]).is_some();
    let phase = if terminating {
        "Terminating"
    } else {
        row.text(&["status", "phase"])
    };
    let claim = match row.text(&["spec", "claimRef", "name"]) {
        "" => String::new(),
        name => format!("{}/{name}", row.text(&["spec", "claimRef", "namespace"])),
    };
    vec![
        row.text(&["spec", "capacity", "storage"]).into(),
        access_modes(row.list(&["spec", "accessModes"])).into(),
        row.text(&["spec", "persistentVolumeReclaimPolicy"]).into(),
        phase.into(),
        claim.into(),
        row.text(&["spec", "storageClassName"]).into(),
        row.text_or(&["spec", "volumeAttributesClassName"], "<unset>"),
        row.text(&["status", "reason"]).into(),
        row.age(),
        row.text_or(&["spec", "volumeMode"], "<unset>"),
    ]
}

/// Events have their name last, and exist in two shapes.
pub(super) fn event(row: &Row<'_>) -> Vec<Value> {
    let either = |paths: [&[&str]; 2]| -> Vec<String> {
        paths
            .iter()
            .map(|path| row.text(path).to_owned())
            .filter(|text| !text.is_empty())
            .collect()
    };
    let first_of = |paths: [&[&str]; 2]| either(paths).into_iter().next().unwrap_or_default();
    let part = |key: &str| first_of([&["involvedObject", key], &["regarding", key]]);
    let first_seen = [
        &["firstTimestamp"][..],
        &["deprecatedFirstTimestamp"],
        &["eventTime"],
    ];
    let last_seen = [
        &["series", "lastObservedTime"][..],
        &["lastTimestamp"],
        &["deprecatedLastTimestamp"],
        &["firstTimestamp"],
        &["deprecatedFirstTimestamp"],
        &["eventTime"],
    ];
    let seen = |paths: &[&[&str]]| {
        let path = paths.iter().find(|path| !row.text(path).is_empty());
        path.map_or_else(|| "<unknown>".into(), |path| row.since(path))
    };
    let kind = part("kind").to_lowercase();
    let source = match first_of([&["source", "component"], &["deprecatedSource", "component"]]) {
        component if component.is_empty() => {
            let controller = row.text(&["reportingComponent"]);
            let controller = if controller.is_empty() {
                row.text(&["reportingController"])
            } else {
                controller
            };
            let instance = row.text(&["reportingInstance"]);
            [controller, instance]
                .into_iter()
                .filter(|text| !text.is_empty())
                .collect::<Vec<_>>()
                .join(", ")
        }
        component => {
            let host = first_of([&["source", "host"], &["deprecatedSource", "host"]]);
            if host.is_empty() {
                component
            } else {
                format!("{component}, {host}")
            }
        }
    };
    let count = row
        .number(&["series", "count"])
        .max(row.number(&["count"]))
        .max(row.number(&["deprecatedCount"]))
        .max(1);
    let message = first_of([&["message"], &["note"]]);
    vec![
        seen(&last_seen).into(),
        row.text(&["type"]).into(),
        row.text(&["reason"]).into(),
        format!("{kind}/{}", part("name")).into(),
        part("fieldPath").into(),
        source.into(),
        message.trim().into(),
        seen(&first_seen).into(),
        count.into(),
        row.text(&["metadata", "name"]).into(),
    ]
}

pub(super) fn ingress(row: &Row<'_>) -> Vec<Value> {
    let hosts: Vec<String> = row
        .list(&["spec", "rules"])
        .iter()
        .map(|rule| match text_in(rule, "host") {
            "" => "*".to_owned(),
            host => host.to_owned(),
        })
        .collect();
    let hosts: Value = match hosts.len() {
        0 => "*".into(),
        _ => first_three(&hosts),
    };
    let tls = !row.list(&["spec", "tls"]).is_empty();
    let class = match row.text(&["spec", "ingressClassName"]) {
        "" => "<none>",
        class => class,
    };
    vec![
        class.into(),
        hosts,
        balancers(row).join(",").into(),
        if tls { "80, 443" } else { "80" }.into(),
        row.age(),
    ]
}

pub(super) fn ingress_class(row: &Row<'_>) -> Vec<Value> {
    let parameters = match row.map(&["spec", "parameters"]) {
        None => "<none>".to_owned(),
        Some(parameters) => {
            let text = |key: &str| parameters.get(key).and_then(Value::as_str).unwrap_or("");
            let group = match text("apiGroup") {
                "" => String::new(),
                group => format!(".{group}"),
            };
            format!("{}{group}/{}", text("kind"), text("name"))
        }
    };
    vec![
        row.text(&["spec", "controller"]).into(),
        parameters.into(),
        row.age(),
    ]
}

pub(super) fn network_policy(row: &Row<'_>) -> Vec<Value> {
    vec![
        selector(row.map(&["spec", "podSelector"])).into(),
        row.age(),
    ]
}

pub(super) fn role_binding(row: &Row<'_>) -> Vec<Value> {
    let role = format!(
        "{}/{}",
        row.text(&["roleRef", "kind"]),
        row.text(&["roleRef", "name"])
    );
    let of = |kind: &str| {
        let names: Vec<String> = row
            .list(&["subjects"])
            .iter()
            .filter(|s| text_in(s, "kind") == kind)
            .map(|s| match kind {
                "ServiceAccount" => format!("{}/{}", text_in(s, "namespace"), text_in(s, "name")),
                _ => text_in(s, "name").to_owned(),
            })
            .collect();
        Value::from(names.join(", "))
    };
    vec![
        role.into(),
        row.age(),
        of("User"),
        of("Group"),
        of("ServiceAccount"),
    ]
}

pub(super) fn storage_class(row: &Row<'_>) -> Vec<Value> {
    let grows = row.at(&["allowVolumeExpansion"]) == Some(&Value::Bool(true));
    vec![
        row.text(&["provisioner"]).into(),
        row.text_or(&["reclaimPolicy"], "Delete"),
        row.text_or(&["volumeBindingMode"], "Immediate"),
        grows.into(),
        row.age(),
    ]
}

pub(super) fn priority_class(row: &Row<'_>) -> Vec<Value> {
    let global = row.at(&["globalDefault"]) == Some(&Value::Bool(true));
    vec![
        row.number(&["value"]).into(),
        global.into(),
        row.age(),
        row.text(&["preemptionPolicy"]).into(),
    ]
}

pub(super) fn lease(row: &Row<'_>) -> Vec<Value> {
    vec![row.text(&["spec", "holderIdentity"]).into(), row.age()]
}

pub(super) fn webhooks(row: &Row<'_>) -> Vec<Value> {
    vec![(row.count(&["webhooks"]) as i64).into(), row.age()]
}

pub(super) fn api_service(row: &Row<'_>) -> Vec<Value> {
    let service = match row.text(&["spec", "service", "name"]) {
        "" => "Local".to_owned(),
        name => format!("{}/{name}", row.text(&["spec", "service", "namespace"])),
    };
    let available = row
        .list(&["status", "conditions"])
        .iter()
        .find(|c| text_in(c, "type") == "Available");
    let available = match available.map(|c| (text_in(c, "status"), text_in(c, "reason"))) {
        Some(("True", _)) => "True".to_owned(),
        Some((status, reason)) => format!("{status} ({reason})"),
        None => "Unknown".into(),
    };
    vec![service.into(), available.into(), row.age()]
}
