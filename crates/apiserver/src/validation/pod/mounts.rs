//! What a container sees of the pod's volumes: mounts and devices.

use std::collections::{BTreeMap, BTreeSet};

use objects::{Map, Value};

use super::super::{Faults, at, items, text};
use super::Scene;
use super::volume::{descending, is_claim};

pub(super) fn mounts(container: &Map, path: &str, scene: &Scene<'_>, faults: &mut Faults) {
    let path = format!("{path}.volumeMounts");
    let devices = places(container, "volumeDevices", "devicePath");
    let mut seen = BTreeSet::new();
    for (i, mount) in items(container, &["volumeMounts"]) {
        let own = format!("{path}[{i}]");
        let (name, place) = (text(mount, "name"), text(mount, "mountPath"));
        if name.is_empty() {
            faults.required(&format!("{own}.name"), "");
        }
        if !scene.volumes.contains_key(name) {
            faults.not_found(&format!("{own}.name"), name);
        }
        if place.is_empty() {
            faults.required(&format!("{own}.mountPath"), "");
        }
        if !seen.insert(place) {
            faults.invalid(&format!("{own}.mountPath"), &place.into(), "must be unique");
        }
        if devices.contains_key(name) {
            let why = "must not already exist in volumeDevices";
            faults.invalid(&format!("{own}.name"), &name.into(), why);
        }
        if devices.values().any(|device| *device == place) {
            let why = "must not already exist as a path in volumeDevices";
            faults.invalid(&format!("{own}.mountPath"), &place.into(), why);
        }
        // The following have no position in upstream's paths.
        let (sub, expression) = (text(mount, "subPath"), text(mount, "subPathExpr"));
        if !sub.is_empty() {
            descending(&format!("{path}.subPath"), sub, faults);
        }
        if !expression.is_empty() {
            if !sub.is_empty() {
                let why = "subPathExpr and subPath are mutually exclusive";
                faults.invalid(&format!("{own}.subPathExpr"), &expression.into(), why);
            }
            descending(&format!("{path}.subPathExpr"), expression, faults);
        }
        propagation(
            mount,
            container,
            &format!("{path}.mountPropagation"),
            faults,
        );
        read_only(mount, &format!("{path}.recursiveReadOnly"), faults);
    }
}

fn propagation(mount: &Map, container: &Map, path: &str, faults: &mut Faults) {
    const MODES: [&str; 3] = ["Bidirectional", "HostToContainer", "None"];
    let Some(mode) = at(mount, &["mountPropagation"]).and_then(Value::as_str) else {
        return;
    };
    faults.one_of(path, mode, &MODES);
    let privileged = at(container, &["securityContext", "privileged"]) == Some(&Value::Bool(true));
    if mode == "Bidirectional" && !privileged {
        let why = "Bidirectional mount propagation is available only to privileged containers";
        faults.forbidden(path, why);
    }
}

fn read_only(mount: &Map, path: &str, faults: &mut Faults) {
    const MODES: [&str; 3] = ["Disabled", "Enabled", "IfPossible"];
    let Some(mode) = at(mount, &["recursiveReadOnly"]).and_then(Value::as_str) else {
        return;
    };
    match mode {
        "Disabled" => {}
        "Enabled" | "IfPossible" => {
            if mount.get("readOnly") != Some(&Value::Bool(true)) {
                let why = "may only be specified when readOnly is true";
                faults.forbidden(path, why);
            }
            let propagated = text(mount, "mountPropagation");
            if !matches!(propagated, "" | "None") {
                let why = "may only be specified when mountPropagation is None or not specified";
                faults.forbidden(path, why);
            }
        }
        mode => faults.one_of(path, mode, &MODES),
    }
}

pub(super) fn devices(container: &Map, path: &str, scene: &Scene<'_>, faults: &mut Faults) {
    let mounts = places(container, "volumeMounts", "mountPath");
    let (mut names, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for (i, device) in items(container, &["volumeDevices"]) {
        let own = format!("{path}.volumeDevices[{i}]");
        let (name, place) = (text(device, "name"), text(device, "devicePath"));
        let volume = scene.volumes.get(name);
        if name.is_empty() {
            faults.required(&format!("{own}.name"), "");
        }
        let mut wrong = |key: &str, value: &str, why: &str| {
            faults.invalid(&format!("{own}.{key}"), &value.into(), why);
        };
        if !name.is_empty() && !names.insert(name) {
            wrong("name", name, "must be unique");
        }
        if volume.is_some_and(|volume| !is_claim(volume)) {
            let why = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
            wrong("name", name, why);
        }
        if volume.is_none() {
            faults.not_found(&format!("{own}.name"), name);
        }
        if place.is_empty() {
            faults.required(&format!("{own}.devicePath"), "");
        }
        let mut wrong = |key: &str, value: &str, why: &str| {
            faults.invalid(&format!("{own}.{key}"), &value.into(), why);
        };
        if seen.contains(place) {
            wrong("devicePath", place, "must be unique");
        }
        if place.split('/').any(|part| part == "..") {
            wrong("devicePath", place, "can not contain backsteps ('..')");
        } else {
            seen.insert(place);
        }
        if mounts.contains_key(name) {
            wrong("name", name, "must not already exist in volumeMounts");
        }
        if mounts.values().any(|mount| *mount == place) {
            let why = "must not already exist as a path in volumeMounts";
            wrong("devicePath", place, why);
        }
    }
}

/// Lists name and path of a container's mounts or devices.
fn places<'a>(container: &'a Map, list: &'static str, key: &str) -> BTreeMap<&'a str, &'a str> {
    let places = items(container, &[list]);
    places
        .map(|(_, item)| (text(item, "name"), text(item, key)))
        .collect()
}
