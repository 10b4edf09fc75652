//! Where the cluster is and who asks: kubeconfig, context, overrides, in-cluster service account.
//!
//! The order is client-go's: an explicit file; else the files of `KUBECONFIG` merged; else `~/.kube/config`;
//! else the service account of the pod; else an error that says so. Exec plugins, client certificates,
//! tokens and token files come from the kubeconfig as they are.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use http::{HeaderName, HeaderValue};
use kube::config::{AuthInfo, Cluster, Context, KubeConfigOptions, Kubeconfig};

use super::request::without_os_code;
use crate::{Error, Identity};

/// Which cluster to connect to, and how; everything empty means what the environment says.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// Kubeconfig file; `None` looks at `KUBECONFIG`, `~/.kube/config` and the pod's service account.
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig; empty means its current one.
    pub context: String,
    /// Cluster of the kubeconfig; empty means the context's.
    pub cluster: String,
    /// User of the kubeconfig; empty means the context's.
    pub user: String,
    /// API server address; empty means the cluster's.
    pub server: String,
    /// Bearer token; empty means the user's credentials.
    pub token: String,
    /// User to act as; an empty name means oneself.
    pub identity: Identity,
    /// Uid to act as; may be empty.
    pub identity_uid: String,
    /// Extra fields of the user to act as; may be empty, keys may repeat.
    pub identity_extra: Vec<(String, String)>,
    /// Client certificate file (PEM).
    pub client_certificate: Option<PathBuf>,
    /// Client key file (PEM).
    pub client_key: Option<PathBuf>,
    /// Certificate authority file (PEM).
    pub certificate_authority: Option<PathBuf>,
    /// Name expected in the server's certificate; empty means the address's host.
    pub tls_server_name: String,
    /// Accept any server certificate.
    pub insecure_skip_tls_verify: bool,
    /// Never ask for compressed answers.
    pub disable_compression: bool,
}

const NO_CONFIGURATION: &str = "invalid configuration: no configuration has been provided, \
                                try setting KUBERNETES_MASTER environment variable";

/// Reads the kubeconfig that was asked for, with client-go's words where it cannot be.
fn read_named(path: &Path) -> Result<Kubeconfig, Error> {
    let shown = path.display();
    std::fs::metadata(path).map_err(|error| {
        let reason = without_os_code(&error.to_string());
        Error::Config(format!("stat {shown}: {reason}"))
    })?;
    Kubeconfig::read_from(path).map_err(|error| {
        Error::Config(format!(
            "error loading config file \"{shown}\": {}",
            chain(&error)
        ))
    })
}

impl ConnectOptions {
    /// Returns the namespace of the selected context, if the kubeconfig names one.
    pub fn context_namespace(&self) -> Option<String> {
        let config = self.read().ok()?;
        let name = non_empty(&self.context).or(config.current_context.as_ref())?;
        let context = config.contexts.iter().find(|c| &c.name == name)?;
        context.context.as_ref()?.namespace.clone()
    }

    fn read(&self) -> Result<Kubeconfig, Error> {
        let failed = |error: kube::config::KubeconfigError| Error::Config(chain(&error));
        if let Some(path) = &self.kubeconfig {
            return read_named(path);
        }
        if let Some(config) = Kubeconfig::from_env().map_err(failed)? {
            return Ok(config);
        }
        let home = std::env::var_os("HOME")
            .map(PathBuf::from)
            .unwrap_or_default();
        let path = home.join(".kube").join("config");
        if !path.exists() {
            return Ok(Kubeconfig::default());
        }
        Kubeconfig::read_from(path).map_err(failed)
    }

    /// Resolves everything to a connection and the headers that carry the identity to act as.
    pub(super) async fn resolve(
        &self,
    ) -> Result<(kube::Config, Vec<(HeaderName, HeaderValue)>), Error> {
        let mut kubeconfig = self.read()?;
        let mut config = if kubeconfig.contexts.is_empty() && self.server.is_empty() {
            if self.kubeconfig.is_some() || !self.context.is_empty() {
                return Err(self.no_context());
            }
            kube::Config::incluster().map_err(|_| Error::Config(NO_CONFIGURATION.to_owned()))?
        } else {
            self.override_in(&mut kubeconfig)?;
            kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
                .await
                .map_err(|error| {
                    Error::Config(format!("invalid configuration: {}", chain(&error)))
                })?
        };
        config.default_retry = false;
        config.disable_compression |= self.disable_compression;
        let headers = self.identity_headers(&mut config.auth_info)?;
        Ok((config, headers))
    }

    fn no_context(&self) -> Error {
        if self.context.is_empty() {
            return Error::Config(NO_CONFIGURATION.to_owned());
        }
        Error::Config(format!("context {:?} does not exist", self.context))
    }

