//! ResourceQuota: what a namespace may hold, checked and charged with every write.
//!
//! As upstream, a write is checked against `status.used` and charged there before the object is stored; the controller
//! (`controllers::quotas`) counts anew whenever something goes. Texts are those of Kubernetes' quota admission.

use std::collections::BTreeSet;

use compact_str::CompactString;
use objects::quantity::Quantity;
use objects::{Map, Value};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::usage::{self, Amounts};
use crate::catalog::text;
use crate::engine::{Context, Engine, Place, User, metadata_text};
use crate::failure::{Answered, Failure};
use crate::store::{Entry, Store};

/// Table of the quotas.
pub const TABLE: &str = "/resourcequotas";

/// Tries of charging a quota that others charge at the same time.
const TRIES: usize = 16;

/// Namespaces in which something went that their quotas may have counted.
#[derive(Debug, Default)]
pub struct Recounts {
    dirty: Mutex<BTreeSet<CompactString>>,
    wake: Notify,
}

impl Recounts {
    /// Notes that a namespace has to be counted anew, if it has quotas.
    pub fn touch(&self, store: &Store, namespace: &str) {
        if namespace.is_empty() || store.list(TABLE, namespace).1.is_empty() {
            return;
        }
        self.dirty.lock().insert(namespace.into());
        self.wake.notify_one();
    }

    /// Waits for namespaces to count, and takes them.
    pub async fn next(&self) -> BTreeSet<CompactString> {
        loop {
            let taken = std::mem::take(&mut *self.dirty.lock());
            if !taken.is_empty() {
                return taken;
            }
            self.wake.notified().await;
        }
    }
}

/// Checks a write against every quota of its namespace, and charges them.
pub fn check(
    engine: &Engine,
    place: &Place,
    object: &Map,
    live: Option<&Map>,
    dry_run: bool,
) -> Answered<()> {
    if place.namespace.is_empty() || !place.sub.is_empty() {
        return Ok(());
    }
    if live.is_some() && !usage::changes(&place.resource) {
        return Ok(());
    }
    let (_, quotas) = engine.store.list(TABLE, &place.namespace);
    if quotas.is_empty() {
        return Ok(());
    }
    let mut wanted = usage::of(&place.resource, object);
    if let Some(live) = live {
        for (name, amount) in usage::of(&place.resource, live) {
            let present = wanted.entry(name).or_insert(Quantity::ZERO);
            *present = present.minus(&amount);
        }
    }
    wanted.retain(|_, amount| !amount.is_zero());
    for quota in &quotas {
        charge(engine, place, object, quota, &wanted, dry_run)?;
    }
    Ok(())
}

fn charge(
    engine: &Engine,
    place: &Place,
    object: &Map,
    entry: &Entry,
    wanted: &Amounts,
    dry_run: bool,
) -> Answered<()> {
    let resource = engine.builtin("", "v1", "resourcequotas");
    let quota_place = Place::new(&resource, &entry.meta.namespace, &entry.meta.name);
    for _ in 0..TRIES {
        let Ok(entry) = engine.entry(&quota_place) else {
            return Ok(());
        };
        let quota = engine.decode_entry(&resource, &entry);
        let Some(next) = charged(place, object, &quota, wanted)? else {
            return Ok(());
        };
        if dry_run {
            return Ok(());
        }
        match write(engine, &quota_place, &entry, next) {
            Err(failure) if failure.status.code == 409 => {}
            outcome => return outcome,
        }
    }
    Err(Failure::modified(quota_place.named()))
}

/// Checks one quota; returns its next `status.used` where that changes.
fn charged(
    place: &Place,
    object: &Map,
    quota: &Map,
    wanted: &Amounts,
) -> Answered<Option<Amounts>> {
    let status = quota.get("status");
    let hard = usage::amounts(status.and_then(|s| s.get("hard")));
    let wanted_hard = usage::amounts(quota.get("spec").and_then(|s| s.get("hard")));
    let mut used = usage::amounts(status.and_then(|s| s.get("used")));
    if !in_scope(place, quota, object) {
        return Ok(None);
    }
    let name = metadata_text(quota, "name");
    let is_pod = place.resource.is("", "pods");
    if is_pod {
        let missing = usage::missing(object, &wanted_hard);
        if !missing.is_empty() {
            let why = format!("failed quota: {name}: must specify {missing}");
            return Err(Failure::forbidden(place.named(), &why));
        }
    }
    let requested: Vec<(&String, &Quantity)> = wanted
        .iter()
        .filter(|(name, _)| wanted_hard.contains_key(*name))
        .collect();
    if requested.is_empty() {
        return Ok(None);
    }
    let unknown: Vec<&str> = requested
        .iter()
        .filter(|(name, _)| !hard.contains_key(*name) || !used.contains_key(*name))
        .map(|(name, _)| name.as_str())
        .collect();
    if !unknown.is_empty() {
        let why = format!(
            "status unknown for quota: {name}, resources: {}",
            unknown.join(",")
        );
        return Err(Failure::forbidden(place.named(), &why));
    }
    let exceeded: Vec<&String> = requested
        .iter()
        .filter(|(name, amount)| {
            !amount.is_negative() && used[*name].plus(amount).compare(&hard[*name]).is_gt()
        })
        .map(|(name, _)| *name)
        .collect();
    if !exceeded.is_empty() {
        let show = |amounts: &Amounts| -> String {
            let parts: Vec<String> = exceeded
                .iter()
                .map(|name| format!("{name}={}", amounts[*name]))
                .collect();
            parts.join(",")
        };
        let why = format!(
            "exceeded quota: {name}, requested: {}, used: {}, limited: {}",
            show(wanted),
            show(&used),
            show(&hard)
        );
        return Err(Failure::forbidden(place.named(), &why));
    }
    for (name, amount) in requested {
        let present = used.entry(name.clone()).or_insert(Quantity::ZERO);
        *present = present.plus(amount);
    }
    Ok(Some(used))
}

