//! Roles and bindings.

use objects::{Value, json};

use super::{Faults, NO_FIELDS, Subject, at, items, map_at, text};

const GROUP: &str = "rbac.authorization.k8s.io";

pub(super) fn role(subject: &Subject<'_>, faults: &mut Faults) {
    let cluster = text(subject.object, "kind") == "ClusterRole";
    let is_empty = |rule: &objects::Map, key: &str| {
        at(rule, &[key])
            .and_then(Value::as_array)
            .is_none_or(Vec::is_empty)
    };
    if let Some(aggregation) = map_at(subject.object, &["aggregationRule"])
        && is_empty(aggregation, "clusterRoleSelectors")
    {
        let why = "at least one clusterRoleSelector required if aggregationRule is non-nil";
        faults.required("aggregationRule.clusterRoleSelectors", why);
    }
    let selectors = map_at(subject.object, &["aggregationRule"]).unwrap_or(&NO_FIELDS);
    for (i, selector) in items(selectors, &["clusterRoleSelectors"]) {
        let path = format!("aggregationRule.clusterRoleSelectors[{i}]");
        let before = faults.0.len();
        super::pod::label_selector(Some(selector), &path, faults);
        if faults.0.len() > before {
            faults.invalid(&path, &Value::Null, "invalid label selector.");
        }
    }
    for (i, rule) in items(subject.object, &["rules"]) {
        let path = format!("rules[{i}]");
        if is_empty(rule, "verbs") {
            faults.required(
                &format!("{path}.verbs"),
                "verbs must contain at least one value",
            );
        }
        if !is_empty(rule, "nonResourceURLs") {
            let value = rule.get("nonResourceURLs").cloned().unwrap_or_default();
            let own = format!("{path}.nonResourceURLs");
            if !cluster {
                let why = "namespaced rules cannot apply to non-resource URLs";
                faults.invalid(&own, &value, why);
            }
            if !is_empty(rule, "resources") || !is_empty(rule, "apiGroups") {
                let why = "rules cannot apply to both regular resources and non-resource URLs";
                faults.invalid(&own, &value, why);
            }
            continue;
        }
        if is_empty(rule, "apiGroups") {
            let why = "resource rules must supply at least one api group";
            faults.required(&format!("{path}.apiGroups"), why);
        }
        if is_empty(rule, "resources") {
            let why = "resource rules must supply at least one resource";
            faults.required(&format!("{path}.resources"), why);
        }
    }
}

pub(super) fn binding(subject: &Subject<'_>, faults: &mut Faults) {
    let namespaced = text(subject.object, "kind") == "RoleBinding";
    let reference = map_at(subject.object, &["roleRef"]).unwrap_or(&NO_FIELDS);
    faults.one_of("roleRef.apiGroup", text(reference, "apiGroup"), &[GROUP]);
    let kinds: &[&str] = if namespaced {
        &["Role", "ClusterRole"]
    } else {
        &["ClusterRole"]
    };
    faults.one_of("roleRef.kind", text(reference, "kind"), kinds);
    if text(reference, "name").is_empty() {
        faults.required("roleRef.name", "");
    }
    for (i, subject) in items(subject.object, &["subjects"]) {
        let path = format!("subjects[{i}]");
        if text(subject, "name").is_empty() {
            faults.required(&format!("{path}.name"), "");
        }
        let group = text(subject, "apiGroup");
        match text(subject, "kind") {
            "ServiceAccount" => {
                let name = text(subject, "name");
                if !name.is_empty() {
                    let problems = objects::names::dns_subdomain(name);
                    faults.problems(&format!("{path}.name"), name, problems);
                }
                if !namespaced && text(subject, "namespace").is_empty() {
                    faults.required(&format!("{path}.namespace"), "");
                }
                faults.one_of(&format!("{path}.apiGroup"), group, &[""]);
            }
            "User" | "Group" => faults.one_of(&format!("{path}.apiGroup"), group, &[GROUP]),
            other => faults.not_supported(
                &format!("{path}.kind"),
                other,
                &["ServiceAccount", "User", "Group"],
            ),
        }
    }
    let live = subject.live.and_then(|live| map_at(live, &["roleRef"]));
    if live.is_some_and(|live| live != reference) {
        let shown = json!({
            "APIGroup": text(reference, "apiGroup"), "Kind": text(reference, "kind"), "Name": text(reference, "name"),
        });
        faults.invalid("roleRef", &shown, "cannot change roleRef");
    }
}
