//! Webhook configurations, and the rules and conditions that they share with admission policies.

use objects::{Map, Value};

use super::pod::label_selector;
use super::policies::{Gives, Known, check_expression};
use super::{Faults, Subject};
use crate::catalog::text;
use crate::failure::field;

/// Most match conditions that one webhook or policy may have.
const CONDITIONS_MAX: usize = 64;

pub(super) const POLICIES: [&str; 2] = ["Fail", "Ignore"];

pub(super) fn members<'a>(object: &'a Map, key: &str) -> impl Iterator<Item = (usize, &'a Map)> {
    let list = object.get(key).and_then(Value::as_array);
    let list = list.into_iter().flatten().enumerate();
    list.filter_map(|(index, item)| Some((index, item.as_object()?)))
}

pub(super) fn is_empty(object: &Map, key: &str) -> bool {
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
    for problem in objects::names::dns_subdomain(name) {
        faults.invalid(path, &name.into(), &problem);
    }
    if name.split('.').count() < 3 {
        let why = "should be a domain with at least three segments separated by dots";
        faults.invalid(path, &name.into(), why);
    }
}

fn webhook_members(webhook: &Map, path: &str, faults: &mut Faults) {
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
    let again = text(webhook, "reinvocationPolicy");
    if !again.is_empty() {
        let supported = ["IfNeeded", "Never"];
        faults.one_of(&format!("{path}.reinvocationPolicy"), again, &supported);
    }
    check_selectors(webhook, path, faults);
    check_client(webhook, &format!("{path}.clientConfig"), faults);
    let place = format!("{path}.matchConditions");
    check_conditions(webhook, &place, &Known::default(), faults);
    let place = format!("{path}.admissionReviewVersions");
    check_versions(webhook.get("admissionReviewVersions"), &place, faults);
}

fn check_versions(versions: Option<&Value>, path: &str, faults: &mut Faults) {
    let versions = versions.and_then(Value::as_array);
    let versions = versions.map_or(&[][..], Vec::as_slice);
    if versions.is_empty() {
        faults.required(path, "must specify one of v1, v1beta1");
        return;
    }
    for (index, version) in versions.iter().enumerate() {
        let place = format!("{path}[{index}]");
        if versions[..index].contains(version) {
            faults.invalid(&place, version, "duplicate version");
            continue;
        }
        let text = version.as_str().unwrap_or("");
        faults.problems(&place, text, objects::names::dns_1035_label(text));
    }
    if !versions.iter().any(|v| v == "v1" || v == "v1beta1") {
        let why = "must include at least one of v1, v1beta1";
        faults.invalid(path, &versions.into(), why);
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
    let path = format!("{path}.service");
    for key in ["name", "namespace"] {
        if text(service, key).is_empty() {
            faults.required(&format!("{path}.{key}"), "");
        }
    }
    if let Some(port) = service.get("port").filter(|port| !port.is_null())
        && !port
            .as_i64()
            .is_some_and(|port| (1..=65535).contains(&port))
    {
        let why = "port is not valid: must be between 1 and 65535, inclusive";
        faults.invalid(&format!("{path}.port"), port, why);
    }
    check_path(text(service, "path"), &format!("{path}.path"), faults);
}

fn check_path(path: &str, place: &str, faults: &mut Faults) {
    if path.is_empty() || path == "/" {
        return;
    }
    let value: Value = path.into();
    if path == "//" {
        faults.invalid(place, &value, "segment[0] may not be empty");
        return;
    }
    if !path.starts_with('/') {
        faults.invalid(place, &value, "must start with a '/'");
    }
    let mut rest = path.chars();
    rest.next();
    let rest = rest.as_str();
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    for (index, step) in rest.split('/').enumerate() {
        if step.is_empty() {
            let why = format!("segment[{index}] may not be empty");
            faults.invalid(place, &value, &why);
            continue;
        }
        for problem in objects::names::dns_subdomain(step) {
            faults.invalid(place, &value, &format!("segment[{index}]: {problem}"));
        }
    }
}

/// Parts of an address, as far as they are judged.
#[derive(Default)]
struct Address<'a> {
    scheme: &'a str,
    host: &'a str,
    user: Option<&'a str>,
    fragment: &'a str,
    query: &'a str,
}

impl<'a> Address<'a> {
    /// Takes an address apart as Go does.
    fn parse(text: &'a str) -> Result<Self, String> {
        if text.chars().any(|c| c.is_ascii_control()) {
            return Err("net/url: invalid control character in URL".into());
        }
        let mut parts = Self::default();
        let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
        parts.fragment = fragment;
        let letters = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        let mut rest = match rest.split_once(':') {
            Some(("", _)) => return Err("missing protocol scheme".into()),
            Some((scheme, rest))
                if scheme.chars().all(letters)
                    && scheme.starts_with(|c: char| c.is_ascii_alphabetic()) =>
            {
                parts.scheme = scheme;
                rest
            }
            _ => rest,
        };
        if let Some((path, query)) = rest.split_once('?') {
            (rest, parts.query) = (path, query);
        }
        let first = rest.split('/').next().unwrap_or("");
        if parts.scheme.is_empty() && first.contains(':') {
            return Err("first path segment in URL cannot contain colon".into());
        }
        let Some(rest) = rest.strip_prefix("//") else {
            return Ok(parts);
        };
        let authority = rest.split('/').next().unwrap_or("");
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        (parts.user, parts.host) = (user, host);
        if let Some(wrong) = host.chars().find(|c| " <>\"^`{|}\\".contains(*c)) {
            return Err(format!(
                "invalid character {:?} in host name",
                wrong.to_string()
            ));
        }
        let port = host.rfind(':').filter(|at| host[*at..].find(']').is_none());
        match port.map(|at| &host[at..]) {
            Some(port) if !port[1..].chars().all(|c| c.is_ascii_digit()) => {
                Err(format!("invalid port {port:?} after host"))
            }
            _ => Ok(parts),
        }
    }
}

