//! Failure answers: the `Status` objects of a Kubernetes API server, with its texts.

use cluster::{StatusCause, StatusError};
use objects::{Map, Value, json};

/// A request that fails, with everything its `Status` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Code, reason, message and details.
    pub status: StatusError,
    /// Whether `details: {}` is written although nothing is in it.
    pub empty_details: bool,
    /// Answer this plain text instead of a `Status` object.
    pub plain: Option<String>,
    /// Whether browsers are told not to guess the type.
    pub no_sniff: bool,
    /// Whether the client gets no answer at all.
    pub lost: bool,
}

/// Result of one step of a request.
pub type Answered<T> = Result<T, Box<Failure>>;

impl From<Box<Failure>> for cluster::Error {
    fn from(failure: Box<Failure>) -> Self {
        if failure.lost {
            return Self::Transport(failure.status.message);
        }
        Self::Status(Box::new(failure.status))
    }
}

/// Plural resource and group, as error messages name them.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// API group; empty for the core group.
    pub group: &'a str,
    /// Resource or kind.
    pub kind: &'a str,
    /// Object name; may be empty.
    pub name: &'a str,
}

impl Named<'_> {
    /// Writes `configmaps` or `deployments.apps`.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.kind.to_owned()
        } else {
            format!("{}.{}", self.kind, self.group)
        }
    }
}

impl Failure {
    /// Builds a failure without details.
    pub fn new(code: u16, reason: &str, message: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            status: StatusError {
                code,
                reason: reason.to_owned(),
                message: message.into(),
                ..StatusError::default()
            },
            empty_details: false,
            plain: None,
            no_sniff: false,
            lost: false,
        })
    }

    /// Builds a failure about one object or resource.
    pub fn about(
        code: u16,
        reason: &str,
        named: Named<'_>,
        message: impl Into<String>,
    ) -> Box<Self> {
        let mut failure = Self::new(code, reason, message);
        failure.status.group = named.group.to_owned();
        failure.status.kind = named.kind.to_owned();
        failure.status.name = named.name.to_owned();
        failure.empty_details = true;
        failure
    }

    /// 400 with the server's words.
    pub fn bad_request(message: impl Into<String>) -> Box<Self> {
        Self::new(400, "BadRequest", message)
    }

    /// 500; a programming or storage error, or one that upstream reports without a reason.
    pub fn internal(message: impl Into<String>) -> Box<Self> {
        Self::new(500, "", message)
    }

    /// No answer: the connection is gone.
    pub fn lost() -> Box<Self> {
        let mut failure = Self::new(500, "", "connection reset by peer");
        failure.lost = true;
        failure
    }

    /// 404 of an object.
    pub fn not_found(named: Named<'_>) -> Box<Self> {
        let message = format!("{} \"{}\" not found", named.qualified(), named.name);
        Self::about(404, "NotFound", named, message)
    }

    /// 404 of a path under a known group.
    pub fn no_resource() -> Box<Self> {
        let mut failure = Self::new(
            404,
            "NotFound",
            "the server could not find the requested resource",
        );
        failure.empty_details = true;
        failure
    }

    /// 404 of a path that no handler knows.
    pub fn no_path() -> Box<Self> {
        let mut failure = Self::new(404, "NotFound", "404 page not found");
        failure.plain = Some("404 page not found\n".to_owned());
        failure
    }

    /// 405.
    pub fn method_not_allowed() -> Box<Self> {
        let mut failure = Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        );
        failure.empty_details = true;
        failure
    }

    /// 409 of a create.
    pub fn already_exists(named: Named<'_>) -> Box<Self> {
        let message = format!("{} \"{}\" already exists", named.qualified(), named.name);
        Self::about(409, "AlreadyExists", named, message)
    }

    /// 409 of a lost race.
    pub fn no_unique_name(named: Named<'_>) -> Box<Self> {
        let mut failure = Self::already_exists(named);
        let more = ", the server was not able to generate a unique name for the object";
        failure.status.message.push_str(more);
        failure.status.retry_after_seconds = 1;
        failure
    }

    /// 409: the object was changed meanwhile.
    pub fn conflict(named: Named<'_>, why: &str) -> Box<Self> {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{}\": {why}",
            named.qualified(),
            named.name
        );
        Self::about(409, "Conflict", named, message)
    }

    /// 409 of a stale resource version.
    pub fn modified(named: Named<'_>) -> Box<Self> {
        Self::conflict(
            named,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// 403 with `RESOURCE "NAME" is forbidden: why`.
    pub fn forbidden(named: Named<'_>, why: &str) -> Box<Self> {
        let message = if named.kind.is_empty() {
            format!("forbidden: {why}")
        } else if named.name.is_empty() {
            format!("{} is forbidden: {why}", named.qualified())
        } else {
            format!(
                "{} \"{}\" is forbidden: {why}",
                named.qualified(),
                named.name
            )
        };
        Self::about(403, "Forbidden", named, message)
    }

    /// 422 of an object of a kind (`named.kind` is the Kind), one cause an error.
    pub fn invalid(named: Named<'_>, causes: Vec<StatusCause>) -> Box<Self> {
        // Equal faults are told once, and listed as often as they were found.
        let mut texts: Vec<String> = Vec::new();
        for cause in &causes {
            let text = format!("{}: {}", cause.field, cause.message);
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let text = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let message = format!(
            "{} \"{}\" is invalid: {text}",
            named.qualified(),
            named.name
        );
        let mut failure = Self::about(422, "Invalid", named, message);
        failure.status.causes = causes;
        failure
    }

    /// 422 of query parameters (`ListOptions`, `PatchOptions`, …).
    pub fn invalid_options(kind: &str, causes: Vec<StatusCause>) -> Box<Self> {
        let named = Named {
            group: "meta.k8s.io",
            kind,
            name: "",
        };
        Self::invalid(named, causes)
    }

    /// 410 of a list or watch that starts too far back.
    pub fn expired(message: impl Into<String>) -> Box<Self> {
        Self::new(410, "Expired", message)
    }

    /// Writes the `Status` object.
    pub fn to_value(&self) -> Value {
        let status = &self.status;
        let mut metadata = Map::new();
        if !status.continue_token.is_empty() {
            metadata.insert("continue".into(), status.continue_token.clone().into());
        }
        let mut body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": metadata, "status": "Failure",
            "message": status.message, "code": status.code,
        });
        if !status.reason.is_empty() {
            body["reason"] = status.reason.clone().into();
        }
        let details = details(status);
        if self.empty_details || !details.is_empty() {
            body["details"] = Value::Object(details);
        }
        body
    }
}

