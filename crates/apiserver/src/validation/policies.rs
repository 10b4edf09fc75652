//! Admission policies and their bindings.

use std::sync::LazyLock;

use objects::{Map, Value, json};

use super::admission::{
    POLICIES, check_conditions, check_rule, check_selectors, is_empty, members,
};
use super::{Faults, Subject};
use crate::catalog::text;
use crate::crd::typing::{self, Type};
use crate::failure::field;

/// `request` as far as its fields are known.
static REQUEST: LazyLock<Value> = LazyLock::new(|| {
    let text = json!({"type": "string"});
    let kind =
        json!({"type": "object", "properties": {"group": text, "version": text, "kind": text}});
    let resource =
        json!({"type": "object", "properties": {"group": text, "version": text, "resource": text}});
    let list = json!({"type": "array", "items": text});
    let user = json!({"type": "object", "properties": {
        "username": text, "uid": text, "groups": list,
        "extra": {"type": "object", "additionalProperties": list},
    }});
    json!({"type": "object", "properties": {
        "kind": kind, "resource": resource, "subResource": text,
        "requestKind": kind, "requestResource": resource, "requestSubResource": text,
        "name": text, "namespace": text, "operation": text, "userInfo": user,
        "dryRun": {"type": "boolean"}, "options": {},
    }})
});

/// `namespaceObject` as far as its fields are known.
static NAMESPACE: LazyLock<Value> = LazyLock::new(|| {
    let (text, number) = (json!({"type": "string"}), json!({"type": "integer"}));
    let time = json!({"type": "string", "format": "date-time"});
    let list = json!({"type": "array", "items": text});
    let map = json!({"type": "object", "additionalProperties": text});
    json!({"type": "object", "properties": {
        "metadata": {"type": "object", "properties": {
            "name": text, "generateName": text, "namespace": text, "labels": map, "annotations": map,
            "UID": text, "creationTimestamp": time, "deletionGracePeriodSeconds": number,
            "deletionTimestamp": time, "generation": number, "resourceVersion": text,
            "finalizers": list,
        }},
        "spec": {"type": "object", "properties": {"finalizers": list}},
        "status": {"type": "object", "properties": {"phase": text}},
    }})
});

/// Returns a schema whose values have a type.
fn schema_of(kind: &Type<'_>) -> Value {
    match kind {
        Type::Dyn => json!({}),
        Type::Bool => json!({"type": "boolean"}),
        Type::Int => json!({"type": "integer"}),
        Type::Double => json!({"type": "number"}),
        Type::Text => json!({"type": "string"}),
        Type::Timestamp => json!({"type": "string", "format": "date-time"}),
        Type::Duration => json!({"type": "string", "format": "duration"}),
        Type::List(item) => json!({"type": "array", "items": schema_of(item)}),
        Type::Map(key, value) if **key == Type::Text => {
            json!({"type": "object", "additionalProperties": schema_of(value)})
        }
        Type::Object(schema, false) => (*schema).clone(),
        _ => json!({"type": "unknown"}),
    }
}

/// What an expression has to give.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    Truth,
    Text,
    TextOrNull,
    Anything,
}

/// What an expression may use beside the request.
#[derive(Default)]
pub(super) struct Known {
    params: bool,
    /// `variables` with the fields that are there so far.
    variables: Option<Value>,
}

