//! Tokens of service accounts: a TokenRequest goes in and comes back with a signed token.

use jiff::SignedDuration;
use objects::{Gvk, Map, Value, json};

use super::read;
use crate::auth::token::{Claims, ISSUER};
use crate::catalog::text;
use crate::engine::{Body, Engine, Place, Reply, Write, metadata_mut, metadata_text};
use crate::environment::format_seconds;
use crate::failure::{Answered, Failure, Named, field};

/// Shortest life of a token, in seconds.
const TOKEN_SECONDS_MIN: i64 = 600;
/// Longest life of a token, in seconds.
const TOKEN_SECONDS_MAX: i64 = 1 << 32;
/// Life of a token that asks for none, in seconds.
const TOKEN_SECONDS: i64 = 3600;

/// Answers a token request for the service account of the place.
pub(super) fn create(write: &Write<'_>, body: &Body) -> Answered<Reply> {
    let (engine, place) = (write.engine, write.place);
    let gvk = Gvk::new("authentication.k8s.io", "v1", "TokenRequest");
    let mut request = read(write, &gvk, body)?;
    check_name(place, &request)?;
    let account = engine.entry(place)?;
    let asked = request.entry("spec").or_insert_with(|| json!({}));
    if let Some(asked) = asked.as_object_mut()
        && asked.get("expirationSeconds").is_none_or(Value::is_null)
    {
        asked.insert("expirationSeconds".into(), TOKEN_SECONDS.into());
    }
    crate::fields::recorded_kind(write, &gvk, &mut request);
    let spec = request.get("spec").and_then(Value::as_object);
    let mut spec = spec.cloned().unwrap_or_default();
    let seconds = life(&gvk, &spec)?;
    let audiences = audiences(&spec);
    let pod = bound_pod(engine, place, &spec)?;
    let now = engine.environment.clock.now();
    let claims = Claims {
        namespace: place.namespace.clone(),
        account: place.name.clone(),
        uid: account.meta.uid.to_string(),
        id: engine.environment.uuid(),
        audiences: audiences.clone(),
        issued: now.as_second(),
        expires: now.as_second().saturating_add(seconds),
        pod,
    };
    let expires = now
        .checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(now);
    spec.insert("audiences".into(), json!(audiences));
    spec.insert("expirationSeconds".into(), seconds.into());
    spec.entry("boundObjectRef").or_insert(Value::Null);
    request.insert("spec".into(), Value::Object(spec));
    let metadata = metadata_mut(&mut request);
    metadata.insert("name".into(), place.name.clone().into());
    metadata.insert("namespace".into(), place.namespace.clone().into());
    metadata.insert("uid".into(), account.meta.uid.as_str().into());
    metadata.insert("creationTimestamp".into(), format_seconds(now).into());
    let token = claims.sign(&engine.credentials.signing_key)?;
    let status = json!({"token": token, "expirationTimestamp": format_seconds(expires)});
    request.insert("status".into(), status);
    Ok(Reply::Loose(Box::new(request)))
}

/// A request may leave its name out, but not name another account.
fn check_name(place: &Place, request: &Map) -> Answered<()> {
    let named = metadata_text(request, "name");
    if named.is_empty() || named == place.name {
        return Ok(());
    }
    Err(Failure::bad_request(format!(
        "the name of the object ({named}) does not match the name on the URL ({})",
        place.name
    )))
}

/// Returns the seconds that a token is asked to live, where they are within bounds.
fn life(gvk: &Gvk, spec: &Map) -> Answered<i64> {
    let seconds = spec.get("expirationSeconds").and_then(Value::as_i64);
    let seconds = seconds.unwrap_or(TOKEN_SECONDS);
    let why = if seconds < TOKEN_SECONDS_MIN {
        "may not specify a duration less than 10 minutes"
    } else if seconds > TOKEN_SECONDS_MAX {
        "may not specify a duration larger than 2^32 seconds"
    } else {
        return Ok(seconds);
    };
    let cause = field::invalid("spec.expirationSeconds", &seconds.into(), why);
    let named = Named {
        group: &gvk.group,
        kind: &gvk.kind,
        name: "",
    };
    Err(Failure::invalid(named, vec![cause]))
}

/// Lists whom a token is for; this server where the request does not say.
fn audiences(spec: &Map) -> Vec<String> {
    let listed = spec.get("audiences").and_then(Value::as_array);
    let listed = listed.into_iter().flatten().filter_map(Value::as_str);
    let listed: Vec<String> = listed.map(str::to_owned).collect();
    if listed.is_empty() {
        return vec![ISSUER.to_owned()];
    }
    listed
}

/// Finds the object that a token shall not outlive; returns name and uid where it is a pod.
fn bound_pod(engine: &Engine, place: &Place, spec: &Map) -> Answered<Option<(String, String)>> {
    let Some(reference) = spec.get("boundObjectRef").and_then(Value::as_object) else {
        return Ok(None);
    };
    let (api_version, kind) = (text(reference, "apiVersion"), text(reference, "kind"));
    let (plural, namespace) = match (api_version, kind) {
        ("v1", "Pod") => ("pods", place.namespace.as_str()),
        ("v1", "Secret") => ("secrets", place.namespace.as_str()),
        ("v1", "Node") => ("nodes", ""),
        _ => {
            let kind = crate::engine::go_gvk(api_version, kind);
            let why = format!("cannot bind token to object of type {kind}");
            return Err(Failure::bad_request(why));
        }
    };
    let resource = engine.builtin("", "v1", plural);
    let pod = Place::new(&resource, namespace, text(reference, "name"));
    let entry = engine.entry(&pod)?;
    let uid = text(reference, "uid");
    if !uid.is_empty() && uid != entry.meta.uid {
        let why = format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been deleted and then recreated"
        );
        return Err(Failure::conflict(pod.named(), &why));
    }
    // Only pods are named in the token's claims here.
    let claimed = (plural == "pods").then(|| (pod.name.clone(), entry.meta.uid.to_string()));
    Ok(claimed)
}
