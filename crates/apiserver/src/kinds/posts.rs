//! Posts to subresources: tokens, evictions, bindings.

use jiff::SignedDuration;
use objects::{Gvk, Map, Value, json};

use crate::auth::token::{Claims, ISSUER};
use crate::catalog::text;
use crate::engine::{
    Body, Context, DeleteOptions, Engine, Place, Reply, Wanted, WriteOptions, metadata_text,
};
use crate::environment::format_seconds;
use crate::failure::{Answered, Failure, Named, field};

/// Shortest life of a token, in seconds.
const TOKEN_SECONDS_MIN: i64 = 600;
/// Life of a token that asks for none, in seconds.
const TOKEN_SECONDS: i64 = 3600;

/// Posts to a subresource.
pub fn create(
    engine: &Engine,
    context: &Context,
    place: &Place,
    body: &Body,
    options: &WriteOptions,
) -> Answered<Reply> {
    match (place.resource.plural(), place.sub.as_str()) {
        ("serviceaccounts", "token") => token(engine, context, place, body, options),
        ("pods", "eviction") => eviction(engine, context, place, body),
        ("pods", "binding") => binding(engine, context, place, body, options),
        (_, "exec" | "attach" | "portforward" | "proxy") => {
            engine.entry(place)?;
            Err(Failure::bad_request(
                "this server has no nodes: exec, attach, port-forward and proxy are not possible",
            ))
        }
        _ => Err(Failure::method_not_allowed()),
    }
}

fn token(
    engine: &Engine,
    context: &Context,
    place: &Place,
    body: &Body,
    options: &WriteOptions,
) -> Answered<Reply> {
    let wanted = Wanted {
        api_version: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        custom: false,
    };
    let mut request = body.decode(wanted)?;
    let account = engine.entry(place)?;
    let gvk = Gvk::new("authentication.k8s.io", "v1", "TokenRequest");
    let manager = options.manager(context);
    crate::fields::recorded_kind(engine, &gvk, &mut request, manager, "token");
    let spec = request.get("spec").and_then(Value::as_object);
    let mut spec = spec.cloned().unwrap_or_default();
    let seconds = spec
        .get("expirationSeconds")
        .and_then(Value::as_i64)
        .unwrap_or(TOKEN_SECONDS);
    if seconds < TOKEN_SECONDS_MIN {
        let why = "may not specify a duration less than 10 minutes";
        let cause = field::invalid("spec.expirationSeconds", &seconds.into(), why);
        let named = Named {
            group: &gvk.group,
            kind: &gvk.kind,
            name: "",
        };
        return Err(Failure::invalid(named, vec![cause]));
    }
    let mut audiences: Vec<String> = spec
        .get("audiences")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    if audiences.is_empty() {
        audiences.push(ISSUER.to_owned());
    }
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
    let metadata = crate::engine::metadata_mut(&mut request);
    metadata.insert("name".into(), place.name.clone().into());
    metadata.insert("namespace".into(), place.namespace.clone().into());
    metadata.insert("uid".into(), account.meta.uid.as_str().into());
    metadata.insert("creationTimestamp".into(), format_seconds(now).into());
    let token = claims.sign(&engine.credentials.signing_key);
    let status = json!({"token": token, "expirationTimestamp": format_seconds(expires)});
    request.insert("status".into(), status);
    Ok(Reply::Loose(Box::new(request)))
}

fn bound_pod(engine: &Engine, place: &Place, spec: &Map) -> Answered<Option<(String, String)>> {
    let Some(reference) = spec.get("boundObjectRef").and_then(Value::as_object) else {
        return Ok(None);
    };
    if text(reference, "kind") != "Pod" {
        return Ok(None);
    }
    let pods = engine.builtin("", "v1", "pods");
    let pod = Place::new(&pods, &place.namespace, text(reference, "name"));
    let entry = engine.entry(&pod)?;
    let uid = text(reference, "uid");
    if !uid.is_empty() && uid != entry.meta.uid {
        let why = format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been deleted and then recreated"
        );
        return Err(Failure::conflict(pod.named(), &why));
    }
    Ok(Some((pod.name.clone(), entry.meta.uid.to_string())))
}

fn eviction(engine: &Engine, context: &Context, place: &Place, body: &Body) -> Answered<Reply> {
    let wanted = Wanted {
        api_version: "policy/v1",
        kind: "Eviction",
        custom: false,
    };
    let eviction = body.decode(wanted)?;
    let name = metadata_text(&eviction, "name");
    if !name.is_empty() && name != place.name {
        return Err(Failure::bad_request(
            "name in URL does not match name in Eviction object",
        ));
    }
    let options = match eviction.get("deleteOptions").and_then(Value::as_object) {
        Some(options) => DeleteOptions::read(&crate::engine::Query::new(), Some(options))?,
        None => DeleteOptions::default(),
    };
    let pod = Place {
        sub: String::new(),
        ..place.clone()
    };
    let now = engine.environment.timestamp();
    // Says why the pod goes; not recorded in its managed fields.
    engine.transform(context, &pod, &WriteOptions::default(), &|live, _| {
        let mut next = live.clone();
        crate::kinds::set_condition(&mut next, "DisruptionTarget", "True", &now);
        let conditions = next.get_mut("status").and_then(|s| s.get_mut("conditions"));
        let list = conditions
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten();
        for condition in list.filter(|c| c["type"] == "DisruptionTarget") {
            condition["reason"] = "EvictionByEvictionAPI".into();
            condition["message"] = "Eviction API: evicting".into();
        }
        Ok(next)
    })?;
    engine.delete(context, &pod, &options)?;
    Ok(success())
}

fn binding(
    engine: &Engine,
    context: &Context,
    place: &Place,
    body: &Body,
    options: &WriteOptions,
) -> Answered<Reply> {
    let wanted = Wanted {
        api_version: "v1",
        kind: "Binding",
        custom: false,
    };
    let binding = body.decode(wanted)?;
    let node = binding
        .get("target")
        .and_then(|target| target.get("name"))
        .and_then(Value::as_str)
        .unwrap_or("")
        .to_owned();
    let now = engine.environment.timestamp();
    // Bindings are not recorded in the pod's managed fields.
    engine.transform(context, place, options, &|live, _| {
        let mut next = live.clone();
        let spec = next.get_mut("spec").and_then(Value::as_object_mut);
        let Some(spec) = spec else {
            return Err(Failure::internal("a pod has a spec"));
        };
        let present = text(spec, "nodeName").to_owned();
        if !present.is_empty() {
            let why = format!(
                "pod {} is already assigned to node \"{present}\"",
                place.name
            );
            let named = Named {
                kind: "pods/binding",
                ..place.named()
            };
            return Err(Failure::conflict(named, &why));
        }
        spec.insert("nodeName".into(), node.clone().into());
        crate::kinds::set_condition(&mut next, "PodScheduled", "True", &now);
        Ok(next)
    })?;
    Ok(success())
}

fn success() -> Reply {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201,
    });
    match status {
        Value::Object(map) => Reply::Loose(Box::new(map)),
        _ => Reply::Loose(Box::default()),
    }
}
