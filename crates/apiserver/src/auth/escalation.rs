//! Nobody grants what they do not have: the check on roles and bindings.

use std::collections::{BTreeMap, BTreeSet};

use objects::{Map, Value};

use super::rbac::{self, Rule};
use super::{Attributes, GROUP};
use crate::catalog::text;
use crate::engine::{Context, Engine, Place, User};
use crate::failure::{Answered, Failure, Named};

/// Refuses a role or binding that grants more than its author has.
pub fn check(engine: &Engine, context: &Context, place: &Place, object: &Map) -> Answered<()> {
    let user = &context.user;
    if place.resource.group() != GROUP || user.groups.iter().any(|g| g == "system:masters") {
        return Ok(());
    }
    let live = engine
        .store
        .get(&place.resource.table, &place.key())
        .map(|entry| engine.decode_entry(&place.resource, &entry));
    let same = |member: &str| {
        live.as_ref()
            .is_some_and(|live| live.get(member) == object.get(member))
    };
    let granted = match place.resource.plural() {
        "roles" | "clusterroles" => {
            if same("rules") || may(engine, user, "escalate", place, &place.name) {
                return Ok(());
            }
            rbac::rules(object)
        }
        _ => {
            let target = object.get("roleRef").and_then(Value::as_object);
            let Some(target) = target else { return Ok(()) };
            if (same("roleRef") && same("subjects")) || may_bind(engine, user, place, target) {
                return Ok(());
            }
            referenced(engine, place, target)?
        }
    };
    let own: Vec<Rule> = engine
        .rbac
        .rules_of(engine, user)
        .into_iter()
        .filter(|(namespace, _)| namespace.is_empty() || *namespace == place.namespace)
        .flat_map(|(_, rules)| rules.iter().cloned().collect::<Vec<_>>())
        .collect();
    let missing = uncovered(&own, &granted);
    if missing.is_empty() {
        return Ok(());
    }
    let lines: BTreeSet<String> = compact(missing).iter().map(describe).collect();
    let lines: Vec<String> = lines.into_iter().collect();
    let why = format!(
        "user {} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
        Value::from(user.name.as_str()),
        quoted(&user.groups),
        lines.join("\n")
    );
    Err(Failure::forbidden(place.named(), &why))
}

fn may(engine: &Engine, user: &User, verb: &str, place: &Place, name: &str) -> bool {
    let wanted = Attributes {
        verb,
        group: GROUP,
        resource: place.resource.plural(),
        namespace: &place.namespace,
        name,
        ..Attributes::default()
    };
    engine.rbac.allows(engine, user, &wanted)
}

fn may_bind(engine: &Engine, user: &User, place: &Place, target: &Map) -> bool {
    let resource = if text(target, "kind") == "Role" {
        "roles"
    } else {
        "clusterroles"
    };
    let wanted = Attributes {
        verb: "bind",
        group: GROUP,
        resource,
        namespace: &place.namespace,
        name: text(target, "name"),
        ..Attributes::default()
    };
    engine.rbac.allows(engine, user, &wanted)
}

fn referenced(engine: &Engine, place: &Place, target: &Map) -> Answered<Vec<Rule>> {
    let (plural, namespace) = if text(target, "kind") == "Role" {
        ("roles", place.namespace.as_str())
    } else {
        ("clusterroles", "")
    };
    let resource = engine.builtin(GROUP, "v1", plural);
    let role = Place::new(&resource, namespace, text(target, "name"));
    // Upstream names the kind of what is written.
    let absent = || {
        let named = Named {
            name: &role.name,
            ..place.named()
        };
        Failure::not_found(named)
    };
    let entry = engine.entry(&role).map_err(|_| absent())?;
    Ok(rbac::rules(&engine.decode_entry(&resource, &entry)))
}

/// Splits rules into single grants and returns those that no own rule covers.
fn uncovered(own: &[Rule], granted: &[Rule]) -> Vec<Rule> {
    let singles = granted.iter().flat_map(split);
    singles
        .filter(|single| !own.iter().any(|rule| covers(rule, single)))
        .collect()
}

fn split(rule: &Rule) -> Vec<Rule> {
    let mut singles = Vec::new();
    for verb in &rule.verbs {
        for group in &rule.groups {
            for resource in &rule.resources {
                let single = Rule {
                    verbs: vec![verb.clone()],
                    groups: vec![group.clone()],
                    resources: vec![resource.clone()],
                    ..Rule::default()
                };
                if rule.names.is_empty() {
                    singles.push(single.clone());
                }
                for name in &rule.names {
                    singles.push(Rule {
                        names: vec![name.clone()],
                        ..single.clone()
                    });
                }
            }
        }
        for path in &rule.paths {
            singles.push(Rule {
                verbs: vec![verb.clone()],
                paths: vec![path.clone()],
                ..Rule::default()
            });
        }
    }
    singles
}

fn covers(rule: &Rule, single: &Rule) -> bool {
    let listed = |list: &[String], wanted: &[String]| {
        wanted
            .iter()
            .all(|item| list.iter().any(|l| l == "*" || l == item))
    };
    let resource = |wanted: &String| {
        let sub = wanted.split_once('/').map(|(_, sub)| format!("*/{sub}"));
        rule.resources
            .iter()
            .any(|r| r == "*" || r == wanted || sub.as_ref() == Some(r))
    };
    let path = |wanted: &String| {
        rule.paths.iter().any(|p| {
            p == "*"
                || p == wanted
                || p.strip_suffix('*')
                    .is_some_and(|head| wanted.starts_with(head))
        })
    };
    listed(&rule.verbs, &single.verbs)
        && listed(&rule.groups, &single.groups)
        && single.resources.iter().all(resource)
        && single.paths.iter().all(path)
        && (rule.names.is_empty()
            || (!single.names.is_empty() && single.names.iter().all(|n| rule.names.contains(n))))
}

/// Joins grants over one resource into one rule with several verbs.
fn compact(missing: Vec<Rule>) -> Vec<Rule> {
    let mut simple: BTreeMap<(Vec<String>, Vec<String>, Vec<String>), Vec<String>> =
        BTreeMap::new();
    let mut rest = Vec::new();
    for rule in missing {
        if rule.paths.is_empty() {
            let verbs = simple
                .entry((rule.groups, rule.resources, rule.names))
                .or_default();
            verbs.extend(rule.verbs);
        } else {
            rest.push(rule);
        }
    }
    let joined = simple
        .into_iter()
        .map(|((groups, resources, names), verbs)| Rule {
            verbs,
            groups,
            resources,
            names,
            paths: Vec::new(),
        });
    rest.extend(joined);
    rest
}

fn describe(rule: &Rule) -> String {
    let members = [
        ("APIGroups", &rule.groups),
        ("Resources", &rule.resources),
        ("NonResourceURLs", &rule.paths),
        ("ResourceNames", &rule.names),
        ("Verbs", &rule.verbs),
    ];
    let parts: Vec<String> = members
        .iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(name, list)| format!("{name}:{}", quoted(list)))
        .collect();
    format!("{{{}}}", parts.join(", "))
}

fn quoted(list: &[String]) -> String {
    let items: Vec<String> = list
        .iter()
        .map(|item| Value::from(item.as_str()).to_string())
        .collect();
    format!("[{}]", items.join(" "))
}
