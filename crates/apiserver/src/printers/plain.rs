//! Cells of kinds that need little: quotas, policies, revisions, classes, requests for certificates, fairness.

use objects::Value;

use super::{Row, containers, labels, selector, text_in};

/// What is asked for and what is limited, of a quota's resources.
pub(super) fn resource_quota(row: &Row<'_>) -> Vec<Value> {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    let hard = row.map(&["status", "hard"]);
    for (name, hard) in hard.into_iter().flatten() {
        let used = row.text(&["status", "used", name]);
        let used = if used.is_empty() { "0" } else { used };
        let cell = format!("{name}: {used}/{}", hard.as_str().unwrap_or("0"));
        if name.contains("limits") {
            limits.push(cell);
        } else {
            requests.push(cell);
        }
    }
    vec![
        requests.join(", ").into(),
        limits.join(", ").into(),
        row.age(),
    ]
}

/// What an address belongs to, as `resource.group/namespace/name`.
pub(super) fn ip_address(row: &Row<'_>) -> Vec<Value> {
    let part = |key: &str| row.text(&["spec", "parentRef", key]);
    let parent = match (row.map(&["spec", "parentRef"]), part("group")) {
        (None, _) => "<none>".to_owned(),
        (Some(_), group) => {
            let dot = if group.is_empty() { "" } else { "." };
            let namespace = match part("namespace") {
                "" => String::new(),
                namespace => format!("/{namespace}"),
            };
            let resource = format!("{}{dot}{group}", part("resource")).to_lowercase();
            format!("{resource}{namespace}/{}", part("name"))
        }
    };
    vec![parent.into(), row.age()]
}

pub(super) fn controller_revision(row: &Row<'_>) -> Vec<Value> {
    let owners = row.list(&["metadata", "ownerReferences"]);
    let owner = owners.iter().find(|owner| owner["controller"] == true);
    let owner = owner.map_or_else(
        || "<none>".to_owned(),
        |owner| {
            let kind = text_in(owner, "kind").to_lowercase();
            let name = text_in(owner, "name");
            match text_in(owner, "apiVersion").split_once('/') {
                Some((group, _)) => format!("{kind}.{group}/{name}"),
                None => format!("{kind}/{name}"),
            }
        },
    );
    vec![owner.into(), row.number(&["revision"]).into(), row.age()]
}

pub(super) fn admission_policy(row: &Row<'_>) -> Vec<Value> {
    let kind = match row.text(&["spec", "paramKind", "kind"]) {
        "" => "<unset>".to_owned(),
        kind => format!("{}/{kind}", row.text(&["spec", "paramKind", "apiVersion"])),
    };
    let count = row.count(&["spec", "validations"]) as i64;
    vec![count.into(), kind.into(), row.age()]
}

pub(super) fn policy_binding(row: &Row<'_>) -> Vec<Value> {
    let reference = row.map(&["spec", "paramRef"]);
    let name = row.text(&["spec", "paramRef", "name"]);
    let params = match (reference, row.text(&["spec", "paramRef", "namespace"])) {
        (None, _) => "<unset>".to_owned(),
        (Some(reference), _) if name.is_empty() => {
            selector(reference.get("selector").and_then(Value::as_object))
        }
        (_, "") => format!("*/{name}"),
        (_, namespace) => format!("{namespace}/{name}"),
    };
    vec![
        row.text(&["spec", "policyName"]).into(),
        params.into(),
        row.age(),
    ]
}

pub(super) fn pod_template(row: &Row<'_>) -> Vec<Value> {
    let (names, images) = containers(row, &["template", "spec", "containers"]);
    let labels = labels(row.map(&["template", "metadata", "labels"]));
    vec![names.into(), images.into(), labels.into()]
}

pub(super) fn runtime_class(row: &Row<'_>) -> Vec<Value> {
    vec![row.text(&["handler"]).into(), row.age()]
}

