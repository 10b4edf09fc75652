//! Resource quotas and limit ranges: amounts that are not negative, bounds in their order. Names of resources are not checked.

use objects::quantity::Quantity;
use objects::{Map, Value};

use super::{Faults, Subject};
use crate::catalog::text;
use crate::failure::field;

fn amounts<'a>(map: &'a Map, key: &str) -> impl Iterator<Item = (&'a String, &'a Value, Quantity)> {
    let amounts = map.get(key).and_then(Value::as_object);
    amounts.into_iter().flatten().filter_map(|(name, value)| {
        let amount = Quantity::parse(value.as_str()?).ok()?;
        Some((name, value, amount))
    })
}

/// Checks a ResourceQuota.
pub(super) fn resource_quota(subject: &Subject<'_>, faults: &mut Faults) {
    let Some(spec) = subject.object.get("spec").and_then(Value::as_object) else {
        return;
    };
    for (name, value, amount) in amounts(spec, "hard") {
        if amount.is_negative() {
            let why = "must be greater than or equal to 0";
            faults.invalid(&format!("spec.hard[{name}]"), value, why);
        }
    }
}

/// Checks a LimitRange.
pub(super) fn limit_range(subject: &Subject<'_>, faults: &mut Faults) {
    let items = subject
        .object
        .get("spec")
        .and_then(|spec| spec.get("limits"));
    let items = items.and_then(Value::as_array).into_iter().flatten();
    let mut kinds: Vec<&str> = Vec::new();
    for (index, item) in items.filter_map(Value::as_object).enumerate() {
        let path = format!("spec.limits[{index}]");
        let kind = text(item, "type");
        if kinds.contains(&kind) {
            let duplicate = field::duplicate(&format!("{path}.type"), &kind.into());
            faults.0.push(duplicate);
        }
        kinds.push(kind);
        if kind == "Pod" {
            for key in ["default", "defaultRequest"] {
                if item.contains_key(key) {
                    let why = "may not be specified when `type` is 'Pod'";
                    faults.forbidden(&format!("{path}.{key}"), why);
                }
            }
        }
        bounds(item, &path, faults);
    }
}

fn bounds(item: &Map, path: &str, faults: &mut Faults) {
    let find = |key: &str, name: &str| {
        amounts(item, key)
            .find(|(own, ..)| *own == name)
            .map(|(_, value, amount)| (value, amount))
    };
    for (name, value, min) in amounts(item, "min") {
        for (key, at, word) in [
            ("max", "min", "max value"),
            ("defaultRequest", "defaultRequest", "default request value"),
            ("default", "default", "default value"),
        ] {
            let Some((other, amount)) = find(key, name) else {
                continue;
            };
            if min.compare(&amount).is_gt() {
                let shown = if key == "defaultRequest" {
                    other
                } else {
                    value
                };
                let why = format!("min value {min} is greater than {word} {amount}");
                faults.invalid(&format!("{path}.{at}[{name}]"), shown, &why);
            }
        }
    }
}
