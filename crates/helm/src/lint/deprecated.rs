//! API versions that Kubernetes has deprecated, and what its client library says about them.

const TABLE: &str = include_str!("deprecated.tsv");

/// What is said about a kind that Kubernetes 1.`minor` counts as deprecated; `None` for all others.
pub(super) fn warning(api_version: &str, kind: &str, major: u32, minor: u32) -> Option<String> {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#'));
    for row in rows {
        let mut columns = row.split('\t');
        let mut next = || columns.next().unwrap_or("-");
        let (group_version, since, until, instead, kinds) =
            (next(), next(), next(), next(), next());
        if group_version != api_version {
            continue;
        }
        let Some(replacement) = replacement(kinds, kind) else {
            continue;
        };
        let first: u32 = since.parse().unwrap_or(0);
        if (major, minor) < (1, first) {
            return None;
        }
        let mut text = format!("{api_version} {kind} is deprecated in v1.{since}+");
        if until != "-" {
            text.push_str(&format!(", unavailable in v1.{until}+"));
        }
        if instead != "-" {
            text.push_str(&format!("; use {instead} {replacement}"));
        }
        return Some(text);
    }
    None
}

/// The kind that takes the place of `kind`, where a row is about it.
fn replacement<'k>(kinds: &'k str, kind: &str) -> Option<&'k str> {
    kinds.split(' ').find_map(|entry| {
        let (old, new) = entry.split_once('=').unwrap_or((entry, entry));
        (old == kind).then_some(new)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_that_version_deprecates() {
        let text = warning("batch/v1beta1", "CronJob", 1, 22).unwrap();
        assert_eq!(
            text,
            "batch/v1beta1 CronJob is deprecated in v1.21+, unavailable in v1.25+; use batch/v1 CronJob"
        );
        assert_eq!(warning("batch/v1beta1", "CronJob", 1, 20), None);
        assert_eq!(warning("batch/v1", "CronJob", 1, 36), None);
        let list = warning("discovery.k8s.io/v1beta1", "EndpointSliceList", 1, 36).unwrap();
        assert!(
            list.ends_with("use discovery.k8s.io/v1 EndpointSlice"),
            "{list}"
        );
    }
}
