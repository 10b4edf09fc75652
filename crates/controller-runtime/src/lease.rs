//! Leader election over a `coordination.k8s.io/v1` Lease.
//!
//! The holder renews every retry period; others take over when the lease was not renewed for its duration, by
//! their own clock. A holder that cannot renew within the deadline gives up.

use std::sync::Arc;
use std::time::Duration;

use cluster::{Cluster, Error, Target, WriteParams};
use jiff::Timestamp;
use objects::{Gvk, Object, Value, json};
use tracing::{info, warn};

use crate::clock::{Clock, after, between};

/// Timing and names of an election.
#[derive(Clone, Debug)]
pub struct LeaseOptions {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// Name of this candidate.
    pub identity: String,
    /// How long a lease lasts without renewal.
    pub lease_duration: Duration,
    /// How long a holder tries to renew before it gives up.
    pub renew_deadline: Duration,
    /// Time between two tries.
    pub retry_period: Duration,
}

/// Returns the Lease name of a controller; sharded ones carry a hash of their selector.
pub fn lease_name(controller: &str, selector_digest: Option<&str>) -> String {
    let name = format!("{controller}-leader-election");
    match selector_digest {
        Some(digest) => format!("{name}-{}", &digest[..digest.len().min(8)]),
        None => name,
    }
}

/// One candidate.
pub struct LeaderElection {
    cluster: Arc<dyn Cluster>,
    clock: Arc<dyn Clock>,
    options: LeaseOptions,
    /// Last state seen (its version) and when, by the own clock.
    seen: Option<(String, Timestamp)>,
}

impl LeaderElection {
    /// Builds a candidate that holds nothing.
    pub fn new(cluster: Arc<dyn Cluster>, clock: Arc<dyn Clock>, options: LeaseOptions) -> Self {
        Self {
            cluster,
            clock,
            options,
            seen: None,
        }
    }

    /// Waits until this candidate holds the lease.
    pub async fn acquire(&mut self) {
        info!(lease = %self.options.name, "attempting to acquire leader lease");
        loop {
            match self.try_hold().await {
                Ok(true) => {
                    info!(lease = %self.options.name, "successfully acquired lease");
                    return;
                }
                Ok(false) => {}
                Err(error) => warn!(%error, "leader election"),
            }
            self.clock.sleep(self.options.retry_period).await;
        }
    }

    /// Renews until that fails for the renew deadline.
    pub async fn hold(&mut self) {
        let mut renewed = self.clock.now();
        loop {
            self.clock.sleep(self.options.retry_period).await;
            match self.try_hold().await {
                Ok(true) => renewed = self.clock.now(),
                Ok(false) => return,
                Err(error) => {
                    warn!(%error, "leader election");
                    if between(renewed, self.clock.now()) >= self.options.renew_deadline {
                        return;
                    }
                }
            }
        }
    }

    /// Gives the lease back, so that the next one need not wait.
    pub async fn release(&mut self) {
        let Ok(target) = self.target().await else {
            return;
        };
        let Ok(mut lease) = self.cluster.get(&target).await else {
            return;
        };
        if lease.str_at(&["spec", "holderIdentity"]) == self.options.identity {
            lease.set(&["spec", "holderIdentity"], "");
            lease.set(&["spec", "leaseDurationSeconds"], 1);
            // Best effort: an unreleased lease expires by itself.
            let _ = self
                .cluster
                .update(&target, &lease, &WriteParams::default())
                .await;
        }
    }

    async fn target(&self) -> Result<Target, Error> {
        let gvk = Gvk::new("coordination.k8s.io", "v1", "Lease");
        let resource = self.cluster.resolve(&gvk).await?;
        Ok(Target::new(
            &resource,
            &self.options.namespace,
            &self.options.name,
        ))
    }

    /// Creates, takes over or renews the lease; tells whether it is held afterwards.
    async fn try_hold(&mut self) -> Result<bool, Error> {
        let target = self.target().await?;
        let now = self.clock.now();
        let params = WriteParams::default();
        let lease = match self.cluster.get(&target).await {
            Ok(lease) => lease,
            Err(error) if error.is_not_found() => {
                let lease = self.claim(None, now);
                return held(self.cluster.create(&target, &lease, &params).await);
            }
            Err(error) => return Err(error),
        };
        if !self.may_take(&lease, now) {
            return Ok(false);
        }
        let claim = self.claim(Some(&lease), now);
        held(self.cluster.update(&target, &claim, &params).await)
    }

    fn may_take(&mut self, lease: &Object, now: Timestamp) -> bool {
        let holder = lease.str_at(&["spec", "holderIdentity"]);
        if holder.is_empty() || holder == self.options.identity {
            return true;
        }
        let version = lease.str_at(&["metadata", "resourceVersion"]);
        match &self.seen {
            Some((seen, since)) if seen == version => {
                let seconds = lease
                    .get(&["spec", "leaseDurationSeconds"])
                    .and_then(Value::as_u64)
                    .unwrap_or(self.options.lease_duration.as_secs());
                after(*since, Duration::from_secs(seconds)) <= now
            }
            _ => {
                self.seen = Some((version.to_owned(), now));
                false
            }
        }
    }

    fn claim(&self, present: Option<&Object>, now: Timestamp) -> Object {
        let options = &self.options;
        let gvk = Gvk::new("coordination.k8s.io", "v1", "Lease");
        let mut lease = present
            .cloned()
            .unwrap_or_else(|| Object::new(&gvk, &options.namespace, &options.name));
        let time = format!("{:.6}", now);
        if lease.str_at(&["spec", "holderIdentity"]) != options.identity {
            let transitions = lease
                .get(&["spec", "leaseTransitions"])
                .and_then(Value::as_i64)
                .map_or(0, |n| n + 1);
            lease.set(&["spec", "leaseTransitions"], transitions);
            lease.set(&["spec", "acquireTime"], time.clone());
            lease.set(&["spec", "holderIdentity"], options.identity.clone());
        }
        lease.set(&["spec", "renewTime"], time);
        lease.set(
            &["spec", "leaseDurationSeconds"],
            json!(options.lease_duration.as_secs()),
        );
        lease
    }
}

fn held(result: Result<Object, Error>) -> Result<bool, Error> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.is_conflict() || error.is_already_exists() => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lease_names_carry_the_shard() {
        assert_eq!(
            lease_name("kustomize-controller", None),
            "kustomize-controller-leader-election"
        );
        assert_eq!(
            lease_name("source-controller", Some("0123456789abcdef")),
            "source-controller-leader-election-01234567"
        );
    }
}
