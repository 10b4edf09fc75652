//! ValidatingAdmissionPolicy: CEL expressions that every matching write has to fulfil.
//!
//! A binding puts a policy into force and may hand it parameters. Refusals, warnings and errors have upstream's texts; actions
//! of `Audit` and annotations are evaluated and go nowhere, as there is no audit log. Left out: type checking.

use std::collections::HashMap;
use std::sync::Arc;

use compact_str::CompactString;
use objects::{Gvk, LabelSelector, Map, Value};
use parking_lot::Mutex;

use super::expression::{Expression, Scope};
use super::{Request, authorizer, review, rules};
use crate::catalog::text;
use crate::engine::{Engine, Place};
use crate::failure::{Answered, Failure};
use crate::store::Entry;

const POLICIES: &str = "admissionregistration.k8s.io/validatingadmissionpolicies";
const BINDINGS: &str = "admissionregistration.k8s.io/validatingadmissionpolicybindings";
/// Longest message that an expression may give, in bytes.
const MESSAGE_BYTES_MAX: usize = 5 * 1024;

/// A policy ready to be evaluated.
struct Policy {
    name: String,
    constraints: Map,
    ignores_errors: bool,
    param_kind: Option<Gvk>,
    conditions: Vec<(String, Expression)>,
    variables: Vec<(String, Expression)>,
    validations: Vec<Validation>,
    annotations: Vec<Expression>,
    asks_authorizer: bool,
}

struct Validation {
    expression: Expression,
    message: String,
    message_expression: Option<Expression>,
    reason: String,
}

/// Compiled policies by name, with the revision they were compiled from.
#[derive(Default)]
pub struct Cache(Mutex<HashMap<CompactString, (u64, Arc<Policy>)>>);

impl Cache {
    fn compiled(&self, entry: &Entry) -> Arc<Policy> {
        let mut cache = self.0.lock();
        if let Some((revision, policy)) = cache.get(&entry.meta.name)
            && *revision == entry.revision
        {
            return policy.clone();
        }
        let policy = Arc::new(Policy::compile(entry));
        let slot = (entry.revision, policy.clone());
        cache.insert(entry.meta.name.clone(), slot);
        policy
    }
}

impl Policy {
    fn compile(entry: &Entry) -> Self {
        let object = entry.decode(
            "admissionregistration.k8s.io/v1",
            "ValidatingAdmissionPolicy",
        );
        let empty = Map::new();
        let spec = object
            .get("spec")
            .and_then(Value::as_object)
            .unwrap_or(&empty);
        let kind = spec.get("paramKind").and_then(Value::as_object);
        Self {
            name: entry.meta.name.to_string(),
            constraints: map_of(spec.get("matchConstraints")),
            ignores_errors: text(spec, "failurePolicy") == "Ignore",
            param_kind: kind.map(|kind| {
                let (group, version) = text(kind, "apiVersion")
                    .split_once('/')
                    .unwrap_or(("", text(kind, "apiVersion")));
                Gvk::new(group, version, text(kind, "kind"))
            }),
            conditions: named(spec, "matchConditions"),
            variables: named(spec, "variables"),
            validations: items(spec, "validations")
                .map(Validation::compile)
                .collect(),
            annotations: items(spec, "auditAnnotations")
                .map(|item| Expression::compile(text(item, "valueExpression")))
                .collect(),
            asks_authorizer: Value::Object(spec.clone())
                .to_string()
                .contains(authorizer::NAME),
        }
    }
}

impl Policy {
    /// Tells whether its parameters are of a kind that is not served.
    fn is_unconfigured(&self, engine: &Engine) -> bool {
        let kind = self.param_kind.as_ref();
        kind.is_some_and(|kind| engine.catalog().by_gvk(kind).is_none())
    }

    /// Builds the refusal of a policy whose kind of parameters is not served.
    fn unconfigured(&self, place: &Place) -> Box<Failure> {
        let kind = self.param_kind.as_ref();
        let kind = kind.map(|kind| format!("{}, Kind={}", kind.api_version(), kind.kind));
        let why = format!(
            "ValidatingAdmissionPolicy '{}' denied request: failed to configure policy: failed to find resource referenced by paramKind: '{}'",
            self.name,
            kind.unwrap_or_default()
        );
        refusal(place, &why, "")
    }
}

