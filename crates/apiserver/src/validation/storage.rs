//! Claims, volumes and their classes.

use objects::{Map, Value};

use super::{Faults, NO_FIELDS, Subject, at, map_at, text};

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
}

/// Checks what a claim, or a template of claims, asks for.
pub(super) fn claim_spec(spec: &Map, path: &str, faults: &mut Faults) {
    if at(spec, &["accessModes"])
        .and_then(Value::as_array)
        .is_none_or(Vec::is_empty)
    {
        let why = "at least 1 access mode is required";
        faults.required(&format!("{path}.accessModes"), why);
    }
    if at(spec, &["resources", "requests", "storage"]).is_none() {
        faults.required(&format!("{path}.resources[storage]"), "");
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

pub(super) fn volume(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    if at(spec, &["accessModes"])
        .and_then(Value::as_array)
        .is_none_or(Vec::is_empty)
    {
        faults.required("spec.accessModes", "");
    }
    if at(spec, &["capacity"]).is_none() {
        faults.required("spec.capacity", "");
    }
    let source = |spec: &Map| {
        let mut source = spec.clone();
        source.retain(|key, _| !NOT_SOURCE.contains(&key.as_str()));
        source
    };
    if source(spec).is_empty() {
        faults.required("spec", "must specify a volume type");
    }
    let Some(live) = subject.live.and_then(|live| map_at(live, &["spec"])) else {
        return;
    };
    if source(spec) != source(live) {
        let why = "spec.persistentvolumesource is immutable after creation";
        let found = crate::internals::difference("PersistentVolumeSource", live, spec);
        faults.forbidden("spec.persistentvolumesource", &format!("{why}\n{found}"));
    }
    faults.immutable(
        "spec.volumeMode",
        spec.get("volumeMode"),
        live.get("volumeMode"),
    );
}

pub(super) fn class(subject: &Subject<'_>, faults: &mut Faults) {
    if text(subject.object, "provisioner").is_empty() {
        faults.required("provisioner", "");
    }
    let policy = text(subject.object, "reclaimPolicy");
    faults.one_of("reclaimPolicy", policy, &["Delete", "Retain"]);
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
