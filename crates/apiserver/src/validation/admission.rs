//! Webhook configurations, admission policies and their bindings.

use objects::{Map, Value};

use super::{Faults, Subject};
use crate::catalog::text;
use crate::crd::typing::{self, Type};
use crate::failure::field;

const POLICIES: [&str; 2] = ["Fail", "Ignore"];

fn members<'a>(object: &'a Map, key: &str) -> impl Iterator<Item = (usize, &'a Map)> {
    let list = object.get(key).and_then(Value::as_array);
    let list = list.into_iter().flatten().enumerate();
    list.filter_map(|(index, item)| Some((index, item.as_object()?)))
}

fn is_empty(object: &Map, key: &str) -> bool {
    object
        .get(key)
        .and_then(Value::as_array)
        .is_none_or(Vec::is_empty)
}

/// Checks both kinds of webhook configurations.
pub(super) fn webhooks(subject: &Subject<'_>, faults: &mut Faults) {
    let mut names = Vec::new();
    for (index, webhook) in members(subject.object, "webhooks") {
        let path = format!("webhooks[{index}]");
        let name = text(webhook, "name");
        check_name(name, &format!("{path}.name"), faults);
        if names.contains(&name) {
            let duplicate = field::duplicate(&format!("{path}.name"), &name.into());
            faults.0.push(duplicate);
        }
        names.push(name);
        webhook_members(webhook, &path, faults);
    }
}

fn check_name(name: &str, path: &str, faults: &mut Faults) {
    if name.is_empty() {
        faults.required(path, "");
        return;
    }
    for problem in crate::names::dns_subdomain(name) {
        faults.invalid(path, &name.into(), &problem);
    }
    if name.split('.').count() < 3 {
        let why = "should be a domain with at least three segments separated by dots";
        faults.invalid(path, &name.into(), why);
    }
}

fn webhook_members(webhook: &Map, path: &str, faults: &mut Faults) {
    let versions = format!("{path}.admissionReviewVersions");
    let listed = webhook.get("admissionReviewVersions");
    match listed.and_then(Value::as_array) {
        Some(list) if !list.is_empty() => {
            if !list.iter().any(|v| v == "v1" || v == "v1beta1") {
                let why = "must include at least one of v1, v1beta1";
                faults.invalid(&versions, &Value::Array(list.clone()), why);
            }
        }
        _ => faults.required(&versions, "must specify one of v1, v1beta1"),
    }
    for (index, rule) in members(webhook, "rules") {
        check_rule(rule, &format!("{path}.rules[{index}]"), faults);
    }
    let policy = text(webhook, "failurePolicy");
    if !policy.is_empty() {
        faults.one_of(&format!("{path}.failurePolicy"), policy, &POLICIES);
    }
    let matching = text(webhook, "matchPolicy");
    if !matching.is_empty() {
        let supported = ["Equivalent", "Exact"];
        faults.one_of(&format!("{path}.matchPolicy"), matching, &supported);
    }
    let effects = format!("{path}.sideEffects");
    match text(webhook, "sideEffects") {
        "" => faults.required(&effects, "must specify one of None, NoneOnDryRun"),
        other => faults.one_of(&effects, other, &["None", "NoneOnDryRun"]),
    }
    if let Some(seconds) = webhook.get("timeoutSeconds").and_then(Value::as_i64)
        && !(1..=30).contains(&seconds)
    {
        let why = "the timeout value must be between 1 and 30 seconds";
        faults.invalid(&format!("{path}.timeoutSeconds"), &seconds.into(), why);
    }
    check_client(webhook, &format!("{path}.clientConfig"), faults);
    for (index, condition) in members(webhook, "matchConditions") {
        check_condition(
            condition,
            &format!("{path}.matchConditions[{index}]"),
            faults,
        );
    }
}

fn check_client(webhook: &Map, path: &str, faults: &mut Faults) {
    let config = webhook.get("clientConfig").and_then(Value::as_object);
    let has = |key: &str| config.is_some_and(|config| config.contains_key(key));
    if has("url") == has("service") {
        faults.required(path, "exactly one of url or service is required");
        return;
    }
    let Some(config) = config else { return };
    if has("url") {
        check_url(text(config, "url"), &format!("{path}.url"), faults);
        return;
    }
    let service = config.get("service").and_then(Value::as_object);
    let Some(service) = service else { return };
    for key in ["name", "namespace"] {
        if text(service, key).is_empty() {
            let why = format!("service {key} is required");
            faults.required(&format!("{path}.service.{key}"), &why);
        }
    }
}

