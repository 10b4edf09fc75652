//! Volumes of several sources, and files of the pod's own fields.

use std::collections::BTreeSet;

use objects::{Map, Value};

use super::super::{Faults, items, map_at, text};
use super::environment::{field_source, resource_source};
use super::volume::{keys, mode, unreserved};

/// Shortest life of a projected token in seconds.
const TOKEN_SECONDS_MIN: i64 = 600;

pub(super) fn projected(source: &Map, path: &str, faults: &mut Faults) {
    mode(source, path, "defaultMode", faults);
    let mut taken = BTreeSet::new();
    for (i, part) in items(source, &["sources"]) {
        let own = format!("{path}.sources[{i}]");
        let mut count = 0;
        for kind in ["secret", "configMap"] {
            let Some(from) = map_at(part, &[kind]) else {
                continue;
            };
            count += 1;
            if text(from, "name").is_empty() {
                faults.required(&format!("{own}.{kind}.name"), "");
            }
            keys(from, &format!("{own}.{kind}"), faults);
            for (_, item) in items(from, &["items"]) {
                take(
                    &mut taken,
                    text(item, "path"),
                    text(from, "name"),
                    path,
                    faults,
                );
            }
        }
        if let Some(from) = map_at(part, &["downwardAPI"]) {
            count += 1;
            for (_, file) in items(from, &["items"]) {
                downward(file, &format!("{own}.downwardAPI"), faults);
                let place = text(file, "path");
                take(&mut taken, place, place, path, faults);
            }
        }
        if let Some(token) = map_at(part, &["serviceAccountToken"]) {
            count += 1;
            self::token(token, &format!("{own}.serviceAccountToken"), path, faults);
        }
        if count > 1 {
            faults.forbidden(&own, "may not specify more than 1 volume type per source");
        }
    }
}

fn token(token: &Map, own: &str, path: &str, faults: &mut Faults) {
    let seconds = token
        .get("expirationSeconds")
        .and_then(Value::as_i64)
        .unwrap_or(0);
    if seconds < TOKEN_SECONDS_MIN {
        let why = "may not specify a duration less than 10 minutes";
        faults.invalid(&format!("{own}.expirationSeconds"), &seconds.into(), why);
    }
    if seconds > 1 << 32 {
        let why = "may not specify a duration larger than 2^32 seconds";
        faults.invalid(&format!("{own}.expirationSeconds"), &seconds.into(), why);
    }
    match text(token, "path") {
        "" => faults.required(&format!("{path}.path"), ""),
        place => unreserved(&format!("{path}.path"), place, faults),
    }
}

fn take<'a>(
    taken: &mut BTreeSet<&'a str>,
    place: &'a str,
    shown: &str,
    path: &str,
    faults: &mut Faults,
) {
    if !place.is_empty() && !taken.insert(place) {
        faults.invalid(path, &shown.into(), "conflicting duplicate paths");
    }
}

/// Checks one file of the pod's own fields; upstream names no position.
pub(super) fn downward(file: &Map, path: &str, faults: &mut Faults) {
    const FIELDS: [&str; 5] = [
        "metadata.annotations",
        "metadata.labels",
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
    ];
    if text(file, "path").is_empty() {
        faults.required(&format!("{path}.path"), "");
    }
    unreserved(&format!("{path}.path"), text(file, "path"), faults);
    let amount = map_at(file, &["resourceFieldRef"]);
    match map_at(file, &["fieldRef"]) {
        Some(field) => {
            field_source(field, &format!("{path}.fieldRef"), &FIELDS, faults);
            if amount.is_some() {
                let why = "fieldRef and resourceFieldRef can not be specified simultaneously";
                faults.invalid(path, &"resource".into(), why);
            }
        }
        None => match amount {
            Some(amount) => {
                let own = format!("{path}.resourceFieldRef");
                resource_source(amount, &own, true, faults);
            }
            None => faults.required(path, "one of fieldRef and resourceFieldRef is required"),
        },
    }
    mode(file, path, "mode", faults);
}
