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

#[cfg(test)]
mod tests {
    use super::*;
    use helm::release::{HookRun, Info, StoredChart, StoredHook};

    #[test]
    fn digests_are_those_of_upstream() {
        // The one record that upstream's own test digests.
        let record = Record {
            name: "foo".into(),
            ..Record::default()
        };
        assert_eq!(
            observe(&record, None).digest(""),
            "sha256:f1498f27a16a09cd7e1ee610d924df065c03d30035638babc95dd9a8d412ce4d"
        );
    }

    fn hook(name: &str, event: &str, phase: &str) -> StoredHook {
        StoredHook {
            name: name.into(),
            events: vec![event.into()],
            last_run: HookRun {
                phase: phase.into(),
                ..HookRun::default()
            },
            ..StoredHook::default()
        }
    }

    fn record() -> Record {
        let metadata = serde_json::json!({"version": "1.0.0", "name": "a<b", "apiVersion": "v2"});
        Record {
            name: "r".into(),
            namespace: "n".into(),
            version: 2,
            manifest: "a: <b>\n".into(),
            info: Some(Info {
                status: "deployed".into(),
                first_deployed: Some("2026-01-02T03:04:05.678901234Z".into()),
                ..Info::default()
            }),
            chart: Some(StoredChart {
                metadata: metadata.as_object().cloned(),
                ..StoredChart::default()
            }),
            hooks: vec![hook("h", "pre-install", ""), hook("t", "test", "Failed")],
            ..Record::default()
        }
    }

    #[test]
    fn observations_have_upstreams_fields_and_leave_tests_out() {
        let observation = observe(&record(), None);
        assert_eq!(
            observation.json("sha256:x"),
            "{\"name\":\"r\",\"version\":2,\"info\":{\"first_deployed\":\"2026-01-02T03:04:05.678901234Z\",\"status\":\"deployed\"},\"chartMetadata\":{\"name\":\"a\\u003cb\",\"version\":\"1.0.0\",\"apiVersion\":\"v2\"},\"config\":null,\"manifest\":\"a: \\u003cb\\u003e\\n\",\"hooks\":[{\"name\":\"h\",\"events\":[\"pre-install\"],\"last_run\":{\"phase\":\"\"}}],\"namespace\":\"n\",\"ociDigest\":\"sha256:x\"}\n"
        );
        let snapshot = observation.to_snapshot("sha256:x", "install");
        assert_eq!(snapshot.first_deployed.to_string(), "2026-01-02T03:04:05Z");
        assert_eq!(verify(&record(), &snapshot), Ownership::Verified);
        let mut other = record();
        other.hooks[1].last_run.phase = "Succeeded".into();
        assert_eq!(verify(&other, &snapshot), Ownership::Verified);
        other.manifest.clear();
        assert_eq!(verify(&other, &snapshot), Ownership::Foreign);
        let broken = Snapshot {
            digest: "x".into(),
            ..snapshot.clone()
        };
        assert_eq!(verify(&record(), &broken), Ownership::Unreadable);
        let old = Snapshot {
            api_version: String::new(),
            ..broken
        };
        assert_eq!(verify(&record(), &old), Ownership::Verified);
    }

    #[test]
    fn filters_choose_tests() {
        let filter = |name: &str, exclude: bool| TestFilter {
            name: name.into(),
            exclude,
        };
        for (filters, selected) in [
            (vec![], true),
            (vec![filter("t", false)], true),
            (vec![filter("other", false)], false),
            (vec![filter("t", true)], false),
            (vec![filter("other", true)], true),
            (vec![filter("t", false), filter("t", true)], false),
        ] {
            assert_eq!(is_selected("t", &filters), selected, "{filters:?}");
        }
        let hooks = test_hooks(&record(), &[]);
        assert_eq!(
            hooks["t"].as_ref().map(|t| t.phase.as_str()),
            Some("Failed")
        );
    }
}
