//! Drift: what of a live object differs from what an apply would make of it, and which of that is ignored.

use objects::selector::SelectorError;
use objects::{Gvk, LabelSelector, Object, Value};
use regex::Regex;

/// Fields whose drift is not corrected, as a user writes them (`spec.ignore`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IgnoreRule {
    /// RFC 6901 pointers.
    pub paths: Vec<String>,
    /// Anchored expression over the API group; empty matches all, as below.
    pub group: String,
    /// Anchored expression over the API version.
    pub version: String,
    /// Anchored expression over the kind.
    pub kind: String,
    /// Anchored expression over the name.
    pub name: String,
    /// Anchored expression over the namespace.
    pub namespace: String,
    /// Label selector.
    pub label_selector: String,
    /// Annotation selector.
    pub annotation_selector: String,
}

/// A rule that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IgnoreRuleError {
    /// One of the expressions over names.
    #[error("invalid expression {0:?} in ignore rule: {1}")]
    Expression(String, String),
    /// A label or annotation selector.
    #[error("invalid selector {0:?} in ignore rule: {1}")]
    Selector(String, String),
}

/// Rules ready for use.
#[derive(Clone, Debug, Default)]
pub struct IgnoreRules {
    rules: Vec<Compiled>,
}

#[derive(Clone, Debug)]
struct Compiled {
    paths: Vec<String>,
    /// Expressions over group, version, kind, name, namespace.
    expressions: [Option<Regex>; 5],
    labels: LabelSelector,
    annotations: LabelSelector,
}

impl IgnoreRules {
    /// Prepares rules. Of several rules without any target only the last counts, as upstream has it.
    ///
    /// # Errors
    /// A pattern or a selector of a rule cannot be read; the error names it.
    pub fn new(rules: &[IgnoreRule]) -> Result<Self, IgnoreRuleError> {
        let mut compiled: Vec<Compiled> = Vec::new();
        for rule in rules {
            let rule = Compiled::new(rule)?;
            if rule.has_no_target() {
                compiled.retain(|other| !other.has_no_target());
            }
            compiled.push(rule);
        }
        Ok(Self { rules: compiled })
    }

    /// Tells whether the whole of an object is ignored: by an empty pointer.
    pub fn ignores_whole(&self, object: &Object) -> bool {
        self.paths(object).contains(&"")
    }

    /// Returns the pointers for an object.
    pub(crate) fn paths<'a>(&'a self, object: &Object) -> Vec<&'a str> {
        self.rules
            .iter()
            .filter(|rule| rule.matches(object))
            .flat_map(|rule| rule.paths.iter().map(String::as_str))
            .collect()
    }
}

impl Compiled {
    fn new(rule: &IgnoreRule) -> Result<Self, IgnoreRuleError> {
        let expression = |text: &str| -> Result<Option<Regex>, IgnoreRuleError> {
            if text.is_empty() {
                return Ok(None);
            }
            Regex::new(&format!("^(?:{text})$"))
                .map(Some)
                .map_err(|e| IgnoreRuleError::Expression(text.to_owned(), e.to_string()))
        };
        let selector = |text: &str| {
            let invalid =
                |why: SelectorError| IgnoreRuleError::Selector(text.to_owned(), why.to_string());
            LabelSelector::parse(text).map_err(invalid)
        };
        Ok(Self {
            paths: rule.paths.clone(),
            expressions: [
                expression(&rule.group)?,
                expression(&rule.version)?,
                expression(&rule.kind)?,
                expression(&rule.name)?,
                expression(&rule.namespace)?,
            ],
            labels: selector(&rule.label_selector)?,
            annotations: selector(&rule.annotation_selector)?,
        })
    }

    fn has_no_target(&self) -> bool {
        self.expressions.iter().all(Option::is_none)
            && self.labels.is_empty()
            && self.annotations.is_empty()
    }

    fn matches(&self, object: &Object) -> bool {
        let gvk = Gvk::from_api_version(object.api_version(), object.kind());
        let values = [
            gvk.group.as_str(),
            gvk.version.as_str(),
            gvk.kind.as_str(),
            object.name(),
            object.namespace(),
        ];
        let named = self
            .expressions
            .iter()
            .zip(values)
            .all(|(expression, value)| expression.as_ref().is_none_or(|e| e.is_match(value)));
        named
            && self.labels.matches(|key| object.label(key))
            && self.annotations.matches(|key| object.annotation(key))
    }
}

