//! Secrets turned into credentials, TLS settings and proxies, with upstream's checks and texts.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cluster::Target;
use controller_runtime::Run;
use objects::{Gvk, Object, Value};
use remote::oci::{DockerConfig, DockerConfigError};
use remote::{ClientOptions, Credentials, Identity, Proxy, Secret};

/// Contents of a Secret by key.
pub(crate) type Data = BTreeMap<String, Vec<u8>>;

const DOCKER_CONFIG: &str = ".dockerconfigjson";
const DOCKER_CONFIG_LEGACY: &str = ".dockercfg";

/// A Secret as read.
#[derive(Default)]
pub(crate) struct Kept {
    pub namespace: String,
    pub name: String,
    pub type_: String,
    pub data: Data,
}

/// Reads a Secret of the object's namespace, uncached as upstream.
pub(crate) async fn read(run: &Run, name: &str) -> Result<Kept, cluster::Error> {
    let object = get(run, "Secret", name).await?;
    let data = object.get(&["data"]).and_then(Value::as_object);
    let decode = |(key, value): (&String, &Value)| {
        let bytes = STANDARD.decode(value.as_str()?).ok()?;
        Some((key.clone(), bytes))
    };
    Ok(Kept {
        namespace: run.key.namespace.clone(),
        name: name.to_owned(),
        type_: object.str_at(&["type"]).to_owned(),
        data: data.into_iter().flatten().filter_map(decode).collect(),
    })
}

async fn get(run: &Run, kind: &str, name: &str) -> Result<Object, cluster::Error> {
    let cluster = &run.runtime.cluster;
    let resource = cluster.resolve(&Gvk::new("", "v1", kind)).await?;
    cluster
        .get(&Target::new(&resource, &run.key.namespace, name))
        .await
}

/// Reads a Secret that the object refers to, with the words of the shared Flux runtime.
pub(crate) async fn read_referenced(run: &Run, name: &str) -> Result<Kept, String> {
    let namespace = &run.key.namespace;
    read(run, name).await.map_err(|error| {
        if error.is_not_found() {
            format!("secret '{namespace}/{name}' not found")
        } else {
            format!("failed to get secret '{namespace}/{name}': {error}")
        }
    })
}

/// Reads the pull Secrets of a service account.
pub(crate) async fn pull_secrets(run: &Run, account: &str) -> Result<Vec<Kept>, String> {
    let namespace = &run.key.namespace;
    let object = get(run, "ServiceAccount", account).await.map_err(|error| {
        if error.is_not_found() {
            format!("serviceaccount '{namespace}/{account}' not found")
        } else {
            format!("failed to get serviceaccount '{namespace}/{account}': {error}")
        }
    })?;
    let references = object.get(&["imagePullSecrets"]).and_then(Value::as_array);
    let mut found = Vec::new();
    for reference in references.into_iter().flatten() {
        let name = reference["name"].as_str().unwrap_or_default();
        let secret = read_referenced(run, name).await.map_err(|error| {
            format!(
                "failed to get image pull secret for serviceaccount '{namespace}/{account}': {error}"
            )
        })?;
        found.push(secret);
    }
    Ok(found)
}

/// Reads the Docker config in a Secret; empty where it holds none.
pub(crate) fn docker_config(secret: &Kept) -> Result<DockerConfig, DockerConfigError> {
    if let Some(text) = secret.data.get(DOCKER_CONFIG) {
        return DockerConfig::parse(text);
    }
    match secret.data.get(DOCKER_CONFIG_LEGACY) {
        Some(text) => DockerConfig::parse_legacy(text),
        None => Ok(DockerConfig::default()),
    }
}

