//! The kinds of sources as the shared decision sees them.

use std::time::Duration;

use api::{
    Artifact, Condition, GitRepositorySpec, GitRepositoryStatus, HelmChartSpec, HelmChartStatus,
    HelmRepositorySpec, HelmRepositoryStatus, OciRepositorySpec, OciRepositoryStatus, names,
};

use crate::gitrepository;

use super::{Source, Status};

macro_rules! status {
    ($($type:ty, $url:ident;)*) => {$(
        impl Status for $type {
            fn conditions(&self) -> &Vec<Condition> {
                &self.conditions
            }
            fn conditions_mut(&mut self) -> &mut Vec<Condition> {
                &mut self.conditions
            }
            fn artifact(&self) -> Option<&Artifact> {
                self.artifact.as_ref()
            }
            fn artifact_mut(&mut self) -> &mut Option<Artifact> {
                &mut self.artifact
            }
            fn url_mut(&mut self) -> Option<&mut String> {
                status!($url self)
            }
            fn observed_generation(&self) -> i64 {
                self.observed_generation.unwrap_or(0)
            }
            fn observed_generation_mut(&mut self) -> &mut Option<i64> {
                &mut self.observed_generation
            }
            fn last_handled(&self) -> &str {
                &self.last_handled_reconcile_at
            }
            fn last_handled_mut(&mut self) -> &mut String {
                &mut self.last_handled_reconcile_at
            }
        }
    )*};
    (with_link $self:ident) => {
        Some(&mut $self.url)
    };
    (without_link $self:ident) => {
        None
    };
}

status! {
    GitRepositoryStatus, without_link;
    HelmRepositoryStatus, with_link;
    HelmChartStatus, with_link;
    OciRepositoryStatus, with_link;
}

impl Source for GitRepositorySpec {
    type Status = GitRepositoryStatus;
    type Facts = gitrepository::Facts;
    const CONDITIONS: &'static [&'static str] = &[
        names::STORAGE_OPERATION_FAILED,
        names::FETCH_FAILED,
        names::INCLUDE_UNAVAILABLE,
        names::ARTIFACT_OUTDATED,
        names::ARTIFACT_IN_STORAGE,
        names::SOURCE_VERIFIED,
        names::STALLED,
        names::RECONCILING,
        names::READY,
    ];

    fn is_suspended(&self) -> bool {
        self.suspend
    }

    fn interval(&self) -> Duration {
        self.interval.0
    }
}

impl Source for HelmRepositorySpec {
    type Status = HelmRepositoryStatus;
    type Facts = ();
    const CONDITIONS: &'static [&'static str] = &[
        names::STORAGE_OPERATION_FAILED,
        names::FETCH_FAILED,
        names::ARTIFACT_OUTDATED,
        names::ARTIFACT_IN_STORAGE,
        names::STALLED,
        names::RECONCILING,
        names::READY,
    ];

    fn is_suspended(&self) -> bool {
        self.suspend
    }

    fn interval(&self) -> Duration {
        Self::interval(self)
    }
}

impl Source for OciRepositorySpec {
    type Status = OciRepositoryStatus;
    type Facts = ();
    const CONDITIONS: &'static [&'static str] = &[
        names::STORAGE_OPERATION_FAILED,
        names::FETCH_FAILED,
        names::ARTIFACT_OUTDATED,
        names::ARTIFACT_IN_STORAGE,
        names::SOURCE_VERIFIED,
        names::STALLED,
        names::RECONCILING,
        names::READY,
    ];

    fn is_suspended(&self) -> bool {
        self.suspend
    }

    fn interval(&self) -> Duration {
        self.interval.0
    }
}

impl Source for HelmChartSpec {
    type Status = HelmChartStatus;
    type Facts = ();
    const CONDITIONS: &'static [&'static str] = &[
        names::STORAGE_OPERATION_FAILED,
        names::FETCH_FAILED,
        names::BUILD_FAILED_CONDITION,
        names::ARTIFACT_OUTDATED,
        names::ARTIFACT_IN_STORAGE,
        names::SOURCE_VERIFIED,
        names::STALLED,
        names::RECONCILING,
        names::READY,
    ];

    fn is_suspended(&self) -> bool {
        self.suspend
    }

    fn interval(&self) -> Duration {
        self.interval.0
    }
}
