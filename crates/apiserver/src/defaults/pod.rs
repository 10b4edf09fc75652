//! Defaults of pods and pod templates.

use objects::quantity::Quantity;
use objects::{Map, Value, json};

use super::{each, is_empty_list, made, map, put, put_text, text};

/// Mode of files in volumes: 0644.
const FILE_MODE: i64 = 420;
/// Lists of containers in a pod specification.
const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// Defaults of a pod: those of its specification, and requests from limits.
pub(super) fn pod(object: &mut Map) {
    let Some(spec) = made(object, "spec") else {
        return;
    };
    specification(spec);
    put(spec, "enableServiceLinks", true);
    for list in ["initContainers", "containers"] {
        each(spec, list, |container| {
            if let Some(resources) = map(container, "resources") {
                requests_from_limits(resources);
            }
        });
    }
    if let Some(resources) = map(spec, "resources") {
        requests_from_limits(resources);
    }
}

/// Defaults of the pod template in a field such as `template`.
pub(super) fn template(owner: &mut Map, key: &str) {
    let Some(template) = map(owner, key) else {
        return;
    };
    if let Some(spec) = map(template, "spec") {
        specification(spec);
    }
}

fn specification(spec: &mut Map) {
    put_text(spec, "dnsPolicy", "ClusterFirst");
    put_text(spec, "restartPolicy", "Always");
    put_text(spec, "schedulerName", "default-scheduler");
    put(spec, "securityContext", json!({}));
    put(spec, "terminationGracePeriodSeconds", 30);
    service_account(spec);
    let host_network = spec.get("hostNetwork") == Some(&Value::Bool(true));
    for list in CONTAINERS {
        each(spec, list, |container| {
            self::container(container, host_network)
        });
    }
    each(spec, "volumes", volume);
}

/// Keeps the field and its deprecated alias equal.
fn service_account(spec: &mut Map) {
    let name = [
        text(spec, "serviceAccountName"),
        text(spec, "serviceAccount"),
    ]
    .into_iter()
    .find(|name| !name.is_empty())
    .map(str::to_owned);
    if let Some(name) = name {
        spec.insert("serviceAccountName".into(), name.clone().into());
        spec.insert("serviceAccount".into(), name.into());
    }
}

/// Drops what is switched off in upstream by default.
fn drop_disabled(container: &mut Map) {
    if let Some(cycle) = map(container, "lifecycle") {
        cycle.remove("stopSignal");
        if cycle.is_empty() {
            container.remove("lifecycle");
        }
    }
}

fn container(container: &mut Map, host_network: bool) {
    drop_disabled(container);
    let policy = pull_policy(text(container, "image"));
    put_text(container, "imagePullPolicy", policy);
    put_text(container, "terminationMessagePath", "/dev/termination-log");
    put_text(container, "terminationMessagePolicy", "File");
    each(container, "ports", |port| {
        put_text(port, "protocol", "TCP");
        if host_network && port.get("hostPort").and_then(Value::as_i64).unwrap_or(0) == 0 {
            let own = port.get("containerPort").cloned().unwrap_or_default();
            port.insert("hostPort".into(), own);
        }
    });
    each(container, "env", |variable| {
        if let Some(field) = map(variable, "valueFrom").and_then(|from| map(from, "fieldRef")) {
            put_text(field, "apiVersion", "v1");
        }
    });
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = map(container, name) {
            self::probe(probe);
        }
    }
    if let Some(lifecycle) = map(container, "lifecycle") {
        for hook in ["postStart", "preStop"] {
            if let Some(get) = map(lifecycle, hook).and_then(|hook| map(hook, "httpGet")) {
                http_get(get);
            }
        }
    }
}

/// Always pulls images whose tag is `latest`, also when it is only implied.
fn pull_policy(image: &str) -> &'static str {
    let (name, digest) = match image.split_once('@') {
        Some((name, _)) => (name, true),
        None => (image, false),
    };
    let last = name.rsplit('/').next().unwrap_or("");
    let tag = last.split_once(':').map(|(_, tag)| tag);
    match tag {
        Some("latest") => "Always",
        None if !digest && !image.is_empty() => "Always",
        _ => "IfNotPresent",
    }
}

fn probe(probe: &mut Map) {
    for (field, value) in [
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ] {
        if probe.get(field).and_then(Value::as_i64).unwrap_or(0) == 0 {
            probe.insert(field.into(), value.into());
        }
    }
    if let Some(get) = map(probe, "httpGet") {
        http_get(get);
    }
    if let Some(grpc) = map(probe, "grpc") {
        put(grpc, "service", "");
    }
}