fn write(engine: &Engine, place: &Place, entry: &Entry, used: Amounts) -> Answered<()> {
    let context = Context::new(User::system(), "kube-apiserver");
    let status_place = Place {
        sub: "status".into(),
        ..place.clone()
    };
    let revision = entry.revision;
    engine
        .replace(&context, &status_place, &|live, live_entry| {
            if live_entry.revision != revision {
                return Err(Failure::modified(place.named()));
            }
            let mut next = live.clone();
            if let Some(status) = next.get_mut("status").and_then(Value::as_object_mut) {
                status.insert("used".into(), shown(&used));
            }
            Ok(next)
        })
        .map(|_| ())
}

fn shown(amounts: &Amounts) -> Value {
    let map: Map = amounts
        .iter()
        .map(|(name, amount)| (name.clone(), amount.to_string().into()))
        .collect();
    Value::Object(map)
}

/// Counts what a namespace holds against a quota, and writes it to the quota's status.
pub fn recount(engine: &Engine, namespace: &str, name: &str) {
    let resource = engine.builtin("", "v1", "resourcequotas");
    let mut place = Place::new(&resource, namespace, name);
    place.sub = "status".into();
    let context = Context::new(User::system(), "kube-controller-manager");
    let outcome = engine.replace(&context, &place, &|quota, _| {
        let spec_hard = quota.get("spec").and_then(|spec| spec.get("hard"));
        let hard = usage::amounts(spec_hard);
        let used = count(engine, namespace, quota, &hard);
        let mut next = quota.clone();
        let status = objects::json!({"hard": spec_hard, "used": shown(&used)});
        next.insert("status".into(), status);
        Ok(next)
    });
    if let Err(failure) = outcome {
        tracing::debug!(
            namespace,
            name,
            message = failure.status.message,
            "quota not counted"
        );
    }
}

fn count(engine: &Engine, namespace: &str, quota: &Map, hard: &Amounts) -> Amounts {
    let mut used: Amounts = hard
        .keys()
        .map(|name| (name.clone(), Quantity::ZERO))
        .collect();
    let mut counted: Vec<(&str, &str)> = hard.keys().filter_map(|n| usage::counted(n)).collect();
    counted.sort_unstable();
    counted.dedup();
    let catalog = engine.catalog();
    for (group, plural) in counted {
        let Some(resource) = catalog.any_version(group, plural).cloned() else {
            continue;
        };
        let (_, entries) = engine.store.list(&resource.table, namespace);
        for entry in &entries {
            let object = engine.decode_entry(&resource, entry);
            let place = Place::new(&resource, namespace, &entry.meta.name);
            if !in_scope(&place, quota, &object) {
                continue;
            }
            for (name, amount) in usage::of(&resource, &object) {
                if let Some(present) = used.get_mut(&name) {
                    *present = present.plus(&amount);
                }
            }
        }
    }
    used
}

/// Tells whether a quota's scopes take an object in.
fn in_scope(place: &Place, quota: &Map, object: &Map) -> bool {
    let spec = quota.get("spec");
    let scopes = spec.and_then(|spec| spec.get("scopes")?.as_array());
    let selected = spec.and_then(|spec| spec.pointer("/scopeSelector/matchExpressions"));
    let selected = selected.and_then(Value::as_array);
    let mut all = scopes
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|scope| (scope, "Exists", &[][..]))
        .chain(
            selected
                .into_iter()
                .flatten()
                .filter_map(Value::as_object)
                .map(|expression| {
                    let values = expression.get("values").and_then(Value::as_array);
                    (
                        text(expression, "scopeName"),
                        text(expression, "operator"),
                        values.map_or(&[][..], Vec::as_slice),
                    )
                }),
        )
        .peekable();
    if all.peek().is_none() {
        return true;
    }
    // Scopes speak of pods; an object of another kind has none.
    place.resource.is("", "pods")
        && all.all(|(scope, operator, values)| pod_in_scope(object, scope, operator, values))
}

fn pod_in_scope(pod: &Map, scope: &str, operator: &str, values: &[Value]) -> bool {
    let spec = pod.get("spec").and_then(Value::as_object);
    let Some(spec) = spec else { return false };
    let terminating = spec
        .get("activeDeadlineSeconds")
        .and_then(Value::as_i64)
        .is_some_and(|seconds| seconds >= 0);
    let best_effort = crate::defaults::quality_of_service(spec) == "BestEffort";
    match scope {
        "Terminating" => terminating,
        "NotTerminating" => !terminating,
        "BestEffort" => best_effort,
        "NotBestEffort" => !best_effort,
        "PriorityClass" => {
            let class = text(spec, "priorityClassName");
            let listed = values.iter().any(|value| value == class);
            match operator {
                "In" => listed,
                "NotIn" => !listed,
                "DoesNotExist" => class.is_empty(),
                _ => !class.is_empty(),
            }
        }
        "CrossNamespacePodAffinity" => {
            spec.get("affinity")
                .map(Value::to_string)
                .is_some_and(|text| {
                    text.contains("\"namespaces\"") || text.contains("\"namespaceSelector\"")
                })
        }
        _ => false,
    }
}
