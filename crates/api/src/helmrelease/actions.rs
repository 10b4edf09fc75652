//! How a release is installed, upgraded, tested, rolled back, uninstalled, and what failures lead to.

use std::time::Duration as StdDuration;

use serde::{Deserialize, Serialize};

use super::spec::HelmReleaseSpec;
use crate::meta::Duration;

/// Time to the next try of `RetryOnFailure` where nothing else is said.
const RETRY_INTERVAL: StdDuration = StdDuration::from_secs(300);

/// What the two release actions, install and upgrade, have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReleaseAction {
    /// Time for one wait; that of the release where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// What is done about failures; as the gate `DefaultToRetryOnFailure` says where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// How failures are remediated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remediation: Option<Remediation>,
    /// Refuses objects of others instead of adopting them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_take_ownership: bool,
    /// Does not wait for objects.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_wait: bool,
    /// Does not wait for Jobs to complete.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_wait_for_jobs: bool,
    /// Runs no hooks.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_hooks: bool,
    /// Does not refuse unknown fields.
    #[serde(
        rename = "disableOpenAPIValidation",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub disable_openapi_validation: bool,
    /// Does not check values against schemas.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_schema_validation: bool,
    /// `Skip`, `Create` or `CreateReplace`; the action's own default where empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub crds: String,
}

/// How to install.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Install {
    /// As for upgrades.
    #[serde(flatten)]
    pub action: ReleaseAction,
    /// Reuses the name of an uninstalled or failed release.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replace: bool,
    /// Deprecated; does nothing.
    #[serde(rename = "skipCRDs", skip_serializing_if = "std::ops::Not::not")]
    pub skip_crds: bool,
    /// Creates the target namespace.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub create_namespace: bool,
    /// Applies on the server's side; true where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_side_apply: Option<bool>,
}

/// How to upgrade.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Upgrade {
    /// As for installs.
    #[serde(flatten)]
    pub action: ReleaseAction,
    /// Replaces objects instead of patching them, where not applied on the server's side.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// Keeps the last release's values below the new ones.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub preserve_values: bool,
    /// Deletes what a failed upgrade created.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cleanup_on_fail: bool,
    /// `enabled`, `disabled` or `auto`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub server_side_apply: String,
    /// `Reinstall` or `InPlaceUpdate`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub chart_name_change_strategy: String,
}

/// What is done about failures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Strategy {
    /// `RemediateOnFailure` or `RetryOnFailure`.
    pub name: String,
    /// Time to the next try of `RetryOnFailure`; 5 minutes where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_interval: Option<Duration>,
}

/// How failures are remediated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Remediation {
    /// Tries after the first; negative means without end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<i64>,
    /// Whether failed tests do not count; as `test.ignoreFailures` says where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_test_failures: Option<bool>,
    /// Whether the last failure is remediated too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remediate_last_failure: Option<bool>,
    /// `rollback` or `uninstall`; upgrades only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
}

/// How failures of installs or upgrades are remediated, defaults resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolvedRemediation {
    /// Tries after the first; negative means without end.
    pub retries: i64,
    /// Whether failed tests do not count.
    pub ignore_test_failures: bool,
    /// Whether the last failure is remediated too.
    pub remediate_last_failure: bool,
    /// Whether remediation uninstalls instead of rolling back.
    pub uninstalls: bool,
}

impl ResolvedRemediation {
    /// Tells whether so many failures use up all tries.
    pub fn is_exhausted(&self, failures: i64) -> bool {
        self.retries >= 0 && failures > self.retries
    }
}

/// How to test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Test {
    /// Tests after installs and upgrades.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub enable: bool,
    /// Time for one wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Whether failed tests do not count.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ignore_failures: bool,
    /// Which tests run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filters: Option<Vec<TestFilter>>,
}

/// One test chosen or left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TestFilter {
    /// Name of the test.
    pub name: String,
    /// Leaves it out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub exclude: bool,
}

/// How to roll back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rollback {
    /// Time for one wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Does not wait for objects.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_wait: bool,
    /// Does not wait for Jobs to complete.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_wait_for_jobs: bool,
    /// Runs no hooks.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_hooks: bool,
    /// Deprecated; does nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recreate: bool,
    /// Replaces objects instead of patching them, where not applied on the server's side.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// Deletes what a failed rollback created.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cleanup_on_fail: bool,
    /// `enabled`, `disabled` or `auto`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub server_side_apply: String,
}

