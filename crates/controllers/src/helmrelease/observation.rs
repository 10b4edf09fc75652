//! Release records as facts for decisions: snapshots, digests, test results.

use std::collections::BTreeMap;

use api::{Snapshot, TestFilter, TestHookStatus};
use helm::release::Record;
use jiff::Timestamp;
use objects::Value;
use reconcile::helmrelease::{Observation, Ownership, Stored};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::values::digest_values;

/// Form of snapshots that carry a comparable digest.
const SNAPSHOT_VERSION: &str = "v2";

/// Observes a record as it was written to storage.
///
/// `config_digest` is that of the values where the record had to be stored without them.
pub(super) fn observe(record: &Record, config_digest: Option<&str>) -> Observation {
    let info = record.info.clone().unwrap_or_default();
    let config = record.config.clone().unwrap_or_default();
    let computed = || digest_values(&config, "sha256").unwrap_or_default();
    Observation {
        text: record.observation().unwrap_or_default(),
        snapshot: Snapshot {
            name: record.name.clone(),
            namespace: record.namespace.clone(),
            version: record.version,
            app_version: metadata(record, "appVersion").to_owned(),
            chart_name: metadata(record, "name").to_owned(),
            chart_version: metadata(record, "version").to_owned(),
            config_digest: config_digest.map_or_else(computed, str::to_owned),
            first_deployed: time(info.first_deployed.as_deref()).unwrap_or_default(),
            last_deployed: time(info.last_deployed.as_deref()).unwrap_or_default(),
            deleted: time(info.deleted.as_deref()),
            status: info.status,
            ..Snapshot::default()
        },
    }
}

/// Returns a text of a record's chart metadata.
pub(super) fn metadata<'a>(record: &'a Record, key: &str) -> &'a str {
    let chart = record.chart.as_ref().and_then(|c| c.metadata.as_ref());
    chart
        .and_then(|map| map.get(key))
        .and_then(Value::as_str)
        .unwrap_or("")
}

/// Returns the status of a record.
pub(super) fn status(record: &Record) -> &str {
    record.info.as_ref().map_or("", |info| &info.status)
}

fn time(text: Option<&str>) -> Option<Timestamp> {
    let time: Timestamp = text?.parse().ok()?;
    Some(api::conditions::whole_seconds(time))
}

/// Compares the last record in storage with the newest snapshot.
pub(super) fn stored(record: &Record, newest: Option<&Snapshot>) -> Stored {
    Stored {
        status: status(record).to_owned(),
        chart_name: metadata(record, "name").to_owned(),
        chart_version: metadata(record, "version").to_owned(),
        ownership: newest.map_or(Ownership::Foreign, |snapshot| verify(record, snapshot)),
    }
}

/// Tells whether a record is the one that a snapshot was made of.
pub(super) fn verify(record: &Record, snapshot: &Snapshot) -> Ownership {
    if snapshot.api_version != SNAPSHOT_VERSION {
        return Ownership::Verified;
    }
    let Some((algorithm, _)) = snapshot.digest.split_once(':') else {
        return Ownership::Unreadable;
    };
    let observation = Observation {
        text: record.observation().unwrap_or_default(),
        snapshot: Snapshot::default(),
    };
    let json = observation.json(&snapshot.oci_digest);
    let computed = match algorithm {
        "sha256" => hex::encode(Sha256::digest(&json)),
        "sha384" => hex::encode(Sha384::digest(&json)),
        "sha512" => hex::encode(Sha512::digest(&json)),
        _ => return Ownership::Unreadable,
    };
    if snapshot.digest == format!("{algorithm}:{computed}") {
        Ownership::Verified
    } else {
        Ownership::Foreign
    }
}

/// Tells whether a test is selected by the filters.
pub(super) fn is_selected(name: &str, filters: &[TestFilter]) -> bool {
    let excluded = filters.iter().any(|f| f.exclude && f.name == name);
    let mut included = filters.iter().filter(|f| !f.exclude).peekable();
    !excluded && (included.peek().is_none() || included.any(|f| f.name == name))
}

/// Returns the last runs of the selected tests of a record, by name.
pub(super) fn test_hooks(
    record: &Record,
    filters: &[TestFilter],
) -> BTreeMap<String, Option<TestHookStatus>> {
    let tests = record
        .hooks
        .iter()
        .filter(|hook| hook.events.iter().any(|event| event == "test"))
        .filter(|hook| is_selected(&hook.name, filters));
    tests
        .map(|hook| {
            let run = &hook.last_run;
            let status = TestHookStatus {
                last_started: time(run.started_at.as_deref()),
                last_completed: time(run.completed_at.as_deref()),
                phase: run.phase.clone(),
            };
            (hook.name.clone(), Some(status))
        })
        .collect()
}
