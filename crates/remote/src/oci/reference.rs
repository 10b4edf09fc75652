//! Names of repositories and artifacts in registries, with go-containerregistry's rules and texts.

use std::fmt;
use std::net::Ipv4Addr;

const DEFAULT_REGISTRY: &str = "index.docker.io";
const DEFAULT_TAG: &str = "latest";
const REPOSITORY_CHARACTERS: &str = "abcdefghijklmnopqrstuvwxyz0123456789_-./";
const TAG_CHARACTERS: &str = "abcdefghijklmnopqrstuvwxyz0123456789_-.ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// A name that is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReferenceError(String);

/// A repository: a registry and a path in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Repository {
    registry: String,
    path: String,
}

/// Which artifact of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Selector {
    /// By tag.
    Tag(String),
    /// By digest, `<algorithm>:<hex>`.
    Digest(String),
}

/// An artifact: a repository and a tag or digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// Where it is.
    pub repository: Repository,
    /// Which one it is.
    pub selector: Selector,
}

impl Repository {
    /// Reads `<registry>/<path>`; a first part without dot or colon belongs to the path, in Docker Hub.
    ///
    /// # Errors
    /// The path or the registry has characters or a length that is not allowed.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            let message = "a repository name must be specified".to_owned();
            return Err(ReferenceError(message));
        }
        let (registry, path) = match text.split_once('/') {
            Some((registry, path)) if registry.contains(['.', ':']) => (registry, path),
            _ => ("", text),
        };
        check("repository", path, REPOSITORY_CHARACTERS, 2, 255)?;
        check_registry(registry)?;
        let registry = match registry {
            "" | "docker.io" => DEFAULT_REGISTRY,
            registry => registry,
        };
        Ok(Self {
            registry: registry.to_owned(),
            path: path.to_owned(),
        })
    }

    /// Host and port of the registry.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Path in the registry, as requests name it.
    pub fn path(&self) -> String {
        if self.registry == DEFAULT_REGISTRY && !self.path.contains('/') {
            return format!("library/{}", self.path);
        }
        self.path.clone()
    }

    /// Names a tag in the repository.
    pub fn tag(&self, tag: &str) -> Reference {
        Reference {
            repository: self.clone(),
            selector: Selector::Tag(tag.to_owned()),
        }
    }

    /// Names a digest in the repository.
    pub fn digest(&self, digest: &str) -> Reference {
        Reference {
            repository: self.clone(),
            selector: Selector::Digest(digest.to_owned()),
        }
    }

    /// Tells whether the registry may be spoken to without TLS: it is on this machine or in a private network.
    pub fn is_local(&self) -> bool {
        let host = self.registry.split(':').next().unwrap_or_default();
        let private = host.parse().is_ok_and(|ip: Ipv4Addr| ip.is_private());
        private
            || self.registry.starts_with("localhost:")
            || host.ends_with(".local")
            || self.registry.contains("127.0.0.1")
            || self.registry.contains("::1")
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path())
    }
}

impl Reference {
    /// Reads `<repository>[:<tag>]` or `<repository>@<digest>`; without either it is the tag `latest`.
    ///
    /// # Errors
    /// A part has characters or a length that is not allowed.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let failed = |_| ReferenceError(format!("could not parse reference: {text}"));
        if let Some((rest, digest)) = text.split_once('@') {
            let hex = digest.strip_prefix("sha256:").filter(|hex| is_hex(hex, 64));
            if hex.is_none() {
                return Err(ReferenceError(format!("could not parse reference: {text}")));
            }
            // A tag beside a digest is dropped.
            let base = Self::parse(rest).map_err(failed)?;
            return Ok(base.repository.digest(digest));
        }
        let (base, tag) = match text.rsplit_once(':') {
            Some((base, tag)) if !tag.contains('/') => (base, tag),
            _ => (text, ""),
        };
        let repository = Repository::parse(base).map_err(failed)?;
        if tag.is_empty() {
            return Ok(repository.tag(DEFAULT_TAG));
        }
        check("tag", tag, TAG_CHARACTERS, 1, 128).map_err(failed)?;
        Ok(repository.tag(tag))
    }

    /// Tag or digest, as requests name it.
    pub fn identifier(&self) -> &str {
        match &self.selector {
            Selector::Tag(text) | Selector::Digest(text) => text,
        }
    }

    /// The tag, where it is named by one.
    pub fn tag(&self) -> Option<&str> {
        match &self.selector {
            Selector::Tag(tag) => Some(tag),
            Selector::Digest(_) => None,
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.selector {
            Selector::Tag(tag) => write!(f, "{}:{tag}", self.repository),
            Selector::Digest(digest) => write!(f, "{}@{digest}", self.repository),
        }
    }
}

/// Tells whether a text is lower-case hexadecimal of a length.
pub(super) fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn check(
    what: &str,
    text: &str,
    allowed: &str,
    min: usize,
    max: usize,
) -> Result<(), ReferenceError> {
    let count = text.chars().count();
    if count < min || count > max {
        return Err(ReferenceError(format!(
            "{what} must be between {min} and {max} characters in length: {text}"
        )));
    }
    if text.chars().all(|c| allowed.contains(c)) {
        return Ok(());
    }
    Err(ReferenceError(format!(
        "{what} can only contain the characters `{allowed}`: {text}"
    )))
}

fn check_registry(registry: &str) -> Result<(), ReferenceError> {
    let host = url::Url::parse(&format!("http://{registry}/"));
    let plain = registry
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || ".-:[]_".contains(c));
    if registry.is_empty() || host.is_ok() && plain {
        return Ok(());
    }
    Err(ReferenceError(format!(
        "registries must be valid RFC 3986 URI authorities: {registry}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_upstream_reads_them() {
        for (text, expected) in [
            ("host.io/org/repo", "host.io/org/repo:latest"),
            ("host:5000/repo:v1", "host:5000/repo:v1"),
            ("org/repo", "index.docker.io/org/repo:latest"),
            ("nginx:1", "index.docker.io/library/nginx:1"),
            ("docker.io/org/repo:1", "index.docker.io/org/repo:1"),
            ("localhost/repo", "index.docker.io/localhost/repo:latest"),
            ("h.io/Org/repo", "could not parse reference: h.io/Org/repo"),
            (
                "h.io/a@sha256:12",
                "could not parse reference: h.io/a@sha256:12",
            ),
        ] {
            let got = Reference::parse(text);
            let got = got.map_or_else(|error| error.to_string(), |r| r.to_string());
            assert_eq!(got, expected, "{text}");
        }
        let digest = format!("sha256:{}", "0".repeat(64));
        let both = Reference::parse(&format!("h.io/org/repo:v1@{digest}")).unwrap();
        assert_eq!(both.identifier(), digest);
    }

    #[test]
    fn local_registries_may_go_without_tls() {
        for (registry, expected) in [
            ("127.0.0.1:1", true),
            ("localhost:1", true),
            ("10.1.2.3:80", true),
            ("172.32.0.1", false),
            ("r.local:1", true),
            ("ghcr.io", false),
        ] {
            let repository = Repository::parse(&format!("{registry}/org/repo")).unwrap();
            assert_eq!(repository.is_local(), expected, "{registry}");
        }
    }
}