/// Checks that an expression can be read, knows its variables and gives what it should; returns the schema of that.
pub(super) fn check_expression(
    item: &Map,
    key: &str,
    path: &str,
    gives: Gives,
    known: &Known,
    faults: &mut Faults,
) -> Option<Value> {
    let source = text(item, key);
    let place = format!("{path}.{key}");
    let value: Value = source.into();
    let mut variables: Vec<(String, Type<'_>)> = ["object", "oldObject", "authorizer"]
        .map(|name| (name.to_owned(), Type::Dyn))
        .into();
    variables.push(("request".into(), Type::Object(&REQUEST, false)));
    variables.push(("namespaceObject".into(), Type::Object(&NAMESPACE, false)));
    if known.params {
        variables.push(("params".into(), Type::Dyn));
    }
    if let Some(schema) = &known.variables {
        variables.push(("variables".into(), Type::Object(schema, false)));
    }
    let kind = match typing::check_variables(source, variables) {
        Err(why) => {
            faults.invalid(&place, &value, &format!("compilation failed: {why}"));
            return None;
        }
        Ok(kind) => kind,
    };
    let wanted = match (gives, &kind) {
        (_, Type::Unknown)
        | (Gives::Anything, _)
        | (Gives::Truth, Type::Bool)
        | (Gives::Text, Type::Text)
        | (Gives::TextOrNull, Type::Text | Type::Null) => return Some(schema_of(&kind)),
        (Gives::Truth, _) => "bool",
        (Gives::TextOrNull, _) => "one of [string null_type]",
        _ => "string",
    };
    let found = kind.full_name().unwrap_or_else(|| "object".into());
    let why = format!("must evaluate to {wanted} but got {found}");
    faults.invalid(&place, &value, &why);
    None
}

/// Checks what requests a policy or binding is about.
fn check_resources(constraints: &Map, path: &str, faults: &mut Faults) {
    check_selectors(constraints, path, faults);
    for key in ["resourceRules", "excludeResourceRules"] {
        for (index, rule) in members(constraints, key) {
            let path = format!("{path}.{key}[{index}]");
            let names = rule.get("resourceNames").and_then(Value::as_array);
            let names = names.map_or(&[][..], Vec::as_slice);
            for (index, name) in names.iter().enumerate() {
                let place = format!("{path}.resourceNames[{index}]");
                let text = name.as_str().unwrap_or("");
                faults.problems(&place, text, objects::names::path_segment(text));
                if names[..index].contains(name) {
                    faults.0.push(field::duplicate(&place, name));
                }
            }
            check_rule(rule, &path, faults);
        }
    }
    let policy = text(constraints, "matchPolicy");
    if !policy.is_empty() {
        let supported = ["Equivalent", "Exact"];
        faults.one_of(&format!("{path}.matchPolicy"), policy, &supported);
    }
}

fn check_kind(kind: &Map, faults: &mut Faults) {
    const VERSION: &str = "spec.paramKind.apiVersion";
    let version = text(kind, "apiVersion");
    if version.is_empty() {
        faults.required(VERSION, "");
    } else if version.matches('/').count() > 1 {
        let why = format!("unexpected GroupVersion string: {version}");
        faults.invalid(VERSION, &version.into(), &why);
    } else {
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let problems = objects::names::dns_subdomain(group);
        if !group.is_empty() && !problems.is_empty() {
            faults.invalid(VERSION, &group.into(), &problems.join(","));
        }
        let problems = objects::names::dns_1035_label(version);
        if version.is_empty() {
            let whole = text(kind, "apiVersion");
            faults.invalid(VERSION, &whole.into(), "version must be specified");
        } else if !problems.is_empty() {
            faults.invalid(VERSION, &version.into(), &problems.join(","));
        }
    }
    let kind = text(kind, "kind");
    let problems = objects::names::dns_1035_label(&kind.to_lowercase());
    if kind.is_empty() {
        faults.required("spec.paramKind.kind", "");
    } else if !problems.is_empty() {
        let why = format!(
            "may have mixed case, but should otherwise match: {}",
            problems.join(",")
        );
        faults.invalid("spec.paramKind.kind", &kind.into(), &why);
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
    let mut known = Known::default();
    if let Some(kind) = spec.get("paramKind").and_then(Value::as_object) {
        known.params = true;
        check_kind(kind, faults);
    }
    match spec.get("matchConstraints").and_then(Value::as_object) {
        None => faults.required("spec.matchConstraints", ""),
        Some(constraints) => {
            check_resources(constraints, "spec.matchConstraints", faults);
            if is_empty(constraints, "resourceRules") {
                faults.required("spec.matchConstraints.resourceRules", "");
            }
        }
    }
    check_conditions(spec, "spec.matchConditions", &known, faults);
    check_variables(spec, &mut known, faults);
    if is_empty(spec, "validations") && is_empty(spec, "auditAnnotations") {
        let why = "validations or auditAnnotations must contain at least one item";
        faults.required("spec.validations", why);
        faults.required("spec.auditAnnotations", why);
    }
    for (index, validation) in members(spec, "validations") {
        let path = format!("spec.validations[{index}]");
        check_validation(validation, &path, &known, faults);
    }
    check_annotations(subject, spec, &known, faults);
}

fn check_variables(spec: &Map, known: &mut Known, faults: &mut Faults) {
    for (index, variable) in members(spec, "variables") {
        let path = format!("spec.variables[{index}]");
        let none = || json!({"type": "object", "properties": {}});
        let mut fields = known.variables.get_or_insert_with(none).clone();
        let name = text(variable, "name");
        if name.is_empty() {
            faults.required(&format!("{path}.name"), "name is not specified");
        } else if !is_identifier(name) {
            let why = "must be a valid CEL identifier";
            faults.invalid(&format!("{path}.name"), &name.into(), why);
        }
        let mut kind = None;
        if text(variable, "expression").trim().is_empty() {
            let why = "expression is not specified";
            faults.required(&format!("{path}.expression"), why);
        } else {
            let gives = Gives::Anything;
            kind = check_expression(variable, "expression", &path, gives, known, faults);
        }
        fields["properties"][objects::expression::escaped(name)] =
            kind.unwrap_or_else(|| schema_of(&Type::Unknown));
        known.variables = Some(fields);
    }
}

fn check_annotations(subject: &Subject<'_>, spec: &Map, known: &Known, faults: &mut Faults) {
    let mut keys = Vec::new();
    let metadata = subject.object.get("metadata").and_then(Value::as_object);
    let policy = metadata.map_or("", |metadata| text(metadata, "name"));
    for (index, annotation) in members(spec, "auditAnnotations") {
        let path = format!("spec.auditAnnotations[{index}]");
        let place = format!("{path}.key");
        let key = text(annotation, "key");
        let whole = format!("{policy}/{key}");
        faults.problems(&place, &whole, objects::names::qualified_name(&whole));
        if text(annotation, "valueExpression").trim().is_empty() {
            let why = "valueExpression is not specified";
            faults.required(&format!("{path}.valueExpression"), why);
        } else {
            let gives = Gives::TextOrNull;
            check_expression(annotation, "valueExpression", &path, gives, known, faults);
        }
        if keys.contains(&key) {
            faults.duplicate(&place, key);
        }
        keys.push(key);
    }
}

fn is_identifier(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().all(word) && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn check_validation(validation: &Map, path: &str, known: &Known, faults: &mut Faults) {
    const REASONS: [&str; 3] = ["Forbidden", "Invalid", "RequestEntityTooLarge"];
    let mut reads = false;
    if text(validation, "expression").trim().is_empty() {
        faults.required(&format!("{path}.expression"), "expression is not specified");
    } else {
        let gives = Gives::Truth;
        reads = check_expression(validation, "expression", path, gives, known, faults).is_some();
    }
    let computed = text(validation, "messageExpression");
    if !computed.is_empty() && computed.trim().is_empty() {
        let place = format!("{path}.messageExpression");
        faults.invalid(&place, &computed.into(), "must be non-empty if specified");
    } else if !computed.is_empty() {
        check_expression(
            validation,
            "messageExpression",
            path,
            Gives::Text,
            known,
            faults,
        );
    }
    let message = text(validation, "message");
    if validation.contains_key("message") && message.trim().is_empty() {
        let why = "must be non-empty if specified";
        faults.invalid(&format!("{path}.message"), &message.into(), why);
    } else if message.trim().contains('\n') {
        let why = "must not contain line breaks";
        faults.invalid(&format!("{path}.message"), &message.into(), why);
    } else if reads && text(validation, "expression").trim().contains('\n') && message.is_empty() {
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
    for problem in objects::names::dns_subdomain(policy)
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
    if let Some(resources) = spec.get("matchResources").and_then(Value::as_object) {
        check_resources(resources, "spec.matchResources", faults);
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
