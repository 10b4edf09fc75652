//! Which requests a policy or a webhook looks at: rules, selectors of namespaces and objects, equivalent versions.

use std::sync::Arc;

use objects::{LabelSelector, Map, Value};

use super::Request;
use crate::catalog::{Resource, text};
use crate::engine::Engine;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A new object.
    Create,
    /// Another state of an object.
    Update,
    /// The end of an object.
    Delete,
}

impl Operation {
    /// Writes it as rules do.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// Finds the resource in whose version a matching rule wants to see the request; `None` where nothing matches.
///
/// `source` holds `rules` (webhooks) or `resourceRules` and `excludeResourceRules` (policies) beside the selectors.
pub fn matched(
    engine: &Engine,
    request: &Request<'_>,
    object: Option<&Map>,
    source: &Map,
) -> Option<Arc<Resource>> {
    if !selected(engine, request, object, source) {
        return None;
    }
    let list = |key: &str| -> Vec<&Map> {
        let rules = source.get(key).and_then(Value::as_array);
        let rules = rules.into_iter().flatten();
        rules.filter_map(Value::as_object).collect()
    };
    let own = &request.place.resource;
    let equivalent = text(source, "matchPolicy") != "Exact";
    if find(
        engine,
        request,
        own,
        &list("excludeResourceRules"),
        equivalent,
    )
    .is_some()
    {
        return None;
    }
    let mut rules = list("rules");
    rules.extend(list("resourceRules"));
    find(engine, request, own, &rules, equivalent)
}

/// Tells whether a binding's own constraints, which may be absent, take a request in.
pub fn narrowed(
    engine: &Engine,
    request: &Request<'_>,
    object: Option<&Map>,
    source: Option<&Map>,
) -> bool {
    let Some(source) = source else { return true };
    let unruled = source
        .get("resourceRules")
        .and_then(Value::as_array)
        .is_none_or(Vec::is_empty);
    if unruled && !source.contains_key("excludeResourceRules") {
        return selected(engine, request, object, source);
    }
    let mut source = source.clone();
    if unruled {
        let all = objects::json!([{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}]);
        source.insert("resourceRules".into(), all);
    }
    matched(engine, request, object, &source).is_some()
}

fn find(
    engine: &Engine,
    request: &Request<'_>,
    own: &Arc<Resource>,
    rules: &[&Map],
    equivalent: bool,
) -> Option<Arc<Resource>> {
    if rules.iter().any(|rule| applies(rule, request, own)) {
        return Some(own.clone());
    }
    if !equivalent || rules.is_empty() {
        return None;
    }
    let catalog = engine.catalog();
    let mut others = catalog
        .resources
        .iter()
        .filter(|other| other.table == own.table && other.api_version != own.api_version);
    others
        .find(|other| rules.iter().any(|rule| applies(rule, request, other)))
        .cloned()
}

fn applies(rule: &Map, request: &Request<'_>, resource: &Resource) -> bool {
    let has = |key: &str, wanted: &str| {
        let words = rule
            .get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        words
            .filter_map(Value::as_str)
            .any(|word| word == "*" || word == wanted)
    };
    let listed = rule.get("resources").and_then(Value::as_array);
    let listed = listed.into_iter().flatten().filter_map(Value::as_str);
    let place = request.place;
    let named = listed.clone().any(|listed| {
        let (resource_word, sub) = listed.split_once('/').unwrap_or((listed, ""));
        (resource_word == "*" || resource_word == resource.plural())
            && (sub == "*" || sub == place.sub)
    });
    let scope = match text(rule, "scope") {
        "Namespaced" => !place.namespace.is_empty(),
        "Cluster" => place.namespace.is_empty(),
        _ => true,
    };
    let names = rule.get("resourceNames").and_then(Value::as_array);
    let name = names.is_none_or(|names| {
        names.is_empty() || names.iter().any(|name| name == place.name.as_str())
    });
    named
        && scope
        && name
        && has("operations", request.operation.word())
        && has("apiGroups", resource.group())
        && has("apiVersions", resource.version())
}

fn selected(engine: &Engine, request: &Request<'_>, object: Option<&Map>, source: &Map) -> bool {
    if let Some(selector) = given(source, "namespaceSelector") {
        let place = request.place;
        let labels = if place.resource.is("", "namespaces") {
            object.or(request.live).map(labels_of)
        } else if place.namespace.is_empty() {
            None
        } else {
            Some(namespace_labels(engine, &place.namespace))
        };
        // Objects outside of namespaces are never left out by a selector of namespaces.
        if labels.is_some_and(|labels| !LabelSelector::of_object(selector).matches_map(&labels)) {
            return false;
        }
    }
    let Some(selector) = given(source, "objectSelector") else {
        return true;
    };
    [object, request.live]
        .into_iter()
        .flatten()
        .any(|object| LabelSelector::of_object(selector).matches_map(&labels_of(object)))
}

fn given<'a>(source: &'a Map, key: &str) -> Option<&'a Map> {
    source
        .get(key)
        .and_then(Value::as_object)
        .filter(|selector| !selector.is_empty())
}

/// Returns the labels of an object.
pub fn labels_of(object: &Map) -> Map {
    let labels = object.get("metadata").and_then(|m| m.get("labels"));
    labels
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

/// Reads the object of a namespace.
pub fn namespace(engine: &Engine, name: &str) -> Option<Map> {
    let entry = engine.store.get("/namespaces", name)?;
    Some(entry.decode("v1", "Namespace"))
}

fn namespace_labels(engine: &Engine, name: &str) -> Map {
    namespace(engine, name).map_or_else(Map::new, |namespace| labels_of(&namespace))
}
