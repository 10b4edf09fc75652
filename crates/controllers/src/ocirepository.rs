//! The effects of the OCIRepository controller: resolve, pull, store, write status.

use std::sync::Arc;

use api::names::reason;
use api::{
    Artifact, LAYER_COPY, LAYER_EXTRACT, OciRepository, OciRepositorySpec, OciRepositoryStatus,
    Severity,
};
use async_trait::async_trait;
use bytes::Bytes;
use controller_runtime::{Run, Runtime};
use filetree::{UnpackLimits, select, unpack_tar_gz};
use reconcile::EventDraft;
use reconcile::ocirepository::{
    choose_tag, digest_failed, digest_of, invalid_url, layer_failed, login_failed, pull_failed,
    tag_failed, verification_refused,
};
use reconcile::source::{Class, Decision, Pass, Problem, Verdict};
use remote::oci::{
    Descriptor, DockerConfig, Manifest, Reference, Registry, RegistryOptions, Repository,
};
use remote::{ClientOptions, Clients, Credentials, Proxy};

use crate::artifact::{ArtifactStore, Name, StoreError};
use crate::source::{
    Place, SourceSettings, Worker, blocking, load_ignore, owner, secrets, start_worker,
    store_problem, triggers,
};

const NAME: &str = "ocirepository";
const PREFIX: &str = "oci://";

/// Starts the controller.
pub(crate) fn run(
    runtime: &Arc<Runtime>,
    store: Arc<ArtifactStore>,
    clients: Arc<Clients>,
    settings: SourceSettings,
) {
    let concurrency = settings.concurrency;
    let triggers = vec![triggers::own_secrets::<OciRepositorySpec>(
        runtime, &settings,
    )];
    let worker = OciRepositories {
        store,
        clients,
        settings,
    };
    start_worker(runtime, NAME, concurrency, worker, triggers);
}

struct OciRepositories {
    store: Arc<ArtifactStore>,
    clients: Arc<Clients>,
    settings: SourceSettings,
}

/// What was pulled.
struct Pulled {
    manifest: Manifest,
    layer: Bytes,
}

#[async_trait]
impl Worker for OciRepositories {
    type Spec = OciRepositorySpec;

    fn store(&self) -> &Arc<ArtifactStore> {
        &self.store
    }

    async fn work(
        &self,
        place: &mut Place<'_>,
        mut pass: Pass<OciRepositorySpec>,
        object: &OciRepository,
    ) -> Decision<OciRepositoryStatus> {
        match self.pull(place, &mut pass, object).await {
            Ok(()) => pass.success(),
            Err(problem) => pass.fail(problem),
        }
    }
}

impl OciRepositories {
    async fn pull(
        &self,
        place: &mut Place<'_>,
        pass: &mut Pass<OciRepositorySpec>,
        object: &OciRepository,
    ) -> Result<(), Problem> {
        let spec = &object.spec;
        pass.forget_failed_verification();
        let options = self.options(place, spec).await?;
        let repository = parse(spec)?;
        let options = with_credentials(options, &repository);
        let registry = Registry::open(&self.clients, repository, &options)
            .map_err(|error| transport_failed(spec, error))?;
        place.show_progress(pass).await;
        let run = place.run;
        let resolving = within(spec, self.resolve(&registry, spec));
        let (reference, revision) = run.waiting(resolving).await?;
        if let Some(problem) = verification_refused(spec) {
            return Err(problem);
        }
        if pass.resolved(&revision, &reference.to_string()) == Verdict::Keep {
            return Ok(());
        }
        place.show_progress(pass).await;
        let pulling = within(spec, self.fetch(&registry, spec, &revision));
        let pulled = run.waiting(pulling).await?;
        pass.pulled();
        let annotations = pulled.manifest.annotations;
        let (artifact, link) = self.keep(run, object, revision, pulled.layer).await?;
        pass.stored(artifact, annotations, link);
        Ok(())
    }

    /// Reads Secrets and service account; a mirror is used without.
    async fn options(
        &self,
        place: &Place<'_>,
        spec: &OciRepositorySpec,
    ) -> Result<(RegistryOptions, DockerConfig), Problem> {
        let run = place.run;
        if self.clients.is_mirrored(&spec.url) {
            let options = RegistryOptions {
                retry: self.settings.retry,
                ..RegistryOptions::default()
            };
            return Ok((options, DockerConfig::default()));
        }
        let config = docker_config(place, spec)
            .await
            .map_err(|error| login_failed(format!("failed to get credential: {error}")))?;
        let proxy = proxy(run, spec)
            .await
            .map_err(|error| login_failed(format!("failed to get proxy address: {error}")))?;
        check_provider(spec, &config)?;
        let client = tls(run, spec)
            .await
            .map_err(|error| transport_failed(spec, error))?;
        let options = RegistryOptions {
            client: ClientOptions { proxy, ..client },
            credentials: Credentials::Anonymous,
            plain_http: spec.insecure,
            retry: self.settings.retry,
        };
        Ok((options, config))
    }

