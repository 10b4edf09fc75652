//! Requests that are answered and not stored: access reviews, token reviews, "who am I".

use objects::{Map, Value, json};

use super::{Attributes, authn};
use crate::catalog::text;
use crate::engine::{Context, Engine, Reply, User, Write};
use crate::failure::{Answered, Failure, Named, field};

/// Answers a review; `None` for kinds that are stored.
///
/// # Errors
/// Fails where the question is malformed.
pub(crate) fn create(write: &Write<'_>, object: &mut Map) -> Answered<Option<Reply>> {
    let (engine, context, place) = (write.engine, write.context, write.place);
    let resource = &place.resource;
    if !matches!(
        resource.group(),
        "authentication.k8s.io" | "authorization.k8s.io"
    ) {
        return Ok(None);
    }
    crate::fields::recorded(write, None, object);
    let answer = match resource.plural() {
        "tokenreviews" => token(engine, object)?,
        "selfsubjectreviews" => self_subject(engine, context),
        "selfsubjectaccessreviews" => access(engine, &context.user, object, "")?,
        "subjectaccessreviews" => access(engine, &named_user(object), object, "")?,
        "localsubjectaccessreviews" => {
            access(engine, &named_user(object), object, &place.namespace)?
        }
        "selfsubjectrulesreviews" => rules(engine, context, object)?,
        _ => return Ok(None),
    };
    let mut answer = answer;
    answer.insert("apiVersion".into(), resource.api_version.clone().into());
    answer.insert("kind".into(), resource.kind().into());
    Ok(Some(Reply::Loose(Box::new(answer))))
}

fn with_status(object: &Map, status: Value) -> Map {
    let mut answer = object.clone();
    answer
        .entry("metadata")
        .or_insert_with(|| Value::Object(Map::new()));
    answer.insert("status".into(), status);
    answer
}

fn spec(object: &Map) -> Map {
    let spec = object.get("spec").and_then(Value::as_object);
    spec.cloned().unwrap_or_default()
}

fn texts(map: &Map, key: &str) -> Vec<String> {
    let list = map.get(key).and_then(Value::as_array);
    let list = list.into_iter().flatten().filter_map(Value::as_str);
    list.map(str::to_owned).collect()
}

fn user_value(user: &User) -> Value {
    let mut value = Map::new();
    value.insert("username".into(), user.name.clone().into());
    if !user.uid.is_empty() {
        value.insert("uid".into(), user.uid.clone().into());
    }
    if !user.groups.is_empty() {
        value.insert("groups".into(), json!(user.groups));
    }
    if !user.extra.is_empty() {
        value.insert("extra".into(), json!(user.extra));
    }
    Value::Object(value)
}

fn token(engine: &Engine, object: &Map) -> Answered<Map> {
    let spec = spec(object);
    if text(&spec, "token").is_empty() {
        let why = "token is required for TokenReview in authentication";
        return Err(Failure::bad_request(why));
    }
    let mut audiences = texts(&spec, "audiences");
    if audiences.is_empty() {
        audiences.push(super::token::ISSUER.to_owned());
    }
    let found = audiences
        .iter()
        .find_map(|audience| authn::by_token(engine, text(&spec, "token"), audience));
    let status = match found {
        Some((mut user, audiences)) => {
            if !user.groups.iter().any(|g| g == "system:authenticated") {
                user.groups.push("system:authenticated".into());
            }
            json!({"authenticated": true, "user": user_value(&user), "audiences": audiences})
        }
        None => {
            json!({"user": {}, "error": super::token::complaint(engine, text(&spec, "token"), &audiences)})
        }
    };
    Ok(with_status(object, status))
}

fn self_subject(engine: &Engine, context: &Context) -> Map {
    let mut answer = Map::new();
    let now = engine.environment.timestamp();
    answer.insert("metadata".into(), json!({"creationTimestamp": now}));
    let user = user_value(&context.user);
    answer.insert("status".into(), json!({"userInfo": user}));
    answer
}

fn named_user(object: &Map) -> User {
    let spec = spec(object);
    User {
        name: text(&spec, "user").to_owned(),
        uid: text(&spec, "uid").to_owned(),
        groups: texts(&spec, "groups"),
        ..User::default()
    }
}

fn access(engine: &Engine, user: &User, object: &Map, local: &str) -> Answered<Map> {
    let spec = spec(object);
    let resource = spec.get("resourceAttributes").and_then(Value::as_object);
    let path = spec.get("nonResourceAttributes").and_then(Value::as_object);
    let nameless = object.get("kind").and_then(Value::as_str) != Some("SelfSubjectAccessReview")
        && user.name.is_empty()
        && user.groups.is_empty();
    let mut causes = Vec::new();
    if resource.is_some() == path.is_some() {
        let value = resource.map_or(Value::Null, |r| Value::Object(r.clone()));
        let (at, why) = if resource.is_some() {
            (
                "spec.nonResourceAttributes",
                "cannot be specified in combination with resourceAttributes",
            )
        } else {
            (
                "spec.resourceAttributes",
                "exactly one of nonResourceAttributes or resourceAttributes must be specified",
            )
        };
        causes.push(field::invalid(at, &value, why));
    }
    if nameless {
        let why = "at least one of user or group must be specified";
        causes.push(field::invalid("spec.user", &"".into(), why));
    }
    if !causes.is_empty() {
        let nothing = Named {
            group: "authorization.k8s.io",
            kind: "",
            name: "",
        };
        return Err(Failure::invalid(nothing, causes));
    }
    let empty = Map::new();
    let (attributes, paths) = (resource.unwrap_or(&empty), path.unwrap_or(&empty));
    let namespace = match text(attributes, "namespace") {
        "" => local,
        namespace => namespace,
    };
    let wanted = Attributes {
        verb: if path.is_some() {
            text(paths, "verb")
        } else {
            text(attributes, "verb")
        },
        group: text(attributes, "group"),
        resource: text(attributes, "resource"),
        sub: text(attributes, "subresource"),
        namespace,
        name: text(attributes, "name"),
        path: text(paths, "path"),
    };
    let allowed = engine.rbac.allows(engine, user, &wanted);
    Ok(with_status(object, json!({ "allowed": allowed })))
}

fn rules(engine: &Engine, context: &Context, object: &Map) -> Answered<Map> {
    let spec = spec(object);
    let namespace = text(&spec, "namespace");
    if namespace.is_empty() {
        return Err(Failure::bad_request("no namespace on request"));
    }
    let (mut resources, mut paths) = (Vec::new(), Vec::new());
    for (granted_in, rules) in engine.rbac.rules_of(engine, &context.user) {
        if !granted_in.is_empty() && granted_in != namespace {
            continue;
        }
        for rule in rules.iter() {
            if !rule.resources.is_empty() {
                let mut value = json!({
                    "verbs": rule.verbs, "apiGroups": rule.groups, "resources": rule.resources,
                });
                if !rule.names.is_empty() {
                    value["resourceNames"] = json!(rule.names);
                }
                resources.push(value);
            }
            if !rule.paths.is_empty() && granted_in.is_empty() {
                paths.push(json!({"verbs": rule.verbs, "nonResourceURLs": rule.paths}));
            }
        }
    }
    let mut answer = Map::new();
    answer.insert("metadata".into(), json!({}));
    answer.insert("spec".into(), json!({}));
    let status =
        json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false});
    answer.insert("status".into(), status);
    Ok(answer)
}