/// Tells whether a live object differs from its dry-run in labels, annotations, or anything else but metadata and
/// status; ignored fields do not count.
pub(crate) fn has_drifted(live: &Object, dry_run: &Object, rules: &IgnoreRules) -> bool {
    if live.labels() != dry_run.labels() || live.annotations() != dry_run.annotations() {
        let ignored = rules.paths(dry_run);
        if ignored.is_empty() {
            return true;
        }
    }
    comparable(live, dry_run, rules) != comparable(dry_run, dry_run, rules)
}

/// Cuts an object down to what counts.
fn comparable(object: &Object, matched: &Object, rules: &IgnoreRules) -> Object {
    let mut copy = object.clone();
    for path in rules.paths(matched) {
        remove_pointer(&mut copy, path);
    }
    let mut kept = Object::default();
    for field in ["labels", "annotations"] {
        let value = copy.get(&["metadata", field]);
        let is_empty = |v: &Value| v.as_object().is_some_and(|m| m.is_empty());
        if let Some(value) = value.filter(|v| !v.is_null() && !is_empty(v)) {
            kept.set(&["metadata", field], value.clone());
        }
    }
    for (key, value) in copy.0 {
        if key != "metadata" && key != "status" {
            kept.0.insert(key, value);
        }
    }
    kept
}

/// Prepares a payload: every ignored field that drifted is left out where another apply manager owns it, and
/// takes the live value otherwise.
pub(crate) fn resolve_ignored(
    payload: &mut Object,
    live: &Object,
    dry_run: &Object,
    rules: &IgnoreRules,
    manager: &str,
) {
    for pointer in rules.paths(dry_run) {
        let live_value = lookup(live, pointer);
        if live_value == lookup(dry_run, pointer) {
            continue;
        }
        match live_value {
            Some(value) if !is_foreign(live, pointer, manager) => {
                let value = value.clone();
                if let Some(slot) = lookup_mut(payload, pointer) {
                    *slot = value;
                }
            }
            _ => remove_pointer(payload, pointer),
        }
    }
}

/// Tells whether an apply manager other than ours owns a field of the object itself.
fn is_foreign(live: &Object, pointer: &str, manager: &str) -> bool {
    let entries = live
        .get(&["metadata", "managedFields"])
        .and_then(Value::as_array);
    entries.into_iter().flatten().any(|entry| {
        let main = entry["subresource"].as_str().unwrap_or("").is_empty();
        main && entry["operation"] == "Apply"
            && entry["manager"] != manager
            && owns(&entry["fieldsV1"], live, pointer)
    })
}

/// Follows a pointer through a field set; list positions are looked up by the keys of the live item.
fn owns(fields: &Value, live: &Object, pointer: &str) -> bool {
    let mut fields = fields;
    let whole = Value::Object(live.0.clone());
    let mut current = &whole;
    for segment in segments(pointer) {
        if let Some(items) = current.as_array() {
            let Some(item) = segment.parse::<usize>().ok().and_then(|i| items.get(i)) else {
                return false;
            };
            let Some(next) = item_fields(fields, item) else {
                return false;
            };
            fields = next;
            current = item;
        } else {
            let Some(next) = fields.get(format!("f:{segment}")) else {
                return false;
            };
            fields = next;
            let Some(next) = current.get(&segment) else {
                return true;
            };
            current = next;
        }
    }
    true
}

/// Finds the fields of a list item among `k:{…}` (by key fields) and `v:…` (by value) entries.
fn item_fields<'a>(fields: &'a Value, item: &Value) -> Option<&'a Value> {
    fields.as_object()?.iter().find_map(|(key, value)| {
        let matches = if let Some(keys) = key.strip_prefix("k:") {
            let keys: Value = serde_json::from_str(keys).ok()?;
            keys.as_object()?
                .iter()
                .all(|(k, v)| item.get(k) == Some(v))
        } else if let Some(own) = key.strip_prefix("v:") {
            serde_json::from_str::<Value>(own).ok()? == *item
        } else {
            false
        };
        matches.then_some(value)
    })
}

