//! Remote bases for builds on the command line: whoever types the command may read local repositories.

use std::io;
use std::sync::{Arc, OnceLock};

use controllers::kustomization::remote_bases::RemoteBases;
use git::LocalAccess;
use kustomize::{FetchError, RemoteBase, RemoteResolver, RepositoryUrl};
use tokio::runtime::{Handle, Runtime};

/// Returns a resolver for one build that is made on a blocking thread of the running runtime.
pub fn on_this_runtime() -> RemoteBases {
    resolver(Handle::current())
}

fn resolver(runtime: Handle) -> RemoteBases {
    let git = Arc::new(git::Client::new(LocalAccess::Allowed));
    RemoteBases::new(git, Arc::default(), runtime)
}

/// A resolver that starts its runtime when something remote is asked for: most builds never do.
#[derive(Default)]
pub struct OnDemand(OnceLock<Result<(Runtime, RemoteBases), String>>);

impl OnDemand {
    fn get(&self) -> Result<&RemoteBases, FetchError> {
        let started = self.0.get_or_init(|| {
            let runtime = start().map_err(|error| format!("cannot start the runtime: {error}"))?;
            let bases = resolver(runtime.handle().clone());
            Ok((runtime, bases))
        });
        match started {
            Ok((_, bases)) => Ok(bases),
            Err(reason) => Err(FetchError::Other(reason.clone())),
        }
    }
}

fn start() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
}

impl RemoteResolver for OnDemand {
    fn directory(&self, url: &RepositoryUrl) -> Result<RemoteBase, FetchError> {
        self.get()?.directory(url)
    }

    fn file(&self, url: &str) -> Result<Arc<[u8]>, FetchError> {
        self.get()?.file(url)
    }
}
