//! Work queue, triggers, indexes, leases, finalizers, status patching, event recorder, metrics, clock.
//!
//! A [`Runtime`] owns one connection to a cluster and every watch on it. A [`Controller`] names its kind, its
//! [`Trigger`]s and a [`Reconciler`]; the runtime feeds caches from watches, turns changes into keys, and calls the
//! reconciler for one key at a time. Nothing polls: a key is looked at when something changed, when its own
//! outcome asked for it, or when its back-off ends.

mod clock;
mod controller;
mod dispatch;
mod lease;
mod metrics;
mod queue;
mod recorder;
mod reflector;
mod runtime;
mod status;
mod store;

pub use clock::{Clock, SystemClock, VirtualClock};
pub use controller::{Controller, Failed, Outcome, Reconciler, Run, Trigger};
pub use lease::{LeaderElection, LeaseOptions, lease_name};
pub use metrics::Metrics;
pub use queue::{Backoff, Queue};
pub use recorder::{EventRecord, EventSink, Recorder};
pub use runtime::{Options, Runtime, primary_changed};
pub use status::{add_finalizer, merge_difference, patch_status, remove_finalizer};
pub use store::{Change, Key, Store, WatchSpec};
