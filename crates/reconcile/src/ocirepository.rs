//! The decision of the OCIRepository controller.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use api::names::{self, reason};
use api::{Artifact, OciRepositorySpec, OciRepositoryStatus};
use gocompat::semver::{Range, Version};

use crate::source::{Class, Decision, News, Pass, Problem, Verdict};

/// The media type of Helm's charts, whose tags have `_` where versions have `+`.
const HELM_CONTENT: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

/// Builds the failure of a URL that names no repository.
pub fn invalid_url(url: &str, error: impl std::fmt::Display) -> Problem {
    let message = format!("URL validation failed for '{url}': {error}");
    Problem::new(
        Class::Stalling,
        names::FETCH_FAILED,
        reason::URL_INVALID,
        message,
    )
}

/// Builds the failure to log in.
pub fn login_failed(message: impl Into<String>) -> Problem {
    Problem::fetch(reason::AUTHENTICATION_FAILED, message)
}

/// Builds the failure to choose a tag.
pub fn tag_failed(url: &str, error: impl std::fmt::Display) -> Problem {
    let message = format!("failed to determine the artifact tag for '{url}': {error}");
    Problem::fetch(reason::READ_OPERATION_FAILED, message)
}

/// Builds the failure to find the digest of a tag.
pub fn digest_failed(error: impl std::fmt::Display) -> Problem {
    let message = format!("failed to determine artifact digest: {error}");
    Problem::fetch(reason::OCI_PULL_FAILED, message)
}

/// Builds the failure to pull.
pub fn pull_failed(url: &str, error: impl std::fmt::Display) -> Problem {
    let message = format!("failed to pull artifact from '{url}': {error}");
    Problem::fetch(reason::OCI_PULL_FAILED, message)
}

/// Builds the failure to find or read a layer.
pub fn layer_failed(message: impl Into<String>) -> Problem {
    Problem::fetch(reason::OCI_LAYER_OPERATION_FAILED, message)
}

/// Builds the failure of a verification that is not there yet: what is unverified must not pass as verified.
pub fn verification_refused(spec: &OciRepositorySpec) -> Option<Problem> {
    let verify = spec.verify.as_ref()?;
    let keyless = match (verify.provider.as_str(), &verify.secret_ref) {
        ("cosign", None) => " keyless",
        _ => "",
    };
    let message = format!(
        "failed to verify the signature using provider '{}{keyless}': signature verification is not supported yet",
        verify.provider
    );
    Some(Problem::new(
        Class::Stalling,
        names::SOURCE_VERIFIED,
        reason::VERIFICATION_ERROR,
        message,
    ))
}

/// Chooses the highest tag in a range. Prereleases count only where the range names one.
///
/// # Errors
/// The range cannot be read, or no tag is in it.
pub fn choose_tag(tags: &[String], range: &str, media_type: &str) -> Result<String, String> {
    let constraint =
        Range::parse(range).map_err(|error| format!("semver '{range}' parse error: {error}"))?;
    let version = |tag: &String| {
        let text = if media_type == HELM_CONTENT {
            tag.replace('_', "+")
        } else {
            tag.clone()
        };
        parse_version(&text).filter(|version| constraint.matches(version))
    };
    let found = tags.iter().filter_map(|tag| Some((version(tag)?, tag)));
    let highest = found.max_by(|a, b| a.0.cmp(&b.0));
    highest
        .map(|(_, tag)| tag.clone())
        .ok_or_else(|| format!("no match found for semver: {range}"))
}

/// Reads a version that has all three parts; a `v` before it is allowed.
pub fn parse_version(text: &str) -> Option<Version> {
    let core = text.strip_prefix('v').unwrap_or(text);
    let core = core.split(['-', '+']).next().unwrap_or_default();
    (core.split('.').count() == 3)
        .then(|| Version::parse(text).ok())
        .flatten()
}

/// The digest in a revision such as `latest@sha256:…`.
pub fn digest_of(revision: &str) -> &str {
    revision
        .rsplit_once('@')
        .map_or(revision, |(_, digest)| digest)
}

impl Pass<OciRepositorySpec> {
    /// Takes in the revision that the reference has now; `shown` is the artifact's full name.
    pub fn resolved(&mut self, revision: &str, shown: &str) -> Verdict {
        if self.before.spec.verify.is_none() {
            self.delete(names::SOURCE_VERIFIED);
        }
        let same = self.has_revision(revision);
        if !same {
            let message = format!("new revision '{revision}' for '{shown}'");
            self.outdated(reason::NEW_REVISION, &message);
        }
        if !same || self.content_changed() {
            return Verdict::Store;
        }
        self.delete(names::FETCH_FAILED);
        self.notice_up_to_date(revision);
        self.mark_artifact(revision);
        Verdict::Keep
    }

    /// Takes in that the layer was read.
    pub fn pulled(&mut self) {
        self.delete(names::FETCH_FAILED);
    }

    /// Takes in the stored artifact, with the annotations of its manifest.
    pub fn stored(
        &mut self,
        artifact: Artifact,
        annotations: BTreeMap<String, String>,
        link: String,
    ) {
        let revision = artifact.revision.clone();
        let artifact = Artifact {
            metadata: annotations,
            ..artifact
        };
        self.keep(artifact, link);
        let spec = &self.before.spec;
        self.status.observed_ignore = spec.ignore.clone();
        self.status.observed_layer_selector = spec.layer_selector.clone();
        self.mark_artifact(&revision);
    }

    /// Ends a pass with an artifact in the store.
    pub fn success(self) -> Decision<OciRepositoryStatus> {
        let message = self.artifact().map(|artifact| {
            let (revision, url) = (&artifact.revision, &self.before.spec.url);
            let stored = format!("stored artifact with revision '{revision}' from '{url}'");
            let fact = |key: &str| artifact.metadata.get(key).filter(|text| !text.is_empty());
            match (fact(names::OCI_SOURCE), fact(names::OCI_REVISION)) {
                (Some(source), Some(revision)) => {
                    format!("{stored}, origin source '{source}', origin revision '{revision}'")
                }
                _ => stored,
            }
        });
        self.end(News::artifact(message.unwrap_or_default()))
    }

    fn content_changed(&self) -> bool {
        let (spec, status) = (&self.before.spec, &self.status);
        spec.ignore != status.observed_ignore
            || spec.layer_selector != status.observed_layer_selector
    }

    fn mark_artifact(&mut self, revision: &str) {
        let message = format!("stored artifact for digest '{revision}'");
        self.mark_stored(reason::SUCCEEDED, &message);
    }
}
