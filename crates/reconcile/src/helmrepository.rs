//! The decision of the HelmRepository controller.
//!
//! Repositories in OCI registries are static: they have neither status nor artifact, and consumers use them as they are.

#[cfg(test)]
mod tests;

use api::names::{self, reason};
use api::{Artifact, HelmRepositorySpec, HelmRepositoryStatus};

use crate::source::{Class, Decision, News, Pass, Problem};

/// Checks what can be told from the spec alone.
///
/// # Errors
/// Fails on a spec that no retry can help; the problem has reason and message.
pub fn check(spec: &HelmRepositorySpec) -> Result<(), Problem> {
    if !spec.url.starts_with("oci://") {
        return Ok(());
    }
    let message = "invalid Helm repository URL: 'oci' URL scheme cannot be used with 'default' HelmRepository type";
    Err(invalid_url(message))
}

/// Builds the failure of a URL that nobody can use.
pub fn invalid_url(message: impl Into<String>) -> Problem {
    Problem::new(
        Class::Stalling,
        names::FETCH_FAILED,
        reason::URL_INVALID,
        message,
    )
}

/// A fetch that went wrong.
pub fn fetch_failed(error: impl std::fmt::Display) -> Problem {
    let message = format!("failed to fetch Helm repository index: {error}");
    Problem::fetch(reason::FAILED, message)
}

/// An index that cannot be read.
pub fn index_failed(error: impl std::fmt::Display) -> Problem {
    let message = format!("failed to load Helm repository from index YAML: {error}");
    Problem::fetch(reason::INDEXATION_FAILED, message)
}

impl Pass<HelmRepositorySpec> {
    /// Takes in that the origin has the index that is stored.
    pub fn unchanged(&mut self) {
        self.delete(names::FETCH_FAILED);
        let revision = self.artifact().map(|a| a.revision.clone());
        let revision = revision.unwrap_or_default();
        self.notice_up_to_date(&revision);
        self.mark_index(&revision);
    }

    /// Takes in that the origin has another index, which is readable.
    pub fn new_index(&mut self, revision: &str) {
        self.delete(names::FETCH_FAILED);
        let message = format!("new index revision '{revision}'");
        self.outdated(reason::NEW_REVISION, &message);
    }

    /// Takes in the stored index.
    pub fn stored(&mut self, artifact: Artifact, link: String) {
        let revision = artifact.revision.clone();
        self.keep(artifact, link);
        self.mark_index(&revision);
    }

    fn mark_index(&mut self, revision: &str) {
        let message = format!("stored artifact: revision '{revision}'");
        self.mark_stored(reason::SUCCEEDED, &message);
    }

    /// Ends a pass with an index in the store.
    pub fn success(self) -> Decision<HelmRepositoryStatus> {
        let size = self.artifact().and_then(|artifact| artifact.size);
        let size = size.map_or("unknown size".to_owned(), |size| {
            format!("size {}", human_size(size as f64))
        });
        let url = &self.before.spec.url;
        let message = format!("stored fetched index of {size} from '{url}'");
        self.end(News::artifact(message))
    }
}

/// Prints a size with four digits and a unit of thousands, such as `30.88kB`.
fn human_size(mut size: f64) -> String {
    let mut units = ["B", "kB", "MB", "GB", "TB"].into_iter().peekable();
    let mut unit = units.next().unwrap_or_default();
    while size >= 1000.0
        && let Some(next) = units.next()
    {
        size /= 1000.0;
        unit = next;
    }
    let digits = gocompat::number::format_float(size, 'g', Some(4), 64);
    format!("{digits}{unit}")
}