fn segments(pointer: &str) -> impl Iterator<Item = String> + '_ {
    pointer
        .trim_start_matches('/')
        .split('/')
        .map(|s| s.replace("~1", "/").replace("~0", "~"))
}

fn lookup<'a>(object: &'a Object, pointer: &str) -> Option<&'a Value> {
    let mut segments = segments(pointer);
    let mut value = object.0.get(&segments.next()?)?;
    for segment in segments {
        value = match value {
            Value::Array(items) => items.get(segment.parse::<usize>().ok()?)?,
            other => other.get(&segment)?,
        };
    }
    Some(value)
}

fn lookup_mut<'a>(object: &'a mut Object, pointer: &str) -> Option<&'a mut Value> {
    let mut segments = segments(pointer);
    let mut value = object.0.get_mut(&segments.next()?)?;
    for segment in segments {
        value = match value {
            Value::Array(items) => items.get_mut(segment.parse::<usize>().ok()?)?,
            other => other.get_mut(&segment)?,
        };
    }
    Some(value)
}

pub(crate) fn remove_pointer(object: &mut Object, pointer: &str) {
    let Some((parent, last)) = pointer.rsplit_once('/') else {
        return;
    };
    let last = last.replace("~1", "/").replace("~0", "~");
    if parent.is_empty() {
        object.0.remove(&last);
        return;
    }
    match lookup_mut(object, parent) {
        Some(Value::Object(map)) => {
            map.remove(&last);
        }
        Some(Value::Array(items)) => {
            if let Some(index) = last.parse::<usize>().ok().filter(|i| *i < items.len()) {
                items.remove(index);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::json;

    fn deployment(replicas: i64) -> Object {
        Object::from_value(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "ns", "labels": {"a": "b"}, "resourceVersion": "1"},
            "spec": {"replicas": replicas, "image": "x"}, "status": {"replicas": replicas}
        }))
        .unwrap()
    }

    fn rules(kind: &str, path: &str) -> IgnoreRules {
        IgnoreRules::new(&[IgnoreRule {
            kind: kind.into(),
            paths: vec![path.into()],
            ..IgnoreRule::default()
        }])
        .unwrap()
    }

    #[test]
    fn status_and_metadata_are_no_drift_but_labels_are() {
        let none = IgnoreRules::default();
        let mut other = deployment(1);
        other.set(&["status", "replicas"], 5);
        other.set(&["metadata", "resourceVersion"], "2");
        assert!(!has_drifted(&other, &deployment(1), &none));
        other.set_label("a", "c");
        assert!(has_drifted(&other, &deployment(1), &none));
        assert!(has_drifted(&deployment(2), &deployment(1), &none));
    }

    #[test]
    fn ignored_fields_do_not_drift_where_the_target_matches() {
        for (kind, drifted) in [("Deploy.*", false), ("Deploy", true), ("", false)] {
            let rules = rules(kind, "/spec/replicas");
            assert_eq!(
                has_drifted(&deployment(2), &deployment(1), &rules),
                drifted,
                "{kind}"
            );
        }
    }

    #[test]
    fn ignored_fields_are_adopted_or_left_to_their_owner() {
        let rules = rules("Deployment", "/spec/replicas");
        let (mut live, dry_run) = (deployment(3), deployment(1));
        let mut payload = deployment(1);
        resolve_ignored(
            &mut payload,
            &live,
            &dry_run,
            &rules,
            "kustomize-controller",
        );
        assert_eq!(payload.get(&["spec", "replicas"]), Some(&json!(3)));
        live.set(
            &["metadata", "managedFields"],
            json!([{"manager": "hpa", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]),
        );
        let mut payload = deployment(1);
        resolve_ignored(
            &mut payload,
            &live,
            &dry_run,
            &rules,
            "kustomize-controller",
        );
        assert_eq!(payload.get(&["spec", "replicas"]), None);
    }

    #[test]
    fn rules_with_unreadable_selectors_are_refused() {
        for (text, good) in [("a notin (b)", true), ("a over (b)", false)] {
            let rule = IgnoreRule {
                label_selector: text.into(),
                ..IgnoreRule::default()
            };
            assert_eq!(IgnoreRules::new(&[rule]).is_ok(), good, "{text}");
        }
    }
}
