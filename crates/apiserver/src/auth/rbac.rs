//! Role-based access control over the stored roles and bindings.
//!
//! Bindings are compiled at first use after a change: for each subject the rules it has, by namespace.

use std::collections::HashMap;
use std::sync::Arc;

use objects::{Map, Value};
use parking_lot::Mutex;

use super::{Attributes, GROUP};
use crate::catalog::text;
use crate::engine::{Engine, User};
use crate::store::Entry;

/// One rule of a role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Verbs, or `*`.
    pub verbs: Vec<String>,
    /// API groups, or `*`.
    pub groups: Vec<String>,
    /// Resources (`r`, `r/sub`, `*/sub`, `*`).
    pub resources: Vec<String>,
    /// Names; empty for all.
    pub names: Vec<String>,
    /// Non-resource paths, a trailing `*` matches the rest.
    pub paths: Vec<String>,
}

/// Who a binding names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    User(String),
    Group(String),
}

/// Rules by subject as of one moment; the namespace is empty for cluster-wide rules.
#[derive(Debug, Default)]
pub struct Grants {
    grants: HashMap<Subject, Vec<(String, Arc<Vec<Rule>>)>>,
}

/// The compiled bindings, made anew after a change.
#[derive(Default)]
pub struct Rbac {
    compiled: Mutex<Option<Arc<Grants>>>,
}

impl Rbac {
    /// Forgets what was compiled.
    pub fn invalidate(&self) {
        *self.compiled.lock() = None;
    }

    /// Tells whether a user may do something.
    pub fn allows(&self, engine: &Engine, user: &User, wanted: &Attributes<'_>) -> bool {
        self.grants(engine).allows(user, wanted)
    }

    /// Returns the rules of a user; those with a namespace hold there only.
    pub fn rules_of(&self, engine: &Engine, user: &User) -> Vec<(String, Arc<Vec<Rule>>)> {
        self.grants(engine).rules_of(user).cloned().collect()
    }

    /// Returns who may do what as of now.
    pub fn grants(&self, engine: &Engine) -> Arc<Grants> {
        let mut slot = self.compiled.lock();
        slot.get_or_insert_with(|| Arc::new(compile(engine)))
            .clone()
    }
}

impl Grants {
    /// Tells whether a user may do something.
    pub fn allows(&self, user: &User, wanted: &Attributes<'_>) -> bool {
        if user.groups.iter().any(|group| group == "system:masters") {
            return true;
        }
        self.rules_of(user)
            .filter(|(namespace, _)| namespace.is_empty() || namespace == wanted.namespace)
            .filter(|(namespace, _)| namespace.is_empty() || !wanted.resource.is_empty())
            .any(|(_, rules)| rules.iter().any(|rule| rule.allows(wanted)))
    }

    fn rules_of(&self, user: &User) -> impl Iterator<Item = &(String, Arc<Vec<Rule>>)> {
        let subjects = std::iter::once(Subject::User(user.name.clone()))
            .chain(user.groups.iter().cloned().map(Subject::Group));
        subjects
            .filter_map(|subject| self.grants.get(&subject))
            .flatten()
    }
}

impl Rule {
    /// Reads a rule of a role.
    pub fn read(rule: &Map) -> Self {
        let texts = |key: &str| -> Vec<String> {
            rule.get(key)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        };
        Self {
            verbs: texts("verbs"),
            groups: texts("apiGroups"),
            resources: texts("resources"),
            names: texts("resourceNames"),
            paths: texts("nonResourceURLs"),
        }
    }

    /// Tells whether the rule grants what is wanted.
    pub fn allows(&self, wanted: &Attributes<'_>) -> bool {
        let listed = |list: &[String], item: &str| list.iter().any(|l| l == "*" || l == item);
        if !listed(&self.verbs, wanted.verb) {
            return false;
        }
        if wanted.resource.is_empty() {
            return self
                .paths
                .iter()
                .any(|path| path_matches(path, wanted.path));
        }
        listed(&self.groups, wanted.group)
            && self.grants_resource(wanted.resource, wanted.sub)
            && (self.names.is_empty() || self.names.iter().any(|name| name == wanted.name))
    }

    fn grants_resource(&self, resource: &str, sub: &str) -> bool {
        self.resources.iter().any(|granted| {
            if granted == "*" {
                return true;
            }
            match granted.split_once('/') {
                Some(("*", granted_sub)) => !sub.is_empty() && granted_sub == sub,
                Some((name, granted_sub)) => name == resource && granted_sub == sub,
                None => granted == resource && sub.is_empty(),
            }
        })
    }
}

fn path_matches(granted: &str, path: &str) -> bool {
    granted == "*"
        || granted == path
        || granted
            .strip_suffix('*')
            .is_some_and(|prefix| path.starts_with(prefix))
}

fn compile(engine: &Engine) -> Grants {
    let mut roles: HashMap<(String, String), Arc<Vec<Rule>>> = HashMap::new();
    for plural in ["roles", "clusterroles"] {
        for entry in entries(engine, plural) {
            let key = (
                entry.meta.namespace.to_string(),
                entry.meta.name.to_string(),
            );
            roles.insert(key, Arc::new(rules(&decode(&entry))));
        }
    }
    let mut compiled = Grants::default();
    for plural in ["rolebindings", "clusterrolebindings"] {
        for entry in entries(engine, plural) {
            let binding = decode(&entry);
            let Some(target) = binding.get("roleRef").and_then(Value::as_object) else {
                continue;
            };
            let namespace = if text(target, "kind") == "Role" {
                entry.meta.namespace.to_string()
            } else {
                String::new()
            };
            let Some(rules) = roles.get(&(namespace, text(target, "name").to_owned())) else {
                continue;
            };
            for subject in subjects(&binding, &entry.meta.namespace) {
                let grants = compiled.grants.entry(subject).or_default();
                grants.push((entry.meta.namespace.to_string(), rules.clone()));
            }
        }
    }
    compiled
}

fn entries(engine: &Engine, plural: &str) -> Vec<Arc<Entry>> {
    engine.store.list(&format!("{GROUP}/{plural}"), "").1
}

fn decode(entry: &Entry) -> Map {
    entry.decode("rbac.authorization.k8s.io/v1", "")
}

/// Reads the rules of a role.
pub fn rules(role: &Map) -> Vec<Rule> {
    role.get("rules")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .map(Rule::read)
        .collect()
}

fn subjects(binding: &Map, namespace: &str) -> Vec<Subject> {
    binding
        .get("subjects")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .filter_map(|subject| {
            let name = text(subject, "name").to_owned();
            match text(subject, "kind") {
                "User" => Some(Subject::User(name)),
                "Group" => Some(Subject::Group(name)),
                "ServiceAccount" => {
                    let in_namespace = match text(subject, "namespace") {
                        "" => namespace,
                        named => named,
                    };
                    Some(Subject::User(format!(
                        "system:serviceaccount:{in_namespace}:{name}"
                    )))
                }
                _ => None,
            }
        })
        .collect()
}
