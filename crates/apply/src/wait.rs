//! Waiting until objects are healthy.
//!
//! Objects are looked at when something wakes the wait (a watch, mostly) and otherwise at a steady pace. An object
//! that became Current is not looked at again.

use std::fmt;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use objects::{Health, HealthStatus, Object, ObjectKey};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::change::ChangeSetEntry;
use crate::manager::ResourceManager;
use crate::pods::with_pods;
use crate::prune::Stored;

/// Most objects read at once.
const READS: usize = 8;

/// One object to wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitTarget {
    /// Object.
    pub key: ObjectKey,
    /// API version to read it in, without group.
    pub version: String,
    /// Whether the object may vanish when done (Jobs with a time to live); that counts as Current.
    pub may_vanish: bool,
}

impl From<&ChangeSetEntry> for WaitTarget {
    fn from(entry: &ChangeSetEntry) -> Self {
        Self {
            key: entry.key.clone(),
            version: entry.version.clone(),
            may_vanish: false,
        }
    }
}

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub struct WaitOptions {
    /// Longest time.
    pub timeout: Duration,
    /// Time between two looks when nothing wakes the wait.
    pub poll: Duration,
    /// Ends with the first Failed object.
    pub fail_fast: bool,
}

/// A wait that ended badly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitFailure {
    /// Whether time ran out, rather than objects having failed.
    pub timed_out: bool,
    /// Objects to blame, with status and, where it could not be read, the error.
    pub blamed: Vec<(ObjectKey, Option<HealthStatus>, String)>,
}

impl fmt::Display for WaitFailure {
    /// Writes upstream's text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.timed_out {
            "timeout waiting for: ["
        } else {
            "failed early due to stalled resources: ["
        })?;
        for (index, (key, status, error)) in self.blamed.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            match status {
                None => write!(f, "can't determine status for {key}")?,
                Some(status) => {
                    write!(f, "{key} status: '{status}'")?;
                    if !error.is_empty() {
                        write!(f, ": {error}")?;
                    }
                }
            }
        }
        f.write_str("]")
    }
}

impl std::error::Error for WaitFailure {}

/// Judges one object at a time.
pub type ReadHealth<'a> = dyn Fn(&Object, Timestamp) -> Health + Send + Sync + 'a;

struct Waiting<'a> {
    target: &'a WaitTarget,
    health: Option<Health>,
    seen: bool,
}

