//! Local copies that stand in for remote repositories, as `url.<base>.insteadOf` does for the `git` program.
//!
//! URLs are compared by host and path alone: `https://host/org/app`, `ssh://git@host/org/app.git` and
//! `git@host:org/app.git` name the same repository.

use std::path::{Path, PathBuf};

/// Local repositories by the remote URL that they stand in for. Later entries win.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalCopies(Vec<(String, PathBuf)>);

impl LocalCopies {
    /// Takes a local repository in place of a URL from now on.
    pub fn insert(&mut self, url: &str, path: &Path) {
        self.0.push((canonical(url), path.to_owned()));
    }

    /// Returns the local repository that stands in for a URL.
    pub fn find(&self, url: &str) -> Option<&Path> {
        let wanted = canonical(url);
        let found = self.0.iter().rev().find(|(known, _)| *known == wanted);
        found.map(|(_, path)| path.as_path())
    }
}

/// Ports that say nothing beyond the scheme.
const USUAL_PORTS: [&str; 3] = [":22", ":80", ":443"];

/// Reduces a URL to `host/path`.
fn canonical(url: &str) -> String {
    let (authority, path) = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/').unwrap_or((rest, "")),
        // The form of `scp`: a colon before the first slash.
        None => match url.split_once(':') {
            Some((host, path)) if !host.contains('/') => (host, path),
            _ => ("", url),
        },
    };
    let host = authority.rsplit_once('@').map_or(authority, |(_, h)| h);
    let host = USUAL_PORTS
        .iter()
        .find_map(|port| host.strip_suffix(port))
        .unwrap_or(host);
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    format!("{}/{path}", host.to_ascii_lowercase())
}

/// Returns the URLs of the remotes in the text of a repository's `config` file.
pub(crate) fn remote_urls(config: &str) -> Vec<String> {
    let mut in_remote = false;
    let mut urls = Vec::new();
    for line in config.lines().map(str::trim) {
        if line.starts_with('[') {
            in_remote = line.starts_with("[remote ");
        } else if let Some((key, value)) = line.split_once('=')
            && in_remote
            && key.trim().eq_ignore_ascii_case("url")
        {
            urls.push(value.trim().trim_matches('"').to_owned());
        }
    }
    urls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_one_repository_are_alike() {
        let mut copies = LocalCopies::default();
        copies.insert("https://github.com/org/app", Path::new("/srv/app"));
        for (url, found) in [
            ("https://github.com/org/app.git", true),
            ("https://user:secret@GitHub.com:443/org/app/", true),
            ("ssh://git@github.com:22/org/app.git", true),
            ("ssh://git@github.com/org/app", true),
            ("git@github.com:org/app.git", true),
            ("https://github.com:8443/org/app", false),
            ("https://github.com/org/App", false),
            ("https://github.com/org/app2", false),
            ("https://example.com/org/app", false),
            ("", false),
        ] {
            assert_eq!(copies.find(url).is_some(), found, "{url}");
        }
        copies.insert("git@github.com:org/app", Path::new("/srv/other"));
        let later = copies.find("https://github.com/org/app");
        assert_eq!(later, Some(Path::new("/srv/other")));
    }

    #[test]
    fn remotes_are_read_from_the_configuration() {
        let text = "[core]\n\turl = no\n[remote \"origin\"]\n\tfetch = +refs\n\turl = git@h:o/a.git\n[branch \"main\"]\n\turl = no\n[remote \"b\"]\nURL=\"https://h/b\"\n";
        assert_eq!(remote_urls(text), ["git@h:o/a.git", "https://h/b"]);
        assert!(remote_urls("").is_empty());
    }
}