impl Kept {
    fn shown(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    pub fn text(&self, key: &str) -> Option<String> {
        let value = self.data.get(key)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    fn either(&self, key: &str, legacy: &str) -> Option<&Vec<u8>> {
        let filled = |key: &str| self.data.get(key).filter(|value| !value.is_empty());
        filled(key).or_else(|| filled(legacy))
    }

    /// Reads user name and password; `None` where there is neither.
    ///
    /// # Errors
    /// Only one of the two is there.
    pub fn basic_auth(&self) -> Result<Option<Credentials>, String> {
        let half = |present: &str, missing: &str| {
            format!(
                "secret '{}': malformed basic auth - has '{present}' but missing '{missing}'",
                self.shown()
            )
        };
        match (self.text("username"), self.text("password")) {
            (None, None) => Ok(None),
            (Some(_), None) => Err(half("username", "password")),
            (None, Some(_)) => Err(half("password", "username")),
            (Some(username), Some(password)) => Ok(Some(Credentials::Basic {
                username,
                password: Secret::new(password),
            })),
        }
    }

    /// Tells whether there is anything about TLS.
    pub fn has_tls(&self) -> bool {
        self.either("tls.crt", "certFile").is_some()
            || self.either("tls.key", "keyFile").is_some()
            || self.either("ca.crt", "caFile").is_some()
    }

    /// Reads CA and client certificate into the settings of a client.
    ///
    /// # Errors
    /// There is only one of certificate and key, nothing at all, or no PEM.
    pub fn tls(&self, client: &mut ClientOptions) -> Result<(), String> {
        let ca = self.either("ca.crt", "caFile").cloned();
        let fail = |text: &str| Err(format!("secret '{}': {text}", self.shown()));
        let pair = (
            self.either("tls.crt", "certFile"),
            self.either("tls.key", "keyFile"),
        );
        client.identity = match pair {
            (Some(certificate), Some(key)) => Some(Identity {
                certificate: certificate.clone(),
                key: Secret::new(String::from_utf8_lossy(key)),
            }),
            (Some(_), None) => return fail("found certificate but missing private key"),
            (None, Some(_)) => return fail("found private key but missing certificate"),
            (None, None) if ca.is_none() => {
                return fail("no CA certificate or client certificate pair found");
            }
            (None, None) => None,
        };
        client.ca = ca;
        // Built here, so that unusable certificates are a failure to log in.
        remote::Clients::default()
            .get(client)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    /// Reads a proxy.
    ///
    /// # Errors
    /// There is no address, or it is no URL.
    pub fn proxy(&self) -> Result<Proxy, String> {
        let shown = self.shown();
        let address = self
            .text("address")
            .ok_or_else(|| format!("secret '{shown}': key 'address' not found"))?;
        if address.is_empty() {
            return Err(format!("secret '{shown}': proxy address is empty"));
        }
        let proxy = Proxy {
            address,
            username: self.text("username").unwrap_or_default(),
            password: Secret::new(self.text("password").unwrap_or_default()),
        };
        let valid = proxy.validate();
        valid.map_err(|error| format!("secret '{shown}': {error}"))?;
        Ok(proxy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(keys: &[(&str, &str)]) -> Kept {
        Kept {
            namespace: "ns".into(),
            name: "s".into(),
            type_: String::new(),
            data: keys
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()))
                .collect(),
        }
    }

    #[test]
    fn secrets_are_checked_as_upstream_checks_them() {
        let tls = |keys: &[(&str, &str)]| secret(keys).tls(&mut ClientOptions::default()).err();
        let basic = |keys: &[(&str, &str)]| secret(keys).basic_auth().err();
        let proxy = |keys: &[(&str, &str)]| secret(keys).proxy().err();
        for (got, expected) in [
            (basic(&[]), None),
            (basic(&[("username", "u"), ("password", "p")]), None),
            (
                basic(&[("username", "u")]),
                Some("secret 'ns/s': malformed basic auth - has 'username' but missing 'password'"),
            ),
            (
                tls(&[]),
                Some("secret 'ns/s': no CA certificate or client certificate pair found"),
            ),
            (
                tls(&[("tls.crt", "x")]),
                Some("secret 'ns/s': found certificate but missing private key"),
            ),
            (
                tls(&[("keyFile", "x")]),
                Some("secret 'ns/s': found private key but missing certificate"),
            ),
            (
                tls(&[("ca.crt", "x")]),
                Some("failed to parse CA certificate"),
            ),
            (proxy(&[("address", "http://h:1")]), None),
            (proxy(&[]), Some("secret 'ns/s': key 'address' not found")),
            (
                proxy(&[("address", "")]),
                Some("secret 'ns/s': proxy address is empty"),
            ),
        ] {
            assert_eq!(got.as_deref(), expected);
        }
    }
}