fn check_url(url: &str, path: &str, faults: &mut Faults) {
    const FORM: &str = "; desired format: https://host[/path]";
    let value: Value = url.into();
    let Ok(uri) = url.parse::<http::Uri>() else {
        faults.required(
            path,
            &format!("url must be a valid URL: parse {url:?}{FORM}"),
        );
        return;
    };
    if uri.scheme_str() != Some("https") {
        let why = format!("'https' is the only allowed URL scheme{FORM}");
        let scheme = uri.scheme_str().unwrap_or("");
        faults.invalid(path, &scheme.into(), &why);
    }
    if uri.host().is_none_or(str::is_empty) {
        faults.invalid(path, &value, &format!("host must be specified{FORM}"));
    }
    if uri.query().is_some() {
        let query = uri.query().unwrap_or("");
        faults.invalid(
            path,
            &query.into(),
            "query parameters are not permitted in the URL",
        );
    }
}

fn check_rule(rule: &Map, path: &str, faults: &mut Faults) {
    const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
    for key in ["operations", "apiGroups", "apiVersions", "resources"] {
        let place = format!("{path}.{key}");
        if is_empty(rule, key) {
            faults.required(&place, "");
            continue;
        }
        let list = rule.get(key).and_then(Value::as_array);
        let list = list.map_or(&[][..], Vec::as_slice);
        if list.len() > 1 && key != "resources" && list.iter().any(|word| word == "*") {
            let why = match key {
                "operations" => "if '*' is present, must not specify other operations",
                "apiGroups" => "if '*' is present, must not specify other API groups",
                _ => "if '*' is present, must not specify other API versions",
            };
            faults.invalid(&place, &list.into(), why);
        }
        let others = |word: &Value| {
            let word = word.as_str().unwrap_or("");
            word != "*" && !word.contains('/')
        };
        if key == "resources" && list.iter().any(|word| word == "*") && list.iter().any(others) {
            let why = "if '*' is present, must not specify other resources without subresources";
            faults.invalid(&place, &list.into(), why);
        }
        for (index, word) in list.iter().enumerate().filter(|_| key == "operations") {
            let place = format!("{place}[{index}]");
            faults.one_of(&place, word.as_str().unwrap_or(""), &OPERATIONS);
        }
    }
    let scope = text(rule, "scope");
    if !scope.is_empty() {
        let supported = ["*", "Cluster", "Namespaced"];
        faults.one_of(&format!("{path}.scope"), scope, &supported);
    }
}

fn check_condition(condition: &Map, path: &str, faults: &mut Faults) {
    let name = text(condition, "name");
    if name.is_empty() {
        faults.required(&format!("{path}.name"), "");
    }
    for problem in crate::names::qualified_name(name)
        .into_iter()
        .filter(|_| !name.is_empty())
    {
        faults.invalid(&format!("{path}.name"), &name.into(), &problem);
    }
    check_expression(condition, "expression", path, Gives::Truth, faults);
}

/// What an expression has to give.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gives {
    Truth,
    Text,
    Anything,
}

/// Checks that an expression can be read, knows its variables and gives what it should.
fn check_expression(item: &Map, key: &str, path: &str, gives: Gives, faults: &mut Faults) {
    const VARIABLES: [&str; 7] = [
        "object",
        "oldObject",
        "request",
        "params",
        "namespaceObject",
        "authorizer",
        "variables",
    ];
    let source = text(item, key);
    let place = format!("{path}.{key}");
    let value: Value = source.into();
    if source.trim().is_empty() {
        faults.required(&place, "");
        return;
    }
    match typing::check_untyped(source, &VARIABLES) {
        Err(why) => faults.invalid(&place, &value, &format!("compilation failed: {why}")),
        Ok(kind) => match (gives, kind) {
            (_, Type::Dyn)
            | (Gives::Anything, _)
            | (Gives::Truth, Type::Bool)
            | (Gives::Text, Type::Text) => {}
            (gives, kind) => {
                let wanted = if gives == Gives::Truth {
                    "bool"
                } else {
                    "string"
                };
                let found = kind.name().unwrap_or_else(|| "object".into());
                let why = format!("must evaluate to {wanted} but got {found}");
                faults.invalid(&place, &value, &why);
            }
        },
    }
}

