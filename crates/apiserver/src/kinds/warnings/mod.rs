//! Warnings about accepted but questionable objects, in the words of Kubernetes. They follow validation; an update of a workload
//! brings those about its pods only when its specification changed.

mod pod;

use objects::quantity::Quantity;
use objects::{Map, Value, names};

use crate::catalog::{Resource, text};
use crate::engine::{Context, metadata_text};

/// Warns about a new or changed object of a built-in kind.
pub fn warn(context: &Context, resource: &Resource, object: &Map, live: Option<&Map>) {
    let plural = resource.plural();
    let none = Map::new();
    let spec = object
        .get("spec")
        .and_then(Value::as_object)
        .unwrap_or(&none);
    match (resource.group(), plural) {
        ("", "pods") if live.is_some() => {}
        ("", "pods" | "replicationcontrollers") | ("apps", _) | ("batch", _) => {
            if live.is_none() {
                name(context, plural, object);
            }
            let generation = |object: &Map| object.get("metadata")?.get("generation").cloned();
            if live.is_none_or(|live| generation(live) != generation(object)) {
                pods(context, plural, object);
            }
            workload(context, plural, spec, live.is_some());
        }
        ("", "podtemplates") => {
            if let Some(template) = object.get("template").and_then(Value::as_object) {
                pod::warn(context, template, "template.");
            }
        }
        ("", "services") => service(context, object, spec),
        ("", "persistentvolumeclaims") => {
            const CLASS: &str = "volume.beta.kubernetes.io/storage-class";
            annotation(context, object, CLASS, "storageClassName");
            claim(context, spec, "spec");
        }
        ("", "persistentvolumes") => volume(context, object, spec),
        ("discovery.k8s.io", "endpointslices")
            if live.is_none() && text(object, "addressType") == "FQDN" =>
        {
            context.warn("spec.addressType: FQDN endpoints are deprecated");
        }
        ("networking.k8s.io", "ingresses") if live.is_none() => {
            let named = !text(spec, "ingressClassName").is_empty();
            const CLASS: &str = "kubernetes.io/ingress.class";
            if !named && annotations(object).is_some_and(|map| map.contains_key(CLASS)) {
                context.warn(format!(
                    "annotation \"{CLASS}\" is deprecated, please use 'spec.ingressClassName' instead"
                ));
            }
        }
        _ => {}
    }
}

/// Warns about finalizers of a custom object whose names may be others' too.
pub fn finalizers(context: &Context, object: &Map) {
    let listed = object
        .get("metadata")
        .and_then(|m| m.get("finalizers")?.as_array());
    for name in listed.into_iter().flatten().filter_map(Value::as_str) {
        let standard = matches!(name, "kubernetes" | "orphan" | "foregroundDeletion");
        if !name.contains('/') && !standard {
            context.warn(format!(
                "metadata.finalizers: \"{name}\": prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers"
            ));
        }
    }
}

fn annotations(object: &Map) -> Option<&Map> {
    object.get("metadata")?.get("annotations")?.as_object()
}

fn annotation(context: &Context, object: &Map, key: &str, successor: &str) {
    let since = if key.ends_with("mount-options") {
        "v1.31"
    } else {
        "v1.8"
    };
    if annotations(object).is_some_and(|map| map.contains_key(key)) {
        context.warn(format!(
            "metadata.annotations[{key}]: deprecated since {since}; use \"{successor}\" attribute instead"
        ));
    }
}

/// Names of pods' owners become names of hosts.
fn name(context: &Context, plural: &str, object: &Map) {
    let used = match plural {
        "pods" => "the Pod's hostname",
        "deployments" | "replicasets" | "jobs" | "cronjobs" | "replicationcontrollers" => {
            "Pod names and hostnames"
        }
        _ => return,
    };
    let problems = names::dns_label(metadata_text(object, "name"));
    if !problems.is_empty() {
        context.warn(format!(
            "metadata.name: this is used in {used}, which can result in surprising behavior; a DNS label is recommended: [{}]",
            problems.join(" ")
        ));
    }
}

fn pods(context: &Context, plural: &str, object: &Map) {
    let (path, prefix) = match plural {
        "pods" => return pod::warn(context, object, ""),
        "cronjobs" => (
            "/spec/jobTemplate/spec/template",
            "spec.jobTemplate.spec.template.",
        ),
        _ => ("/spec/template", "spec.template."),
    };
    let keys = path.split('/').skip(1);
    let template = keys
        .clone()
        .skip(1)
        .try_fold(object.get("spec"), |value, key| {
            Some(value.and_then(|value| value.get(key)))
        });
    if let Some(template) = template.flatten().and_then(Value::as_object) {
        pod::warn(context, template, prefix);
    }
}

