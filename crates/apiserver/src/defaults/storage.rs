//! Defaults of volumes, claims and their classes.

use objects::{Map, json};

use super::{made, pod, put, put_text};

pub(super) fn claim(object: &mut Map) {
    if let Some(spec) = made(object, "spec") {
        put(spec, "volumeMode", "Filesystem");
    }
    if let Some(status) = made(object, "status") {
        put_text(status, "phase", "Pending");
    }
}

pub(super) fn volume(object: &mut Map) {
    if let Some(spec) = made(object, "spec") {
        put_text(spec, "persistentVolumeReclaimPolicy", "Retain");
        put(spec, "volumeMode", "Filesystem");
        pod::volume_source(spec);
    }
    if let Some(status) = made(object, "status") {
        put_text(status, "phase", "Pending");
    }
}

pub(super) fn class(object: &mut Map) {
    put(object, "reclaimPolicy", "Delete");
    put(object, "volumeBindingMode", "Immediate");
}

pub(super) fn driver(object: &mut Map) {
    let Some(spec) = made(object, "spec") else {
        return;
    };
    put(spec, "attachRequired", true);
    put(spec, "podInfoOnMount", false);
    put(spec, "storageCapacity", false);
    put(spec, "requiresRepublish", false);
    put(spec, "seLinuxMount", false);
    put(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
    put(spec, "volumeLifecycleModes", json!(["Persistent"]));
}