pub(super) fn csi_node(row: &Row<'_>) -> Vec<Value> {
    let drivers = row.count(&["spec", "drivers"]) as i64;
    vec![drivers.into(), row.age()]
}

pub(super) fn csi_driver(row: &Row<'_>) -> Vec<Value> {
    let flag = |key: &str, default: bool| -> Value {
        let flag = row.at(&["spec", key]).and_then(Value::as_bool);
        flag.unwrap_or(default).into()
    };
    let join = |key: &str, of: fn(&Value) -> &str, default: &str| -> Value {
        let texts: Vec<&str> = row.list(&["spec", key]).iter().map(of).collect();
        if texts.is_empty() {
            default.into()
        } else {
            texts.join(",").into()
        }
    };
    vec![
        flag("attachRequired", true),
        flag("podInfoOnMount", false),
        flag("storageCapacity", false),
        join("tokenRequests", |item| text_in(item, "audience"), "<unset>"),
        flag("requiresRepublish", false),
        join(
            "volumeLifecycleModes",
            |item| item.as_str().unwrap_or(""),
            "Persistent",
        ),
        row.age(),
    ]
}

pub(super) fn volume_attachment(row: &Row<'_>) -> Vec<Value> {
    let attached = row.at(&["status", "attached"]) == Some(&Value::Bool(true));
    vec![
        row.text(&["spec", "attacher"]).into(),
        row.text(&["spec", "source", "persistentVolumeName"]).into(),
        row.text(&["spec", "nodeName"]).into(),
        attached.into(),
        row.age(),
    ]
}

pub(super) fn attributes_class(row: &Row<'_>) -> Vec<Value> {
    vec![row.text(&["driverName"]).into(), row.age()]
}

pub(super) fn service_cidr(row: &Row<'_>) -> Vec<Value> {
    let cidrs = row.list(&["spec", "cidrs"]).iter();
    let cidrs: Vec<&str> = cidrs.filter_map(Value::as_str).collect();
    vec![cidrs.join(",").into(), row.age()]
}

pub(super) fn flow_schema(row: &Row<'_>) -> Vec<Value> {
    let conditions = row.list(&["status", "conditions"]);
    let dangling = conditions.iter().find(|c| text_in(c, "type") == "Dangling");
    vec![
        row.text(&["spec", "priorityLevelConfiguration", "name"])
            .into(),
        row.number(&["spec", "matchingPrecedence"]).into(),
        row.text_or(&["spec", "distinguisherMethod", "type"], "<none>"),
        row.age(),
        dangling.map_or("?", |c| text_in(c, "status")).into(),
    ]
}

pub(super) fn priority_level(row: &Row<'_>) -> Vec<Value> {
    let limited = |path: &[&str]| -> Value {
        let mut whole = vec!["spec", "limited"];
        whole.extend(path);
        row.at(&whole).cloned().unwrap_or_else(|| "<none>".into())
    };
    vec![
        row.text(&["spec", "type"]).into(),
        limited(&["nominalConcurrencyShares"]),
        limited(&["limitResponse", "queuing", "queues"]),
        limited(&["limitResponse", "queuing", "handSize"]),
        limited(&["limitResponse", "queuing", "queueLengthLimit"]),
        row.age(),
    ]
}

pub(super) fn signing_request(row: &Row<'_>) -> Vec<Value> {
    let conditions = row.list(&["status", "conditions"]).iter();
    let mut states: Vec<&str> = conditions.map(|c| text_in(c, "type")).collect();
    if states.is_empty() {
        states.push("Pending");
    }
    if !row.text(&["status", "certificate"]).is_empty() {
        states.push("Issued");
    }
    let duration = match row.number(&["spec", "expirationSeconds"]) {
        0 => "<none>".to_owned(),
        seconds => crate::age::human(seconds),
    };
    vec![
        row.age(),
        row.text_or(&["spec", "signerName"], "<none>"),
        row.text(&["spec", "username"]).into(),
        duration.into(),
        states.join(",").into(),
    ]
}
