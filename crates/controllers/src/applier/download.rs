//! Fetching an artifact over HTTP, with retries.

use std::fmt::Display;
use std::time::Duration;

use controller_runtime::Run;
use remote::{ClientOptions, Clients};

/// Waits between two tries.
const RETRY_MIN: Duration = Duration::from_secs(5);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// How an artifact is fetched.
pub(crate) struct Download<'a> {
    pub(crate) url: &'a str,
    /// Tries after the first.
    pub(crate) retries: u32,
    /// Longest time for one try.
    pub(crate) timeout: Duration,
    /// Largest body taken, in bytes.
    pub(crate) bytes_max: u64,
    /// Words before a cause, such as `failed to download archive`.
    pub(crate) failed: &'a str,
    /// Words before a status, which name the address.
    pub(crate) refused: &'a str,
}

/// Why an artifact was not fetched.
#[derive(Debug)]
pub(crate) enum DownloadError {
    /// It is not there any more.
    Gone,
    /// Anything else, in words.
    Failed(String),
}

/// What one try gave: another one may help, or not.
struct Failure {
    error: DownloadError,
    retry: bool,
}

impl Download<'_> {
    /// Fetches the artifact; waits between tries without occupying a worker.
    pub(crate) async fn run(&self, run: &Run, clients: &Clients) -> Result<Vec<u8>, DownloadError> {
        let mut pause = RETRY_MIN;
        let mut tries = 0;
        loop {
            match self.once(clients).await {
                Ok(bytes) => return Ok(bytes),
                Err(failure) if !failure.retry || tries >= self.retries => {
                    return Err(failure.error);
                }
                Err(_) => {}
            }
            tries += 1;
            run.waiting(run.runtime.clock.sleep(pause)).await;
            pause = (pause * 2).min(RETRY_MAX);
        }
    }

    /// Fetches the artifact with a single try.
    pub(crate) async fn at_once(&self, clients: &Clients) -> Result<Vec<u8>, DownloadError> {
        self.once(clients).await.map_err(|failure| failure.error)
    }

    fn failure(&self, cause: &dyn Display, retry: bool) -> Failure {
        Failure {
            error: DownloadError::Failed(format!("{}: {cause}", self.failed)),
            retry,
        }
    }

    async fn once(&self, clients: &Clients) -> Result<Vec<u8>, Failure> {
        let client = clients.get(&ClientOptions::default());
        let client = client.map_err(|error| self.failure(&error, false))?;
        let sent = client.get(self.url).timeout(self.timeout).send().await;
        let mut response = sent.map_err(|error| self.failure(&error, true))?;
        let status = response.status();
        if status.as_u16() == 404 {
            return Err(Failure {
                error: DownloadError::Gone,
                retry: false,
            });
        }
        if !status.is_success() {
            let text = format!("{} (status: {status})", self.refused);
            return Err(Failure {
                error: DownloadError::Failed(text),
                retry: status.is_server_error(),
            });
        }
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => return Ok(bytes),
                Err(error) => return Err(self.failure(&error, true)),
            }
            if bytes.len() as u64 > self.bytes_max {
                let max = self.bytes_max;
                return Err(self.failure(&format!("larger than {max} bytes"), false));
            }
        }
    }
}
