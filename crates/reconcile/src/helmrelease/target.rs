//! Whether an object points at another release than the one it made.

use api::{HelmRelease, HelmReleaseStatus};

use super::history::latest;
use super::name::shorten;

/// Returns what changed, where the release that was made is no longer the one asked for: it must be uninstalled first.
pub fn target_changed(
    own: &HelmRelease,
    status: &HelmReleaseStatus,
    chart_name: &str,
) -> Option<&'static str> {
    let current = latest(status)?;
    if status.storage_namespace.is_empty() {
        return None;
    }
    let in_place = own.spec.upgrade().chart_name_change_strategy == "InPlaceUpdate";
    if own.storage_namespace() != status.storage_namespace {
        Some("storage namespace")
    } else if own.release_namespace() != current.namespace {
        Some("release namespace")
    } else if shorten(&own.release_name()) != current.name {
        Some("release name")
    } else if chart_name != current.chart_name && !in_place {
        Some("chart name")
    } else {
        None
    }
}