impl ResourceManager {
    /// Waits until all objects are Current.
    ///
    /// # Errors
    /// The time is over, or an object failed and `fail_fast` is set; the error names every object that is not Current.
    pub async fn wait(
        &self,
        targets: &[WaitTarget],
        options: &WaitOptions,
        read: &ReadHealth<'_>,
        wake: Option<&Notify>,
    ) -> Result<(), WaitFailure> {
        let deadline = Instant::now() + options.timeout;
        let mut waiting: Vec<Waiting<'_>> = targets
            .iter()
            .map(|target| Waiting {
                target,
                health: None,
                seen: false,
            })
            .collect();
        loop {
            let woken = wake.map(Notify::notified);
            tokio::pin!(woken);
            if let Some(woken) = woken.as_mut().as_pin_mut() {
                woken.enable();
            }
            self.look(&mut waiting, read).await;
            if let Some(result) = verdict(&waiting, options.fail_fast) {
                return result;
            }
            let woken = async {
                match woken.as_pin_mut() {
                    Some(woken) => woken.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep(options.poll) => {}
                () = sleep_until(deadline) => return Err(blame(&waiting, true)),
            }
        }
    }

    /// Reads every object that is not Current yet.
    async fn look(&self, waiting: &mut [Waiting<'_>], read: &ReadHealth<'_>) {
        let open = waiting
            .iter_mut()
            .filter(|w| status(w) != Some(HealthStatus::Current));
        futures::stream::iter(open)
            .for_each_concurrent(READS, |w| async move {
                let health = self.read_health(w.target, w.seen, read).await;
                w.seen |= health
                    .as_ref()
                    .is_some_and(|h| h.status != HealthStatus::NotFound);
                w.health = health;
            })
            .await;
    }

    async fn read_health(
        &self,
        target: &WaitTarget,
        seen: bool,
        read: &ReadHealth<'_>,
    ) -> Option<Health> {
        let stored = Stored {
            key: target.key.clone(),
            version: target.version.clone(),
        };
        let unknown = |error: String| Some(Health::new(HealthStatus::Unknown, error));
        let address = match self.stored_target(&stored).await {
            Ok(Some(address)) => address,
            Ok(None) => {
                let kind = target.key.group_kind();
                return unknown(format!("no matches for kind {kind}"));
            }
            Err(error) => return unknown(error.to_string()),
        };
        if address.resource.namespaced && address.namespace.is_empty() {
            return None;
        }
        match self.cluster.get(&address).await {
            Ok(object) => {
                let now = Timestamp::now();
                let own = read(&object, now);
                let mut health = with_pods(&*self.cluster, &object, own, now).await;
                if health.status != HealthStatus::Unknown {
                    health.message.clear();
                }
                Some(health)
            }
            Err(error) if error.is_not_found() => {
                let vanished = target.may_vanish && seen;
                let status = if vanished {
                    HealthStatus::Current
                } else {
                    HealthStatus::NotFound
                };
                Some(Health::new(status, ""))
            }
            Err(error) => unknown(error.to_string()),
        }
    }
}

fn status(waiting: &Waiting<'_>) -> Option<HealthStatus> {
    waiting.health.as_ref().map(|h| h.status)
}

/// Tells whether and how the wait is over.
fn verdict(waiting: &[Waiting<'_>], fail_fast: bool) -> Option<Result<(), WaitFailure>> {
    let count = |wanted| waiting.iter().filter(|w| status(w) == Some(wanted)).count();
    let (current, failed) = (count(HealthStatus::Current), count(HealthStatus::Failed));
    if current == waiting.len() {
        return Some(Ok(()));
    }
    // An object whose address is incomplete will never be read.
    let unreadable = waiting.iter().any(|w| w.health.is_none());
    if unreadable {
        return Some(Err(blame(waiting, true)));
    }
    let settled = failed > 0 && (fail_fast || current + failed == waiting.len());
    settled.then(|| Err(blame(waiting, false)))
}

fn blame(waiting: &[Waiting<'_>], timed_out: bool) -> WaitFailure {
    let blamed = waiting.iter().filter(|w| match status(w) {
        Some(HealthStatus::Current) => false,
        Some(HealthStatus::Failed) => true,
        _ => timed_out,
    });
    WaitFailure {
        timed_out,
        blamed: blamed
            .map(|w| {
                let error = w.health.as_ref().map_or("", |h| h.message.as_str());
                (w.target.key.clone(), status(w), error.to_owned())
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_name_objects_and_status() {
        let key = ObjectKey::new("apps", "Deployment", "web", "front");
        for (timed_out, status, error, text) in [
            (
                true,
                Some(HealthStatus::InProgress),
                "",
                "timeout waiting for: [Deployment/web/front status: 'InProgress']",
            ),
            (
                true,
                Some(HealthStatus::Unknown),
                "boom",
                "timeout waiting for: [Deployment/web/front status: 'Unknown': boom]",
            ),
            (
                false,
                Some(HealthStatus::Failed),
                "",
                "failed early due to stalled resources: [Deployment/web/front status: 'Failed']",
            ),
            (
                true,
                None,
                "",
                "timeout waiting for: [can't determine status for Deployment/web/front]",
            ),
        ] {
            let failure = WaitFailure {
                timed_out,
                blamed: vec![(key.clone(), status, error.into())],
            };
            assert_eq!(failure.to_string(), text);
        }
    }
}
