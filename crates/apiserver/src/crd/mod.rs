//! Custom kinds: CRD objects become served resources.
//!
//! Names are accepted and a CRD is established in the write that creates it, so that its endpoint serves at once.

pub mod cel;
mod check;
pub mod columns;
mod format;
mod judge;
mod names;
mod optional;
pub mod schema;
mod serve;
mod structural;
pub mod typing;
mod validations;

use std::sync::{Arc, OnceLock};

use cluster::StatusCause;
use objects::schema::{Schema, TypeId};
use objects::{Gvk, Map, Value, json};

use crate::catalog::text;
use crate::engine::Engine;

pub use check::validate;
pub use names::{settle, stored_versions};
pub use serve::extend;

/// Finalizer of a CRD whose objects have to go first.
pub const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// One served version of a custom kind.
#[derive(Debug)]
pub struct CustomVersion {
    /// Name of the CRD.
    pub crd: String,
    /// Whether new objects of this CRD are still accepted.
    pub terminating: bool,
    /// Warning that every request gets; empty where the version is not deprecated.
    pub deprecation: String,
    /// Structural schema; `null` where there is none.
    pub schema: Value,
    /// Paths of spec replicas, status replicas and selector, with the scale subresource.
    pub scale: Option<(String, String, String)>,
    /// Fields by which objects can be selected, without the leading dot.
    pub selectable: Vec<String>,
    /// `preserveUnknownFields` of the CRD.
    pub preserve_unknown: bool,
    merge_schema: OnceLock<(Arc<Schema>, TypeId)>,
    rules: OnceLock<Option<cel::Rules>>,
}

impl CustomVersion {
    /// Returns the merge schema of the version, built at first use.
    pub fn merge_schema(&self, gvk: &Gvk) -> (Arc<Schema>, TypeId) {
        let built = self.merge_schema.get_or_init(|| {
            let spec = (!self.schema.is_null()).then_some(&self.schema);
            let meta = objects::schema::builtin::object_meta_components();
            let schema = objects::schema::openapi::load_custom_resource(
                gvk,
                spec,
                self.preserve_unknown,
                meta,
            );
            let id = schema.kind(gvk).unwrap_or_else(|| Schema::deduced().1);
            (Arc::new(schema), id)
        });
        built.clone()
    }

    /// Finds everything that the schema says against an object.
    pub fn validate(&self, object: &Map, live: Option<&Map>) -> Vec<StatusCause> {
        let mut causes = judge::validate(&self.schema, object, live);
        let rules = self.rules.get_or_init(|| cel::Rules::compile(&self.schema));
        let Some(rules) = rules else {
            return causes;
        };
        if causes.iter().any(judge::blocks) {
            causes.push(StatusCause {
                reason: "FieldValueInvalid".into(),
                message: "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation".into(),
                field: "<nil>".into(),
            });
        } else {
            causes.extend(rules.evaluate(object, live));
        }
        causes
    }
}

/// Iterates over the versions of a CRD's spec.
pub fn versions(spec: &Map) -> impl Iterator<Item = &Map> {
    spec.get("versions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
}

/// Fills in the defaults of a CRD.
pub fn default(crd: &mut Map) {
    let Some(spec) = crd.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    let conversion = spec
        .entry("conversion")
        .or_insert_with(|| json!({"strategy": "None"}));
    if let Some(conversion) = conversion.as_object_mut() {
        conversion
            .entry("strategy")
            .or_insert_with(|| "None".into());
    }
    let Some(names) = spec.get_mut("names").and_then(Value::as_object_mut) else {
        return;
    };
    let kind = text(names, "kind").to_owned();
    if text(names, "singular").is_empty() {
        names.insert("singular".into(), kind.to_lowercase().into());
    }
    if text(names, "listKind").is_empty() && !kind.is_empty() {
        names.insert("listKind".into(), format!("{kind}List").into());
    }
}

/// Gives a new CRD its first status.
pub fn initialise(crd: &mut Map) {
    let status = json!({
        "conditions": null,
        "acceptedNames": {"kind": "", "plural": ""},
        "storedVersions": stored_versions(crd, None),
    });
    crd.insert("status".into(), status);
}

/// Marks a CRD that is being deleted.
pub fn terminating(engine: &Engine, crd: &mut Map) {
    let now = engine.environment.timestamp();
    let list = crate::engine::metadata_mut(crd)
        .entry("finalizers")
        .or_insert_with(|| json!([]));
    if let Some(list) = list.as_array_mut()
        && !list.iter().any(|f| f == CLEANUP)
    {
        list.push(CLEANUP.into());
    }
    let Some(conditions) = crd
        .get_mut("status")
        .and_then(|status| status.get_mut("conditions"))
        .and_then(Value::as_array_mut)
    else {
        return;
    };
    if conditions.iter().any(|c| c["type"] == "Terminating") {
        return;
    }
    conditions.push(json!({
        "type": "Terminating", "status": "True", "lastTransitionTime": now,
        "reason": "InstanceDeletionPending", "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
    }));
}

/// Tells whether a condition of a CRD is true.
pub fn is_true(crd: &Map, condition: &str) -> bool {
    crd.get("status")
        .and_then(|status| status.get("conditions"))
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .any(|c| c["type"] == condition && c["status"] == "True")
}

/// Compares two versions by Kubernetes' priority: GA, then beta, then alpha, each by number.
pub fn compare_versions(a: &str, b: &str) -> std::cmp::Ordering {
    match (parse_version(a), parse_version(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => std::cmp::Ordering::Greater,
        (None, Some(_)) => std::cmp::Ordering::Less,
        (None, None) => b.cmp(a),
    }
}

fn parse_version(version: &str) -> Option<(u8, u64, u64)> {
    let rest = version.strip_prefix('v')?;
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let major: u64 = rest[..digits].parse().ok()?;
    let tail = &rest[digits..];
    if tail.is_empty() {
        return Some((2, major, 0));
    }
    for (word, rank) in [("beta", 1), ("alpha", 0)] {
        if let Some(minor) = tail.strip_prefix(word) {
            return Some((rank, major, minor.parse().ok()?));
        }
    }
    None
}
