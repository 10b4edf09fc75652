//! Upstream's cases of the state machine, as tables: a module for each question that a pass asks.

mod actions;
mod history;
mod names;
mod pauses;
mod ready;
mod requests;
mod states;

use std::collections::BTreeMap;
use std::time::Duration;

use api::conditions::{self, Condition, Stamp};
use api::names::{READY, RECONCILING, RELEASED, REMEDIATED, STALLED, TEST_SUCCESS};
use api::{ConditionStatus, HelmRelease, HelmReleaseStatus, Snapshot, TestHookStatus};
use jiff::Timestamp;
use objects::{Object, Value, json};

use super::*;

const SETTINGS: Settings = Settings {
    default_to_retry: false,
    requeue_dependency: Duration::from_secs(30),
};

const STAMP: Stamp = Stamp {
    generation: 2,
    now: Timestamp::UNIX_EPOCH,
};

fn release(spec: Value) -> HelmRelease {
    let object = json!({
        "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
        "metadata": {"name": "podinfo", "namespace": "apps", "generation": 2},
        "spec": spec,
    });
    HelmRelease::from_object(&Object::from_value(object).unwrap()).unwrap()
}

fn snapshot(version: i64, status: &str) -> Snapshot {
    Snapshot {
        api_version: "v2".into(),
        digest: format!("sha256:{version}"),
        name: "podinfo".into(),
        namespace: "apps".into(),
        version,
        status: status.into(),
        chart_name: "podinfo".into(),
        chart_version: "1.0.0".into(),
        ..Snapshot::default()
    }
}

fn tested(mut snapshot: Snapshot, phases: &[&str]) -> Snapshot {
    let hook = |(index, phase): (usize, &&str)| {
        let status = TestHookStatus {
            phase: (*phase).to_owned(),
            ..TestHookStatus::default()
        };
        (format!("test-{index}"), Some(status))
    };
    let hooks: BTreeMap<_, _> = phases.iter().enumerate().map(hook).collect();
    snapshot.test_hooks = Some(hooks);
    snapshot
}

fn status(history: Vec<Snapshot>) -> HelmReleaseStatus {
    HelmReleaseStatus {
        observed_generation: Some(2),
        history,
        ..HelmReleaseStatus::default()
    }
}

fn stored(status: &str, version: &str, ownership: Ownership) -> Stored {
    Stored {
        status: status.into(),
        chart_name: "podinfo".into(),
        chart_version: version.into(),
        ownership,
    }
}

fn state(
    own: &HelmRelease,
    status: &HelmReleaseStatus,
    last: Option<&Stored>,
    values: bool,
) -> State {
    let facts = StateFacts {
        last,
        chart_name: "podinfo",
        chart_version: "1.0.0",
        values_match: values,
    };
    determine(own, status, facts)
}

/// What an attempt left in the status.
fn after_attempt(action: &str, failures: i64, history: Vec<Snapshot>) -> HelmReleaseStatus {
    let mut status = status(history);
    status.last_attempted_release_action = action.into();
    match action {
        "install" => status.install_failures = failures,
        _ => status.upgrade_failures = failures,
    }
    status
}
