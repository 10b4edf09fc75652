//! Volumes of a pod: exactly one source each, and what that source needs.

use std::collections::BTreeMap;

use objects::quantity::Quantity;
use objects::{Map, Value, names};

use super::super::{Faults, NO_FIELDS, at, items, map_at, storage, text};
use super::Scene;
use super::container::pull_policy;
use super::projected::{downward, projected};

const MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";
const EXTRA: &str = "may not specify more than 1 volume type";

/// Sources in upstream's order, which decides which of two is one too many, and the fields that they need.
const SOURCES: &[(&str, &[&str])] = &[
    ("emptyDir", &[]),
    ("hostPath", &[]),
    ("gitRepo", &["repository"]),
    ("gcePersistentDisk", &["pdName"]),
    ("awsElasticBlockStore", &["volumeID"]),
    ("secret", &["secretName"]),
    ("nfs", &["server", "path"]),
    ("iscsi", &["targetPortal", "iqn"]),
    ("glusterfs", &["endpoints", "path"]),
    ("flocker", &[]),
    ("persistentVolumeClaim", &["claimName"]),
    ("rbd", &["monitors", "image"]),
    ("cinder", &["volumeID"]),
    ("cephfs", &["monitors"]),
    ("quobyte", &[]),
    ("downwardAPI", &[]),
    ("fc", &[]),
    ("flexVolume", &["driver"]),
    ("configMap", &["name"]),
    ("azureFile", &["secretName", "shareName"]),
    ("vsphereVolume", &["volumePath"]),
    ("photonPersistentDisk", &["pdID"]),
    ("portworxVolume", &["volumeID"]),
    ("azureDisk", &["diskName", "diskURI"]),
    ("storageos", &[]),
    ("projected", &[]),
    ("scaleIO", &["gateway", "system", "volumeName"]),
    ("csi", &[]),
    ("ephemeral", &[]),
    ("image", &[]),
];

/// Checks the volumes; returns the sound ones by name.
pub(super) fn volumes<'a>(
    spec: &'a Map,
    path: &str,
    scene: &Scene<'_>,
    faults: &mut Faults,
) -> BTreeMap<&'a str, &'a Map> {
    let mut sound = BTreeMap::new();
    for (i, volume) in items(spec, &["volumes"]) {
        let own = format!("{path}.volumes[{i}]");
        let before = faults.0.len();
        sources(volume, &own, scene, faults);
        let name = text(volume, "name");
        faults.label_name(&format!("{own}.name"), name);
        if sound.contains_key(name) {
            faults.duplicate(&format!("{own}.name"), name);
        }
        if faults.0.len() == before {
            sound.insert(name, volume);
        }
    }
    sound
}

fn sources(volume: &Map, path: &str, scene: &Scene<'_>, faults: &mut Faults) {
    let mut any = false;
    for (name, needed) in SOURCES {
        let Some(source) = map_at(volume, &[name]) else {
            continue;
        };
        if any {
            faults.forbidden(&format!("{path}.{name}"), EXTRA);
            continue;
        }
        any = true;
        // Upstream calls this one otherwise where it looks into it.
        let word = if *name == "gcePersistentDisk" {
            "persistentDisk"
        } else {
            name
        };
        let own = format!("{path}.{word}");
        for key in *needed {
            if is_unset(source.get(*key)) {
                faults.required(&format!("{own}.{key}"), "");
            }
        }
        self::source(name, source, &own, scene, faults);
    }
    if !any {
        faults.required(path, "must specify a volume type");
    }
}