fn details(status: &StatusError) -> Map {
    let mut details = Map::new();
    for (key, text) in [
        ("name", &status.name),
        ("group", &status.group),
        ("kind", &status.kind),
        ("uid", &status.uid),
    ] {
        if !text.is_empty() {
            details.insert(key.into(), text.clone().into());
        }
    }
    if !status.causes.is_empty() {
        let causes = status.causes.iter().map(cause_value).collect();
        details.insert("causes".into(), Value::Array(causes));
    }
    if status.retry_after_seconds > 0 {
        details.insert(
            "retryAfterSeconds".into(),
            status.retry_after_seconds.into(),
        );
    }
    details
}

fn cause_value(cause: &StatusCause) -> Value {
    let mut value = Map::new();
    for (key, text) in [
        ("reason", &cause.reason),
        ("message", &cause.message),
        ("field", &cause.field),
    ] {
        if !text.is_empty() {
            value.insert(key.into(), text.clone().into());
        }
    }
    Value::Object(value)
}

/// Single validation errors in the words of apimachinery's `field` package.
pub mod field {
    use cluster::StatusCause;
    use objects::Value;

    fn cause(reason: &str, field: &str, message: String) -> StatusCause {
        StatusCause {
            reason: reason.to_owned(),
            message,
            field: field.to_owned(),
        }
    }

    /// Writes a value as Go does: texts quoted by Go's rules, everything else as JSON.
    fn shown(value: &Value) -> String {
        match value {
            Value::String(text) => gocompat::quote::quote(text.as_bytes()),
            value => value.to_string(),
        }
    }

    /// A field that has to be there.
    pub fn required(field: &str, detail: &str) -> StatusCause {
        let message = if detail.is_empty() {
            "Required value".to_owned()
        } else {
            format!("Required value: {detail}")
        };
        cause("FieldValueRequired", field, message)
    }

    /// A value that does not do; written as JSON.
    pub fn invalid(field: &str, value: &Value, detail: &str) -> StatusCause {
        let separator = if detail.is_empty() { "" } else { ": " };
        cause(
            "FieldValueInvalid",
            field,
            format!("Invalid value: {}{separator}{detail}", shown(value)),
        )
    }

    /// A value that does not do, already written.
    pub fn invalid_shown(field: &str, shown: &str, detail: &str) -> StatusCause {
        cause(
            "FieldValueInvalid",
            field,
            format!("Invalid value: {shown}: {detail}"),
        )
    }

    /// A value of the wrong JSON type.
    pub fn type_invalid(field: &str, value: &Value, detail: &str) -> StatusCause {
        cause(
            "FieldValueTypeInvalid",
            field,
            format!("Invalid value: {value}: {detail}"),
        )
    }

    /// A field that must not be there, or not now.
    pub fn forbidden(field: &str, detail: &str) -> StatusCause {
        cause("FieldValueForbidden", field, format!("Forbidden: {detail}"))
    }

    /// A value outside a closed set; `supported` in the order shown.
    pub fn not_supported(field: &str, value: &Value, supported: &[&str]) -> StatusCause {
        let quoted: Vec<String> = supported.iter().map(|s| format!("\"{s}\"")).collect();
        let list = quoted.join(", ");
        cause(
            "FieldValueNotSupported",
            field,
            format!(
                "Unsupported value: {}: supported values: {list}",
                shown(value)
            ),
        )
    }

    /// A value that is there twice.
    pub fn duplicate(field: &str, value: &Value) -> StatusCause {
        cause(
            "FieldValueDuplicate",
            field,
            format!("Duplicate value: {}", shown(value)),
        )
    }

    /// A text or list beyond its bound.
    pub fn too_long(field: &str, unit: &str, max: usize) -> StatusCause {
        cause(
            "FieldValueTooLong",
            field,
            format!("Too long: may not be more than {max} {unit}"),
        )
    }

    /// A list with too many items.
    pub fn too_many(field: &str, count: usize, max: usize) -> StatusCause {
        cause(
            "FieldValueTooMany",
            field,
            format!("Too many: {count}: must have at most {max} items"),
        )
    }

    /// A reference to something absent.
    pub fn not_found(field: &str, value: &Value) -> StatusCause {
        cause("FieldValueNotFound", field, format!("Not found: {value}"))
    }
}

impl Failure {
    /// Tells whether an authorisation check (not admission) refused.
    pub fn is_authorization(&self) -> bool {
        self.status.message.contains("cannot ") && self.status.message.contains("User \"")
    }
}
