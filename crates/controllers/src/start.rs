//! Puts the controllers together: one runtime, one artifact store, every controller chosen.

use std::path::PathBuf;
use std::sync::Arc;

use cluster::Cluster;
use controller_runtime::Runtime;

/// How the controllers run. The defaults are those of upstream's deployments.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Directory of the artifact store; without one artifacts are kept in memory.
    pub storage: Option<PathBuf>,
    /// Whether GitRepositories may name repositories on this machine's disk (`file://`).
    pub local_access: git::LocalAccess,
    /// Local repositories whose files are taken as they are on disk, uncommitted changes included.
    pub work_trees: Vec<PathBuf>,
    /// Settings of the runtime: back-off, jitter, namespace.
    pub runtime: controller_runtime::Options,
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
#[derive(Debug)]
pub struct Handle {
    runtime: Arc<Runtime>,
}

/// Starts all controllers on a cluster that serves the Flux kinds. Needs a tokio runtime.
pub async fn start(cluster: Arc<dyn Cluster>, options: Options) -> Result<Handle, StartError> {
    let runtime = Runtime::new(cluster, None, options.runtime.clone());
    Ok(Handle { runtime })
}

impl Handle {
    /// Returns the runtime, for its metrics and state.
    pub fn runtime(&self) -> &Arc<Runtime> {
        &self.runtime
    }

    /// Ends all controllers within a second; nothing half-done is lost, the next start goes on.
    pub async fn stop(&self) {
        self.runtime.shutdown().await;
    }
}
