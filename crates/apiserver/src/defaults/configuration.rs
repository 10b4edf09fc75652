//! Defaults of the remaining kinds: secrets, roles, webhooks, autoscalers and limits.

use base64::Engine as _;
use objects::{Map, Value, json};

use super::{each, is_empty_list, made, map, put, put_text, text};

const RBAC_GROUP: &str = "rbac.authorization.k8s.io";

/// Types the secret and moves `stringData` into `data`, where it wins.
pub(super) fn secret(object: &mut Map) {
    put_text(object, "type", "Opaque");
    let Some(Value::Object(texts)) = object.remove("stringData") else {
        return;
    };
    if texts.is_empty() {
        return;
    }
    if let Some(data) = made(object, "data") {
        for (key, text) in texts {
            let text = text.as_str().unwrap_or("");
            let packed = base64::engine::general_purpose::STANDARD.encode(text);
            data.insert(key, packed.into());
        }
    }
}

pub(super) fn namespace(object: &mut Map) {
    let name = object
        .get("metadata")
        .and_then(|metadata| metadata.get("name"))
        .and_then(Value::as_str)
        .unwrap_or("")
        .to_owned();
    if name.is_empty() {
        return;
    }
    if let Some(labels) = made(object, "metadata").and_then(|m| made(m, "labels")) {
        labels.insert("kubernetes.io/metadata.name".into(), name.into());
    }
}

/// Container limits default to the maximum, and requests to the limit.
pub(super) fn limit_range(object: &mut Map) {
    let Some(spec) = made(object, "spec") else {
        return;
    };
    each(spec, "limits", |limit| {
        if text(limit, "type") != "Container" {
            return;
        }
        for (source, target) in [
            ("max", "default"),
            ("default", "defaultRequest"),
            ("min", "defaultRequest"),
        ] {
            let Some(Value::Object(amounts)) = limit.get(source).cloned() else {
                continue;
            };
            if let Some(target) = made(limit, target) {
                for (resource, amount) in amounts {
                    put(target, &resource, amount);
                }
            }
        }
    });
}

pub(super) fn role_binding(object: &mut Map) {
    if let Some(role) = map(object, "roleRef") {
        put_text(role, "apiGroup", RBAC_GROUP);
    }
    each(object, "subjects", |subject| {
        if matches!(text(subject, "kind"), "User" | "Group") {
            put_text(subject, "apiGroup", RBAC_GROUP);
        }
    });
}

pub(super) fn priority_class(object: &mut Map) {
    put(object, "preemptionPolicy", "PreemptLowerPriority");
}

pub(super) fn autoscaler(object: &mut Map) {
    let second = text(object, "apiVersion") == "autoscaling/v2";
    let Some(spec) = made(object, "spec") else {
        return;
    };
    put(spec, "minReplicas", 1);
    if !second {
        return;
    }
    if is_empty_list(spec, "metrics") {
        spec.insert(
            "metrics".into(),
            json!([{"type": "Resource", "resource": {"name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": 80}}}]),
        );
    }
    if let Some(behavior) = map(spec, "behavior") {
        scaling_rules(
            behavior,
            "scaleUp",
            json!(0),
            json!([
                {"type": "Pods", "value": 4, "periodSeconds": 15},
                {"type": "Percent", "value": 100, "periodSeconds": 15},
            ]),
        );
        scaling_rules(
            behavior,
            "scaleDown",
            Value::Null,
            json!([
                {"type": "Percent", "value": 100, "periodSeconds": 15},
            ]),
        );
    }
}

fn scaling_rules(behavior: &mut Map, direction: &str, window: Value, policies: Value) {
    let Some(rules) = made(behavior, direction) else {
        return;
    };
    put(rules, "selectPolicy", "Max");
    if is_empty_list(rules, "policies") {
        rules.insert("policies".into(), policies);
    }
    if !window.is_null() {
        put(rules, "stabilizationWindowSeconds", window);
    }
}

pub(super) fn webhooks(object: &mut Map) {
    let mutating = text(object, "kind").starts_with("Mutating");
    each(object, "webhooks", |webhook| {
        put(webhook, "failurePolicy", "Fail");
        put(webhook, "matchPolicy", "Equivalent");
        put(webhook, "namespaceSelector", json!({}));
        put(webhook, "objectSelector", json!({}));
        put(webhook, "timeoutSeconds", 10);
        if mutating {
            put(webhook, "reinvocationPolicy", "Never");
        }
        each(webhook, "rules", |rule| put(rule, "scope", "*"));
        if let Some(service) = map(webhook, "clientConfig").and_then(|c| map(c, "service")) {
            put(service, "port", 443);
        }
    });
}

pub(super) fn admission_policy(object: &mut Map) {
    let Some(spec) = made(object, "spec") else {
        return;
    };
    put(spec, "failurePolicy", "Fail");
    if let Some(constraints) = map(spec, "matchConstraints") {
        match_resources(constraints);
    }
}

pub(super) fn admission_binding(object: &mut Map) {
    let Some(spec) = made(object, "spec") else {
        return;
    };
    if let Some(resources) = map(spec, "matchResources") {
        match_resources(resources);
    }
}

fn match_resources(resources: &mut Map) {
    put(resources, "matchPolicy", "Equivalent");
    put(resources, "namespaceSelector", json!({}));
    put(resources, "objectSelector", json!({}));
    for list in ["resourceRules", "excludeResourceRules"] {
        each(resources, list, |rule| put(rule, "scope", "*"));
    }
}

pub(super) fn flow_schema(object: &mut Map) {
    let Some(spec) = made(object, "spec") else {
        return;
    };
    if spec
        .get("matchingPrecedence")
        .and_then(Value::as_i64)
        .unwrap_or(0)
        == 0
    {
        spec.insert("matchingPrecedence".into(), 1000.into());
    }
}
