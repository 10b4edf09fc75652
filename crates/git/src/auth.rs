//! Credentials of a repository, read from the keys of a Secret.

use std::collections::BTreeMap;

use remote::{ClientOptions, Credentials, Identity, Proxy, Redirects, Secret};
use url::Url;

use crate::Error;

/// How to reach and log in to a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Auth {
    /// Login from the Secret.
    pub credentials: Credentials,
    /// CA certificates in PEM, trusted besides the system's.
    pub ca: Option<Vec<u8>>,
    /// Client certificate.
    pub identity: Option<Identity>,
    /// Proxy.
    pub proxy: Option<Proxy>,
}

impl Auth {
    /// Reads the keys of a Secret as upstream does for a URL of this scheme.
    ///
    /// `ca.crt` beats `caFile`; a bearer token beats a user name; a password needs a user name.
    ///
    /// # Errors
    /// Fails on keys that are missing or exclude each other for this scheme.
    pub fn from_secret(url: &Url, data: &BTreeMap<String, Vec<u8>>) -> Result<Self, Error> {
        let bytes = |key: &str| data.get(key).filter(|value| !value.is_empty());
        let text = |key: &str| {
            bytes(key)
                .map(|value| String::from_utf8_lossy(value).into_owned())
                .unwrap_or_default()
        };
        let scheme = url.scheme();
        if scheme == "ssh" {
            for key in ["identity", "known_hosts"] {
                if bytes(key).is_none() {
                    return Err(Error::Message(format!(
                        "invalid 'ssh' auth option: '{key}' is required"
                    )));
                }
            }
            return Ok(Self::default());
        }
        let credentials = if let Some(token) = data.get("bearerToken") {
            let token = String::from_utf8_lossy(token).into_owned();
            Credentials::Bearer(Secret::new(token))
        } else {
            let (username, password) = (text("username"), text("password"));
            if username.is_empty() && !password.is_empty() && url.username().is_empty() {
                return Err(Error::Message(format!(
                    "invalid '{scheme}' auth option: 'password' requires 'username' to be set"
                )));
            }
            basic(username, password)
        };
        let identity = match (bytes("tls.crt"), bytes("tls.key")) {
            (Some(certificate), Some(key)) => Some(Identity {
                certificate: certificate.clone(),
                key: Secret::new(String::from_utf8_lossy(key).into_owned()),
            }),
            _ => None,
        };
        Ok(Self {
            credentials,
            ca: bytes("ca.crt").or_else(|| bytes("caFile")).cloned(),
            identity,
            proxy: None,
        })
    }

    /// Joins the Secret's login with user and password of the URL.
    pub(crate) fn credentials(&self, url: &Url) -> Result<Credentials, Error> {
        let decode = |text: &str| percent_decode(text);
        let from_url = basic(
            decode(url.username()),
            decode(url.password().unwrap_or_default()),
        );
        match (&self.credentials, from_url) {
            (Credentials::Bearer(_), Credentials::Basic { .. }) => Err(Error::Message(
                "basic auth and bearer token cannot be set at the same time".to_owned(),
            )),
            (Credentials::Anonymous, from_url) => Ok(from_url),
            (
                Credentials::Basic { username, password },
                Credentials::Basic { username: user, .. },
            ) if username.is_empty() => Ok(basic(user, password.expose().to_owned())),
            (own, _) => Ok(own.clone()),
        }
    }

    pub(crate) fn client_options(&self) -> ClientOptions {
        ClientOptions {
            ca: self.ca.clone(),
            identity: self.identity.clone(),
            proxy: self.proxy.clone(),
            redirects: Redirects::GitDiscovery,
            ..ClientOptions::default()
        }
    }
}

fn basic(username: String, password: String) -> Credentials {
    if username.is_empty() && password.is_empty() {
        return Credentials::Anonymous;
    }
    Credentials::Basic {
        username,
        password: Secret::new(password),
    }
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let mut decoded = [0];
        let hex = after.get(..2).filter(|_| *first == b'%');
        match hex.map(|digits| hex::decode_to_slice(digits, &mut decoded)) {
            Some(Ok(())) => {
                bytes.push(decoded[0]);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, keys: &[(&str, &str)]) -> Result<Credentials, String> {
        let url = Url::parse(url).unwrap();
        let data = keys
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()))
            .collect();
        Auth::from_secret(&url, &data)
            .and_then(|auth| auth.credentials(&url))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn secrets_and_urls_give_credentials() {
        let user = |name: &str, password: &str| basic(name.to_owned(), password.to_owned());
        assert_eq!(check("https://h/r", &[]), Ok(Credentials::Anonymous));
        assert_eq!(
            check("https://h/r", &[("username", "u"), ("password", "p")]),
            Ok(user("u", "p"))
        );
        assert_eq!(check("https://a%40b:c@h/r", &[]), Ok(user("a@b", "c")));
        assert_eq!(
            check("https://h/r", &[("bearerToken", "t")]),
            Ok(Credentials::Bearer(Secret::new("t")))
        );
        assert_eq!(
            check("https://h/r", &[("password", "p")]),
            Err("invalid 'https' auth option: 'password' requires 'username' to be set".into())
        );
        assert_eq!(
            check("https://u@h/r", &[("bearerToken", "t")]),
            Err("basic auth and bearer token cannot be set at the same time".into())
        );
        assert_eq!(
            check("ssh://git@h/r", &[("identity", "x")]),
            Err("invalid 'ssh' auth option: 'known_hosts' is required".into())
        );
    }
}
