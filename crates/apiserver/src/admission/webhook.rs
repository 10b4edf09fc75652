//! Admission webhooks: who is asked, what their answers do, and what happens when they do not answer.
//!
//! Mutating webhooks are asked one after the other by name of their configuration, and those that want it once more when a
//! later one changed the object; validating ones see the outcome. Endpoints outside of loopback addresses are never called.

use std::time::Duration;

use base64::Engine as _;
use objects::{Map, Value};

use super::authorizer::NAME;
use super::caller::{self, Endpoint};
use super::expression::{Expression, Scope};
use super::policy::{holds_all, named};
use super::{Request, review, rules};
use crate::catalog::text;
use crate::engine::Engine;
use crate::failure::{Answered, Failure};

const MUTATING: &str = "admissionregistration.k8s.io/mutatingwebhookconfigurations";
const VALIDATING: &str = "admissionregistration.k8s.io/validatingwebhookconfigurations";

/// Seconds that a webhook may take when it does not say.
const TIMEOUT_SECONDS: u64 = 10;

fn webhooks(engine: &Engine, table: &str, request: &Request<'_>) -> Vec<Map> {
    // Configurations of admission are never subject to webhooks.
    if request.place.resource.group() == "admissionregistration.k8s.io" {
        return Vec::new();
    }
    let (_, entries) = engine.store.list(table, "");
    let mut found = Vec::new();
    for entry in entries {
        let config = entry.decode("admissionregistration.k8s.io/v1", "");
        let list = config.get("webhooks").and_then(Value::as_array);
        let list = list.into_iter().flatten();
        found.extend(list.filter_map(Value::as_object).cloned());
    }
    found
}

/// Lets mutating webhooks change an object; tells whether one did.
pub fn mutate(engine: &Engine, request: &Request<'_>, object: &mut Map) -> Answered<bool> {
    let webhooks = webhooks(engine, MUTATING, request);
    let mut changes = 0;
    // For each webhook that was asked: the number of changes after its own.
    let mut asked: Vec<Option<usize>> = vec![None; webhooks.len()];
    for round in 0..2 {
        for (index, webhook) in webhooks.iter().enumerate() {
            let again = asked[index].is_some_and(|after| after < changes);
            let wants = text(webhook, "reinvocationPolicy") == "IfNeeded";
            if round == 1 && !(again && wants) {
                continue;
            }
            let Some(answer) = ask(engine, request, shown(object), webhook, true)? else {
                continue;
            };
            if let Some(patch) = answer {
                let mut value = Value::Object(object.clone());
                crate::fields::json_patch(&mut value, &patch).map_err(|why| internal(&why))?;
                if let Value::Object(next) = value
                    && next != *object
                {
                    *object = next;
                    changes += 1;
                }
            }
            asked[index] = Some(changes);
        }
    }
    Ok(changes > 0)
}

/// The new state as webhooks see it: none for a delete, which has no state to come.
fn shown(object: &Map) -> Option<&Map> {
    (!object.is_empty()).then_some(object)
}

/// Asks validating webhooks.
pub fn validate(engine: &Engine, request: &Request<'_>, object: Option<&Map>) -> Answered<()> {
    for webhook in webhooks(engine, VALIDATING, request) {
        ask(engine, request, object, &webhook, false)?;
    }
    Ok(())
}

/// Asks one webhook if the request concerns it; returns its patch.
fn ask(
    engine: &Engine,
    request: &Request<'_>,
    object: Option<&Map>,
    webhook: &Map,
    mutating: bool,
) -> Answered<Option<Option<Value>>> {
    let Some(seen) = rules::matched(engine, request, object, webhook) else {
        return Ok(None);
    };
    let name = text(webhook, "name");
    let ignores = text(webhook, "failurePolicy") == "Ignore";
    let sight = review::Sight::new(request, object, &seen);
    let conditions = named(webhook, "matchConditions");
    if !conditions.is_empty() {
        let mut scope = Scope::new(&sight.variables(engine));
        let asks = |(_, condition): &(String, Expression)| condition.source().contains(NAME);
        if conditions.iter().any(asks) {
            scope.authorizer(engine, &request.context.user, request.place);
        }
        match holds_all(&conditions, &scope) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(_) if ignores => return Ok(None),
            Err(why) => return Err(Failure::forbidden(request.place.named(), &why)),
        }
    }
    if request.dry_run && !matches!(text(webhook, "sideEffects"), "None" | "NoneOnDryRun") {
        let why = format!("admission webhook \"{name}\" does not support dry run");
        return Err(Failure::bad_request(why));
    }
    let uid = engine.environment.uuid();
    let outcome = send(engine, webhook, &sight.review(&uid), &uid);
    let response = match outcome {
        Ok(response) => response,
        Err(why) if ignores => {
            tracing::warn!(webhook = name, why, "webhook failed, failing open");
            return Ok(Some(None));
        }
        Err(why) => {
            return Err(internal(&format!(
                "failed calling webhook \"{name}\": {why}"
            )));
        }
    };
    let warnings = response.get("warnings").and_then(Value::as_array);
    for warning in warnings.into_iter().flatten().filter_map(Value::as_str) {
        request.context.warn(warning);
    }
    if response.get("allowed") != Some(&Value::Bool(true)) {
        return Err(denial(name, &response));
    }
    let patched = if mutating {
        patch(&response)
    } else {
        unpatched(&response)
    };
    match patched {
        Ok(Some(_)) if object.is_none() => Err(internal(&format!(
            "admission webhook \"{name}\" attempted to modify the object, which is not supported for this operation"
        ))),
        Ok(patch) => Ok(Some(patch)),
        Err(_) if ignores => Ok(Some(None)),
        Err(why) => Err(internal(&format!(
            "failed calling webhook \"{name}\": received invalid webhook response: {why}"
        ))),
    }
}

