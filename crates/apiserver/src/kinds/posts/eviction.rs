//! Evictions: a pod is deleted where the disruption budgets that cover it allow that.

use std::sync::Arc;

use objects::{Gvk, LabelSelector, Map, Value};

use super::{read, set_condition, success};
use crate::catalog::Resource;
use crate::engine::{
    Body, Context, DeleteOptions, Engine, Place, Query, Reply, User, Write, WriteOptions,
    metadata_text,
};
use crate::failure::{Answered, Failure};
use crate::store::Entry;

const REFUSED: &str = "Cannot evict pod as it would violate the pod's disruption budget.";

/// Evicts the pod of the place.
pub(super) fn create(write: &Write<'_>, body: &Body) -> Answered<Reply> {
    let (engine, context) = (write.engine, write.context);
    let eviction = read(write, &Gvk::new("policy", "v1", "Eviction"), body)?;
    if metadata_text(&eviction, "name") != write.place.name {
        return Err(Failure::bad_request(
            "name in URL does not match name in Eviction object",
        ));
    }
    let options = match eviction.get("deleteOptions").and_then(Value::as_object) {
        Some(options) => DeleteOptions::read(&Query::new(), Some(options))?,
        None => DeleteOptions::default(),
    };
    let pod = Place {
        sub: String::new(),
        ..write.place.clone()
    };
    engine.check_delete(&pod, &options)?;
    check_budgets(engine, &pod, &options)?;
    let marking = WriteOptions {
        dry_run: options.dry_run,
        ..WriteOptions::default()
    };
    mark(&engine.write(context, &pod, &marking))?;
    engine.delete(context, &pod, &options)?;
    Ok(success())
}

/// Says why the pod goes; not recorded in its managed fields.
fn mark(write: &Write<'_>) -> Answered<()> {
    let now = write.engine.environment.timestamp();
    write.transform(&|live, _| {
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
    Ok(())
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
    let (_, entries) = engine.store.list(&resource.table, &place.namespace);
    let budgets = entries.iter();
    let budgets = budgets.map(|entry| engine.decode_entry(&resource, entry));
    let mut covering = budgets.filter(|budget| covers(budget, &entry));
    let Some(budget) = covering.next() else {
        return Ok(());
    };
    if covering.next().is_some() {
        let message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
        return Err(Failure::internal(message));
    }
    let allowed = allowed(&budget)?;
    if !options.dry_run {
        use_disruption(engine, &resource, &budget, allowed);
    }
    Ok(())
}

fn covers(budget: &Map, pod: &Entry) -> bool {
    let spec = budget.get("spec");
    let selector = spec.and_then(|spec| spec.get("selector")?.as_object());
    selector
        .is_some_and(|selector| LabelSelector::of_object(selector).matches(|key| pod.label(key)))
}

/// Returns how many disruptions a budget still allows, at least one; fails where it allows none.
fn allowed(budget: &Map) -> Answered<i64> {
    let number = |part: &str, key: &str| {
        let number = budget.get(part).and_then(|p| p.get(key)?.as_i64());
        number.unwrap_or(0)
    };
    let name = metadata_text(budget, "name");
    if number("status", "observedGeneration") < number("metadata", "generation") {
        let why = format!("The disruption budget {name} is still being processed by the server.");
        return Err(violation(&why, 10));
    }
    let allowed = number("status", "disruptionsAllowed");
    if allowed > 0 {
        return Ok(allowed);
    }
    let why = format!(
        "The disruption budget {name} needs {} healthy pods and has {} currently",
        number("status", "desiredHealthy"),
        number("status", "currentHealthy")
    );
    Err(violation(&why, 0))
}

/// Takes one disruption of a budget's, before its controller counts anew.
fn use_disruption(engine: &Engine, resource: &Arc<Resource>, budget: &Map, allowed: i64) {
    let mut place = Place::new(
        resource,
        metadata_text(budget, "namespace"),
        metadata_text(budget, "name"),
    );
    place.sub = "status".into();
    let context = Context::new(User::system(), "kube-apiserver");
    // A budget that changed meanwhile is counted anew by its controller.
    let _ = engine.replace(&context, &place, &|live, _| {
        let mut next = live.clone();
        let status = next.get_mut("status").and_then(Value::as_object_mut);
        if let Some(status) = status {
            status.insert("disruptionsAllowed".into(), (allowed - 1).into());
        }
        Ok(next)
    });
}

fn violation(why: &str, retry_after: u32) -> Box<Failure> {
    let mut failure = Failure::new(429, "TooManyRequests", REFUSED);
    failure.empty_details = true;
    failure.status.retry_after_seconds = retry_after;
    failure.status.causes.push(cluster::StatusCause {
        reason: "DisruptionBudget".into(),
        message: why.to_owned(),
        field: String::new(),
    });
    failure
}
