//! LimitRange: default requests and limits of containers, and the bounds of pods, containers and claims.
//!
//! Defaults are filled in before validation, bounds are checked after it. Texts are those of Kubernetes' LimitRanger.

use std::cmp::Ordering;

use objects::quantity::Quantity;
use objects::{Map, Value, json};

use super::usage::{self, Amounts};
use crate::catalog::text;
use crate::engine::{Engine, Place, metadata_mut, metadata_text};
use crate::failure::{Answered, Failure};

/// Table of the limit ranges.
const TABLE: &str = "/limitranges";
const ANNOTATION: &str = "kubernetes.io/limit-ranger";

fn ranges(engine: &Engine, place: &Place) -> Vec<Map> {
    let (_, entries) = engine.store.list(TABLE, &place.namespace);
    let decode = |entry: &std::sync::Arc<crate::store::Entry>| entry.decode("v1", "LimitRange");
    entries.iter().map(decode).collect()
}

fn items<'a>(range: &'a Map, kind: &'static str) -> impl Iterator<Item = &'a Map> {
    range
        .get("spec")
        .and_then(|spec| spec.get("limits")?.as_array())
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .filter(move |item| text(item, "type") == kind)
}

/// Fills in the default requests and limits of a new pod.
pub fn default(engine: &Engine, place: &Place, object: &mut Map) {
    if !place.resource.is("", "pods") || !place.sub.is_empty() {
        return;
    }
    for range in ranges(engine, place) {
        let (mut requests, mut limits) = (Map::new(), Map::new());
        for item in items(&range, "Container") {
            for (into, key) in [(&mut requests, "defaultRequest"), (&mut limits, "default")] {
                let found = item.get(key).and_then(Value::as_object);
                into.extend(found.cloned().unwrap_or_default());
            }
        }
        if !requests.is_empty() || !limits.is_empty() {
            let mut said = Vec::new();
            for (list, word) in [
                ("containers", "container"),
                ("initContainers", "init container"),
            ] {
                said.extend(fill(object, list, word, &requests, &limits));
            }
            annotate(object, &said);
        }
    }
}

/// Fills in one list of containers; returns what was done, for the annotation.
fn fill(pod: &mut Map, list: &str, word: &str, requests: &Map, limits: &Map) -> Vec<String> {
    let mut said = Vec::new();
    let containers = pod
        .get_mut("spec")
        .and_then(|spec| spec.get_mut(list)?.as_array_mut());
    let containers = containers.into_iter().flatten();
    for container in containers.filter_map(Value::as_object_mut) {
        let name = text(container, "name").to_owned();
        for (side, defaults) in [("requests", requests), ("limits", limits)] {
            let resources = container.entry("resources").or_insert_with(|| json!({}));
            if !resources.is_object() {
                *resources = json!({});
            }
            let own = resources[side].as_object().cloned().unwrap_or_default();
            let new: Vec<(&String, &Value)> = defaults
                .iter()
                .filter(|(key, _)| !own.contains_key(*key))
                .collect();
            if new.is_empty() {
                continue;
            }
            let names: Vec<&str> = new.iter().map(|(key, _)| key.as_str()).collect();
            let singular = side.trim_end_matches('s');
            said.push(format!("{} {singular} for {word} {name}", names.join(", ")));
            let mut all = own;
            all.extend(
                new.into_iter()
                    .map(|(key, value)| (key.clone(), value.clone())),
            );
            resources[side] = Value::Object(all);
        }
    }
    said
}

fn annotate(pod: &mut Map, said: &[String]) {
    if said.is_empty() {
        return;
    }
    let annotations = metadata_mut(pod)
        .entry("annotations")
        .or_insert_with(|| json!({}));
    if let Some(annotations) = annotations.as_object_mut() {
        let text = format!("LimitRanger plugin set: {}", said.join("; "));
        annotations.insert(ANNOTATION.into(), text.into());
    }
}