fn internal(why: &str) -> Box<Failure> {
    let message = format!("Internal error occurred: {why}");
    let mut failure = Failure::new(500, "InternalError", message);
    failure.status.causes.push(cluster::StatusCause {
        message: why.to_owned(),
        ..cluster::StatusCause::default()
    });
    failure
}

fn denial(name: &str, response: &Map) -> Box<Failure> {
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

/// Validating webhooks change nothing.
fn unpatched(response: &Map) -> Result<Option<Value>, String> {
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

fn send(engine: &Engine, webhook: &Map, review: &Value, uid: &str) -> Result<Map, String> {
    let failed = |why: String| format!("failed to call webhook: {why}");
    let endpoint = endpoint(engine, webhook).map_err(failed)?;
    let body = caller::call(&endpoint, review.to_string().into_bytes()).map_err(failed)?;
    let invalid = |why: String| format!("received invalid webhook response: {why}");
    if body.is_empty() {
        let why = "0-length response with status code: 200 and content type: application/json";
        return Err(failed(why.into()));
    }
    // What is no JSON is read as YAML, in which a bare word is a text.
    let answer: Value = serde_json::from_slice(&body).unwrap_or_else(|_| "".into());
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

fn endpoint(engine: &Engine, webhook: &Map) -> Result<Endpoint, String> {
    let empty = Map::new();
    let config = webhook.get("clientConfig").and_then(Value::as_object);
    let config = config.unwrap_or(&empty);
    let seconds = webhook.get("timeoutSeconds").and_then(Value::as_u64);
    let seconds = seconds.unwrap_or(TIMEOUT_SECONDS).clamp(1, 30);
    let authorities = base64::engine::general_purpose::STANDARD
        .decode(text(config, "caBundle"))
        .map_err(|error| error.to_string())?;
    let service = config.get("service").and_then(Value::as_object);
    let (base, reach) = match service {
        Some(service) => service_endpoint(engine, service)
            .map_err(|(base, why)| format!("Post \"{base}?timeout={seconds}s\": {why}"))?,
        None => (text(config, "url").to_owned(), None),
    };
    let (host, port, target) =
        caller::split(&base).ok_or_else(|| format!("{base:?} is no https URL"))?;
    let sign = if target.contains('?') { '&' } else { '?' };
    let query = format!("{sign}timeout={seconds}s");
    let address = match reach {
        Some(address) => address,
        None => caller::loopback(&host)
            .map(|address| (address, port).into())
            .ok_or_else(|| {
                format!(
                    "Post \"{base}{query}\": this server calls webhooks at loopback addresses only"
                )
            })?,
    };
    Ok(Endpoint {
        url: format!("{base}{query}"),
        host,
        address,
        target: format!("{target}{query}"),
        authorities,
        timeout: Duration::from_secs(seconds),
    })
}

/// Finds a service of the cluster whose endpoints are loopback addresses: URL and address. An error comes with the URL too.
fn service_endpoint(
    engine: &Engine,
    service: &Map,
) -> Result<(String, Option<std::net::SocketAddr>), (String, String)> {
    let (namespace, name) = (text(service, "namespace"), text(service, "name"));
    let wanted = service.get("port").and_then(Value::as_u64).unwrap_or(443);
    let path = text(service, "path").trim_start_matches('/');
    let url = format!("https://{name}.{namespace}.svc:{wanted}/{path}");
    let key = crate::store::key(namespace, name);
    let Some(entry) = engine.store.get("/services", &key) else {
        return Err((url, format!("service \"{name}\" not found")));
    };
    let object = entry.decode("v1", "Service");
    let spec = object.get("spec").and_then(Value::as_object);
    let external = spec.map_or("", |spec| text(spec, "externalName"));
    let port_of = |port: u64| u16::try_from(port).unwrap_or(0);
    if let Some(address) = caller::loopback(external) {
        return Ok((url, Some((address, port_of(wanted)).into())));
    }
    let ports = spec.and_then(|spec| spec.get("ports")?.as_array());
    let port = ports
        .into_iter()
        .flatten()
        .find(|port| port.get("port").and_then(Value::as_u64) == Some(wanted));
    let Some(port) = port else {
        let why = format!("no service port {wanted} found for service \"{name}\"");
        return Err((url, why));
    };
    let port_name = port.get("name").and_then(Value::as_str).unwrap_or("");
    let (_, slices) = engine
        .store
        .list("discovery.k8s.io/endpointslices", namespace);
    for slice in slices {
        let slice = slice.decode("discovery.k8s.io/v1", "EndpointSlice");
        let owner = slice
            .get("metadata")
            .and_then(|m| m.get("labels")?.get("kubernetes.io/service-name")?.as_str());
        if owner != Some(name) {
            continue;
        }
        let list = |key: &str| {
            slice
                .get(key)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
        let ports = list("ports");
        let target = ports
            .iter()
            .find(|p| p.get("name").and_then(Value::as_str).unwrap_or("") == port_name);
        let target = target.and_then(|p| p.get("port")?.as_u64());
        let endpoints = list("endpoints");
        let address = endpoints
            .iter()
            .filter_map(|e| e.get("addresses")?.get(0)?.as_str())
            .find_map(caller::loopback);
        if let (Some(address), Some(target)) = (address, target) {
            return Ok((url, Some((address, port_of(target)).into())));
        }
    }
    let why = format!("no endpoints available for service \"{name}\"");
    Err((url, why))
}
