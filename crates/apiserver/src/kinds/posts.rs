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
use crate::kinds::form;

/// Shortest life of a token, in seconds.
const TOKEN_SECONDS_MIN: i64 = 600;
/// Longest life of a token, in seconds.
const TOKEN_SECONDS_MAX: i64 = 1 << 32;
/// Life of a token that asks for none, in seconds.
const TOKEN_SECONDS: i64 = 3600;

/// Posts to a subresource such as `token` or `eviction`, or to the older collection of bindings.
///
/// # Errors
/// Fails as writes do, and with "method not allowed" where a subresource takes no posts.
pub fn create(
    engine: &Engine,
    context: &Context,
    place: &Place,
    body: &Body,
    options: &WriteOptions,
) -> Answered<Reply> {
    if place.resource.is("", "bindings") {
        return create_binding(engine, context, place, body, options);
    }
    match (place.resource.plural(), place.sub.as_str()) {
        ("serviceaccounts", "token") => token(engine, context, place, body, options),
        ("pods", "eviction") => eviction(engine, context, place, body, options),
        ("pods", "binding") => binding(engine, context, place, body, options),
        (_, "exec" | "attach" | "portforward" | "proxy") => Err(no_node(engine, place)),
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
    let gvk = Gvk::new("authentication.k8s.io", "v1", "TokenRequest");
    let mut request = read(context, place, &gvk, body, options)?;
    let named = metadata_text(&request, "name");
    if !named.is_empty() && named != place.name {
        let why = format!(
            "the name of the object ({named}) does not match the name on the URL ({})",
            place.name
        );
        return Err(Failure::bad_request(why));
    }
    let account = engine.entry(place)?;
    let asked = request.entry("spec").or_insert_with(|| json!({}));
    if let Some(asked) = asked.as_object_mut()
        && asked.get("expirationSeconds").is_none_or(Value::is_null)
    {
        asked.insert("expirationSeconds".into(), TOKEN_SECONDS.into());
    }
    let manager = options.manager(context);
    crate::fields::recorded_kind(engine, &gvk, &mut request, manager, "token");
    let spec = request.get("spec").and_then(Value::as_object);
    let mut spec = spec.cloned().unwrap_or_default();
    let seconds = spec
        .get("expirationSeconds")
        .and_then(Value::as_i64)
        .unwrap_or(TOKEN_SECONDS);
    if !(TOKEN_SECONDS_MIN..=TOKEN_SECONDS_MAX).contains(&seconds) {
        let why = if seconds < TOKEN_SECONDS_MIN {
            "may not specify a duration less than 10 minutes"
        } else {
            "may not specify a duration larger than 2^32 seconds"
        };
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
    let token = claims.sign(&engine.credentials.signing_key)?;
    let status = json!({"token": token, "expirationTimestamp": format_seconds(expires)});
    request.insert("status".into(), status);
    Ok(Reply::Loose(Box::new(request)))
}

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

/// Reads a body of the kind that a subresource takes, checked as other bodies are.
pub(super) fn read(
    context: &Context,
    place: &Place,
    gvk: &Gvk,
    body: &Body,
    options: &WriteOptions,
) -> Answered<Map> {
    let resource = place.resource.written_as(gvk);
    let wanted = Wanted {
        api_version: &resource.api_version,
        kind: resource.kind(),
        custom: false,
    };
    let mut object = body.decode(wanted)?;
    // The older version of evictions is still understood.
    let (version, kind) = (text(&object, "apiVersion"), text(&object, "kind"));
    if (version, kind) == ("policy/v1beta1", "Eviction") {
        object.insert("apiVersion".into(), resource.api_version.clone().into());
    }
    crate::engine::check_kind(&resource, wanted, &object)?;
    let repeated = body.duplicates();
    form::shape(
        context,
        &resource,
        &mut object,
        options,
        &repeated,
        form::Source::Body,
    )?;
    crate::engine::check_namespace(place, &mut object)?;
    Ok(object)
}

fn eviction(
    engine: &Engine,
    context: &Context,
    place: &Place,
    body: &Body,
    options: &WriteOptions,
) -> Answered<Reply> {
    let gvk = Gvk::new("policy", "v1", "Eviction");
    let eviction = read(context, place, &gvk, body, options)?;
    if metadata_text(&eviction, "name") != place.name {
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
    engine.check_delete(&pod, &options)?;
    check_budgets(engine, &pod, &options)?;
    let now = engine.environment.timestamp();
    let marking = WriteOptions {
        dry_run: options.dry_run,
        ..WriteOptions::default()
    };
    // Says why the pod goes; not recorded in its managed fields.
    engine.transform(context, &pod, &marking, &|live, _| {
        let mut next = live.clone();
        set_condition(&mut next, "DisruptionTarget", "True", &now);
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

/// Refuses an eviction that a disruption budget does not allow.
fn check_budgets(engine: &Engine, place: &Place, options: &DeleteOptions) -> Answered<()> {
    let entry = engine.entry(place)?;
    let pod = engine.decode_entry(&place.resource, &entry);
    let phase = pod.get("status").and_then(|s| s.get("phase")?.as_str());
    let ended = matches!(phase, Some("Succeeded" | "Failed" | "Pending"));
    if ended || entry.meta.deleting {
        return Ok(());
    }
    let resource = engine.builtin("policy", "v1", "poddisruptionbudgets");
    let labels: Map = entry
        .meta
        .labels
        .iter()
        .map(|(key, value)| (key.to_string(), value.as_str().into()))
        .collect();
    let (_, entries) = engine.store.list(&resource.table, &place.namespace);
    let budgets = entries
        .iter()
        .map(|entry| engine.decode_entry(&resource, entry));
    let mut covering = budgets.filter(|budget| {
        let selector = budget
            .get("spec")
            .and_then(|s| s.get("selector")?.as_object());
        selector.is_some_and(|selector| crate::admission::selects(selector, &labels))
    });
    let Some(budget) = covering.next() else {
        return Ok(());
    };
    if covering.next().is_some() {
        let message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
        return Err(Failure::internal(message));
    }
    let number = |part: &str, key: &str| {
        let number = budget.get(part).and_then(|p| p.get(key)?.as_i64());
        number.unwrap_or(0)
    };
    let name = metadata_text(&budget, "name");
    let metadata = budget.get("metadata").and_then(Value::as_object);
    let generation = metadata.and_then(|m| m.get("generation")?.as_i64());
    if number("status", "observedGeneration") < generation.unwrap_or(0) {
        let message = "Cannot evict pod as it would violate the pod's disruption budget.";
        let why = format!("The disruption budget {name} is still being processed by the server.");
        return Err(violation(message, &why, 10));
    }
    let allowed = number("status", "disruptionsAllowed");
    if allowed > 0 {
        if !options.dry_run {
            use_disruption(engine, &resource, &budget, allowed);
        }
        return Ok(());
    }
    let why = format!(
        "The disruption budget {name} needs {} healthy pods and has {} currently",
        number("status", "desiredHealthy"),
        number("status", "currentHealthy")
    );
    let message = "Cannot evict pod as it would violate the pod's disruption budget.";
    Err(violation(message, &why, 0))
}

/// Takes one disruption of a budget's, before its controller counts anew.
fn use_disruption(
    engine: &Engine,
    resource: &std::sync::Arc<crate::catalog::Resource>,
    budget: &Map,
    allowed: i64,
) {
    let mut place = Place::new(
        resource,
        metadata_text(budget, "namespace"),
        metadata_text(budget, "name"),
    );
    place.sub = "status".into();
    let context = Context::new(crate::engine::User::system(), "kube-apiserver");
    let options = WriteOptions::default();
    // A budget that changed meanwhile is counted anew by its controller.
    let _ = engine.replace(&context, &place, &options, &|live, _| {
        let mut next = live.clone();
        let status = next.get_mut("status").and_then(Value::as_object_mut);
        if let Some(status) = status {
            status.insert("disruptionsAllowed".into(), (allowed - 1).into());
        }
        Ok(next)
    });
}

fn violation(message: &str, why: &str, retry_after: u32) -> Box<Failure> {
    let mut failure = Failure::new(429, "TooManyRequests", message);
    failure.empty_details = true;
    failure.status.retry_after_seconds = retry_after;
    failure.status.causes.push(cluster::StatusCause {
        reason: "DisruptionBudget".into(),
        message: why.to_owned(),
        field: String::new(),
    });
    failure
}

fn binding(
    engine: &Engine,
    context: &Context,
    place: &Place,
    body: &Body,
    options: &WriteOptions,
) -> Answered<Reply> {
    let binding = read(
        context,
        place,
        &Gvk::new("", "v1", "Binding"),
        body,
        options,
    )?;
    if metadata_text(&binding, "name") != place.name {
        return Err(Failure::bad_request(
            "name in URL does not match name in Binding object",
        ));
    }
    let target = binding.get("target").and_then(Value::as_object);
    let kind = target.map_or("", |target| text(target, "kind"));
    if !matches!(kind, "" | "Node") {
        return Err(Failure::internal(format!(
            "target.kind: Unsupported value: \"{kind}\": supported values: \"Node\", \"<empty>\""
        )));
    }
    if target.is_none_or(|target| text(target, "name").is_empty()) {
        return Err(Failure::internal("target.name: Required value"));
    }
    let node = binding
        .get("target")
        .and_then(|target| target.get("name"))
        .and_then(Value::as_str)
        .unwrap_or("")
        .to_owned();
    let now = engine.environment.timestamp();
    let uid = metadata_text(&binding, "uid");
    let notes = binding
        .get("metadata")
        .and_then(|m| m.get("annotations")?.as_object());
    // Bindings are not recorded in the pod's managed fields.
    engine.transform(context, place, options, &|live, _| {
        let mut next = live.clone();
        let metadata = crate::engine::metadata_mut(&mut next);
        if !uid.is_empty() {
            // Another uid is refused as in any update.
            metadata.insert("uid".into(), uid.into());
        }
        let own = metadata.entry("annotations").or_insert_with(|| json!({}));
        match (own.as_object_mut(), notes) {
            (Some(own), Some(notes)) => own.extend(notes.clone()),
            (Some(own), None) if own.is_empty() => {
                metadata.remove("annotations");
            }
            _ => {}
        }
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
        set_condition(&mut next, "PodScheduled", "True", &now);
        Ok(next)
    })?;
    Ok(success())
}

/// Binds the pod that a binding names: the older form, posted to a collection of its own.
fn create_binding(
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
    let name = metadata_text(&body.decode(wanted)?, "name").to_owned();
    let mut pod = Place::new(&engine.builtin("", "v1", "pods"), &place.namespace, &name);
    pod.sub = "binding".into();
    binding(engine, context, &pod, body, options)
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

/// Sets a condition in `status.conditions` to a state without reason or message.
fn set_condition(object: &mut Map, kind: &str, state: &str, now: &str) {
    let new = objects::json!({"type": kind, "status": state, "lastProbeTime": null, "lastTransitionTime": now});
    let status = object
        .entry("status")
        .or_insert_with(|| Value::Object(Map::new()));
    let Some(status) = status.as_object_mut() else {
        return;
    };
    let list = status
        .entry("conditions")
        .or_insert_with(|| Value::Array(Vec::new()));
    let Some(list) = list.as_array_mut() else {
        return;
    };
    match list.iter_mut().find(|c| c["type"] == kind) {
        Some(old) => *old = new,
        None => list.push(new),
    }
}

/// Refuses what only a node could do, in upstream's words where it has any.
pub fn no_node(engine: &Engine, place: &Place) -> Box<Failure> {
    let entry = match engine.entry(place) {
        Ok(entry) => entry,
        Err(failure) => return failure,
    };
    let scheduled = entry
        .field("spec.nodeName")
        .is_some_and(|node| !node.is_empty());
    if place.resource.is("", "pods") && place.sub != "proxy" && !scheduled {
        let message = format!("pod {} does not have a host assigned", place.name);
        return Failure::bad_request(message);
    }
    Failure::bad_request(
        "this server has no nodes: exec, attach, port-forward and proxy are not possible",
    )
}