/// Refuses a new pod or claim outside of the bounds.
pub fn check(engine: &Engine, place: &Place, object: &Map) -> Answered<()> {
    let is_pod = place.resource.is("", "pods");
    if !place.sub.is_empty() || !(is_pod || place.resource.is("", "persistentvolumeclaims")) {
        return Ok(());
    }
    for range in ranges(engine, place) {
        let faults = if is_pod {
            pod_faults(&range, object)
        } else {
            claim_faults(&range, object)
        };
        let why = match faults.as_slice() {
            [] => continue,
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let _ = metadata_text(&range, "name");
        return Err(Failure::forbidden(place.named(), &why));
    }
    Ok(())
}

fn pod_faults(range: &Map, pod: &Map) -> Vec<String> {
    let mut faults = Vec::new();
    for item in range_items(range) {
        let kind = text(item, "type");
        match kind {
            "Container" => {
                let lists = ["containers", "initContainers"];
                for container in lists.iter().flat_map(|list| usage::containers(pod, list)) {
                    let side = |side: &str| {
                        usage::amounts(container.get("resources").and_then(|r| r.get(side)))
                    };
                    bounds(item, kind, &side("requests"), &side("limits"), &mut faults);
                }
            }
            "Pod" => {
                let requests = usage::pod_resources(pod, "requests");
                let limits = usage::pod_resources(pod, "limits");
                bounds(item, kind, &requests, &limits, &mut faults);
            }
            _ => {}
        }
    }
    dedup(faults)
}

/// Upstream aggregates errors, which drops repeated texts.
fn dedup(faults: Vec<String>) -> Vec<String> {
    let mut seen = Vec::new();
    for fault in faults {
        if !seen.contains(&fault) {
            seen.push(fault);
        }
    }
    seen
}

fn range_items(range: &Map) -> impl Iterator<Item = &Map> {
    range
        .get("spec")
        .and_then(|spec| spec.get("limits")?.as_array())
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
}

fn claim_faults(range: &Map, claim: &Map) -> Vec<String> {
    let requests = claim
        .get("spec")
        .and_then(|spec| spec.pointer("/resources/requests"));
    let requests = usage::amounts(requests);
    let mut faults = Vec::new();
    for item in items(range, "PersistentVolumeClaim") {
        for (name, min) in usage::amounts(item.get("min")) {
            faults.extend(below(
                &name,
                &min,
                "PersistentVolumeClaim",
                &requests,
                &Amounts::new(),
            ));
        }
        for (name, max) in usage::amounts(item.get("max")) {
            let request = requests.get(&name);
            if let Some(request) = request.filter(|request| request.compare(&max).is_gt()) {
                faults.push(format!(
                    "maximum {name} usage per PersistentVolumeClaim is {max}, but request is {request}"
                ));
            }
        }
    }
    dedup(faults)
}

fn bounds(item: &Map, kind: &str, requests: &Amounts, limits: &Amounts, faults: &mut Vec<String>) {
    for (name, min) in usage::amounts(item.get("min")) {
        faults.extend(below(&name, &min, kind, requests, limits));
    }
    for (name, max) in usage::amounts(item.get("max")) {
        faults.extend(above(&name, &max, kind, requests, limits));
    }
    for (name, ratio) in usage::amounts(item.get("maxLimitRequestRatio")) {
        faults.extend(stretched(&name, &ratio, kind, requests, limits));
    }
}

fn below(
    name: &str,
    min: &Quantity,
    kind: &str,
    requests: &Amounts,
    limits: &Amounts,
) -> Option<String> {
    let said = format!("minimum {name} usage per {kind} is {min}");
    let amounts = [("request", requests), ("limit", limits)];
    beyond(name, min, Ordering::Less, amounts).map(|why| said + &why)
}

fn above(
    name: &str,
    max: &Quantity,
    kind: &str,
    requests: &Amounts,
    limits: &Amounts,
) -> Option<String> {
    let said = format!("maximum {name} usage per {kind} is {max}");
    let amounts = [("limit", limits), ("request", requests)];
    beyond(name, max, Ordering::Greater, amounts).map(|why| said + &why)
}

/// Says which of two amounts is beyond a bound; the first has to be there.
fn beyond(
    name: &str,
    bound: &Quantity,
    side: Ordering,
    [(first, needed), (second, other)]: [(&str, &Amounts); 2],
) -> Option<String> {
    let is_beyond = |amount: &&Quantity| amount.compare(bound) == side;
    let Some(amount) = needed.get(name) else {
        return Some(format!(".  No {first} is specified"));
    };
    if is_beyond(&amount) {
        return Some(format!(", but {first} is {amount}"));
    }
    let amount = other.get(name).filter(is_beyond)?;
    Some(format!(", but {second} is {amount}"))
}

fn stretched(
    name: &str,
    ratio: &Quantity,
    kind: &str,
    requests: &Amounts,
    limits: &Amounts,
) -> Option<String> {
    let said = format!("{name} max limit to request ratio per {kind} is {ratio}");
    let nothing = |amounts: &Amounts| amounts.get(name).is_none_or(Quantity::is_zero);
    if nothing(requests) {
        return Some(format!(
            "{said}, but no request is specified or request is 0"
        ));
    }
    if nothing(limits) {
        return Some(format!("{said}, but no limit is specified or limit is 0"));
    }
    let observed = limits[name].approximate() / requests[name].approximate();
    (observed > ratio.approximate()).then(|| format!("{said}, but provided ratio is {observed:.6}"))
}
