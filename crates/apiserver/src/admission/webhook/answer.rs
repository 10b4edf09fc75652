//! What a webhook answers: a review that can be read, a refusal, a patch.

use base64::Engine as _;
use objects::{Map, Value};

use crate::catalog::text;
use crate::failure::Failure;

/// Reads the response in the answer to a review; a failure is why there is none.
pub(super) fn response(body: &[u8], uid: &str) -> Result<Map, String> {
    let failed = |why: String| format!("failed to call webhook: {why}");
    let invalid = |why: String| format!("received invalid webhook response: {why}");
    if body.is_empty() {
        let why = "0-length response with status code: 200 and content type: application/json";
        return Err(failed(why.into()));
    }
    // What is no JSON is read as YAML, in which a bare word is a text.
    let answer: Value = serde_json::from_slice(body).unwrap_or_else(|_| "".into());
    readable(&answer).map_err(failed)?;
    let Some(response) = answer["response"].as_object() else {
        return Err(invalid("webhook response was absent".into()));
    };
    let given = text(response, "uid");
    if given != uid {
        return Err(invalid(format!(
            "expected response.uid=\"{uid}\", got \"{given}\""
        )));
    }
    let (version, kind) = (&answer["apiVersion"], &answer["kind"]);
    if version != "admission.k8s.io/v1" || kind != "AdmissionReview" {
        let version = version.as_str().filter(|version| !version.is_empty());
        return Err(invalid(format!(
            "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got {}, Kind={}",
            version.unwrap_or("/"),
            kind.as_str().unwrap_or("")
        )));
    }
    Ok(response.clone())
}

/// Refuses what a client cannot decode as a review.
fn readable(answer: &Value) -> Result<(), String> {
    let kind = match answer {
        Value::Object(_) => "",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        _ => "number",
    };
    if !kind.is_empty() {
        return Err(format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {kind} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}"
        ));
    }
    for (key, kind) in [("allowed", "bool"), ("patch", "[]uint8")] {
        let found = match (kind, &answer["response"][key]) {
            (_, Value::Null) | ("bool", Value::Bool(_)) | ("[]uint8", Value::String(_)) => continue,
            (_, Value::Bool(_)) => "bool",
            (_, Value::Number(_)) => "number",
            (_, Value::String(_)) => "string",
            (_, Value::Array(_)) => "array",
            (_, Value::Object(_)) => "object",
        };
        return Err(format!(
            "json: cannot unmarshal {found} into Go struct field AdmissionResponse.response.{key} of type {kind}"
        ));
    }
    let word = |key: &str| answer[key].as_str().unwrap_or("");
    match (word("apiVersion"), word("kind")) {
        ("", "") | ("admission.k8s.io/v1", "AdmissionReview") => Ok(()),
        ("admission.k8s.io/v1beta1", "AdmissionReview") => Err(
            "converting (v1beta1.AdmissionReview) to (v1.AdmissionReview): unknown conversion"
                .into(),
        ),
        (version, kind) => Err(format!(
            "no kind {kind:?} is registered for version {version:?} in scheme \"pkg/runtime/scheme.go:111\""
        )),
    }
}

/// Turns a refusal into the failure of the request.
pub(super) fn denial(name: &str, response: &Map) -> Box<Failure> {
    let empty = Map::new();
    let status = response.get("status").and_then(Value::as_object);
    let status = status.unwrap_or(&empty);
    let denied = format!("admission webhook \"{name}\" denied the request");
    let message = match (text(status, "message"), text(status, "reason")) {
        ("", "") => format!("{denied} without explanation"),
        ("", reason) => format!("{denied}: {reason}"),
        (message, _) => format!("{denied}: {message}"),
    };
    let code = status.get("code").and_then(Value::as_u64).unwrap_or(0);
    let code = u16::try_from(code).unwrap_or(400).clamp(400, 599);
    let mut failure = Failure::new(code, text(status, "reason"), message);
    let details = status.get("details").and_then(Value::as_object);
    if let Some(details) = details {
        failure.status.kind = text(details, "kind").to_owned();
        failure.status.name = text(details, "name").to_owned();
        failure.status.group = text(details, "group").to_owned();
        let causes = details.get("causes").and_then(Value::as_array);
        let causes = causes.into_iter().flatten().filter_map(Value::as_object);
        failure.status.causes = causes
            .map(|cause| cluster::StatusCause {
                reason: text(cause, "reason").to_owned(),
                message: text(cause, "message").to_owned(),
                field: text(cause, "field").to_owned(),
            })
            .collect();
    }
    failure
}

/// Returns the patch of a response; validating webhooks change nothing.
pub(super) fn change(response: &Map, mutating: bool) -> Result<Option<Value>, String> {
    if mutating {
        return patch(response);
    }
    for key in ["patch", "patchType"] {
        if response.get(key).is_some_and(|given| !given.is_null()) {
            return Err(format!("validating webhook may not return response.{key}"));
        }
    }
    Ok(None)
}

fn patch(response: &Map) -> Result<Option<Value>, String> {
    let encoded = text(response, "patch");
    let kind = text(response, "patchType");
    if encoded.is_empty() && kind.is_empty() {
        return Ok(None);
    }
    if encoded.is_empty() {
        return Err("webhook returned response.patchType but not response.patch".into());
    }
    if kind.is_empty() {
        return Err("webhook returned response.patch but not response.patchType".into());
    }
    if kind != "JSONPatch" {
        return Err(format!("unsupported patch type {kind:?}"));
    }
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(encoded)
        .map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| error.to_string())
}