/// Sources of persistent volumes in upstream's order, and the fields that they need.
const PERSISTENT: &[(&str, &[&str])] = &[
    ("hostPath", &[]),
    ("gcePersistentDisk", &["pdName"]),
    ("awsElasticBlockStore", &["volumeID"]),
    ("glusterfs", &["endpoints", "path"]),
    ("flocker", &[]),
    ("nfs", &["server", "path"]),
    ("rbd", &["monitors", "image"]),
    ("quobyte", &[]),
    ("cephfs", &["monitors"]),
    ("iscsi", &["targetPortal", "iqn"]),
    ("cinder", &["volumeID"]),
    ("fc", &[]),
    ("flexVolume", &["driver"]),
    ("azureFile", &["secretName", "shareName"]),
    ("vsphereVolume", &["volumePath"]),
    ("photonPersistentDisk", &["pdID"]),
    ("portworxVolume", &["volumeID"]),
    ("azureDisk", &["diskName", "diskURI"]),
    ("scaleIO", &["gateway", "system", "volumeName"]),
    ("local", &["path"]),
    ("storageos", &[]),
    ("csi", &["driver", "volumeHandle"]),
];

/// Checks the source of a persistent volume.
pub(in super::super) fn persistent_source(spec: &Map, path: &str, faults: &mut Faults) {
    let mut any = false;
    for (name, needed) in PERSISTENT {
        let Some(source) = map_at(spec, &[name]) else {
            continue;
        };
        let own = format!("{path}.{name}");
        if any {
            faults.forbidden(&own, EXTRA);
            continue;
        }
        any = true;
        for key in *needed {
            if is_unset(source.get(*key)) {
                faults.required(&format!("{own}.{key}"), "");
            }
        }
        match *name {
            "hostPath" => host_path(source, &own, faults),
            "fc" => fibre_channel(source, &own, faults),
            "nfs" if !text(source, "path").starts_with('/') => {
                let why = "must be an absolute path";
                faults.invalid(&format!("{own}.path"), &text(source, "path").into(), why);
            }
            "local" => {
                no_steps_back(&format!("{own}.path"), text(source, "path"), faults);
                if at(spec, &["nodeAffinity", "required"]).is_none() {
                    let why = "Local volume requires node affinity";
                    faults.required(&format!("{path}.nodeAffinity"), why);
                }
            }
            "csi" => {
                let driver = text(source, "driver").to_lowercase();
                if !driver.is_empty() {
                    let problems = names::dns_subdomain(&driver);
                    faults.problems(&format!("{own}.driver"), text(source, "driver"), problems);
                }
            }
            _ => {}
        }
    }
    if !any {
        faults.required(path, "must specify a volume type");
    }
}

fn is_unset(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    }
}

fn source(name: &str, source: &Map, path: &str, scene: &Scene<'_>, faults: &mut Faults) {
    match name {
        "emptyDir" => {
            let size = Quantity::parse(text(source, "sizeLimit"));
            if size.is_ok_and(|size| size.is_negative()) {
                let why = "SizeLimit field must be a valid resource quantity";
                faults.forbidden(&format!("{path}.sizeLimit"), why);
            }
        }
        "hostPath" => host_path(source, path, faults),
        "gitRepo" => descending(
            &format!("{path}.directory"),
            text(source, "directory"),
            faults,
        ),
        "secret" | "configMap" => {
            mode(source, path, "defaultMode", faults);
            keys(source, path, faults);
        }
        "nfs" if !text(source, "path").starts_with('/') => {
            let why = "must be an absolute path";
            faults.invalid(&format!("{path}.path"), &text(source, "path").into(), why);
        }
        "fc" => fibre_channel(source, path, faults),
        "downwardAPI" => {
            mode(source, path, "defaultMode", faults);
            for (_, file) in items(source, &["items"]) {
                downward(file, path, faults);
            }
        }
        "projected" => projected(source, path, faults),
        "csi" => driver(source, path, faults),
        "ephemeral" => match map_at(source, &["volumeClaimTemplate"]) {
            None => faults.required(&format!("{path}.volumeClaimTemplate"), ""),
            Some(template) => {
                let spec = map_at(template, &["spec"]).unwrap_or(&NO_FIELDS);
                storage::claim_spec(spec, &format!("{path}.volumeClaimTemplate.spec"), faults);
            }
        },
        "image" => {
            if scene.is_pod && text(source, "reference").is_empty() {
                faults.required(&format!("{path}.reference"), "");
            }
            pull_policy(
                &format!("{path}.pullPolicy"),
                text(source, "pullPolicy"),
                faults,
            );
        }
        _ => {}
    }
}

