//! Claims, volumes and their classes.

use objects::{Map, Value};

use super::{Faults, NO_FIELDS, Subject, at, items, map_at, text};

pub(super) fn claim(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    claim_spec(spec, "spec", faults);
    let Some(live) = subject.live.and_then(|live| map_at(live, &["spec"])) else {
        return;
    };
    let strip = |spec: &Map| {
        let mut spec = spec.clone();
        spec.remove("volumeAttributesClassName");
        if let Some(resources) = spec.get_mut("resources").and_then(Value::as_object_mut) {
            resources.remove("requests");
        }
        spec
    };
    let (new, mut old) = (strip(spec), strip(live));
    // Binding names the volume, and may name the class, once.
    for key in ["volumeName", "storageClassName"] {
        if text(&old, key).is_empty()
            && let Some(value) = new.get(key)
        {
            old.insert(key.to_owned(), value.clone());
        }
    }
    let bound = subject.live.is_some_and(|live| {
        at(live, &["status", "phase"]).and_then(Value::as_str) == Some("Bound")
    });
    let requests = |spec: &Map| at(spec, &["resources", "requests"]).cloned();
    let grows = bound || requests(spec) == requests(live);
    if new != old || !grows {
        let why = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        let mut shown = spec.clone();
        if bound && let Some(requests) = requests(live) {
            let resources = shown.get_mut("resources").and_then(Value::as_object_mut);
            resources.map(|resources| resources.insert("requests".into(), requests));
        }
        for key in [
            "volumeName",
            "storageClassName",
            "volumeAttributesClassName",
        ] {
            if let Some(value) = old.get(key).or_else(|| live.get(key)) {
                shown.insert(key.to_owned(), value.clone());
            }
        }
        let found = crate::internals::difference("PersistentVolumeClaimSpec", live, &shown);
        faults.forbidden("spec", &format!("{why}\n{found}"));
    }
    fixed_mode(spec, live, faults);
}

/// Upstream names the field without its parent here.
fn fixed_mode(spec: &Map, live: &Map, faults: &mut Faults) {
    let mode = |spec: &Map| spec.get("volumeMode").cloned();
    faults.immutable("volumeMode", mode(spec).as_ref(), mode(live).as_ref());
}

const MODES: [&str; 4] = [
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];

/// Checks the ways to access a claim or volume.
fn access(spec: &Map, path: &str, none: &str, faults: &mut Faults) {
    let own = format!("{path}.accessModes");
    let modes = at(spec, &["accessModes"]).and_then(Value::as_array);
    let modes: Vec<&str> = modes
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if modes.is_empty() {
        faults.required(&own, none);
    }
    for mode in &modes {
        faults.one_of(&own, mode, &MODES);
    }
    if modes.contains(&"ReadWriteOncePod") && modes.len() > 1 {
        let why = "may not use ReadWriteOncePod with other access modes";
        faults.forbidden(&own, why);
    }
}

/// Checks what a claim, or a template of claims, asks for.
pub(super) fn claim_spec(spec: &Map, path: &str, faults: &mut Faults) {
    access(spec, path, "at least 1 access mode is required", faults);
    let selector = map_at(spec, &["selector"]);
    super::pod::label_selector(selector, &format!("{path}.selector"), faults);
    let own = format!("{path}.resources[storage]");
    match at(spec, &["resources", "requests", "storage"]) {
        None => faults.required(&own, ""),
        Some(value) => positive(value, &own, faults),
    }
    class_name(spec, path, "storageClassName", faults);
    volume_mode(spec, path, faults);
    for key in ["dataSource", "dataSourceRef"] {
        let Some(source) = map_at(spec, &[key]) else {
            continue;
        };
        let own = format!("{path}.{key}");
        for member in ["name", "kind"] {
            if text(source, member).is_empty() {
                faults.required(&format!("{own}.{member}"), "");
            }
        }
        let kind = text(source, "kind");
        if text(source, "apiGroup").is_empty()
            && kind != "PersistentVolumeClaim"
            && !kind.is_empty()
        {
            let why = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
            faults.invalid(&own, &kind.into(), why);
        }
    }
    class_name(spec, path, "volumeAttributesClassName", faults);
}

fn volume_mode(spec: &Map, path: &str, faults: &mut Faults) {
    if let Some(mode) = at(spec, &["volumeMode"]).and_then(Value::as_str) {
        faults.one_of(
            &format!("{path}.volumeMode"),
            mode,
            &["Block", "Filesystem"],
        );
    }
}

/// Requires an amount above zero.
fn positive(value: &Value, path: &str, faults: &mut Faults) {
    let amount = objects::quantity::Quantity::parse(value.as_str().unwrap_or(""));
    if amount.is_ok_and(|amount| amount.is_negative() || amount.is_zero()) {
        faults.invalid(path, value, "must be greater than zero");
    }
}

/// Fields of a volume that are not its source.
const NOT_SOURCE: [&str; 9] = [
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeMode",
    "volumeAttributesClassName",
];

