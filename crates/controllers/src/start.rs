//! Puts the controllers together: one runtime, one artifact store, every controller chosen.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use cluster::Cluster;
use controller_runtime::{EventSink, Runtime};
use tokio::net::TcpListener;

use crate::artifact::{self, ArtifactStore, Retention};
use crate::events::HttpSink;
use crate::gitrepository::{self, GitRepositoryOptions};
use crate::source::SourceSettings;
use crate::{helmchart, helmrelease, helmrepository, kustomization, ocirepository};

/// Where artifacts are served when the options name no address: a free port for this machine only.
const LOOPBACK: &str = "127.0.0.1:0";

/// How the controllers run. The defaults are those of upstream's deployments.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Directory of the artifact store; without one artifacts are kept in memory.
    pub storage: Option<PathBuf>,
    /// Whether GitRepositories may name repositories on this machine's disk (`file://`).
    pub local_access: git::LocalAccess,
    /// Local repositories that stand in for remote ones.
    pub local_copies: git::LocalCopies,
    /// Local repositories whose files are taken as they are on disk, uncommitted changes included.
    pub work_trees: Vec<PathBuf>,
    /// From where Helm repositories and registries are fetched instead.
    pub mirrors: Vec<remote::Mirror>,
    /// Host and port of the artifact server; empty takes a free loopback port.
    pub storage_address: String,
    /// Address of the artifact server where none is chosen, if it is free; artifact URLs stay over restarts then.
    pub preferred_storage_address: Option<SocketAddr>,
    /// Host and port, or URL prefix, in artifact URLs; empty takes the bound address.
    pub advertised_storage_address: String,
    /// How long old artifacts are kept.
    pub retention: Retention,
    /// Settings of the runtime: back-off, jitter, namespace.
    pub runtime: controller_runtime::Options,
    /// Settings of the sources.
    pub sources: SourceSettings,
    /// Settings of the Kustomization controller.
    pub kustomize: kustomization::Settings,
    /// Settings of the HelmRelease controller.
    pub helm: helmrelease::Settings,
    /// Which controllers run.
    pub components: Components,
    /// URL of the notification controller; empty posts no events.
    pub events_address: String,
}

/// Which controllers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Components {
    /// GitRepositories, HelmRepositories, HelmCharts, OCIRepositories, and the artifact server.
    pub source: bool,
    /// Kustomizations.
    pub kustomize: bool,
    /// HelmReleases.
    pub helm: bool,
}

impl Default for Components {
    /// All of them.
    fn default() -> Self {
        Self {
            source: true,
            kustomize: true,
            helm: true,
        }
    }
}

/// Why the controllers did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The artifact directory cannot be used.
    #[error("cannot use the artifact directory {}: {reason}", path.display())]
    Storage {
        /// The directory.
        path: PathBuf,
        /// Reason.
        reason: String,
    },
    /// The artifact server cannot listen.
    #[error("cannot serve artifacts: {0}")]
    Serve(String),
}

/// Running controllers.
pub struct Handle {
    runtime: Arc<Runtime>,
    artifacts: Arc<ArtifactStore>,
}

/// Starts all controllers on a cluster that serves the Flux kinds. Needs a tokio runtime.
///
/// # Errors
/// The artifact directory cannot be used, or the artifact server cannot listen.
pub async fn start(cluster: Arc<dyn Cluster>, options: Options) -> Result<Handle, StartError> {
    let artifacts = open_store(&options)?;
    let sink: Option<Arc<dyn EventSink>> = match options.events_address.as_str() {
        "" => None,
        address => Some(Arc::new(HttpSink::new(address))),
    };
    let runtime = Runtime::new(cluster, sink, options.runtime.clone());
    if options.components.source {
        let listener = listen(&options, &artifacts).await?;
        runtime.spawn(artifact::serve(artifacts.clone(), listener));
        let git = GitRepositoryOptions {
            local_access: options.local_access,
            local_copies: options.local_copies.clone(),
            work_trees: options.work_trees.clone(),
            requeue_dependency: options.kustomize.requeue_dependency,
            ..GitRepositoryOptions::default()
        };
        gitrepository::run(&runtime, artifacts.clone(), git);
        let clients = Arc::new(remote::Clients::with_mirrors(options.mirrors.clone()));
        for run in [helmrepository::run, helmchart::run, ocirepository::run] {
            let sources = options.sources.clone();
            run(&runtime, artifacts.clone(), clients.clone(), sources);
        }
    }
    if options.components.kustomize {
        runtime.run(kustomization::controller(
            &runtime,
            artifacts.clone(),
            options.kustomize,
        ));
    }
    if options.components.helm {
        runtime.run(helmrelease::controller(
            &runtime,
            artifacts.clone(),
            options.helm,
        ));
    }
    Ok(Handle { runtime, artifacts })
}

fn open_store(options: &Options) -> Result<Arc<ArtifactStore>, StartError> {
    let Some(path) = &options.storage else {
        return Ok(Arc::new(ArtifactStore::in_memory("", options.retention)));
    };
    let failed = |reason: String| StartError::Storage {
        path: path.clone(),
        reason,
    };
    std::fs::create_dir_all(path).map_err(|error| failed(error.to_string()))?;
    let store = ArtifactStore::on_disk(path, "", options.retention)
        .map_err(|error| failed(error.to_string()))?;
    Ok(Arc::new(store))
}

/// Binds the artifact server and gives the store its address.
async fn listen(options: &Options, artifacts: &ArtifactStore) -> Result<TcpListener, StartError> {
    let address = match options.storage_address.as_str() {
        "" => LOOPBACK.to_owned(),
        // Go's form for all interfaces.
        port if port.starts_with(':') => format!("0.0.0.0{port}"),
        address => address.to_owned(),
    };
    let failed = |error: std::io::Error| StartError::Serve(format!("{address}: {error}"));
    let preferred = options
        .preferred_storage_address
        .filter(|_| options.storage_address.is_empty());
    let again = match preferred {
        Some(preferred) => TcpListener::bind(preferred).await.ok(),
        None => None,
    };
    let listener = match again {
        Some(listener) => listener,
        None => TcpListener::bind(&address).await.map_err(failed)?,
    };
    let bound = listener.local_addr().map_err(failed)?.to_string();
    artifacts.set_address(match options.advertised_storage_address.as_str() {
        "" => &bound,
        advertised => advertised,
    });
    Ok(listener)
}

impl Handle {
    /// Returns the runtime, for its metrics and state.
    pub fn runtime(&self) -> &Arc<Runtime> {
        &self.runtime
    }

    /// Returns the artifact store.
    pub fn artifacts(&self) -> &Arc<ArtifactStore> {
        &self.artifacts
    }

    /// Ends all controllers within a second; nothing half-done is lost, the next start goes on.
    pub async fn stop(&self) {
        self.runtime.shutdown().await;
    }
}

/// Returns the digest of a label selector that names the leases of a shard.
pub fn shard_digest(selector: &str) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(selector.as_bytes()))
}
