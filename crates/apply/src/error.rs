//! Why objects could not be applied, in upstream's words.

use std::fmt;

use cluster::Error;
use objects::{Gvk, Object, ObjectKey};

use crate::change::ChangeSet;

/// Why one object could not be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ObjectError {
    /// Object.
    pub key: ObjectKey,
    /// Whole text, beginning with the object.
    pub text: String,
    /// The kind, where the cluster does not serve it (yet).
    pub missing_kind: Option<Gvk>,
}

impl ObjectError {
    /// `<object> <what>`
    pub(crate) fn new(object: &Object, what: impl fmt::Display) -> Self {
        let key = object.key();
        Self {
            text: format!("{key} {what}"),
            key,
            missing_kind: None,
        }
    }

    /// A refused dry-run, or the first apply that takes its place.
    pub(crate) fn dry_run(object: &Object, error: &Error) -> Self {
        let message = masked(object, &error.to_string());
        let what = if error.is_not_found() {
            let case = if object.namespace().is_empty() {
                "namespace not specified"
            } else {
                "not found"
            };
            format!("{case}: {message}")
        } else {
            format!("dry-run failed{}: {message}", reason(error))
        };
        let mut this = Self::new(object, what);
        if error.is_no_match() {
            this.missing_kind = Some(Gvk::from_api_version(object.api_version(), object.kind()));
        }
        this
    }
}

/// Returns ` (Reason)`, or "" where there is none.
fn reason(error: &Error) -> String {
    let conflict = match error {
        Error::Status(status) => status
            .causes
            .iter()
            .any(|cause| cause.reason == "FieldManagerConflict"),
        _ => false,
    };
    match error.reason() {
        _ if conflict => " (FieldManagerConflict)".to_owned(),
        "" => String::new(),
        reason => format!(" ({reason})"),
    }
}

/// Takes the values of a Secret out of a text that a server wrote about it.
fn masked(object: &Object, text: &str) -> String {
    if object.kind() != "Secret" || object.api_version() != "v1" {
        return text.to_owned();
    }
    let mut text = text.to_owned();
    for field in ["data", "stringData"] {
        let values = object.get(&[field]).and_then(|v| v.as_object());
        for value in values.into_iter().flat_map(|map| map.values()) {
            // Values of a letter or two would tear holes into ordinary words.
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            if value.len() >= 4 {
                text = text.replace(&value, "*****");
            }
        }
    }
    text
}

/// Why an apply did not do everything; what was done is in `changes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyFailure {
    /// One error per object that failed, at least one.
    pub errors: Vec<ObjectError>,
    /// Objects that were applied nevertheless, in this stage and earlier ones.
    pub changes: ChangeSet,
}

impl ApplyFailure {
    /// Returns kinds that the cluster does not serve (yet).
    pub fn missing_kinds(&self) -> Vec<Gvk> {
        let mut kinds: Vec<Gvk> = self
            .errors
            .iter()
            .filter_map(|e| e.missing_kind.clone())
            .collect();
        kinds.sort();
        kinds.dedup();
        kinds
    }
}

impl fmt::Display for ApplyFailure {
    /// Writes one line per error, then what was changed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<&str> = self.errors.iter().map(|e| e.text.as_str()).collect();
        f.write_str(&lines.join("\n"))?;
        let changed = self
            .changes
            .with(&[crate::Action::Created, crate::Action::Configured]);
        if !changed.entries.is_empty() {
            write!(f, "\n{changed}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ApplyFailure {}

/// Tells whether an error means that a field cannot change on a present object.
pub(crate) fn is_immutable(error: &Error) -> bool {
    let text = error.to_string();
    matches!(error.reason(), "Conflict" | "Invalid")
        || text.contains("is immutable")
        || text.contains("immutable field")
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::json;

    #[test]
    fn texts_name_object_reason_and_cause() {
        let object = Object::new(&Gvk::new("apps", "v1", "Deployment"), "web", "front");
        for (error, text) in [
            (
                Error::status(422, "Invalid", "spec.replicas: must be positive"),
                "Deployment/web/front dry-run failed (Invalid): spec.replicas: must be positive",
            ),
            (
                Error::status(404, "NotFound", "namespaces \"web\" not found"),
                "Deployment/web/front not found: namespaces \"web\" not found",
            ),
            (
                Error::NoMatch {
                    api_version: "apps/v1".into(),
                    kind: "Deployment".into(),
                },
                "Deployment/web/front dry-run failed: no matches for kind \"Deployment\" in version \"apps/v1\"",
            ),
        ] {
            assert_eq!(ObjectError::dry_run(&object, &error).text, text);
        }
    }

    #[test]
    fn secret_values_never_show() {
        let mut secret = Object::new(&Gvk::new("", "v1", "Secret"), "web", "key");
        secret.set(&["data"], json!({"token": "c2VjcmV0"}));
        let error = Error::status(422, "Invalid", "data[token]: Invalid value: \"c2VjcmV0\"");
        let text = ObjectError::dry_run(&secret, &error).text;
        assert!(!text.contains("c2VjcmV0"), "{text}");
    }
}
