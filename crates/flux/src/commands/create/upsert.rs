//! Creating an object, or replacing what a user may write of one that exists.

use cluster::{Cluster, Target, WriteParams};
use objects::{Object, Value};

use crate::commands::suspend::FIELD_MANAGER;
use crate::error::CliResult;

/// What became of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upserted {
    /// It did not exist.
    Created,
    /// It existed.
    Updated,
}

impl std::fmt::Display for Upserted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Updated => "updated",
        })
    }
}

/// Returns the parameters of the command line's writes.
pub fn write_params() -> WriteParams {
    WriteParams {
        field_manager: FIELD_MANAGER.to_owned(),
        ..WriteParams::default()
    }
}

/// Creates the object, or lets `merge` change the existing one and writes that.
pub async fn upsert(
    cluster: &dyn Cluster,
    target: &Target,
    wanted: &Object,
    merge: impl FnOnce(&mut Object, &Object),
) -> CliResult<Upserted> {
    match cluster.get(target).await {
        Ok(mut existing) => {
            merge(&mut existing, wanted);
            cluster.update(target, &existing, &write_params()).await?;
            Ok(Upserted::Updated)
        }
        Err(error) if error.is_not_found() => {
            cluster.create(target, wanted, &write_params()).await?;
            Ok(Upserted::Created)
        }
        Err(error) => Err(error.into()),
    }
}

/// Replaces labels and spec.
pub fn labels_and_spec(existing: &mut Object, wanted: &Object) {
    for path in [&["metadata", "labels"][..], &["spec"]] {
        match wanted.get(path) {
            Some(value) => existing.set(path, value.clone()),
            None => drop(existing.remove(path)),
        }
    }
}

/// Replaces the data of a Secret and adds labels.
pub fn secret(existing: &mut Object, wanted: &Object) {
    let data = wanted.get(&["stringData"]).cloned().unwrap_or(Value::Null);
    existing.set(&["stringData"], data);
    for (key, value) in wanted.labels() {
        existing.set_label(key, value);
    }
}
