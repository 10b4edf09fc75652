//! The version of a chart, completed with the digest of the artifact it came in.

use gocompat::semver::Version;

/// Digits of the digest that go into a version.
const DIGITS: usize = 12;

/// Version and digest of a chart from a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revision {
    /// Version that the release records.
    pub version: String,
    /// Digest of the artifact; empty where the source has none.
    pub digest: String,
}

/// Why a version cannot be completed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevisionError {
    /// The chart's own version is no semantic version.
    #[error("invalid chart version {0}")]
    ChartVersion(String),
    /// The tag of the artifact is another version.
    #[error("artifact revision {tag} does not match chart version {version}")]
    Mismatch {
        /// Tag of the artifact.
        tag: String,
        /// Version of the chart.
        version: String,
    },
    /// The revision has no usable digest.
    #[error("invalid artifact revision {0}")]
    Revision(String),
}

/// Completes the version of a chart with a source's revision.
///
/// `has_digest` is true for OCIRepositories, and for ExternalArtifacts whose revision holds a colon; `track` is
/// false under the gate `DisableChartDigestTracking`.
///
/// # Errors
/// The version is none, the revision has no digest where one is needed, or its tag is another version.
pub fn chart_revision(
    version: &str,
    revision: &str,
    has_digest: bool,
    track: bool,
) -> Result<Revision, RevisionError> {
    if !has_digest {
        return Ok(Revision {
            version: version.to_owned(),
            digest: String::new(),
        });
    }
    let invalid = || RevisionError::ChartVersion(version.to_owned());
    let parsed = Version::parse(version).map_err(|_| invalid())?;
    let digest = match tag_version(revision) {
        Some(tag) => {
            let (name, digest) = revision.split_once('@').unwrap_or((revision, ""));
            if digest.is_empty() || digest.contains('@') || !is_equal(&tag, &parsed) {
                return Err(RevisionError::Mismatch {
                    tag: name.to_owned(),
                    version: version.to_owned(),
                });
            }
            digest
        }
        None => revision,
    };
    let completed = parsed.set_metadata(short(digest)?).map_err(|_| invalid())?;
    Ok(Revision {
        version: if track {
            completed.to_string()
        } else {
            version.to_owned()
        },
        digest: digest.to_owned(),
    })
}

/// Reads the version that a tag stands for; tags write `_` where versions have `+`.
fn tag_version(revision: &str) -> Option<Version> {
    let (tag, _) = revision.split_once('@')?;
    Version::parse(&tag.replace('_', "+")).ok()
}

fn is_equal(a: &Version, b: &Version) -> bool {
    a.cmp(b) == std::cmp::Ordering::Equal
}

fn short(digest: &str) -> Result<&str, RevisionError> {
    let invalid = || RevisionError::Revision(digest.to_owned());
    let (_, hex) = digest.split_once(':').ok_or_else(invalid)?;
    if hex.contains(':') {
        return Err(invalid());
    }
    hex.get(..DIGITS).ok_or_else(invalid)
}
