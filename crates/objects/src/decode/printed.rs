//! What a decoded object prints: fields that a real API server leaves out, prints as null or as zero.

use crate::schema::{Field, Form, Schema, Type, TypeId};
use crate::{Map, Value};

/// Times that Go prints as null when they are not set: they are no pointers.
const NULL_TIMES: [&str; 12] = [
    "deprecatedFirstTimestamp",
    "deprecatedLastTimestamp",
    "eventTime",
    "finishedAt",
    "firstTimestamp",
    "lastHeartbeatTime",
    "lastObservedTime",
    "lastProbeTime",
    "lastTimestamp",
    "lastTransitionTime",
    "lastUpdateTime",
    "startedAt",
];

/// Lists that are optional in the schema but that Go prints as null when they are empty.
const NULL_LISTS: [(&str, &str); 4] = [
    (
        "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerStatus",
        "currentMetrics",
    ),
    ("io.k8s.api.discovery.v1.EndpointSlice", "ports"),
    ("io.k8s.api.rbac.v1.ClusterRole", "rules"),
    ("io.k8s.api.rbac.v1.Role", "rules"),
];

/// Tells whether Go prints an unset field of a built-in type as null.
pub(crate) fn prints_null(schema: &Schema, owner: &Type, field: &Field) -> bool {
    let ty = schema.get(field.ty);
    match ty.form {
        Form::DateTime => NULL_TIMES.contains(&field.name.as_str()),
        Form::List | Form::Object => {
            field.required
                || NULL_LISTS
                    .iter()
                    .any(|(name, list)| owner.name.as_deref() == Some(*name) && field.name == *list)
        }
        _ => false,
    }
}

/// Counters that are optional in the schema but that Go prints as zero.
const ZEROS: [(&str, &str); 1] = [("io.k8s.api.apps.v1.StatefulSetStatus", "availableReplicas")];

/// Returns the zero that Go prints of an unset field, if it prints any.
pub(crate) fn printed_zero<'a>(
    owner: &Type,
    field: &'a Field,
) -> Option<std::borrow::Cow<'a, Value>> {
    use std::borrow::Cow;
    match &field.default {
        Some(default) if is_zero(default) => Some(Cow::Borrowed(default)),
        None if ZEROS.iter().any(|(name, counter)| {
            owner.name.as_deref() == Some(*name) && field.name == *counter
        }) =>
        {
            Some(Cow::Owned(0.into()))
        }
        _ => None,
    }
}

/// Tells whether a type is a map of values of one declared type, unlike a struct or a map of anything.
fn is_plain_map(schema: &Schema, ty: &Type) -> bool {
    let Some(map) = &ty.map else { return false };
    let element = map.element.map(|id| schema.get(id));
    map.fields.is_empty()
        && element.is_some_and(|e| e.name.as_deref() != Some(crate::schema::DEDUCED))
}

/// Tells whether a value is an empty list or an empty plain map, which Go leaves out.
pub(super) fn is_empty_value(schema: &Schema, ty: &Type, value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty() && ty.form != Form::Any,
        Value::Object(map) => map.is_empty() && is_plain_map(schema, ty),
        _ => false,
    }
}

/// Drops empty lists and plain maps of a built-in type, as storing them does: they become null where Go prints them at all.
pub fn drop_empty(schema: &Schema, ty: TypeId, object: &mut Map) {
    let ty = schema.get(ty);
    let Some(map) = &ty.map else { return };
    object.retain(|key, value| {
        if key == "managedFields" {
            return true;
        }
        let field = map.field(key);
        let Some(id) = field.map(|f| f.ty).or(map.element) else {
            return true;
        };
        let own = schema.get(id);
        let empty = match value {
            Value::Object(inner) => {
                drop_empty(schema, id, inner);
                inner.is_empty() && is_plain_map(schema, own)
            }
            Value::Array(items) => {
                if let Some(list) = &own.list {
                    for item in items.iter_mut().filter_map(Value::as_object_mut) {
                        drop_empty(schema, list.element, item);
                    }
                }
                items.is_empty()
            }
            _ => false,
        };
        if !empty || own.form == Form::Any {
            return true;
        }
        match field {
            Some(field) if prints_null(schema, ty, field) => {
                *value = Value::Null;
                true
            }
            Some(_) => false,
            None => true,
        }
    });
}

/// Tells whether a value is a scalar of a type without a normal form: the bulk of every object.
pub(super) fn is_plain_scalar(ty: &Type, value: &Value) -> bool {
    matches!(
        (ty.form, value),
        (Form::String, Value::String(_)) | (Form::Boolean, Value::Bool(_))
    )
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Bool(b) => !b,
        Value::Number(number) => number.as_i64() == Some(0),
        _ => false,
    }
}