fn check_url(url: &str, path: &str, faults: &mut Faults) {
    const FORM: &str = "; desired format: https://host[/path]";
    let parts = match Address::parse(url) {
        Ok(parts) => parts,
        Err(why) => {
            let why = format!("url must be a valid URL: parse {url:?}: {why}{FORM}");
            faults.required(path, &why);
            return;
        }
    };
    if parts.scheme != "https" {
        let why = format!("'https' is the only allowed URL scheme{FORM}");
        faults.invalid(path, &parts.scheme.into(), &why);
    }
    if parts.host.is_empty() {
        faults.invalid(path, &"".into(), &format!("host must be specified{FORM}"));
    }
    for (part, what) in [
        (parts.user, "user information is"),
        (
            Some(parts.fragment).filter(|part| !part.is_empty()),
            "fragments are",
        ),
        (
            Some(parts.query).filter(|part| !part.is_empty()),
            "query parameters are",
        ),
    ] {
        let why = format!("{what} not permitted in the URL");
        if let Some(part) = part {
            faults.invalid(path, &part.into(), &why);
        }
    }
}

/// Checks a rule: what operations on what resources are meant.
pub(super) fn check_rule(rule: &Map, path: &str, faults: &mut Faults) {
    const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
    for key in ["operations", "apiGroups", "apiVersions", "resources"] {
        let place = format!("{path}.{key}");
        if is_empty(rule, key) {
            faults.required(&place, "");
            continue;
        }
        let list = rule.get(key).and_then(Value::as_array);
        let list = list.map_or(&[][..], Vec::as_slice);
        if key == "resources" {
            check_resources(list, &place, faults);
            continue;
        }
        if list.len() > 1 && list.iter().any(|word| word == "*") {
            let why = match key {
                "operations" => "if '*' is present, must not specify other operations",
                "apiGroups" => "if '*' is present, must not specify other API groups",
                _ => "if '*' is present, must not specify other API versions",
            };
            faults.invalid(&place, &list.into(), why);
        }
        for (index, word) in list.iter().enumerate() {
            let place = format!("{place}[{index}]");
            match key {
                "operations" => faults.one_of(&place, word.as_str().unwrap_or(""), &OPERATIONS),
                "apiVersions" if word == "" => faults.required(&place, ""),
                _ => {}
            }
        }
    }
    let scope = text(rule, "scope");
    if !scope.is_empty() {
        let supported = ["*", "Cluster", "Namespaced"];
        faults.one_of(&format!("{path}.scope"), scope, &supported);
    }
}

/// Checks that no resource of a rule is covered by another of the same rule.
fn check_resources(list: &[Value], path: &str, faults: &mut Faults) {
    let words: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    let (mut whole, mut everywhere) = (Vec::new(), Vec::new());
    for (index, word) in words.iter().enumerate() {
        let place = format!("{path}[{index}]");
        if word.is_empty() {
            faults.required(&place, "");
        }
        let Some((resource, sub)) = word.split_once('/') else {
            continue;
        };
        if whole.contains(&resource) {
            let why = format!("if '{resource}/*' is present, must not specify {word}");
            faults.invalid(&place, &(*word).into(), &why);
        }
        if everywhere.contains(&sub) {
            let why = format!("if '*/{sub}' is present, must not specify {word}");
            faults.invalid(&place, &(*word).into(), &why);
        }
        if sub == "*" {
            whole.push(resource);
        }
        if resource == "*" {
            everywhere.push(sub);
        }
    }
    if words.len() > 1 && words.contains(&"*/*") {
        let why = "if '*/*' is present, must not specify other resources";
        faults.invalid(path, &list.into(), why);
    }
    let bare = words
        .iter()
        .rfind(|word| !word.is_empty() && !word.contains('/'));
    if words.contains(&"*") && bare.is_some_and(|word| *word != "*") {
        let why = "if '*' is present, must not specify other resources without subresources";
        faults.invalid(path, &list.into(), why);
    }
}

/// Checks the selectors of namespaces and objects.
pub(super) fn check_selectors(object: &Map, path: &str, faults: &mut Faults) {
    for key in ["namespaceSelector", "objectSelector"] {
        let selector = object.get(key).and_then(Value::as_object);
        label_selector(selector, &format!("{path}.{key}"), faults);
    }
}

/// Checks the match conditions of a webhook or policy.
pub(super) fn check_conditions(spec: &Map, path: &str, known: &Known, faults: &mut Faults) {
    let count = members(spec, "matchConditions").count();
    if count > CONDITIONS_MAX {
        faults.0.push(field::too_many(path, count, CONDITIONS_MAX));
    }
    let mut names = Vec::new();
    for (index, condition) in members(spec, "matchConditions") {
        let path = format!("{path}[{index}]");
        let place = format!("{path}.name");
        let name = text(condition, "name");
        if text(condition, "expression").trim().is_empty() {
            faults.required(&format!("{path}.expression"), "");
        } else {
            check_expression(condition, "expression", &path, Gives::Truth, known, faults);
        }
        if name.is_empty() {
            faults.required(&place, "");
            continue;
        }
        for problem in objects::names::qualified_name(name) {
            faults.invalid(&place, &name.into(), &problem);
        }
        if names.contains(&name) {
            faults.duplicate(&place, name);
        }
        names.push(name);
    }
}
