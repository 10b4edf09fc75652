//! The decision of the HelmChart controller: which version, whether to build, and what a build means.

mod select;
#[cfg(test)]
mod tests;

use std::time::Duration;

use api::conditions::{self, ConditionStatus};
use api::names::{self, reason};
use api::{Artifact, Condition, HelmChartSpec, HelmChartStatus, Severity};

use crate::source::{Class, Decision, News, Pass, Problem, Verdict};

pub use select::{Candidate, check_chart_name, choose_tag, choose_version, version_metadata};

/// Why a build failed, as source-controller's build errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildFailure {
    /// The chart does not exist, or not in this version.
    Reference,
    /// The chart could not be pulled.
    Pull,
    /// The version could not be changed.
    Metadata,
    /// The values files could not be merged.
    Values,
    /// A dependency could not be resolved.
    Dependency,
    /// The chart could not be packaged.
    Package,
    /// The chart could not be verified.
    Verification,
}

impl BuildFailure {
    fn reason(self) -> &'static str {
        match self {
            Self::Reference => reason::INVALID_CHART_REFERENCE,
            Self::Pull => reason::CHART_PULL_ERROR,
            Self::Metadata => reason::CHART_METADATA_PATCH_ERROR,
            Self::Values => reason::VALUES_FILES_ERROR,
            Self::Dependency => reason::DEPENDENCY_BUILD_ERROR,
            Self::Package => reason::CHART_PACKAGE_ERROR,
            Self::Verification => reason::CHART_VERIFICATION_ERROR,
        }
    }

    fn summary(self) -> &'static str {
        match self {
            Self::Reference => "invalid chart reference",
            Self::Pull => "chart pull error",
            Self::Metadata => "chart metadata patch error",
            Self::Values => "values files merge error",
            Self::Dependency => "dependency build error",
            Self::Package => "chart package error",
            Self::Verification => "chart verification error",
        }
    }

    /// Only a change of the object helps, or of its source.
    fn class(self) -> Class {
        match self {
            Self::Reference | Self::Metadata | Self::Values => Class::Stalling,
            _ => Class::Generic,
        }
    }
}

/// Why there is no chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The build failed.
    Build(BuildFailure, String),
    /// Something around the build failed: upstream shows it as an unknown build error, and tells the cause in the event.
    Around(Problem),
    /// Something before or after the build failed.
    Other(Problem),
}

/// What is known of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Build {
    /// Name of the chart.
    pub name: String,
    /// Version, with metadata.
    pub version: String,
    /// Whether the chart was packaged, not taken over as it was.
    pub packaged: bool,
    /// Values files that were merged.
    pub values_files: Vec<String>,
    /// Whether there is an archive.
    pub complete: bool,
    /// Dependencies that were resolved.
    pub resolved_dependencies: usize,
}

impl Build {
    /// Describes the build for people.
    pub fn summary(&self) -> String {
        let action = match (self.complete, self.packaged) {
            (false, _) => "new",
            (true, false) => "pulled",
            (true, true) => "packaged",
        };
        let mut text = format!(
            "{action} '{}' chart with version '{}'",
            self.name, self.version
        );
        if !self.values_files.is_empty() {
            let files = self.values_files.join(" ");
            text.push_str(&format!(" and merged values files [{files}]"));
        }
        text
    }

    fn reason(&self) -> &'static str {
        if self.packaged {
            reason::CHART_PACKAGE_SUCCEEDED
        } else {
            reason::CHART_PULL_SUCCEEDED
        }
    }
}

/// Builds the failure of a source that cannot be read.
pub fn source_unavailable(error: impl std::fmt::Display) -> Problem {
    let message = format!("failed to get source: {error}");
    Problem::fetch(reason::SOURCE_UNAVAILABLE, message)
}

/// Builds the failure of a source of a kind that holds no charts.
pub fn unsupported_source(kind: &str) -> Problem {
    let message = format!(
        "failed to get source: unsupported source kind '{kind}', must be one of: [HelmRepository GitRepository Bucket]"
    );
    let reason = reason::UNSUPPORTED_SOURCE_KIND;
    Problem::new(Class::Stalling, names::FETCH_FAILED, reason, message)
}

/// Builds the wait for a source's artifact.
pub fn no_artifact(spec: &HelmChartSpec, wait: Duration) -> Problem {
    let reference = &spec.source_ref;
    let message = format!(
        "no artifact available for {} source '{}'",
        reference.kind, reference.name
    );
    let reason = reason::NO_SOURCE_ARTIFACT;
    Problem::new(Class::Waiting(wait), names::FETCH_FAILED, reason, message)
}

/// Words that tell a failure to log in from others, as upstream finds them.
const LOGIN_WORDS: [&str; 5] = [
    "401",
    "unauthorized",
    "authentication required",
    "tls",
    "unknown certificate authority",
];

/// Tells a failed build from a repository apart from a failure to log in there.
pub fn remote_failure(kind: BuildFailure, message: String) -> Failure {
    let text = format!("{}: {message}", kind.summary());
    if !LOGIN_WORDS.iter().any(|word| text.contains(word)) {
        return Failure::Build(kind, message);
    }
    let message = format!("failed to authenticate with the Helm repository: {text}");
    Failure::Around(Problem::fetch(reason::AUTHENTICATION_FAILED, message))
}