impl Validation {
    fn compile(item: &Map) -> Self {
        let source = text(item, "messageExpression");
        Self {
            expression: Expression::compile(text(item, "expression")),
            message: text(item, "message").trim().to_owned(),
            message_expression: (!source.is_empty()).then(|| Expression::compile(source)),
            reason: text(item, "reason").to_owned(),
        }
    }

    /// Says why it failed.
    fn message(&self, scope: &Scope) -> String {
        let computed = self
            .message_expression
            .as_ref()
            .and_then(|expression| scope.text(expression));
        let usable = computed.filter(|text| {
            !text.trim().is_empty() && text.len() <= MESSAGE_BYTES_MAX && !text.contains('\n')
        });
        match usable {
            Some(text) => text.trim().to_owned(),
            None if !self.message.is_empty() => self.message.clone(),
            None => format!("failed expression: {}", self.expression.source().trim()),
        }
    }
}

/// Reads the named expressions of a list such as `matchConditions`.
pub fn named(spec: &Map, key: &str) -> Vec<(String, Expression)> {
    items(spec, key)
        .map(|item| {
            let expression = Expression::compile(text(item, "expression"));
            (text(item, "name").to_owned(), expression)
        })
        .collect()
}

fn items<'a>(spec: &'a Map, key: &str) -> impl Iterator<Item = &'a Map> {
    let list = spec.get(key).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_object)
}

fn map_of(value: Option<&Value>) -> Map {
    value
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

/// One expression that does not hold, or that could not be evaluated.
struct Finding {
    message: String,
    reason: String,
}

/// Evaluates every policy in force on a request.
pub fn check(engine: &Engine, request: &Request<'_>, object: Option<&Map>) -> Answered<()> {
    let (_, bindings) = engine.store.list(BINDINGS, "");
    if bindings.is_empty() || request.place.resource.group() == "admissionregistration.k8s.io" {
        return Ok(());
    }
    let mut refused = None;
    for entry in &bindings {
        let binding = entry.decode(
            "admissionregistration.k8s.io/v1",
            "ValidatingAdmissionPolicyBinding",
        );
        let spec = map_of(binding.get("spec"));
        let Some(policy) = engine.store.get(POLICIES, text(&spec, "policyName")) else {
            continue;
        };
        let policy = engine.policies.compiled(&policy);
        if !rules::narrowed(
            engine,
            request,
            object,
            spec.get("matchResources").and_then(Value::as_object),
        ) {
            continue;
        }
        let Some(seen) = rules::matched(engine, request, object, &policy.constraints) else {
            continue;
        };
        let sight = review::Sight::new(request, object, &seen);
        if policy.is_unconfigured(engine) && !policy.ignores_errors {
            refused = refused.or(Some(policy.unconfigured(request.place)));
            continue;
        }
        let findings = findings(engine, request, &policy, &spec, &sight);
        let outcome = enforce(request, &policy, entry, &spec, findings);
        refused = refused.or(outcome.err());
    }
    refused.map_or(Ok(()), Err)
}

fn enforce(
    request: &Request<'_>,
    policy: &Policy,
    binding: &Entry,
    spec: &Map,
    findings: Vec<Finding>,
) -> Answered<()> {
    let acts = |action: &str| {
        let actions = spec.get("validationActions").and_then(Value::as_array);
        actions.is_some_and(|actions| actions.iter().any(|a| a == action))
    };
    let (policy, binding) = (&policy.name, &binding.meta.name);
    if acts("Warn") {
        for finding in &findings {
            request.context.warn(format!(
                "Validation failed for ValidatingAdmissionPolicy '{policy}' with binding '{binding}': {}",
                finding.message
            ));
        }
    }
    let Some(finding) = findings.first().filter(|_| acts("Deny")) else {
        return Ok(());
    };
    let why = format!(
        "ValidatingAdmissionPolicy '{policy}' with binding '{binding}' denied request: {}",
        finding.message
    );
    Err(refusal(request.place, &why, &finding.reason))
}

fn refusal(place: &Place, why: &str, reason: &str) -> Box<Failure> {
    let reason = if reason.is_empty() { "Invalid" } else { reason };
    let mut failure = Failure::forbidden(place.named(), why);
    failure.status.code = match reason {
        "Forbidden" => 403,
        "Unauthorized" => 401,
        "RequestEntityTooLarge" => 413,
        _ => 422,
    };
    failure.status.reason = reason.to_owned();
    failure.status.causes.push(cluster::StatusCause {
        message: why.to_owned(),
        ..cluster::StatusCause::default()
    });
    failure
}

/// Evaluates a policy with each of a binding's parameters.
fn findings(
    engine: &Engine,
    request: &Request<'_>,
    policy: &Policy,
    binding: &Map,
    sight: &review::Sight,
) -> Vec<Finding> {
    let failed = |message: String| -> Vec<Finding> {
        if policy.ignores_errors {
            return Vec::new();
        }
        vec![Finding {
            message,
            reason: String::new(),
        }]
    };
    let params = match params(engine, request, policy, binding) {
        Ok(params) => params,
        Err(why) => return failed(format!("failed to configure binding: {why}")),
    };
    let mut found = Vec::new();
    for param in params {
        let mut values = sight.variables(engine);
        values.push(("params", param));
        let mut scope = Scope::new(&values);
        if policy.asks_authorizer {
            scope.authorizer(engine, &request.context.user, request.place);
        }
        match holds_all(&policy.conditions, &scope) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(why) => {
                found.extend(failed(why));
                continue;
            }
        }
        for (name, expression) in &policy.variables {
            scope.define(name, expression);
        }
        for validation in &policy.validations {
            match scope.holds(&validation.expression) {
                Ok(true) => {}
                Ok(false) => found.push(Finding {
                    message: validation.message(&scope),
                    reason: validation.reason.clone(),
                }),
                Err(why) => found.extend(failed(why)),
            }
        }
        for annotation in &policy.annotations {
            if let Err(why) = scope.evaluate(annotation) {
                let source = annotation.source();
                let why = format!("expression '{source}' resulted in error: {why}");
                found.extend(failed(why));
            }
        }
    }
    found
}

