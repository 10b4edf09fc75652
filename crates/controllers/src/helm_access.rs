//! How Helm repositories are reached: Secrets of a HelmRepository turned into credentials and TLS settings.

use api::HelmRepositorySpec;
use api::names::reason;
use controller_runtime::Run;
use reconcile::source::{Class, Problem};
use remote::helm::RepositoryOptions;
use remote::oci::{DockerConfig, RegistryOptions, Retry};
use remote::{ClientOptions, Clients, Credentials};
use tracing::info;

use crate::source::secrets::{self, Kept};

/// Everything that it takes to use a repository.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    /// TLS settings.
    pub client: ClientOptions,
    /// How to log in.
    pub credentials: Credentials,
}

/// Reads the Secrets of a repository; its mirror is used without.
pub(crate) async fn resolve(
    run: &Run,
    spec: &HelmRepositorySpec,
    clients: &Clients,
) -> Result<Access, Problem> {
    if clients.is_mirrored(&spec.url) {
        return Ok(Access::default());
    }
    let failed = |message: String| Problem::fetch(reason::AUTHENTICATION_FAILED, message);
    let namespace = &run.key.namespace;
    let mut access = Access::default();
    let mut has_tls = false;
    if let Some(reference) = &spec.cert_secret_ref {
        let name = &reference.name;
        let secret = secrets::read(run, name).await.map_err(|error| {
            failed(format!(
                "failed to get TLS authentication secret '{namespace}/{name}': {error}"
            ))
        })?;
        secret.tls(&mut access.client).map_err(|error| {
            failed(format!(
                "failed to construct Helm client's TLS config: {error}"
            ))
        })?;
        has_tls = true;
    }
    if let Some(reference) = &spec.secret_ref {
        let name = &reference.name;
        let secret = secrets::read(run, name).await.map_err(|error| {
            failed(format!(
                "failed to get authentication secret '{namespace}/{name}': {error}"
            ))
        })?;
        let detected = detect(&secret, &mut access, has_tls);
        detected
            .map_err(|error| failed(format!("failed to detect authentication methods: {error}")))?;
        if spec.is_oci() {
            let credentials = registry_credentials(&secret, &spec.url);
            access.credentials = credentials.map_err(|error| {
                failed(format!(
                    "failed to configure OCI registry authentication: {error}"
                ))
            })?;
        }
    }
    check_provider(spec)?;
    Ok(access)
}

fn detect(secret: &Kept, access: &mut Access, has_tls: bool) -> Result<(), String> {
    if let Some(credentials) = secret.basic_auth()? {
        access.credentials = credentials;
    }
    if secret.has_tls() {
        let mut client = ClientOptions::default();
        secret.tls(&mut client)?;
        if !has_tls {
            info!(
                "warning: specifying TLS authentication data via `.spec.secretRef` is deprecated, please use `.spec.certSecretRef` instead"
            );
            access.client = client;
        }
    }
    Ok(())
}

/// Finds what a Secret says about a registry.
fn registry_credentials(secret: &Kept, url: &str) -> Result<Credentials, String> {
    let host = url.trim_start_matches("oci://").split('/').next();
    let host = host.unwrap_or_default();
    let name = &secret.name;
    let (username, password) = if secret.type_ == "kubernetes.io/dockerconfigjson" {
        let config: Result<DockerConfig, _> = secrets::docker_config(secret);
        let config = config.map_err(|error| {
            format!("unable to load Docker config from Secret '{name}': {error}")
        })?;
        match config.find(host) {
            Some(Credentials::Basic { username, password }) => {
                (username.clone(), password.expose().to_owned())
            }
            Some(other) => return Ok(other.clone()),
            None => {
                return Err(format!(
                    "no auth config for '{host}' in the docker-registry Secret '{name}'"
                ));
            }
        }
    } else {
        let text = |key: &str| secret.text(key).unwrap_or_default();
        (text("username"), text("password"))
    };
    match (username.is_empty(), password.is_empty()) {
        (true, true) => Ok(Credentials::Anonymous),
        (false, false) => Ok(Credentials::Basic {
            username,
            password: remote::Secret::new(password),
        }),
        _ => Err(format!(
            "invalid '{name}' secret data: required fields 'username' and 'password'"
        )),
    }
}

/// Logging in to clouds is not there yet.
fn check_provider(spec: &HelmRepositorySpec) -> Result<(), Problem> {
    let cloud = !matches!(spec.provider.as_str(), "" | "generic");
    if !spec.is_oci() || !cloud || spec.secret_ref.is_some() {
        return Ok(());
    }
    let provider = &spec.provider;
    let message = format!("authentication by provider '{provider}' is not supported yet");
    Err(Problem {
        class: Class::Stalling,
        ..Problem::fetch(reason::INVALID_PROVIDER_CONFIGURATION, message)
    })
}

impl Access {
    /// Settings for a repository with an index.
    pub fn over_http(&self, spec: &HelmRepositorySpec) -> RepositoryOptions {
        RepositoryOptions {
            url: spec.url.clone(),
            client: self.client.clone(),
            credentials: self.credentials.clone(),
            pass_credentials: spec.pass_credentials,
        }
    }

    /// Settings for a repository in a registry.
    pub fn in_registry(&self, spec: &HelmRepositorySpec, retry: Retry) -> RegistryOptions {
        RegistryOptions {
            client: self.client.clone(),
            credentials: self.credentials.clone(),
            plain_http: spec.insecure,
            retry,
        }
    }
}
