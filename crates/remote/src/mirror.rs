//! Mirrors: places from which what lies below a URL is fetched instead, as container engines have them for registries.
//!
//! For Helm repositories (`https://charts.example.com/stable`) and for registries (`oci://registry.example.com/charts`).
//! The longest prefix wins; prefixes end where a part of the path ends. Requests to a mirror carry no credentials, client
//! certificates, CAs or proxies: those belong to the original.

use url::Url;

use crate::oci::Repository;

/// What lies below one URL, and where it is fetched instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    from: Place,
    to: Place,
    /// What errors call the mirror.
    name: String,
}

/// Why something is no mirror.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MirrorError {
    /// A URL that cannot be read.
    #[error("{url}: {reason}")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A registry for a repository with an index, or the other way round.
    #[error(
        "{to} cannot stand in for {from}: one is a registry (oci://), the other a repository with an index (http://)"
    )]
    Kinds {
        /// The original.
        from: String,
        /// The mirror.
        to: String,
    },
}

/// A URL taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// `http`, `https` or `oci`.
    scheme: String,
    /// Host, and port where it is not the scheme's own.
    host: String,
    /// Parts of the path.
    path: Vec<String>,
}

/// Where a URL is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mirrored {
    /// The URL of the mirror.
    pub url: String,
    /// The original, and what its mirror is called.
    pub shown: String,
}

impl Mirror {
    /// Takes what lies below `from` from below `to`; both are `http(s)://` or `oci://` URLs. Errors call the mirror `name`.
    ///
    /// # Errors
    /// One of both is no such URL, or they are of different kinds.
    pub fn new(from: &str, to: &str, name: &str) -> Result<Self, MirrorError> {
        let (source, target) = (Place::parse(from)?, Place::parse(to)?);
        if source.is_registry() != target.is_registry() {
            return Err(MirrorError::Kinds {
                from: from.to_owned(),
                to: to.to_owned(),
            });
        }
        Ok(Self {
            from: source,
            to: target,
            name: name.to_owned(),
        })
    }

    /// Tells whether both mirror the same URL.
    pub fn competes_with(&self, other: &Self) -> bool {
        self.from == other.from
    }

    /// Tells whether a URL names a registry.
    ///
    /// # Errors
    /// It is no URL that can be mirrored.
    pub fn is_registry(url: &str) -> Result<bool, MirrorError> {
        Place::parse(url).map(|place| place.is_registry())
    }
}

/// Tells whether a source's URL (`https://…` or `oci://…`) has a mirror.
pub(crate) fn is_mirrored(mirrors: &[Mirror], url: &str) -> bool {
    Place::parse(url).is_ok_and(|place| find(mirrors, &place).is_some())
}

/// Finds the mirror for a URL of a Helm repository.
pub(crate) fn find_url(mirrors: &[Mirror], url: &str) -> Option<Mirrored> {
    let parsed = Url::parse(url).ok()?;
    let place = Place::of(&parsed).ok()?;
    let (mirror, rest) = find(mirrors, &place)?;
    let mut target = format!("{}://{}", mirror.to.scheme, mirror.to.host);
    for part in mirror.to.path.iter().map(String::as_str).chain(rest) {
        target.push('/');
        target.push_str(part);
    }
    if parsed.path().ends_with('/') {
        target.push('/');
    }
    if let Some(query) = parsed.query() {
        target.push('?');
        target.push_str(query);
    }
    Some(Mirrored {
        url: target,
        shown: format!("{url} (mirror {})", mirror.name),
    })
}

/// Finds the mirror for a repository of a registry.
pub(crate) fn find_repository(mirrors: &[Mirror], repository: &Repository) -> Option<Repository> {
    let place = Place {
        scheme: "oci".to_owned(),
        host: repository.registry().to_owned(),
        path: parts(&repository.path()),
    };
    let (mirror, rest) = find(mirrors, &place)?;
    let path: Vec<&str> = mirror
        .to
        .path
        .iter()
        .map(String::as_str)
        .chain(rest)
        .collect();
    Repository::parse(&format!("{}/{}", mirror.to.host, path.join("/"))).ok()
}