fn workload(context: &Context, plural: &str, spec: &Map, update: bool) {
    if plural == "statefulsets" {
        let claims = spec.get("volumeClaimTemplates").and_then(Value::as_array);
        for (i, template) in claims.into_iter().flatten().enumerate() {
            let none = Map::new();
            let own = template
                .get("spec")
                .and_then(Value::as_object)
                .unwrap_or(&none);
            let last = if update { ".Spec" } else { "" };
            claim(
                context,
                own,
                &format!("spec.volumeClaimTemplates[{i}]{last}"),
            );
        }
        let limit = spec.get("revisionHistoryLimit").and_then(Value::as_i64);
        if limit.is_some_and(|limit| limit < 0) {
            context.warn("spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended");
        }
    }
    if plural == "cronjobs" && update && text(spec, "schedule").contains("TZ") {
        context.warn("cannot use TZ or CRON_TZ in spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details");
    }
}

/// Warns about parts of bytes.
fn claim(context: &Context, spec: &Map, path: &str) {
    for side in ["requests", "limits"] {
        let amount = spec
            .get("resources")
            .and_then(|r| r.get(side)?.get("storage")?.as_str());
        fractional(
            context,
            amount,
            &format!("{path}.resources.{side}[storage]"),
        );
    }
}

/// Warns about an amount of bytes that is not whole.
fn fractional(context: &Context, amount: Option<&str>, path: &str) {
    if let Some(amount) = amount
        && Quantity::parse(amount).is_ok_and(|amount| !amount.is_whole())
    {
        context.warn(format!(
            "{path}: fractional byte value \"{amount}\" is invalid, must be an integer"
        ));
    }
}

fn service(context: &Context, object: &Map, spec: &Map) {
    const HINTS: &str = "service.kubernetes.io/topology-aware-hints";
    if annotations(object).is_some_and(|map| map.contains_key(HINTS)) {
        context.warn(format!(
            "annotation {HINTS} is deprecated, please use service.kubernetes.io/topology-mode instead"
        ));
    }
    let kind = text(spec, "type");
    let external = spec.get("externalIPs").and_then(Value::as_array);
    let external = external.is_some_and(|list| !list.is_empty());
    if kind == "ClusterIP" && text(spec, "clusterIP") == "None" {
        if !text(spec, "loadBalancerIP").is_empty() {
            context.warn("spec.loadBalancerIP is ignored for headless services");
        }
        if external {
            context.warn("spec.externalIPs is ignored for headless services");
        }
        if text(spec, "sessionAffinity") != "None" {
            context.warn("spec.SessionAffinity is ignored for headless services");
        }
    }
    if kind == "ExternalName" && external {
        context.warn("spec.externalIPs is ignored when spec.type is \"ExternalName\"");
    }
    if kind != "ExternalName" && !text(spec, "externalName").is_empty() {
        context.warn("spec.externalName is ignored when spec.type is not \"ExternalName\"");
    }
    if text(spec, "trafficDistribution") == "PreferClose" {
        context.warn(
            "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"",
        );
    }
}

fn volume(context: &Context, object: &Map, spec: &Map) {
    for (key, successor) in [
        (
            "volume.beta.kubernetes.io/storage-class",
            "storageClassName",
        ),
        ("volume.beta.kubernetes.io/mount-options", "mountOptions"),
    ] {
        annotation(context, object, key, successor);
    }
    if text(spec, "persistentVolumeReclaimPolicy") == "Recycle" {
        context.warn("spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.");
    }
    for (source, since) in [
        ("cephfs", "v1.28, non-functional in v1.31+"),
        ("photonPersistentDisk", "v1.11, non-functional in v1.16+"),
        ("scaleIO", "v1.16, non-functional in v1.22+"),
        ("storageos", "v1.22, non-functional in v1.25+"),
        ("glusterfs", "v1.25, non-functional in v1.26+"),
        ("rbd", "v1.28, non-functional in v1.31+"),
    ] {
        if spec.get(source).is_some_and(|value| !value.is_null()) {
            let shown = if source == "storageos" {
                "storageOS"
            } else {
                source
            };
            context.warn(format!("spec.{shown}: deprecated in {since}"));
        }
    }
}
