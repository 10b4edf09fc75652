//! Choosing a chart's version, and making the one it is stored under.

use api::names;
use gocompat::semver::{Range, Version};
use jiff::Timestamp;

use crate::ocirepository::parse_version;

/// A version of a chart in an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Version, as the index writes it.
    pub version: &'a str,
    /// When it was made; decides among versions that differ in metadata only.
    pub created: Option<Timestamp>,
}

/// Checks the name of a chart in a repository.
///
/// # Errors
/// The name is empty or has characters that are not allowed.
pub fn check_chart_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("no name set for remote chart reference".to_owned());
    }
    let word = |c: char| c == '-' || c.is_ascii_lowercase() || c.is_ascii_digit();
    // Words of at least one character, each followed by at most one slash and one period, in this order.
    let mut rest = name;
    loop {
        let after = rest.trim_start_matches(word);
        if after.len() == rest.len() {
            break;
        }
        let after = after.strip_prefix('/').unwrap_or(after);
        rest = after.strip_prefix('.').unwrap_or(after);
        if rest.is_empty() {
            return Ok(());
        }
    }
    Err(format!(
        "invalid chart name '{name}': a valid name must be lower case letters and numbers and MAY be separated with dashes (-), slashes (/) or periods (.)"
    ))
}

/// Chooses a version from an index: exactly the text, else the highest in the range; no text or `*` means the highest
/// stable one. Returns its place.
///
/// # Errors
/// The range cannot be read, or no version is in it.
pub fn choose_version(
    name: &str,
    candidates: &[Candidate<'_>],
    wanted: &str,
) -> Result<usize, String> {
    if candidates.is_empty() {
        return Err("no chart version found".to_owned());
    }
    let exact = candidates.iter().position(|c| c.version == wanted);
    if let Some(place) = exact.filter(|_| !wanted.is_empty()) {
        return Ok(place);
    }
    let range = range(wanted)?;
    let mut best: Option<(Version, Option<Timestamp>, usize)> = None;
    for (place, candidate) in candidates.iter().enumerate() {
        let Some(version) = parse_version(candidate.version).filter(|v| range.matches(v)) else {
            continue;
        };
        let better = best.as_ref().is_none_or(|(highest, created, _)| {
            version
                .cmp(highest)
                .then(candidate.created.cmp(created))
                .is_gt()
        });
        if better {
            best = Some((version, candidate.created, place));
        }
    }
    best.map(|(_, _, place)| place)
        .ok_or_else(|| format!("no '{name}' chart with version matching '{wanted}' found"))
}

/// Chooses among the tags of a chart in a registry, as [`choose_version`] does.
///
/// # Errors
/// The range cannot be read, or no tag is in it.
pub fn choose_tag(versions: &[String], wanted: &str) -> Result<String, String> {
    if !wanted.is_empty() && versions.iter().any(|version| version == wanted) {
        return Ok(wanted.to_owned());
    }
    let range = range(wanted)?;
    let fitting = versions
        .iter()
        .filter_map(|text| Some((parse_version(text)?, text)))
        .filter(|(version, _)| range.matches(version));
    let highest = fitting.max_by(|a, b| a.0.cmp(&b.0));
    highest.map(|(_, text)| text.clone()).ok_or_else(|| {
        format!("could not locate a version matching provided version string {wanted}")
    })
}

fn range(wanted: &str) -> Result<Range, String> {
    let text = if wanted.is_empty() { "*" } else { wanted };
    Range::parse(text).map_err(|error| error.to_string())
}

/// The build metadata under which a chart is stored; empty where the version stays as it is.
///
/// `revision` is that of the source's artifact where the strategy follows it. Values files show as the generation, so
/// that consumers notice a change of them.
pub fn version_metadata(
    source_kind: &str,
    revision: Option<&str>,
    has_values_files: bool,
    generation: i64,
) -> String {
    let mut parts = Vec::new();
    if let Some(revision) = revision {
        parts.push(short_revision(source_kind, revision).to_owned());
    }
    if has_values_files {
        parts.push(generation.to_string());
    }
    parts.join(".")
}

/// Twelve digits of the commit or digest; labels have little room.
fn short_revision<'a>(source_kind: &str, revision: &'a str) -> &'a str {
    let hash = match source_kind {
        names::GIT_REPOSITORY => revision.rsplit([':', '/']).next().unwrap_or(revision),
        names::BUCKET => revision.split_once(':').map_or(revision, |(_, hex)| hex),
        _ => return revision,
    };
    hash.get(..12).unwrap_or(hash)
}