const HOST_PATH_TYPES: [&str; 8] = [
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
];

fn host_path(source: &Map, path: &str, faults: &mut Faults) {
    let place = text(source, "path");
    if place.is_empty() {
        return faults.required(&format!("{path}.path"), "");
    }
    no_steps_back(&format!("{path}.path"), place, faults);
    let kind = text(source, "type");
    faults.one_of(&format!("{path}.type"), kind, &HOST_PATH_TYPES);
}

fn fibre_channel(source: &Map, path: &str, faults: &mut Faults) {
    let (targets, wide) = (
        is_unset(source.get("targetWWNs")),
        is_unset(source.get("wwids")),
    );
    if targets == wide {
        let why = "must specify either targetWWNs or wwids, but not both";
        match targets {
            true => faults.required(&format!("{path}.targetWWNs"), why),
            false => {
                let value = source.get("targetWWNs").cloned().unwrap_or_default();
                faults.invalid(&format!("{path}.targetWWNs"), &value, why);
            }
        }
    }
    if !targets && is_unset(source.get("lun")) {
        let why = "lun is required if targetWWNs is specified";
        faults.required(&format!("{path}.lun"), why);
    }
}

fn driver(source: &Map, path: &str, faults: &mut Faults) {
    let name = text(source, "driver");
    let own = format!("{path}.driver");
    if name.is_empty() {
        faults.required(&own, "");
    } else {
        if name.len() > 63 {
            faults
                .0
                .push(crate::failure::field::too_long(&own, "bytes", 63));
        }
        faults.problems(&own, name, names::dns_subdomain(&name.to_lowercase()));
    }
    if let Some(secret) = map_at(source, &["nodePublishSecretRef"])
        && text(secret, "name").is_empty()
    {
        faults.required(&format!("{path}.nodePublishSecretRef.name"), "");
    }
}

pub(super) fn mode(source: &Map, path: &str, key: &str, faults: &mut Faults) {
    let bits = source.get(key).and_then(Value::as_i64);
    if let Some(bits) = bits.filter(|bits| !(0..=0o777).contains(bits)) {
        faults.invalid(&format!("{path}.{key}"), &bits.into(), MODE);
    }
}

/// Checks `items` of a config map or secret.
pub(super) fn keys(source: &Map, path: &str, faults: &mut Faults) {
    for (i, item) in items(source, &["items"]) {
        let own = format!("{path}.items[{i}]");
        for key in ["key", "path"] {
            if text(item, key).is_empty() {
                faults.required(&format!("{own}.{key}"), "");
            }
        }
        unreserved(&format!("{own}.path"), text(item, "path"), faults);
        mode(item, &own, "mode", faults);
    }
}

/// Refuses absolute paths and those that lead out.
pub(super) fn descending(path: &str, place: &str, faults: &mut Faults) {
    if place.starts_with('/') {
        faults.invalid(path, &place.into(), "must be a relative path");
    }
    no_steps_back(path, place, faults);
}

fn no_steps_back(path: &str, place: &str, faults: &mut Faults) {
    if place.split('/').any(|part| part == "..") {
        faults.invalid(path, &place.into(), "must not contain '..'");
    }
}

/// As [`descending`]; names that begin with two dots belong to the kubelet.
pub(super) fn unreserved(path: &str, place: &str, faults: &mut Faults) {
    descending(path, place, faults);
    if place.starts_with("..") && !place.starts_with("../") && place != ".." {
        faults.invalid(path, &place.into(), "must not start with '..'");
    }
}

/// Tells whether a volume is backed by a claim, as devices have to be.
pub(super) fn is_claim(volume: &Map) -> bool {
    at(volume, &["persistentVolumeClaim"]).is_some() || at(volume, &["ephemeral"]).is_some()
}
