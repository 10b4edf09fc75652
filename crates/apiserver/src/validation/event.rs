//! Events in both forms.

use objects::Value;

use super::{Faults, NO_FIELDS, Subject, map_at, text};

pub(super) fn core(subject: &Subject<'_>, faults: &mut Faults) {
    namespace(subject, "involvedObject", faults);
}

/// Events of the newer group have to say who reports what, when.
pub(super) fn modern(subject: &Subject<'_>, faults: &mut Faults) {
    namespace(subject, "regarding", faults);
    if subject.live.is_some() {
        return;
    }
    for key in [
        "reportingController",
        "reportingInstance",
        "action",
        "reason",
        "eventTime",
    ] {
        if text(subject.object, key).is_empty() {
            faults.required(key, "");
        }
    }
    let kind = text(subject.object, "type");
    if !matches!(kind, "Normal" | "Warning") {
        faults.invalid("type", &"".into(), &format!("has invalid value: {kind}"));
    }
    if text(subject.object, "note").len() > 1024 {
        faults.invalid("message", &"".into(), "can have at most 1024 bytes");
    }
}

/// An event lies where its object does; those of cluster-scoped objects lie in `default`.
fn namespace(subject: &Subject<'_>, object: &str, faults: &mut Faults) {
    if subject.live.is_some() {
        return;
    }
    let own = map_at(subject.object, &["metadata"]).map_or("", |m| text(m, "namespace"));
    let about = text(
        map_at(subject.object, &[object]).unwrap_or(&NO_FIELDS),
        "namespace",
    );
    let fits = if about.is_empty() {
        matches!(own, "" | "default")
    } else {
        about == own
    };
    if !fits {
        let value = Value::from(about);
        faults.invalid(
            "involvedObject.namespace",
            &value,
            "does not match event.namespace",
        );
    }
}