/// Refuses verification, which is not there yet: what is unverified must not pass as verified.
pub fn verification_refused(spec: &HelmChartSpec, from_registry: bool) -> Option<Failure> {
    let verify = spec.verify.as_ref().filter(|v| !v.provider.is_empty())?;
    if !from_registry {
        let message = "not implemented".to_owned();
        return Some(Failure::Build(BuildFailure::Verification, message));
    }
    let keyless = match (verify.provider.as_str(), &verify.secret_ref) {
        ("cosign", None) => " keyless",
        _ => "",
    };
    let message = format!(
        "failed to verify the signature using provider '{}{keyless}': signature verification is not supported yet",
        verify.provider
    );
    let (condition, reason) = (names::SOURCE_VERIFIED, reason::VERIFICATION_ERROR);
    let problem = Problem::new(Class::Stalling, condition, reason, message);
    Some(Failure::Around(problem))
}

impl Pass<HelmChartSpec> {
    /// Takes in the revision of the source's artifact.
    pub fn source(&mut self, revision: &str) {
        self.status.observed_source_artifact_revision = revision.to_owned();
    }

    /// Tells whether the stored chart is this one already; a new generation is always built.
    pub fn is_stored(&self, name: &str, version: &str) -> bool {
        !self.is_new_generation()
            && self.status.observed_chart_name == name
            && self.has_revision(version)
    }

    /// Describes the chart that is stored already.
    pub fn stored_build(&self, name: &str, version: &str, packaged: bool) -> Build {
        let observed = &self.status.observed_values_files;
        let values_files = match observed.as_slice() {
            [] => self.before.spec.values_files(),
            observed => observed,
        };
        Build {
            name: name.to_owned(),
            version: version.to_owned(),
            packaged,
            values_files: values_files.to_vec(),
            complete: true,
            resolved_dependencies: 0,
        }
    }

    /// Takes in what is known of a build, complete or not.
    pub fn built(&mut self, build: &Build) -> Verdict {
        let same =
            self.status.observed_chart_name == build.name && self.has_revision(&build.version);
        if !same {
            self.outdated(reason::NEW_CHART, &build.summary());
        }
        if build.complete {
            self.delete(names::FETCH_FAILED);
            self.delete(names::BUILD_FAILED_CONDITION);
            if build.resolved_dependencies > 0 {
                let number = build.resolved_dependencies;
                let message = format!("resolved {number} chart dependencies");
                self.notice(Severity::Trace, reason::RESOLVED_DEPENDENCIES, message);
            }
        }
        self.forget_old_verification();
        if same && !self.is_new_generation() {
            Verdict::Keep
        } else {
            Verdict::Store
        }
    }

    fn forget_old_verification(&mut self) {
        if self.before.spec.verify.is_none() {
            self.delete(names::SOURCE_VERIFIED);
        }
    }

    /// Takes in that the chart is stored already.
    pub fn kept(&mut self, build: &Build) {
        self.notice_up_to_date(&build.version);
        self.mark_stored(build.reason(), &build.summary());
    }

    /// Takes in the stored chart.
    pub fn stored(&mut self, build: &Build, artifact: Artifact, link: String) {
        self.keep(artifact, link);
        self.status.observed_chart_name.clone_from(&build.name);
        self.status.observed_values_files = if self.before.spec.ignore_missing_values_files {
            build.values_files.clone()
        } else {
            Vec::new()
        };
        self.mark_stored(build.reason(), &build.summary());
    }

    /// Ends a pass with a chart in the store.
    pub fn success(self, build: &Build) -> Decision<HelmChartStatus> {
        self.end(News {
            reason: build.reason(),
            recovered: build.reason(),
            message: build.summary(),
        })
    }

    /// Ends a pass without a chart. What was known of the build beforehand is fed to [`Pass::built`].
    pub fn failed(mut self, failure: Failure) -> Decision<HelmChartStatus> {
        let problem = match failure {
            Failure::Other(problem) => return self.fail(problem),
            Failure::Around(problem) => {
                self.show(&problem);
                let message = format!("unknown build error: {}", problem.message);
                self.delete(names::BUILD_FAILED_CONDITION);
                self.mark(names::FETCH_FAILED, reason::UNKNOWN, &message);
                problem
            }
            Failure::Build(kind, message) => {
                let message = format!("{}: {message}", kind.summary());
                self.show_build_failure(kind, &message);
                Problem {
                    class: kind.class(),
                    reason: kind.reason(),
                    message,
                    condition: None,
                }
            }
        };
        self.forget_old_verification();
        self.finish_failed(problem)
    }

    fn show_build_failure(&mut self, kind: BuildFailure, message: &str) {
        let (set, unset) = match kind {
            BuildFailure::Reference | BuildFailure::Pull => {
                (names::FETCH_FAILED, names::BUILD_FAILED_CONDITION)
            }
            _ => (names::BUILD_FAILED_CONDITION, names::FETCH_FAILED),
        };
        self.delete(unset);
        self.mark(set, kind.reason(), message);
        if kind == BuildFailure::Verification {
            let (type_, reason) = (names::SOURCE_VERIFIED, reason::VERIFICATION_ERROR);
            let condition = Condition::new(type_, ConditionStatus::False, reason, message);
            let stamp = self.stamp;
            conditions::set(&mut self.status.conditions, condition, stamp);
        }
    }
}