    /// Writes the overrides into the selected context, cluster and user.
    fn override_in(&self, config: &mut Kubeconfig) -> Result<(), Error> {
        let mut context = self.select_context(config)?;
        if let Some(name) = non_empty(&self.cluster) {
            context.cluster.clone_from(name);
        }
        if let Some(name) = non_empty(&self.user) {
            context.user = Some(name.clone());
        }
        let cluster = config
            .clusters
            .iter()
            .find(|named| named.name == context.cluster)
            .and_then(|named| named.cluster.clone());
        let user = config
            .auth_infos
            .iter()
            .find(|named| Some(&named.name) == context.user.as_ref())
            .and_then(|named| named.auth_info.clone());
        let missing =
            |what: &str, name: &str| Error::Config(format!("{what} {name:?} does not exist"));
        if cluster.is_none() && !self.cluster.is_empty() {
            return Err(missing("cluster", &self.cluster));
        }
        if user.is_none() && !self.user.is_empty() {
            return Err(missing("auth info", &self.user));
        }
        self.check_identity(context.user.as_deref().unwrap_or_default())?;
        let (mut cluster, mut user) = (cluster.unwrap_or_default(), user.unwrap_or_default());
        self.override_cluster(&mut cluster);
        self.override_user(&mut user);
        if cluster.server.is_none() {
            return Err(Error::Config(NO_CONFIGURATION.to_owned()));
        }
        let name = "selected".to_owned();
        context.cluster.clone_from(&name);
        context.user = Some(name.clone());
        *config = Kubeconfig {
            current_context: Some(name.clone()),
            clusters: vec![kube::config::NamedCluster {
                name: name.clone(),
                cluster: Some(cluster),
                ..Default::default()
            }],
            auth_infos: vec![kube::config::NamedAuthInfo {
                name: name.clone(),
                auth_info: Some(user),
                ..Default::default()
            }],
            contexts: vec![kube::config::NamedContext {
                name,
                context: Some(context),
                ..Default::default()
            }],
            ..Default::default()
        };
        Ok(())
    }

    /// Refuses groups, uid or extras of nobody, as client-go does before it sends anything.
    fn check_identity(&self, user: &str) -> Result<(), Error> {
        let extras = !self.identity.groups.is_empty()
            || !self.identity_uid.is_empty()
            || !self.identity_extra.is_empty();
        if extras && self.identity.user.is_empty() {
            return Err(Error::Config(format!(
                "invalid configuration: requesting uid, groups or user-extra for {user} without impersonating a user"
            )));
        }
        Ok(())
    }

    fn select_context(&self, config: &Kubeconfig) -> Result<Context, Error> {
        let name = non_empty(&self.context).or(config.current_context.as_ref());
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Ok(Context::default());
        };
        config
            .contexts
            .iter()
            .find(|named| &named.name == name)
            .and_then(|named| named.context.clone())
            .ok_or_else(|| Error::Config(format!("context {name:?} does not exist")))
    }

    fn override_cluster(&self, cluster: &mut Cluster) {
        if let Some(server) = non_empty(&self.server) {
            let has_scheme = server.contains("://");
            let scheme = if has_scheme { "" } else { "http://" };
            cluster.server = Some(format!("{scheme}{server}"));
        }
        if let Some(path) = &self.certificate_authority {
            cluster.certificate_authority = Some(path.to_string_lossy().into_owned());
            cluster.certificate_authority_data = None;
        }
        if let Some(name) = non_empty(&self.tls_server_name) {
            cluster.tls_server_name = Some(name.clone());
        }
        if self.insecure_skip_tls_verify {
            cluster.insecure_skip_tls_verify = Some(true);
            cluster.certificate_authority = None;
            cluster.certificate_authority_data = None;
        }
    }

    fn override_user(&self, user: &mut AuthInfo) {
        if let Some(path) = &self.client_certificate {
            user.client_certificate = Some(path.to_string_lossy().into_owned());
            user.client_certificate_data = None;
        }
        if let Some(path) = &self.client_key {
            user.client_key = Some(path.to_string_lossy().into_owned());
            user.client_key_data = None;
        }
        if let Some(token) = non_empty(&self.token) {
            user.token = Some(token.clone().into());
            user.token_file = None;
            user.exec = None;
        }
    }

    /// Takes the identity out of the kubeconfig's user, so that it can be replaced per request.
    fn identity_headers(
        &self,
        user: &mut AuthInfo,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
        let from_file = Identity {
            user: user.impersonate.take().unwrap_or_default(),
            groups: user.impersonate_groups.take().unwrap_or_default(),
        };
        let file_uid = user.impersonate_uid.take().unwrap_or_default();
        let file_extra: HashMap<String, Vec<String>> =
            user.impersonate_user_extra.take().unwrap_or_default();
        let overridden = !self.identity.user.is_empty() || !self.identity.groups.is_empty();
        let identity = if overridden {
            &self.identity
        } else {
            &from_file
        };
        let uid = if self.identity_uid.is_empty() {
            &file_uid
        } else {
            &self.identity_uid
        };
        let mut headers = identity_headers(identity)?;
        if !uid.is_empty() {
            headers.push(header("impersonate-uid", uid)?);
        }
        let extra = file_extra
            .iter()
            .flat_map(|(key, values)| values.iter().map(move |value| (key, value)))
            .chain(self.identity_extra.iter().map(|(key, value)| (key, value)));
        for (key, value) in extra {
            headers.push(header(
                &format!("impersonate-extra-{}", key.to_lowercase()),
                value,
            )?);
        }
        Ok(headers)
    }
}

/// Returns the headers that make the API server treat a request as another user's.
pub(super) fn identity_headers(
    identity: &Identity,
) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
    let mut headers = Vec::new();
    if !identity.user.is_empty() {
        headers.push(header("impersonate-user", &identity.user)?);
    }
    for group in &identity.groups {
        headers.push(header("impersonate-group", group)?);
    }
    Ok(headers)
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Error> {
    let unusable = |_| Error::Config(format!("{name} {value:?} cannot be sent as an HTTP header"));
    Ok((
        HeaderName::try_from(name)
            .map_err(|_| Error::Config(format!("{name:?} cannot be an HTTP header name")))?,
        HeaderValue::from_str(value).map_err(unusable)?,
    ))
}

fn non_empty(text: &String) -> Option<&String> {
    (!text.is_empty()).then_some(text)
}

/// Joins an error and its causes with colons, leaving out what repeats.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}
