//! URLs of remote bases: which repository, which revision, which directory in it.
//!
//! Follows kustomize's `git.NewRepoSpecFromURL`: `https://`, `http://`, `ssh://`, `file://`, `user@host:path` and
//! GitHub's short forms, with the directory after `//`, after `.git`, after the repository below `_git/`, or after
//! the first two segments, and `?ref=`, `version=`, `timeout=` and `submodules=` behind it.

use std::time::Duration;

/// Longest time for fetching a base whose URL does not say.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(27);
const SCHEMES: [&str; 4] = ["ssh://", "https://", "http://", FILE_SCHEME];
const FILE_SCHEME: &str = "file://";

/// A remote base as its URL describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryUrl {
    /// The URL as written.
    pub raw: String,
    /// What to fetch from, such as `https://github.com/org/repo`.
    pub clone_url: String,
    /// Directory in the repository, cleaned; empty for its root.
    pub directory: String,
    /// Branch, tag or commit; empty for the default branch.
    pub reference: String,
    /// Longest time for fetching.
    pub timeout: Duration,
    /// Whether submodules are wanted.
    pub submodules: bool,
}

impl RepositoryUrl {
    /// Reads a URL; `None` where the text names no repository, and is a path or the URL of a file.
    pub fn parse(raw: &str) -> Option<Self> {
        if raw.starts_with('/') {
            return None;
        }
        let (address, query) = raw.split_once('?').unwrap_or((raw, ""));
        let (host, path) = split_host(address)?;
        let (repository, directory) = split_path(path, host.starts_with(FILE_SCHEME))?;
        let directory = filetree::clean(directory.trim_start_matches('/'))?;
        if repository.is_empty() {
            return None;
        }
        let query = Query::parse(query);
        Some(Self {
            raw: raw.to_owned(),
            clone_url: format!("{host}{repository}"),
            directory,
            reference: query.reference,
            timeout: query.timeout,
            submodules: query.submodules,
        })
    }
}

/// Splits scheme, user and host from the path; GitHub's host is written in its standard form.
fn split_host(address: &str) -> Option<(String, &str)> {
    let address = strip_prefix_folded(address, "git::").unwrap_or(address);
    let (scheme, rest) = SCHEMES
        .iter()
        .find_map(|scheme| Some((*scheme, strip_prefix_folded(address, scheme)?)))
        .unwrap_or(("", address));
    if scheme == FILE_SCHEME {
        return Some((scheme.to_owned(), rest));
    }
    let (user, rest) = split_user(rest);
    let is_github = ["github.com/", "github.com:"]
        .iter()
        .any(|host| strip_prefix_folded(rest, host).is_some());
    // `user@host:path`, where no scheme stands.
    let short = scheme.is_empty() && (!user.is_empty() || is_github);
    if scheme.is_empty() && !short {
        return None;
    }
    let (host, path) = match separator(rest, short) {
        Some(at) => (&rest[..=at], &rest[at + 1..]),
        None => (rest, ""),
    };
    if host.is_empty() {
        return None;
    }
    let host = match (is_github, scheme) {
        (true, "ssh://") => format!("{user}github.com:"),
        (true, _) if !user.is_empty() => format!("{user}github.com:"),
        (true, _) => "https://github.com/".to_owned(),
        (false, _) => format!("{scheme}{user}{host}"),
    };
    Some((host, path))
}

/// Splits `name@` off, where a user stands in front of the host.
fn split_user(text: &str) -> (&str, &str) {
    let is_user = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    match text.find('@') {
        Some(at) if is_user(&text[..at]) => text.split_at(at + 1),
        _ => ("", text),
    }
}

/// Finds what ends the host: a slash, or a colon in front of it in the short form.
fn separator(text: &str, short: bool) -> Option<usize> {
    let slash = text.find('/');
    let colon = text.find(':').filter(|_| short);
    match (slash, colon) {
        (Some(slash), Some(colon)) if colon > 0 && colon < slash => Some(colon),
        (None, colon) => colon,
        (slash, _) => slash,
    }
}

/// Splits the repository from the directory in it.
fn split_path(path: &str, is_file: bool) -> Option<(&str, &str)> {
    const BELOW: &str = "_git/";
    const SUFFIX: &str = ".git";
    if let Some(at) = path.find(BELOW) {
        let name = at + BELOW.len();
        let end = path[name..].find('/').map_or(path.len(), |at| name + at);
        return Some((&path[..end], &path[end..]));
    }
    if let Some(parts) = path.split_once("//") {
        return Some(parts);
    }
    if let Some(at) = path.find(SUFFIX) {
        return Some(path.split_at(at + SUFFIX.len()));
    }
    if is_file {
        return Some((path, ""));
    }
    let (owner, rest) = path.split_once('/')?;
    let end = rest.find('/').map_or(path.len(), |at| owner.len() + 1 + at);
    Some((&path[..end], &path[end..]))
}

