//! Logging in to registries: challenges, token requests, and the credentials in Docker configs.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::{Credentials, Secret};

/// How a registry asks for credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// Not at all.
    None,
    /// User name and password with each request.
    Basic,
    /// A token from elsewhere.
    Bearer {
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

impl Challenge {
    /// Reads `WWW-Authenticate` headers; the first one that can be answered counts.
    pub fn read<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Self> {
        headers.into_iter().find_map(|header| {
            let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
            match scheme.to_ascii_lowercase().as_str() {
                "basic" => Some(Self::Basic),
                "bearer" => {
                    let mut parameters = parameters(rest);
                    Some(Self::Bearer {
                        realm: parameters.remove("realm")?,
                        service: parameters.remove("service"),
                        scope: parameters.remove("scope"),
                    })
                }
                _ => None,
            }
        })
    }
}

/// Reads `key="value",key=value`.
fn parameters(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = text.trim_start();
    while let Some((key, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        let key = key.trim().trim_start_matches(',').trim();
        found.insert(key.to_ascii_lowercase(), value.to_owned());
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    found
}

/// The answer of a token server.
#[derive(Deserialize)]
pub(super) struct TokenAnswer {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
}

impl TokenAnswer {
    /// The token, under either name.
    pub fn token(self) -> Option<Secret> {
        let either = [self.token, self.access_token];
        let token = either.into_iter().find(|token| !token.is_empty())?;
        Some(Secret::new(token))
    }
}

/// Credentials of several registries: the file `config.json` of Docker, or the Secrets made of it.
#[derive(Clone, Debug, Default)]
pub struct DockerConfig {
    entries: Vec<(String, Credentials)>,
}

/// A Docker config that cannot be read. The text of the config is not shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DockerConfigError {
    /// It is no JSON of the right shape.
    #[error("unable to parse docker config: {0}")]
    Malformed(String),
    /// One entry's `auth` is no base64 of `user:password`.
    #[error("unable to parse auth field of '{0}', must be formatted as base64(username:password)")]
    Auth(String),
}

#[derive(Deserialize)]
struct ConfigFile {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

impl DockerConfig {
    /// Reads `.dockerconfigjson`.
    ///
    /// # Errors
    /// The text has not the right shape.
    pub fn parse(text: &[u8]) -> Result<Self, DockerConfigError> {
        let file: ConfigFile = serde_json::from_slice(text).map_err(malformed)?;
        Self::of(file.auths)
    }

    /// Reads the older `.dockercfg`, which has no `auths`.
    ///
    /// # Errors
    /// The text has not the right shape.
    pub fn parse_legacy(text: &[u8]) -> Result<Self, DockerConfigError> {
        Self::of(serde_json::from_slice(text).map_err(malformed)?)
    }

    fn of(auths: BTreeMap<String, Entry>) -> Result<Self, DockerConfigError> {
        let mut entries = Vec::new();
        for (address, entry) in auths {
            let credentials = entry.credentials(&address)?;
            entries.push((address, credentials));
        }
        // Longer addresses are more exact.
        entries.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then(a.0.cmp(&b.0)));
        Ok(Self { entries })
    }

    /// Takes in the entries of another config, behind the own ones.
    pub fn extend(&mut self, other: Self) {
        self.entries.extend(other.entries);
    }

    /// Tells whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Finds credentials for `<host>/<path>`: entries match by host, where `*` stands for one label, and by a
    /// prefix of the path.
    pub fn find(&self, target: &str) -> Option<&Credentials> {
        let (host, path) = target.split_once('/').unwrap_or((target, ""));
        let found = self.entries.iter().find(|(address, _)| {
            let bare = address
                .trim_start_matches("https://")
                .trim_start_matches("http://");
            let (entry_host, entry_path) = bare.split_once('/').unwrap_or((bare, ""));
            // The address of Docker Hub ends with a version of its interface.
            let entry_path = entry_path.trim_end_matches('/');
            let entry_path = match entry_path {
                "v1" | "v2" => "",
                path => path,
            };
            host_matches(entry_host, host) && path.starts_with(entry_path)
        });
        found.map(|(_, credentials)| credentials)
    }
}

fn malformed(error: serde_json::Error) -> DockerConfigError {
    // The error's own text may quote what stands there.
    let (line, column) = (error.line(), error.column());
    DockerConfigError::Malformed(format!("line {line}, column {column}"))
}

fn host_matches(pattern: &str, host: &str) -> bool {
    let hub = |host: &str| {
        matches!(
            host,
            "docker.io" | "index.docker.io" | "registry-1.docker.io"
        )
    };
    if pattern == host || hub(pattern) && hub(host) {
        return true;
    }
    let (pattern, pattern_port) = pattern.split_once(':').unwrap_or((pattern, ""));
    let (host, port) = host.split_once(':').unwrap_or((host, ""));
    let (patterns, labels): (Vec<_>, Vec<_>) =
        (pattern.split('.').collect(), host.split('.').collect());
    pattern.contains('*')
        && pattern_port == port
        && patterns.len() == labels.len()
        && patterns
            .iter()
            .zip(labels)
            .all(|(pattern, label)| match pattern.split_once('*') {
                Some((start, end)) => {
                    label.len() >= start.len() + end.len()
                        && label.starts_with(start)
                        && label.ends_with(end)
                }
                None => *pattern == label,
            })
}

impl Entry {
    fn credentials(self, address: &str) -> Result<Credentials, DockerConfigError> {
        if !self.registrytoken.is_empty() {
            return Ok(Credentials::Bearer(Secret::new(self.registrytoken)));
        }
        if !self.identitytoken.is_empty() {
            // Token servers take an identity token as the password of this user.
            return Ok(Credentials::Basic {
                username: "<token>".to_owned(),
                password: Secret::new(self.identitytoken),
            });
        }
        let (mut username, mut password) = (self.username, self.password);
        if !self.auth.is_empty() {
            let failed = || DockerConfigError::Auth(address.to_owned());
            let decoded = STANDARD.decode(self.auth.trim()).map_err(|_| failed())?;
            let text = String::from_utf8(decoded).map_err(|_| failed())?;
            let (user, secret) = text.split_once(':').ok_or_else(failed)?;
            username = user.to_owned();
            password = secret.trim_end_matches('\0').to_owned();
        }
        if username.is_empty() && password.is_empty() {
            return Ok(Credentials::Anonymous);
        }
        Ok(Credentials::Basic {
            username,
            password: Secret::new(password),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let bearer =
            r#"Bearer realm="https://a/token?x=1,2",service="r",scope="repository:a/b:pull""#;
        let read = |text: &str| Challenge::read([text].into_iter());
        assert_eq!(
            read(bearer),
            Some(Challenge::Bearer {
                realm: "https://a/token?x=1,2".into(),
                service: Some("r".into()),
                scope: Some("repository:a/b:pull".into()),
            })
        );
        assert_eq!(read("Basic realm=x"), Some(Challenge::Basic));
        assert_eq!(read("Negotiate"), None);
        let both = Challenge::read(["Negotiate", "basic"].into_iter());
        assert_eq!(both, Some(Challenge::Basic));
    }

    #[test]
    fn credentials_are_found_by_host_and_path() {
        let text = br#"{"auths": {
            "a.io": {"auth": "dTpwOnE="},
            "https://index.docker.io/v1/": {"username": "d", "password": "x"},
            "*.b.io": {"username": "star", "password": "x"},
            "a.io/org": {"username": "org", "password": "x"}
        }}"#;
        let config = DockerConfig::parse(text).unwrap();
        let user = |target: &str| match config.find(target) {
            Some(Credentials::Basic { username, .. }) => username.clone(),
            _ => String::new(),
        };
        for (target, expected) in [
            ("a.io/other/x", "u"),
            ("a.io/org/x", "org"),
            ("index.docker.io/library/nginx", "d"),
            ("x.b.io/y", "star"),
            ("x.y.b.io/y", ""),
            ("c.io/y", ""),
        ] {
            assert_eq!(user(target), expected, "{target}");
        }
        let Some(Credentials::Basic { password, .. }) = config.find("a.io/x") else {
            panic!("no credentials");
        };
        assert_eq!(password.expose(), "p:q");
    }

    #[test]
    fn bad_configs_are_refused_without_showing_them() {
        let error = DockerConfig::parse(b"{\"auths\": hunter2").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        let error = DockerConfig::parse(br#"{"auths": {"a": {"auth": "!"}}}"#).unwrap_err();
        assert_eq!(error, DockerConfigError::Auth("a".into()));
    }
}
