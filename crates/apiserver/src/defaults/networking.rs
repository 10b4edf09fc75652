//! Defaults of services and what belongs to them.

use objects::{Map, Value, json};

use super::{each, is_empty_list, made, map, put, put_text, text};

pub(super) fn service(object: &mut Map) {
    let Some(spec) = made(object, "spec") else {
        return;
    };
    put_text(spec, "sessionAffinity", "None");
    match text(spec, "sessionAffinity") {
        "ClientIP" => {
            if let Some(config) = made(spec, "sessionAffinityConfig")
                && let Some(client) = made(config, "clientIP")
            {
                put(client, "timeoutSeconds", 10_800);
            }
        }
        _ => {
            spec.remove("sessionAffinityConfig");
        }
    }
    put_text(spec, "type", "ClusterIP");
    each(spec, "ports", |port| {
        put_text(port, "protocol", "TCP");
        let unset = matches!(port.get("targetPort"), None | Some(Value::Null))
            || port.get("targetPort") == Some(&json!(0))
            || port.get("targetPort") == Some(&json!(""));
        if unset && let Some(number) = port.get("port").cloned() {
            port.insert("targetPort".into(), number);
        }
    });
    let kind = text(spec, "type").to_owned();
    let balanced = kind == "LoadBalancer";
    let external = balanced || kind == "NodePort" || !is_empty_list(spec, "externalIPs");
    if external && kind != "ExternalName" {
        put_text(spec, "externalTrafficPolicy", "Cluster");
    }
    if kind != "ExternalName" {
        put(spec, "internalTrafficPolicy", "Cluster");
    }
    if balanced {
        put(spec, "allocateLoadBalancerNodePorts", true);
        let balancer = map(object, "status").and_then(|status| map(status, "loadBalancer"));
        if let Some(balancer) = balancer {
            each(balancer, "ingress", |ingress| {
                if !text(ingress, "ip").is_empty() {
                    put(ingress, "ipMode", "VIP");
                }
            });
        }
    }
}

pub(super) fn endpoints(object: &mut Map) {
    each(object, "subsets", |subset| {
        each(subset, "ports", |port| put_text(port, "protocol", "TCP"));
    });
}

pub(super) fn endpoint_slice(object: &mut Map) {
    each(object, "ports", |port| {
        put(port, "name", "");
        put(port, "protocol", "TCP");
    });
}

pub(super) fn network_policy(object: &mut Map) {
    let Some(spec) = made(object, "spec") else {
        return;
    };
    for direction in ["ingress", "egress"] {
        each(spec, direction, |rule| {
            each(rule, "ports", |port| put(port, "protocol", "TCP"));
        });
    }
    if is_empty_list(spec, "policyTypes") {
        let mut types = vec!["Ingress"];
        if !is_empty_list(spec, "egress") {
            types.push("Egress");
        }
        spec.insert("policyTypes".into(), json!(types));
    }
}

pub(super) fn ingress_class(object: &mut Map) {
    if let Some(parameters) = map(object, "spec").and_then(|spec| map(spec, "parameters")) {
        put(parameters, "scope", "Cluster");
    }
}