    /// Finds the artifact's name and revision.
    async fn resolve(
        &self,
        registry: &Registry,
        spec: &OciRepositorySpec,
    ) -> Result<(Reference, String), Problem> {
        let wanted = spec.reference.clone().unwrap_or_default();
        let repository = registry.repository();
        if !wanted.digest.is_empty() {
            return Ok((repository.digest(&wanted.digest), wanted.digest));
        }
        let tag = if !wanted.semver.is_empty() {
            let tags = registry.tags().await;
            let tags = tags.map_err(|error| tag_failed(&spec.url, error))?;
            let tags = filter(tags, &wanted.semver_filter);
            let chosen =
                tags.and_then(|tags| choose_tag(&tags, &wanted.semver, spec.layer_media_type()));
            chosen.map_err(|error| tag_failed(&spec.url, error))?
        } else if wanted.tag.is_empty() {
            "latest".to_owned()
        } else {
            wanted.tag
        };
        let reference = repository.tag(&tag);
        let digest = registry.resolve(&reference).await.map_err(digest_failed)?;
        Ok((reference, format!("{tag}@{digest}")))
    }

    /// Fetches manifest and layer, strictly by digest.
    async fn fetch(
        &self,
        registry: &Registry,
        spec: &OciRepositorySpec,
        revision: &str,
    ) -> Result<Pulled, Problem> {
        let reference = registry.repository().digest(digest_of(revision));
        let manifest = registry.manifest(&reference).await;
        let (_, manifest) = manifest.map_err(|error| pull_failed(&spec.url, error))?;
        let layer = choose_layer(&manifest, spec.layer_media_type())?;
        let operation = spec.layer_operation();
        let verb = match operation {
            LAYER_COPY => "copy layer from artifact",
            LAYER_EXTRACT => "extract layer contents from artifact",
            other => {
                return Err(layer_failed(format!(
                    "unsupported layer operation: {other}"
                )));
            }
        };
        let layer = registry.blob(layer, self.settings.layer_bytes_max).await;
        let layer = layer.map_err(|error| layer_failed(format!("failed to {verb}: {error}")))?;
        Ok(Pulled { manifest, layer })
    }

    /// Unpacks and packs the layer again, or keeps it as it is.
    async fn keep(
        &self,
        run: &Run,
        object: &OciRepository,
        revision: String,
        layer: Bytes,
    ) -> Result<(Artifact, String), Problem> {
        let (store, object) = (self.store.clone(), object.clone());
        let now = run.runtime.clock.now();
        let work = move || {
            let file = format!("{}.tar.gz", digest_of(&revision));
            let name = Name {
                file: &file,
                link: "latest.tar.gz",
                revision: &revision,
            };
            if object.spec.layer_operation() == LAYER_COPY {
                let stored = store.put_bytes(owner(&object), name, layer, now);
                return stored.map_err(|error| store_problem("copy", &error));
            }
            let tree = unpack_tar_gz(&layer[..], UnpackLimits::ARTIFACT).map_err(|error| {
                layer_failed(format!(
                    "failed to extract layer contents from artifact: {error}"
                ))
            })?;
            let ignore = load_ignore(&tree, object.spec.ignore.as_deref())?;
            let packed = select(&tree, &ignore)
                .map_err(StoreError::from)
                .and_then(|entries| store.put(owner(&object), &file, &revision, &entries, now));
            let artifact = packed.map_err(|error| store_problem("archive", &error))?;
            Ok((artifact, store.link(owner(&object), name)))
        };
        blocking(work).await.map_err(|error| {
            let message = format!("unable to archive artifact to storage: {error}");
            Problem::storage(reason::ARCHIVE_OPERATION_FAILED, message)
        })?
    }
}

/// Gives a slow operation the object's time.
async fn within<T>(
    spec: &OciRepositorySpec,
    work: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    match tokio::time::timeout(spec.timeout(), work).await {
        Ok(result) => result,
        Err(_) => Err(pull_failed(&spec.url, "context deadline exceeded")),
    }
}