struct Query {
    reference: String,
    timeout: Duration,
    submodules: bool,
}

impl Query {
    fn parse(text: &str) -> Self {
        let mut query = Self {
            reference: String::new(),
            timeout: TIMEOUT_DEFAULT,
            submodules: true,
        };
        let Some(pairs) = pairs(text) else {
            return query;
        };
        let first = |name: &str| {
            let found = pairs.iter().find(|(key, _)| key == name);
            found
                .map(|(_, value)| value.as_str())
                .filter(|v| !v.is_empty())
        };
        let reference = first("ref").or_else(|| first("version"));
        query.reference = reference.unwrap_or_default().to_owned();
        if let Some(timeout) = first("timeout").and_then(duration) {
            query.timeout = timeout;
        }
        if let Some(submodules) = first("submodules").and_then(boolean) {
            query.submodules = submodules;
        }
        query
    }
}

/// Reads `a=b&c=d` as Go's `url.ParseQuery` does; `None` where any pair is malformed.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let has_semicolon = pair.contains(';');
            (!has_semicolon).then_some(())?;
            Some((unescaped(key)?, unescaped(value)?))
        })
        .collect()
}

fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &tail[2..];
            }
            byte => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).ok()
}

/// Reads whole seconds, or a Go duration; only above zero.
fn duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<u64>() {
        return (seconds > 0).then(|| Duration::from_secs(seconds));
    }
    let nanoseconds = u64::try_from(gocompat::duration::parse(text).ok()?).ok()?;
    (nanoseconds > 0).then(|| Duration::from_nanos(nanoseconds))
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn strip_prefix_folded<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix)
        .then(|| &text[prefix.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_split_into_repository_directory_and_reference() {
        // Values as kustomize's own parser gives them.
        let rows = [
            (
                "https://github.com/org/repo//apps/a?ref=v1",
                "https://github.com/org/repo",
                "apps/a",
                "v1",
            ),
            (
                "github.com/org/repo/apps/a?version=v1&ref=v2",
                "https://github.com/org/repo",
                "apps/a",
                "v2",
            ),
            (
                "git@github.com:org/repo.git/a",
                "git@github.com:org/repo.git",
                "a",
                "",
            ),
            (
                "ssh://git@GitHub.com/org/repo",
                "git@github.com:org/repo",
                "",
                "",
            ),
            (
                "git::https://gitlab.com/group/sub/repo.git//x",
                "https://gitlab.com/group/sub/repo.git",
                "x",
                "",
            ),
            (
                "https://user@dev.azure.com/o/p/_git/repo/path/x",
                "https://user@dev.azure.com/o/p/_git/repo",
                "path/x",
                "",
            ),
            (
                "https://host.example/org/repo/a/b",
                "https://host.example/org/repo",
                "a/b",
                "",
            ),
            (
                "me@host.example:path/to/repo.git",
                "me@host.example:path/to/repo.git",
                "",
                "",
            ),
            ("file:///srv/repo//a/../b", "file:///srv/repo", "b", ""),
            ("file:///srv/repo.git/a", "file:///srv/repo.git", "a", ""),
            ("file:///srv/repo", "file:///srv/repo", "", ""),
        ];
        for (raw, clone_url, directory, reference) in rows {
            let parsed = RepositoryUrl::parse(raw).unwrap_or_else(|| panic!("{raw}"));
            let got = (&*parsed.clone_url, &*parsed.directory, &*parsed.reference);
            assert_eq!(got, (clone_url, directory, reference), "{raw}");
        }
    }

    #[test]
    fn paths_and_files_are_no_repositories() {
        for raw in [
            "/abs",
            "../base",
            "app",
            "a/b.yaml",
            "host.example/org/repo",
            "https://host.example/file.yaml",
            "https://github.com/org",
            "github.com:",
            "https://github.com/org/repo//../../x",
            "",
            "https://",
        ] {
            assert_eq!(RepositoryUrl::parse(raw), None, "{raw}");
        }
    }

    #[test]
    fn settings_follow_the_url() {
        let settings = |query: &str| {
            let parsed = RepositoryUrl::parse(&format!("https://h/o/r?{query}")).unwrap();
            (parsed.timeout.as_millis(), parsed.submodules)
        };
        assert_eq!(settings(""), (27_000, true));
        assert_eq!(settings("timeout=61&submodules=0"), (61_000, false));
        assert_eq!(settings("timeout=1m1s&submodules=maybe"), (61_000, true));
        assert_eq!(settings("timeout=-1&ref=%zz"), (27_000, true));
    }
}