/// Tells whether all match conditions hold; one that does not counts more than one that fails.
pub fn holds_all(conditions: &[(String, Expression)], scope: &Scope) -> Result<bool, String> {
    let mut failures: Vec<String> = Vec::new();
    for (_, condition) in conditions {
        match scope.holds(condition) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(why) if failures.contains(&why) => {}
            Err(why) => failures.push(why),
        }
    }
    match failures.len() {
        0 => Ok(true),
        1 => Err(failures.remove(0)),
        _ => Err(format!("[{}]", failures.join(", "))),
    }
}

/// Finds the parameters of a binding: one value for each evaluation.
fn params(
    engine: &Engine,
    request: &Request<'_>,
    policy: &Policy,
    binding: &Map,
) -> Result<Vec<Value>, String> {
    let Some(kind) = &policy.param_kind else {
        return Ok(vec![Value::Null]);
    };
    let Some(reference) = binding.get("paramRef").and_then(Value::as_object) else {
        return Ok(vec![Value::Null]);
    };
    let catalog = engine.catalog();
    let Some(resource) = catalog.by_gvk(kind) else {
        return Err(format!(
            "paramKind kind `{}, Kind={}` not known",
            kind.api_version(),
            kind.kind
        ));
    };
    let mut namespace = text(reference, "namespace");
    if resource.api.namespaced && namespace.is_empty() {
        namespace = &request.place.namespace;
        if namespace.is_empty() {
            return Err("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources".into());
        }
    }
    let (_, entries) = engine.store.list(&resource.table, namespace);
    let name = text(reference, "name");
    let selector = reference.get("selector").and_then(Value::as_object);
    let found: Vec<Value> = entries
        .iter()
        .filter(|entry| name.is_empty() || entry.meta.name == name)
        .map(|entry| engine.decode_entry(resource, entry))
        .filter(|param| {
            selector.is_none_or(|selector| {
                LabelSelector::of_object(selector).matches_map(&rules::labels_of(param))
            })
        })
        .map(Value::Object)
        .collect();
    if found.is_empty() && text(reference, "parameterNotFoundAction") != "Allow" {
        return Err(
            "no params found for policy binding with `Deny` parameterNotFoundAction".into(),
        );
    }
    Ok(found)
}
