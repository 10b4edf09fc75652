//! What an update may change in a pod.

use objects::{Map, Value};

use super::super::{Faults, at};

/// Refuses changes of a pod beyond images, deadlines and added tolerations; what subresources may change besides has
/// been taken over into the live one.
pub(super) fn update(spec: &Map, live: &Map, faults: &mut Faults) {
    let mut munged = spec.clone();
    for list in ["containers", "initContainers"] {
        let containers = munged.get_mut(list).and_then(Value::as_array_mut);
        let before = at(live, &[list]).and_then(Value::as_array);
        for (container, before) in containers
            .into_iter()
            .flatten()
            .zip(before.into_iter().flatten())
        {
            if let Some(container) = container.as_object_mut() {
                take_over(container, before.as_object(), "image");
            }
        }
    }
    for key in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
        take_over(&mut munged, Some(live), key);
    }
    let grace = |spec: &Map| {
        spec.get("terminationGracePeriodSeconds")
            .and_then(Value::as_i64)
    };
    if grace(live).is_some_and(|seconds| seconds < 0) && grace(spec) == Some(1) {
        take_over(&mut munged, Some(live), "terminationGracePeriodSeconds");
    }
    let deadline = |spec: &Map| spec.get("activeDeadlineSeconds").and_then(Value::as_i64);
    match (deadline(live), deadline(spec)) {
        (Some(before), Some(after)) if after > before => {
            let why = "must be less than or equal to previous value";
            faults.invalid("spec.activeDeadlineSeconds", &after.into(), why);
        }
        (Some(_), None) => {
            let why = "must not update from a positive integer to nil value";
            faults.invalid("spec.activeDeadlineSeconds", &Value::Null, why);
        }
        _ => {}
    }
    if munged != *live {
        let why = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        let found = crate::internals::difference("PodSpec", live, &munged);
        faults.forbidden("spec", &format!("{why}\n{found}"));
    }
    let tolerations = |spec: &Map| {
        let mut list = at(spec, &["tolerations"])
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        for toleration in list.iter_mut().filter_map(Value::as_object_mut) {
            toleration.remove("tolerationSeconds");
        }
        list
    };
    let kept = tolerations(spec);
    if tolerations(live)
        .iter()
        .any(|toleration| !kept.contains(toleration))
    {
        let why = "existing toleration can not be modified except its tolerationSeconds";
        faults.forbidden("spec.tolerations", why);
    }
}

fn take_over(into: &mut Map, from: Option<&Map>, key: &str) {
    match from.and_then(|from| from.get(key)) {
        Some(value) => into.insert(key.to_owned(), value.clone()),
        None => into.remove(key),
    };
}
