//! What annotations ask for: a forced release, a reset of failure counters.

use api::{HelmRelease, HelmReleaseStatus, names};

/// Tells whether a forced release is asked for and not yet made; remembers the request.
pub fn take_force_request(own: &HelmRelease, status: &mut HelmReleaseStatus) -> bool {
    let handled_at = status.last_handled_reconcile_at.clone();
    let request = names::FORCE_REQUEST;
    take(own, request, &handled_at, &mut status.last_handled_force_at)
}

/// Tells whether a reset of failure counters is asked for and not yet made; remembers the request.
pub fn take_reset_request(own: &HelmRelease, status: &mut HelmReleaseStatus) -> bool {
    let handled_at = status.last_handled_reconcile_at.clone();
    let request = names::RESET_REQUEST;
    take(own, request, &handled_at, &mut status.last_handled_reset_at)
}

/// A request counts only together with a reconcile request of the same value.
fn take(own: &HelmRelease, annotation: &str, reconciled: &str, handled: &mut String) -> bool {
    let Some(value) = own.metadata.annotations.get(annotation) else {
        return false;
    };
    let is_new = value == own.metadata.reconcile_request()
        && value != reconciled
        && value != handled.as_str();
    value.clone_into(handled);
    is_new
}

/// Returns why failure counters start anew, where they do. `values_match` compares values with a digest.
pub fn must_reset_failures(
    own: &HelmRelease,
    status: &mut HelmReleaseStatus,
    chart_version: &str,
    values_match: &dyn Fn(&str) -> bool,
) -> Option<&'static str> {
    // The request is remembered even where something else resets the counters already.
    let requested = take_reset_request(own, status);
    if status.last_attempted_generation != own.metadata.generation {
        return Some("generation differs from last attempt");
    }
    if status.last_attempted_revision != chart_version {
        return Some("chart version differs from last attempt");
    }
    let digest = match (
        status.last_attempted_config_digest.as_str(),
        status.last_attempted_values_checksum.as_str(),
    ) {
        ("", "") => None,
        ("", checksum) => Some(format!("sha1:{checksum}")),
        (digest, _) => Some(digest.to_owned()),
    };
    if digest.is_some_and(|digest| !values_match(&digest)) {
        return Some("values differ from last attempt");
    }
    requested.then_some("reset requested through annotation")
}