/// Checks a ValidatingAdmissionPolicy.
pub(super) fn policy(subject: &Subject<'_>, faults: &mut Faults) {
    let Some(spec) = subject.object.get("spec").and_then(Value::as_object) else {
        return;
    };
    let failure = text(spec, "failurePolicy");
    if !failure.is_empty() {
        faults.one_of("spec.failurePolicy", failure, &POLICIES);
    }
    if let Some(kind) = spec.get("paramKind").and_then(Value::as_object) {
        for key in ["apiVersion", "kind"] {
            if text(kind, key).is_empty() {
                faults.required(&format!("spec.paramKind.{key}"), "");
            }
        }
    }
    match spec.get("matchConstraints").and_then(Value::as_object) {
        None => faults.required("spec.matchConstraints", ""),
        Some(constraints) => {
            let path = "spec.matchConstraints.resourceRules";
            if is_empty(constraints, "resourceRules") {
                faults.required(path, "");
            }
            for (index, rule) in members(constraints, "resourceRules") {
                check_rule(rule, &format!("{path}[{index}]"), faults);
            }
        }
    }
    for (index, condition) in members(spec, "matchConditions") {
        check_condition(condition, &format!("spec.matchConditions[{index}]"), faults);
    }
    for (index, variable) in members(spec, "variables") {
        let path = format!("spec.variables[{index}]");
        if text(variable, "name").is_empty() {
            faults.required(&format!("{path}.name"), "name is not specified");
        } else if !is_identifier(text(variable, "name")) {
            let why = "must be a valid CEL identifier";
            faults.invalid(&format!("{path}.name"), &text(variable, "name").into(), why);
        }
        check_expression(variable, "expression", &path, Gives::Anything, faults);
    }
    if is_empty(spec, "validations") && is_empty(spec, "auditAnnotations") {
        let why = "validations or auditAnnotations must contain at least one item";
        faults.required("spec.validations", why);
        faults.required("spec.auditAnnotations", why);
    }
    for (index, validation) in members(spec, "validations") {
        check_validation(validation, &format!("spec.validations[{index}]"), faults);
    }
}

fn is_identifier(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().all(word) && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn check_validation(validation: &Map, path: &str, faults: &mut Faults) {
    const REASONS: [&str; 3] = ["Forbidden", "Invalid", "RequestEntityTooLarge"];
    if text(validation, "expression").trim().is_empty() {
        faults.required(&format!("{path}.expression"), "expression is not specified");
    } else {
        check_expression(validation, "expression", path, Gives::Truth, faults);
    }
    if !text(validation, "messageExpression").is_empty() {
        check_expression(validation, "messageExpression", path, Gives::Text, faults);
    }
    let message = text(validation, "message");
    if validation.contains_key("message") && message.trim().is_empty() {
        let why = "must be non-empty if specified";
        faults.invalid(&format!("{path}.message"), &message.into(), why);
    } else if message.trim().contains('\n') {
        let why = "must not contain line breaks";
        faults.invalid(&format!("{path}.message"), &message.into(), why);
    } else if text(validation, "expression").trim().contains('\n') && message.is_empty() {
        let why = "message must be specified if expression contains line breaks";
        faults.required(&format!("{path}.message"), why);
    }
    let reason = text(validation, "reason");
    if !reason.is_empty() {
        faults.one_of(&format!("{path}.reason"), reason, &REASONS);
    }
}

/// Checks a ValidatingAdmissionPolicyBinding.
pub(super) fn binding(subject: &Subject<'_>, faults: &mut Faults) {
    let Some(spec) = subject.object.get("spec").and_then(Value::as_object) else {
        return;
    };
    let policy = text(spec, "policyName");
    if policy.is_empty() {
        faults.required("spec.policyName", "");
    }
    for problem in crate::names::dns_subdomain(policy)
        .into_iter()
        .filter(|_| !policy.is_empty())
    {
        faults.invalid("spec.policyName", &policy.into(), &problem);
    }
    if let Some(reference) = spec.get("paramRef").and_then(Value::as_object) {
        let named = !text(reference, "name").is_empty();
        let selected = reference.contains_key("selector");
        match (named, selected) {
            (true, true) => {
                let why = "name and selector are mutually exclusive";
                faults.forbidden("spec.paramRef.name", why);
                faults.forbidden("spec.paramRef.selector", why);
            }
            (false, false) => {
                faults.required("spec.paramRef", "one of name or selector must be specified")
            }
            _ => {}
        }
        let path = "spec.paramRef.parameterNotFoundAction";
        match text(reference, "parameterNotFoundAction") {
            "" => faults.required(path, ""),
            other => faults.one_of(path, other, &["Deny", "Allow"]),
        }
    }
    check_actions(spec, faults);
}

fn check_actions(spec: &Map, faults: &mut Faults) {
    const PATH: &str = "spec.validationActions";
    let actions = spec.get("validationActions").and_then(Value::as_array);
    let actions = actions.map_or(&[][..], Vec::as_slice);
    if actions.is_empty() {
        faults.required(PATH, "at least one validation action is required");
    }
    for (index, action) in actions.iter().enumerate() {
        let place = format!("{PATH}[{index}]");
        faults.one_of(
            &place,
            action.as_str().unwrap_or(""),
            &["Audit", "Deny", "Warn"],
        );
        if actions[..index].contains(action) {
            faults.0.push(field::duplicate(&place, action));
        }
    }
    let has = |word: &str| actions.iter().any(|action| action == word);
    if has("Deny") && has("Warn") {
        let why = "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)";
        faults.invalid(PATH, &actions.into(), why);
    }
}
