//! Rendered text into single documents, as Helm splits it before it sorts and applies.
//!
//! Splitting is textual: a separator line counts inside a block scalar too.

use crate::Version;

/// Splits rendered text into its documents, in order.
///
/// Helm 3 trims documents on both sides and swallows white space around separators; Helm 4 trims on the left
/// only, and drops blank documents.
pub fn split(text: &str, version: Version) -> Vec<String> {
    match version {
        Version::V3 => split_v3(text),
        Version::V4 => split_v4(text),
    }
}

fn split_v4(text: &str) -> Vec<String> {
    let text = text.trim_start();
    let mut documents = Vec::new();
    let mut start = 0;
    for at in separators(text) {
        if at < start {
            continue;
        }
        documents.push(&text[start..at]);
        let behind = &text[at + 3..];
        start = text.len() - behind.trim_start_matches([' ', '\t']).len();
    }
    documents.push(&text[start..]);
    let documents = documents
        .into_iter()
        .map(str::trim_start)
        .filter(|d| !d.is_empty());
    documents.map(str::to_owned).collect()
}

fn split_v3(text: &str) -> Vec<String> {
    let text = text.trim();
    let mut documents = Vec::new();
    let mut start = 0;
    for at in separators(text) {
        // White space that an earlier separator swallowed cannot begin another one.
        let alone = at == 0 || at > start;
        if !alone {
            continue;
        }
        documents.push(text[start..at].trim_end_matches(is_space));
        let behind = &text[at + 3..];
        start = text.len() - behind.trim_start_matches(is_space).len();
    }
    documents.push(&text[start..]);
    // A document of other white space is kept, as an empty one.
    let documents = documents.into_iter().filter(|d| !d.is_empty());
    documents.map(|d| d.trim().to_owned()).collect()
}

/// White space as a regular expression knows it.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

/// Where lines start with a separator.
fn separators(text: &str) -> impl Iterator<Item = usize> {
    let first = text.starts_with("---").then_some(0);
    let others = memchr::memmem::find_iter(text.as_bytes(), b"\n---");
    first.into_iter().chain(others.map(|at| at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_differ_in_trimming() {
        let text = "---\na: 1\n---\nb: 2\n";
        assert_eq!(split(text, Version::V4), ["a: 1\n", "b: 2\n"]);
        assert_eq!(split(text, Version::V3), ["a: 1", "b: 2"]);
    }
}