fn parse(spec: &OciRepositorySpec) -> Result<Repository, Problem> {
    let Some(name) = spec.url.strip_prefix(PREFIX) else {
        let message = "URL must be in format 'oci://<domain>/<org>/<repo>'";
        return Err(invalid_url(&spec.url, message));
    };
    Repository::parse(name).map_err(|error| invalid_url(&spec.url, error))
}

fn with_credentials(
    (options, config): (RegistryOptions, DockerConfig),
    repository: &Repository,
) -> RegistryOptions {
    let found = config.find(&repository.to_string()).cloned();
    RegistryOptions {
        credentials: found.unwrap_or_default(),
        ..options
    }
}

async fn docker_config(
    place: &Place<'_>,
    spec: &OciRepositorySpec,
) -> Result<DockerConfig, String> {
    let run = place.run;
    let mut found = Vec::new();
    if let Some(reference) = &spec.secret_ref {
        let name = &reference.name;
        match secrets::read(run, name).await {
            Ok(secret) => found.push(secret),
            Err(error) => {
                let message = format!("auth secret '{name}' not found");
                let reason = reason::AUTHENTICATION_FAILED;
                place.record(EventDraft::new(Severity::Trace, reason, message));
                let namespace = &run.key.namespace;
                return Err(format!(
                    "failed to get secret '{namespace}/{name}': {error}"
                ));
            }
        }
    }
    if !spec.service_account_name.is_empty() {
        found.extend(secrets::pull_secrets(run, &spec.service_account_name).await?);
    }
    let mut config = DockerConfig::default();
    for secret in &found {
        config.extend(secrets::docker_config(secret).map_err(|error| error.to_string())?);
    }
    Ok(config)
}

async fn proxy(run: &Run, spec: &OciRepositorySpec) -> Result<Option<Proxy>, String> {
    let Some(reference) = &spec.proxy_secret_ref else {
        return Ok(None);
    };
    let secret = secrets::read_referenced(run, &reference.name).await?;
    secret.proxy().map(Some)
}

async fn tls(run: &Run, spec: &OciRepositorySpec) -> Result<ClientOptions, String> {
    let mut client = ClientOptions::default();
    match spec.cert_secret_ref.as_ref().filter(|r| !r.name.is_empty()) {
        Some(reference) => {
            let secret = secrets::read_referenced(run, &reference.name).await?;
            secret.tls(&mut client)?;
        }
        // As upstream: the one place where nobody needs to vouch for a certificate.
        None => client.accept_any_certificate = spec.insecure,
    }
    Ok(client)
}

/// Logging in to clouds is not there yet; pull Secrets beat it anyway.
fn check_provider(spec: &OciRepositorySpec, config: &DockerConfig) -> Result<(), Problem> {
    const GATE: &str = "to use spec.serviceAccountName for provider authentication please enable the ObjectLevelWorkloadIdentity feature gate in the controller";
    let provider = spec.provider.as_str();
    if matches!(provider, "" | "generic") || !config.is_empty() {
        return Ok(());
    }
    let stalling = |reason, message: String, condition| Problem {
        class: Class::Stalling,
        reason,
        message,
        condition,
    };
    if !spec.service_account_name.is_empty() {
        return Err(stalling(
            reason::FEATURE_GATE_DISABLED,
            GATE.to_owned(),
            None,
        ));
    }
    let message = format!("authentication by provider '{provider}' is not supported yet");
    let condition = Some(api::names::FETCH_FAILED);
    Err(stalling(
        reason::INVALID_PROVIDER_CONFIGURATION,
        message,
        condition,
    ))
}

fn filter(tags: Vec<String>, pattern: &str) -> Result<Vec<String>, String> {
    if pattern.is_empty() {
        return Ok(tags);
    }
    let expression = gocompat::regexp::Regexp::new(pattern).map_err(|error| error.to_string())?;
    let matching = tags
        .into_iter()
        .filter(|tag| expression.is_match(tag.as_bytes()));
    Ok(matching.collect())
}

fn choose_layer<'a>(manifest: &'a Manifest, media_type: &str) -> Result<&'a Descriptor, Problem> {
    if manifest.layers.is_empty() {
        return Err(layer_failed("no layers found in artifact"));
    }
    let fits = |layer: &&Descriptor| media_type.is_empty() || layer.media_type == media_type;
    manifest.layers.iter().find(fits).ok_or_else(|| {
        layer_failed(format!(
            "failed to find layer with media type '{media_type}' in artifact"
        ))
    })
}

fn transport_failed(spec: &OciRepositorySpec, error: impl std::fmt::Display) -> Problem {
    let url = &spec.url;
    login_failed(format!("failed to generate transport for '{url}': {error}"))
}
