//! Names of custom kinds: accepted where nobody else has them.

use objects::{Map, Value, json};

use super::versions;
use crate::catalog::text;
use crate::engine::{Context, Engine, Place, User};

/// Manager and user agent of the server's own CRD writes.
const AGENT: &str = "kube-apiserver";
const TABLE: &str = "apiextensions.k8s.io/customresourcedefinitions";

/// Accepts the names of a CRD and establishes it, or says which names are taken.
pub fn settle(engine: &Engine, name: &str) {
    let resource = engine.builtin("apiextensions.k8s.io", "v1", "customresourcedefinitions");
    let mut place = Place::new(&resource, "", name);
    place.sub = "status".into();
    let context = Context::new(User::system(), AGENT);
    let outcome = engine.replace(&context, &place, &|live, _| {
        let mut next = live.clone();
        let status = wanted_status(engine, live);
        next.insert("status".into(), status);
        Ok(next)
    });
    if let Err(failure) = outcome
        && failure.status.code != 404
    {
        tracing::warn!(name, message = failure.status.message, "CRD not settled");
    }
}

fn wanted_status(engine: &Engine, crd: &Map) -> Value {
    let now = engine.environment.timestamp();
    let mut status = crd.get("status").cloned().unwrap_or_else(|| json!({}));
    let names = crd
        .get("spec")
        .and_then(|spec| spec.get("names"))
        .cloned()
        .unwrap_or(Value::Null);
    let taken = taken(engine, crd);
    let (accepted, conflict) = judge(&names, &taken);
    let settled = conflict.is_none();
    let accepting = match conflict {
        None => ("True", "NoConflicts", "no conflicts found".to_owned()),
        Some((reason, message)) => ("False", reason, message),
    };
    let established = if settled {
        (
            "True",
            "InitialNamesAccepted",
            "the initial names have been accepted".to_owned(),
        )
    } else {
        (
            "False",
            "NotAccepted",
            "not all names are accepted".to_owned(),
        )
    };
    let was_established = super::is_true(crd, "Established");
    status["acceptedNames"] = accepted;
    set_condition(&mut status, "NamesAccepted", accepting, &now);
    if settled || !was_established {
        set_condition(&mut status, "Established", established, &now);
    }
    status
}

fn set_condition(
    status: &mut Value,
    kind: &str,
    (state, reason, message): (&str, &str, String),
    now: &str,
) {
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    let new = json!({"type": kind, "status": state, "lastTransitionTime": now, "reason": reason, "message": message});
    let Some(list) = status["conditions"].as_array_mut() else {
        return;
    };
    match list.iter_mut().find(|c| c["type"] == kind) {
        Some(old) if old["status"] == state => {
            old["reason"] = reason.into();
            old["message"] = message.into();
        }
        Some(old) => *old = new,
        None => list.push(new),
    }
}

/// Names that other CRDs of the group have been given.
struct Taken {
    resources: Vec<String>,
    kinds: Vec<String>,
}

fn taken(engine: &Engine, crd: &Map) -> Taken {
    let own = crate::engine::metadata_text(crd, "name");
    let group = |crd: &Map| {
        let group = crd.get("spec").and_then(|spec| spec.get("group"));
        group.and_then(Value::as_str).unwrap_or("").to_owned()
    };
    let own_group = group(crd);
    let mut taken = Taken {
        resources: Vec::new(),
        kinds: Vec::new(),
    };
    for entry in engine.store.list(TABLE, "").1 {
        let other = entry.decode("apiextensions.k8s.io/v1", "CustomResourceDefinition");
        if entry.meta.name == own || group(&other) != own_group {
            continue;
        }
        let Some(names) = other
            .get("status")
            .and_then(|status| status.get("acceptedNames"))
            .and_then(Value::as_object)
        else {
            continue;
        };
        taken.resources.push(text(names, "plural").to_owned());
        taken.resources.push(text(names, "singular").to_owned());
        let short = names.get("shortNames").and_then(Value::as_array);
        let short = short.into_iter().flatten().filter_map(Value::as_str);
        taken.resources.extend(short.map(str::to_owned));
        taken.kinds.push(text(names, "kind").to_owned());
        taken.kinds.push(text(names, "listKind").to_owned());
    }
    taken
}

/// Splits names into the accepted ones and the last conflict.
fn judge(names: &Value, taken: &Taken) -> (Value, Option<(&'static str, String)>) {
    let mut accepted = Map::new();
    accepted.insert("kind".into(), "".into());
    accepted.insert("plural".into(), "".into());
    let mut conflict = None;
    let in_use = |name: &str| format!("\"{name}\" is already in use");
    let members = [
        ("plural", "PluralConflict", &taken.resources),
        ("singular", "SingularConflict", &taken.resources),
        ("shortNames", "ShortNamesConflict", &taken.resources),
        ("kind", "KindConflict", &taken.kinds),
        ("listKind", "ListKindConflict", &taken.kinds),
    ];
    for (member, reason, used) in members {
        match &names[member] {
            Value::String(name) if used.contains(name) => {
                conflict = Some((reason, in_use(name)));
            }
            Value::Array(list) => {
                let hit = list
                    .iter()
                    .filter_map(Value::as_str)
                    .find(|n| used.iter().any(|u| u == n));
                match hit {
                    Some(name) => conflict = Some((reason, in_use(name))),
                    None => {
                        accepted.insert(member.into(), Value::Array(list.clone()));
                    }
                }
            }
            Value::String(name) => {
                accepted.insert(member.into(), name.clone().into());
            }
            _ => {}
        }
    }
    if let Some(categories) = names.get("categories") {
        accepted.insert("categories".into(), categories.clone());
    }
    (Value::Object(accepted), conflict)
}

/// Names the versions in which objects are or may be stored.
pub fn stored_versions(crd: &Map, live: Option<&Map>) -> Value {
    let mut stored: Vec<Value> = live
        .and_then(|live| live.get("status"))
        .and_then(|status| status.get("storedVersions"))
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let spec = crd.get("spec").and_then(Value::as_object);
    for version in spec.into_iter().flat_map(versions) {
        let name = Value::from(text(version, "name"));
        if version.get("storage") == Some(&Value::Bool(true)) && !stored.contains(&name) {
            stored.push(name);
        }
    }
    Value::Array(stored)
}
