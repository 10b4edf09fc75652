//! Remote bases and files of kustomizations: what the engine asks for by URL is fetched here.
//!
//! One resolver serves one build and fetches each repository and revision once. Repositories come over http(s), and
//! from local paths where the caller may read them; SSH is refused by the Git client. Nobody's credentials are sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use filetree::MemoryTree;
use futures::StreamExt as _;
use git::{FetchRequest, Fetched, Reference};
use kustomize::{FetchError, RemoteBase, RemoteResolver, RepositoryUrl};
use parking_lot::Mutex;
use remote::{ClientOptions, Clients, Redirects};
use tokio::runtime::Handle;

/// Longest time for a single file.
const FILE_TIMEOUT: Duration = Duration::from_secs(27);
/// Largest file that is accepted, in bytes.
const FILE_BYTES_MAX: usize = 64 << 20;

/// Fetches on the runtime it was made on; the build that uses it has to run on a blocking thread.
pub struct RemoteBases {
    git: Arc<git::Client>,
    clients: Arc<Clients>,
    runtime: Handle,
    fetched: Mutex<HashMap<Wanted, Arc<MemoryTree>>>,
    asked: Mutex<bool>,
}

#[derive(PartialEq, Eq, Hash)]
struct Wanted {
    clone_url: String,
    reference: String,
    submodules: bool,
}

impl RemoteBases {
    /// Makes a resolver for one build.
    pub fn new(git: Arc<git::Client>, clients: Arc<Clients>, runtime: Handle) -> Self {
        Self {
            git,
            clients,
            runtime,
            fetched: Mutex::default(),
            asked: Mutex::default(),
        }
    }

    /// Tells whether anything remote was asked for: such a build depends on more than its own files.
    pub fn was_used(&self) -> bool {
        *self.asked.lock()
    }

    fn fetch(&self, url: &RepositoryUrl) -> Result<Arc<MemoryTree>, FetchError> {
        let word = match url.reference.as_str() {
            "" => "HEAD",
            reference => reference,
        };
        let request = FetchRequest {
            url: url.clone_url.clone(),
            reference: Reference {
                word: word.to_owned(),
                ..Reference::default()
            },
            auth: git::Auth::default(),
            timeout: url.timeout,
            recurse_submodules: url.submodules,
            sparse_checkout: Vec::new(),
            last_observed: None,
            work_tree: false,
        };
        match self.runtime.block_on(self.git.fetch(request)) {
            Ok(Fetched::New(_, tree)) => Ok(Arc::new(tree)),
            Ok(Fetched::Unchanged(_)) => unreachable!("no revision was named as known"),
            Err(error) => Err(FetchError::Other(error.to_string())),
        }
    }

    async fn get(&self, url: &str) -> Result<Arc<[u8]>, FetchError> {
        let options = ClientOptions {
            redirects: Redirects::Follow,
            ..ClientOptions::default()
        };
        let client = self.clients.get(&options).map_err(other)?;
        let failed = |error| other(format!("Get \"{url}\": {}", remote::Error::describe(error)));
        let answer = client.get(url).send().await.map_err(failed)?;
        let status = answer.status();
        if !status.is_success() {
            return Err(FetchError::Status {
                code: status.as_u16(),
                reason: status.canonical_reason().unwrap_or_default().to_owned(),
            });
        }
        let mut content = Vec::new();
        let mut body = answer.bytes_stream();
        while let Some(piece) = body.next().await {
            content.extend_from_slice(&piece.map_err(failed)?);
            if content.len() > FILE_BYTES_MAX {
                let message = format!("Get \"{url}\": more than {FILE_BYTES_MAX} bytes");
                return Err(FetchError::Other(message));
            }
        }
        Ok(content.into())
    }
}

impl RemoteResolver for RemoteBases {
    fn directory(&self, url: &RepositoryUrl) -> Result<RemoteBase, FetchError> {
        *self.asked.lock() = true;
        let wanted = Wanted {
            clone_url: url.clone_url.clone(),
            reference: url.reference.clone(),
            submodules: url.submodules,
        };
        let known = self.fetched.lock().get(&wanted).cloned();
        let tree = match known {
            Some(tree) => tree,
            None => {
                let tree = self.fetch(url)?;
                self.fetched.lock().insert(wanted, tree.clone());
                tree
            }
        };
        Ok(RemoteBase {
            tree,
            dir: url.directory.clone(),
        })
    }

    fn file(&self, url: &str) -> Result<Arc<[u8]>, FetchError> {
        *self.asked.lock() = true;
        self.runtime.block_on(async {
            match tokio::time::timeout(FILE_TIMEOUT, self.get(url)).await {
                Ok(result) => result,
                Err(_) => Err(other(format!(
                    "Get \"{url}\": no answer within {FILE_TIMEOUT:?}"
                ))),
            }
        })
    }
}

fn other(reason: impl ToString) -> FetchError {
    FetchError::Other(reason.to_string())
}