fn capacity(spec: &Map, faults: &mut Faults) {
    const PATH: &str = "spec.capacity";
    let capacity = map_at(spec, &["capacity"]);
    let none = capacity.is_none_or(Map::is_empty);
    if none {
        faults.required(PATH, "");
    }
    if capacity.is_none_or(|map| map.len() != 1 || !map.contains_key("storage")) {
        let shown = capacity.map_or(Value::Null, |map| Value::Object(map.clone()));
        faults.0.push(crate::failure::field::not_supported(
            PATH,
            &shown,
            &["storage"],
        ));
    }
    for (name, value) in capacity.into_iter().flatten() {
        let path = format!("{PATH}[{name}]");
        let amount = objects::quantity::Quantity::parse(value.as_str().unwrap_or(""));
        if let Ok(amount) = amount
            && amount.is_negative()
        {
            let why = "must be a valid resource quantity";
            faults.invalid(&path, &(amount.milli() / 1000).into(), why);
        }
        positive(value, &path, faults);
    }
}

/// Checks the name of a class, where there is one.
fn class_name(spec: &Map, path: &str, key: &str, faults: &mut Faults) {
    let class = text(spec, key);
    if !class.is_empty() {
        let problems = objects::names::dns_subdomain(class);
        faults.problems(&format!("{path}.{key}"), class, problems);
    }
}

pub(super) fn volume(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    access(spec, "spec", "", faults);
    capacity(spec, faults);
    let policy = text(spec, "persistentVolumeReclaimPolicy");
    if !policy.is_empty() {
        let policies = ["Delete", "Recycle", "Retain"];
        faults.one_of("spec.persistentVolumeReclaimPolicy", policy, &policies);
    }
    if let Some(affinity) = map_at(spec, &["nodeAffinity"]) {
        match map_at(affinity, &["required"]) {
            Some(required) => {
                super::pod::node_selector(required, "spec.nodeAffinity.required", faults);
            }
            None => {
                let why = "must specify required node constraints";
                faults.required("spec.nodeAffinity.required", why);
            }
        }
    }
    super::pod::persistent_source(spec, "spec", faults);
    let root = at(spec, &["hostPath", "path"]).and_then(Value::as_str) == Some("/");
    if root && policy == "Recycle" {
        let why = "may not be 'recycle' for a hostPath mount of '/'";
        faults.forbidden("spec.persistentVolumeReclaimPolicy", why);
    }
    class_name(spec, "spec", "storageClassName", faults);
    volume_mode(spec, "spec", faults);
    let source = |spec: &Map| {
        let mut source = spec.clone();
        source.retain(|key, _| !NOT_SOURCE.contains(&key.as_str()));
        source
    };
    let Some(live) = subject.live.and_then(|live| map_at(live, &["spec"])) else {
        return;
    };
    if source(spec) != source(live) {
        let why = "spec.persistentvolumesource is immutable after creation";
        let found = crate::internals::difference("PersistentVolumeSource", live, spec);
        faults.forbidden("spec.persistentvolumesource", &format!("{why}\n{found}"));
    }
    fixed_mode(spec, live, faults);
}

pub(super) fn class(subject: &Subject<'_>, faults: &mut Faults) {
    let object = subject.object;
    match text(object, "provisioner").to_lowercase().as_str() {
        "" => faults.required("provisioner", ""),
        name => faults.problems("provisioner", name, objects::names::qualified_name(name)),
    }
    let parameters = map_at(object, &["parameters"]).unwrap_or(&NO_FIELDS);
    for _ in parameters.keys().filter(|key| key.is_empty()) {
        faults.invalid("parameters", &"".into(), "field can not be empty.");
    }
    let policy = text(object, "reclaimPolicy");
    faults.one_of("reclaimPolicy", policy, &["Delete", "Retain"]);
    match text(object, "volumeBindingMode") {
        "" => faults.required("volumeBindingMode", ""),
        mode => {
            let modes = ["Immediate", "WaitForFirstConsumer"];
            faults.one_of("volumeBindingMode", mode, &modes);
        }
    }
    topologies(object, faults);
    let Some(live) = subject.live else { return };
    for key in ["parameters", "provisioner", "reclaimPolicy"] {
        if subject.object.get(key) != live.get(key) {
            faults.forbidden(key, &format!("updates to {key} are forbidden."));
        }
    }
    let mode = |object: &Map| object.get("volumeBindingMode").cloned();
    faults.immutable(
        "volumeBindingMode",
        mode(subject.object).as_ref(),
        mode(live).as_ref(),
    );
}

fn topologies(object: &Map, faults: &mut Faults) {
    for (i, term) in items(object, &["allowedTopologies"]) {
        let path = format!("allowedTopologies[{i}].matchLabelExpressions");
        for (j, expression) in items(term, &["matchLabelExpressions"]) {
            let own = format!("{path}[{j}]");
            let values = at(expression, &["values"]).and_then(Value::as_array);
            if values.is_none_or(Vec::is_empty) {
                faults.required(&format!("{own}.values"), "");
            }
            let key = text(expression, "key");
            faults.problems(
                &format!("{own}.key"),
                key,
                objects::names::qualified_name(key),
            );
        }
        if items(term, &["matchLabelExpressions"]).next().is_none() {
            faults.duplicate(&path, "");
        }
    }
}
