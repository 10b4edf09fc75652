//! What a command works with: settings, output, and the cluster when it asks for one.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use cluster::Cluster;

use crate::error::{CliError, CliResult};
use crate::globals::Settings;
use crate::output::Output;

/// Passed to every command.
#[derive(Debug)]
pub struct Context {
    /// Resolved global flags.
    pub settings: Settings,
    /// Output streams.
    pub out: Output,
    /// What the command waits for at the moment.
    pub awaited: Awaited,
}

/// The last word of what a command waits for; a hint where the time runs out.
#[derive(Debug, Default)]
pub struct Awaited(Mutex<Option<String>>);

impl Awaited {
    /// Replaces the last word.
    pub fn set(&self, text: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }

    fn take(&self) -> Option<String> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.take()
    }
}

impl Context {
    /// Puts the parts together; starts nothing.
    pub fn new(settings: Settings, out: Output) -> Self {
        Self {
            settings,
            out,
            awaited: Awaited::default(),
        }
    }

    /// Returns the namespace of the request.
    pub fn namespace(&self) -> &str {
        &self.settings.namespace
    }

    /// Connects to the cluster of the kubeconfig; sends no request yet.
    pub async fn cluster(&self) -> CliResult<Arc<dyn Cluster>> {
        Ok(cluster::connect(&self.settings.connect).await?)
    }

    /// Runs asynchronous work on this thread, within `--timeout`.
    pub fn block_on<T>(&self, work: impl Future<Output = CliResult<T>>) -> CliResult<T> {
        let limit = self.settings.timeout.to_std();
        runtime()?.block_on(async {
            tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
                let error = CliError::cluster("context deadline exceeded");
                Err(match self.awaited.take() {
                    Some(last) => error.hint(last),
                    None => error,
                })
            })
        })
    }

    /// Runs asynchronous work on this thread until it ends.
    pub fn block_on_forever<T>(&self, work: impl Future<Output = CliResult<T>>) -> CliResult<T> {
        runtime()?.block_on(work)
    }

    /// Runs work that prints what it sees on this thread until it ends, or until nobody reads stdout any more.
    pub fn follow(&self, work: impl Future<Output = CliResult>) -> CliResult {
        runtime()?.block_on(async {
            tokio::select! {
                result = work => result,
                () = self.out.reader_gone() => Ok(()),
            }
        })
    }
}

fn runtime() -> CliResult<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::configuration(format!("cannot start the runtime: {error}")))
}
