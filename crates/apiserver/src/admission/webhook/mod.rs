//! Admission webhooks: who is asked, what their answers do, and what happens when they do not answer.
//!
//! Mutating webhooks are asked one after the other by name of their configuration, and those that want it once more when a
//! later one changed the object; validating ones see the outcome. Endpoints outside of loopback addresses are never called.

mod answer;
mod caller;
mod endpoint;
mod trust;

pub use caller::Calls;

use objects::{Map, Value};

use super::authorizer::NAME;
use super::expression::{Expression, Scope};
use super::policy::{holds_all, named};
use super::{Request, review, rules};
use crate::catalog::text;
use crate::engine::Engine;
use crate::failure::{Answered, Failure};

const MUTATING: &str = "admissionregistration.k8s.io/mutatingwebhookconfigurations";
const VALIDATING: &str = "admissionregistration.k8s.io/validatingwebhookconfigurations";

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
    match fits(engine, request, webhook, &sight) {
        Ok(true) => {}
        Ok(false) => return Ok(None),
        Err(_) if ignores => return Ok(None),
        Err(why) => return Err(Failure::forbidden(request.place.named(), &why)),
    }
    if request.dry_run && !matches!(text(webhook, "sideEffects"), "None" | "NoneOnDryRun") {
        let why = format!("admission webhook \"{name}\" does not support dry run");
        return Err(Failure::bad_request(why));
    }
    let failed = |why: &str| internal(&format!("failed calling webhook \"{name}\": {why}"));
    let uid = engine.environment.uuid();
    let response = match send(engine, webhook, &sight.review(&uid), &uid) {
        Ok(response) => response,
        Err(why) if ignores => {
            tracing::warn!(webhook = name, why, "webhook failed, failing open");
            return Ok(Some(None));
        }
        Err(why) => return Err(failed(&why)),
    };
    let warnings = response.get("warnings").and_then(Value::as_array);
    for warning in warnings.into_iter().flatten().filter_map(Value::as_str) {
        request.context.warn(warning);
    }
    if response.get("allowed") != Some(&Value::Bool(true)) {
        return Err(answer::denial(name, &response));
    }
    match answer::change(&response, mutating) {
        Ok(Some(_)) if object.is_none() => Err(internal(&format!(
            "admission webhook \"{name}\" attempted to modify the object, which is not supported for this operation"
        ))),
        Ok(patch) => Ok(Some(patch)),
        Err(_) if ignores => Ok(Some(None)),
        Err(why) => Err(failed(&format!("received invalid webhook response: {why}"))),
    }
}

/// Tells whether the conditions of a webhook hold; a failure is a condition's that cannot be computed.
fn fits(
    engine: &Engine,
    request: &Request<'_>,
    webhook: &Map,
    sight: &review::Sight,
) -> Result<bool, String> {
    let conditions = named(webhook, "matchConditions");
    if conditions.is_empty() {
        return Ok(true);
    }
    let mut scope = Scope::new(&sight.variables(engine));
    let asks = |(_, condition): &(String, Expression)| condition.source().contains(NAME);
    if conditions.iter().any(asks) {
        scope.authorizer(engine, &request.context.user, request.place);
    }
    holds_all(&conditions, &scope)
}

/// Sends a review and reads the response; failures are those of Go's client.
fn send(engine: &Engine, webhook: &Map, review: &Value, uid: &str) -> Result<Map, String> {
    let body = endpoint::endpoint(engine, webhook)
        .and_then(|endpoint| {
            caller::call(
                &engine.webhook_calls,
                &endpoint,
                review.to_string().into_bytes(),
            )
        })
        .map_err(|why| format!("failed to call webhook: {why}"))?;
    answer::response(&body, uid)
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