/// The mirror with the longest prefix of a place, and what comes behind it.
fn find<'a>(
    mirrors: &'a [Mirror],
    place: &'a Place,
) -> Option<(&'a Mirror, impl Iterator<Item = &'a str>)> {
    let mirror = mirrors
        .iter()
        .filter(|mirror| place.is_below(&mirror.from))
        .max_by_key(|mirror| mirror.from.path.len())?;
    let rest = &place.path[mirror.from.path.len()..];
    Some((mirror, rest.iter().map(String::as_str)))
}

impl Place {
    fn parse(url: &str) -> Result<Self, MirrorError> {
        let failed = |reason: String| MirrorError::Url {
            url: url.to_owned(),
            reason,
        };
        let parsed = Url::parse(url).map_err(|error| failed(error.to_string()))?;
        Self::of(&parsed).map_err(|reason| failed(reason.to_owned()))
    }

    fn of(url: &Url) -> Result<Self, &'static str> {
        let scheme = url.scheme();
        if !matches!(scheme, "http" | "https" | "oci") {
            return Err("only http://, https:// and oci:// have mirrors");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("mirrors take no user or password");
        }
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or("a host is missing")?;
        let mut host = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        if scheme == "oci" && host == "docker.io" {
            // What the registry calls itself.
            host = "index.docker.io".to_owned();
        }
        Ok(Self {
            scheme: scheme.to_owned(),
            host,
            path: parts(url.path()),
        })
    }

    fn is_registry(&self) -> bool {
        self.scheme == "oci"
    }

    fn is_below(&self, prefix: &Self) -> bool {
        self.scheme == prefix.scheme
            && self.host == prefix.host
            && self.path.starts_with(&prefix.path)
    }
}

fn parts(path: &str) -> Vec<String> {
    let parts = path.split('/').filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirrors() -> Vec<Mirror> {
        let mirror = |from, to| Mirror::new(from, to, "here").unwrap();
        vec![
            mirror("https://charts.io/stable/", "http://127.0.0.1:1/a"),
            mirror("https://charts.io/stable/team", "http://127.0.0.1:1/b"),
            mirror("oci://reg.io/charts", "oci://127.0.0.1:2/x"),
            mirror("oci://docker.io", "oci://127.0.0.1:2/hub"),
        ]
    }

    #[test]
    fn what_lies_below_a_url_is_fetched_elsewhere() {
        for (url, expected) in [
            (
                "https://charts.io/stable/index.yaml?t=1",
                Some("http://127.0.0.1:1/a/index.yaml?t=1"),
            ),
            ("https://charts.io/stable", Some("http://127.0.0.1:1/a")),
            (
                "https://charts.io/stable/team/c.tgz",
                Some("http://127.0.0.1:1/b/c.tgz"),
            ),
            (
                "https://charts.io:443/stable/",
                Some("http://127.0.0.1:1/a/"),
            ),
            ("https://charts.io/stabler/index.yaml", None),
            ("http://charts.io/stable/index.yaml", None),
            ("https://other.io/stable/index.yaml", None),
        ] {
            let found = find_url(&mirrors(), url);
            assert_eq!(found.map(|m| m.url).as_deref(), expected, "{url}");
        }
        for (name, expected) in [
            ("reg.io/charts/app", Some("127.0.0.1:2/x/app")),
            ("reg.io/charts/team/app", Some("127.0.0.1:2/x/team/app")),
            ("reg.io/other/app", None),
            ("docker.io/org/app", Some("127.0.0.1:2/hub/org/app")),
        ] {
            let found = find_repository(&mirrors(), &Repository::parse(name).unwrap());
            let found = found.map(|repository| repository.to_string());
            assert_eq!(found.as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn what_is_no_mirror_is_refused() {
        for (from, to, expected) in [
            (
                "https://a.io",
                "oci://b.io/x",
                "oci://b.io/x cannot stand in for https://a.io",
            ),
            ("ftp://a.io", "http://b.io", "ftp://a.io: only http://"),
            (
                "https://u:p@a.io",
                "http://b.io",
                "mirrors take no user or password",
            ),
            ("charts", "http://b.io", "charts: relative URL"),
            ("https://a.io", "oci://", "oci://: "),
        ] {
            let error = Mirror::new(from, to, "").unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