/// How to uninstall.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Uninstall {
    /// Time for one wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Runs no hooks.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_hooks: bool,
    /// Keeps the release records.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keep_history: bool,
    /// Does not wait until objects are gone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_wait: bool,
    /// `background`, `foreground` or `orphan`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_propagation: Option<String>,
}

impl ReleaseAction {
    /// Returns the time between tries; `None` where failures are remediated instead.
    fn retry(&self, by_default: bool) -> Option<StdDuration> {
        let retries = match &self.strategy {
            Some(strategy) => strategy.name == "RetryOnFailure",
            None => by_default,
        };
        let own = self.strategy.as_ref().and_then(|own| own.retry_interval);
        retries.then(|| own.map_or(RETRY_INTERVAL, |interval| interval.0))
    }
}

impl HelmReleaseSpec {
    /// Returns how to install; defaults where nothing is said.
    pub fn install(&self) -> Install {
        self.install.clone().unwrap_or_default()
    }

    /// Returns how to upgrade; defaults where nothing is said.
    pub fn upgrade(&self) -> Upgrade {
        self.upgrade.clone().unwrap_or_default()
    }

    /// Returns how to test; defaults where nothing is said.
    pub fn test(&self) -> Test {
        self.test.clone().unwrap_or_default()
    }

    /// Returns how to roll back; defaults where nothing is said.
    pub fn rollback(&self) -> Rollback {
        self.rollback.clone().unwrap_or_default()
    }

    /// Returns how to uninstall; defaults where nothing is said.
    pub fn uninstall(&self) -> Uninstall {
        self.uninstall.clone().unwrap_or_default()
    }

    /// Returns the time for one wait of an action: `install`, `upgrade`, `test`, `rollback`, `uninstall`.
    pub fn action_timeout(&self, action: &str) -> StdDuration {
        let own = match action {
            "install" => self.install.as_ref().and_then(|i| i.action.timeout),
            "upgrade" => self.upgrade.as_ref().and_then(|u| u.action.timeout),
            "test" => self.test.as_ref().and_then(|t| t.timeout),
            "rollback" => self.rollback.as_ref().and_then(|r| r.timeout),
            "uninstall" => self.uninstall.as_ref().and_then(|u| u.timeout),
            _ => None,
        };
        own.map_or(self.timeout(), |timeout| timeout.0)
    }

    /// Returns the time between tries of installs under `RetryOnFailure`; `None` where failures are remediated.
    /// `by_default` is the gate `DefaultToRetryOnFailure`.
    pub fn install_retry(&self, by_default: bool) -> Option<StdDuration> {
        self.install().action.retry(by_default)
    }

    /// Returns the time between tries of upgrades under `RetryOnFailure`; as [`HelmReleaseSpec::install_retry`].
    pub fn upgrade_retry(&self, by_default: bool) -> Option<StdDuration> {
        self.upgrade().action.retry(by_default)
    }

    /// Returns how failed installs are remediated: always by uninstalling.
    pub fn install_remediation(&self) -> ResolvedRemediation {
        let own = self.install().action.remediation.unwrap_or_default();
        ResolvedRemediation {
            retries: own.retries.unwrap_or(0),
            ignore_test_failures: self.ignores_tests(&own),
            remediate_last_failure: own.remediate_last_failure.unwrap_or(false),
            uninstalls: true,
        }
    }

    /// Returns how failed upgrades are remediated.
    pub fn upgrade_remediation(&self) -> ResolvedRemediation {
        let own = self.upgrade().action.remediation.unwrap_or_default();
        let retries = own.retries.unwrap_or(0);
        ResolvedRemediation {
            retries,
            ignore_test_failures: self.ignores_tests(&own),
            remediate_last_failure: own.remediate_last_failure.unwrap_or(retries > 0),
            uninstalls: own.strategy.as_deref() == Some("uninstall"),
        }
    }

    fn ignores_tests(&self, remediation: &Remediation) -> bool {
        let common = self.test.as_ref().is_some_and(|t| t.ignore_failures);
        remediation.ignore_test_failures.unwrap_or(common)
    }
}