fn http_get(get: &mut Map) {
    put_text(get, "path", "/");
    put_text(get, "scheme", "HTTP");
}

/// Defaults of a volume, in a pod or (its source alone) a persistent volume.
pub(super) fn volume(volume: &mut Map) {
    if volume.keys().all(|key| key == "name") {
        volume.insert("emptyDir".into(), json!({}));
    }
    for name in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = map(volume, name) {
            put(source, "defaultMode", FILE_MODE);
            each(source, "items", downward_item);
            each(source, "sources", projection);
        }
    }
    volume_source(volume);
    if let Some(claim) = map(volume, "ephemeral").and_then(|e| map(e, "volumeClaimTemplate"))
        && let Some(spec) = map(claim, "spec")
    {
        put(spec, "volumeMode", "Filesystem");
    }
    if let Some(image) = map(volume, "image") {
        let policy = pull_policy(text(image, "reference"));
        put_text(image, "pullPolicy", policy);
    }
}

/// Defaults of sources that pods and persistent volumes share.
pub(super) fn volume_source(volume: &mut Map) {
    if let Some(path) = map(volume, "hostPath") {
        put(path, "type", "");
    }
    if let Some(iscsi) = map(volume, "iscsi") {
        put_text(iscsi, "iscsiInterface", "default");
    }
    if let Some(rbd) = map(volume, "rbd") {
        put_text(rbd, "pool", "rbd");
        put_text(rbd, "user", "admin");
        put_text(rbd, "keyring", "/etc/ceph/keyring");
    }
    if let Some(disk) = map(volume, "azureDisk") {
        put(disk, "cachingMode", "ReadWrite");
        put(disk, "kind", "Shared");
        put(disk, "fsType", "ext4");
        put(disk, "readOnly", false);
    }
    if let Some(scale) = map(volume, "scaleIO") {
        put_text(scale, "storageMode", "ThinProvisioned");
        put_text(scale, "fsType", "xfs");
    }
}

fn projection(source: &mut Map) {
    if let Some(token) = map(source, "serviceAccountToken") {
        put(token, "expirationSeconds", 3600);
    }
    if let Some(downward) = map(source, "downwardAPI") {
        each(downward, "items", downward_item);
    }
}

fn downward_item(item: &mut Map) {
    if let Some(field) = map(item, "fieldRef") {
        put_text(field, "apiVersion", "v1");
    }
}

fn requests_from_limits(resources: &mut Map) {
    let Some(Value::Object(limits)) = resources.get("limits").cloned() else {
        return;
    };
    if limits.is_empty() {
        return;
    }
    if let Some(requests) = made(resources, "requests") {
        for (name, limit) in limits {
            put(requests, &name, limit);
        }
    }
}

/// Classifies a pod by its processor and memory requests and limits: `Guaranteed`, `Burstable` or `BestEffort`.
pub fn quality_of_service(spec: &Map) -> &'static str {
    let mut any = false;
    let mut guaranteed = true;
    let list = |key: &str| {
        spec.get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    // What the pod as a whole asks for counts before what its containers do.
    let parts: Vec<Option<&Value>> = match spec.get("resources") {
        whole @ Some(Value::Object(_)) => vec![whole],
        _ => {
            let containers = list("initContainers").chain(list("containers"));
            containers
                .map(|container| container.get("resources"))
                .collect()
        }
    };
    for part in parts {
        for resource in ["cpu", "memory"] {
            let amount = |kind: &str| {
                let amount = Quantity::parse(part?.get(kind)?.get(resource)?.as_str()?).ok()?;
                (amount.milli() > 0).then_some(amount)
            };
            let (request, limit) = (amount("requests"), amount("limits"));
            any |= request.is_some() || limit.is_some();
            guaranteed &= match (request, limit) {
                (Some(request), Some(limit)) => request.compare(&limit).is_eq(),
                (None, Some(_)) => true,
                _ => false,
            };
        }
    }
    match (any, guaranteed && !is_empty_list(spec, "containers")) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_without_a_fixed_tag_are_always_pulled() {
        for (image, expected) in [
            ("nginx", "Always"),
            ("nginx:latest", "Always"),
            ("host:5000/nginx", "Always"),
            ("host:5000/nginx:1", "IfNotPresent"),
            ("nginx@sha256:00", "IfNotPresent"),
            ("nginx:1.27", "IfNotPresent"),
        ] {
            assert_eq!(pull_policy(image), expected, "{image}");
        }
    }
}
