//! Workloads that live without nodes: what the controller manager, the scheduler and a kubelet would do.
//!
//! Deployments make replica sets, those and the other workload kinds make pods, pods start at once and become ready, jobs
//! complete, claims bind, services get endpoints. One task follows the store and looks again at whatever an event touches;
//! every step is level-triggered and writes nothing when all is as it should be. Conditions, reasons and the order of status
//! changes are those recorded from Kubernetes. No container ever runs: see [`pod`] for the annotations that act out
//! slow starts and failures, and for the one that marks simulated pods.

mod autoscaler;
mod budget;
mod claim;
mod cron_job;
mod daemon_set;
mod deployment;
mod events;
mod job;
pub(crate) mod logs;
mod owned;
mod pod;
mod pod_status;
mod replica_set;
mod revision;
mod service;
mod stateful_set;
mod status;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::catalog::Resource;
use crate::engine::Engine;
use crate::environment::Clock;
use crate::store::Entry;
use world::World;

/// One object to look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Task {
    kind: Kind,
    namespace: CompactString,
    /// Empty for kinds that look at all objects of a namespace.
    name: CompactString,
}

/// What is simulated, in the order in which a batch is worked off: owners after what they own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Claim,
    Pod,
    ReplicaSet,
    StatefulSet,
    DaemonSet,
    Job,
    CronJob,
    Deployment,
    Endpoints,
    Budgets,
    Autoscalers,
}

impl Kind {
    /// Tells whether a look is at all objects of a namespace.
    fn is_of_namespace(self) -> bool {
        matches!(self, Self::Endpoints | Self::Budgets | Self::Autoscalers)
    }

    /// Lists what of a namespace depends on objects of this kind.
    fn dependents(self) -> &'static [Self] {
        match self {
            Self::Pod => &[Self::Endpoints, Self::Budgets],
            Self::ReplicaSet | Self::StatefulSet | Self::Deployment => &[Self::Autoscalers],
            _ => &[],
        }
    }
}

/// A reconciler: looks at one object and returns when to look again, if time alone can change something.
type Step = fn(&World, &Task) -> Option<Duration>;

/// Resources that are followed: group, plural, kind (to find owners), what looks at them.
const FOLLOWED: &[(&str, &str, &str, Kind, Step)] = &[
    (
        "",
        "persistentvolumeclaims",
        "PersistentVolumeClaim",
        Kind::Claim,
        claim::step,
    ),
    ("", "pods", "Pod", Kind::Pod, pod::step),
    (
        "apps",
        "replicasets",
        "ReplicaSet",
        Kind::ReplicaSet,
        replica_set::step,
    ),
    (
        "apps",
        "statefulsets",
        "StatefulSet",
        Kind::StatefulSet,
        stateful_set::step,
    ),
    (
        "apps",
        "daemonsets",
        "DaemonSet",
        Kind::DaemonSet,
        daemon_set::step,
    ),
    ("batch", "jobs", "Job", Kind::Job, job::step),
    (
        "apps",
        "deployments",
        "Deployment",
        Kind::Deployment,
        deployment::step,
    ),
    (
        "batch",
        "cronjobs",
        "CronJob",
        Kind::CronJob,
        cron_job::step,
    ),
    ("", "services", "Service", Kind::Endpoints, service::step),
    (
        "policy",
        "poddisruptionbudgets",
        "PodDisruptionBudget",
        Kind::Budgets,
        budget::step,
    ),
    (
        "autoscaling",
        "horizontalpodautoscalers",
        "HorizontalPodAutoscaler",
        Kind::Autoscalers,
        autoscaler::step,
    ),
];

/// Events taken from a ring at once.
const BATCH: usize = 256;
/// Tasks that may wait; followers wait beyond it.
const QUEUE_MAX: usize = 4096;

/// Pause before a refused create is tried again, doubled each time.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(64);

/// Runs the simulation until it is dropped.
pub async fn run(engine: Arc<Engine>) {
    let (sender, mut queue) = mpsc::channel(QUEUE_MAX);
    let followers: Vec<_> = FOLLOWED
        .iter()
        .map(|(group, plural, _, kind, _)| {
            let resource = engine.builtin(group, "v1", plural);
            follow(engine.clone(), resource, *kind, sender.clone())
        })
        .collect();
    drop(sender);
    let world = World::new(engine);
    tokio::select! {
        () = work(&world, &mut queue) => {}
        _ = futures::future::join_all(followers) => {}
    }
}

/// Turns every change of a table into tasks; starts over with all objects when it falls behind.
async fn follow(
    engine: Arc<Engine>,
    resource: Arc<Resource>,
    kind: Kind,
    queue: mpsc::Sender<Task>,
) {
    loop {
        let (revision, entries) = engine.store.list(&resource.table, "");
        for entry in &entries {
            if send(&queue, kind, entry, None).await.is_err() {
                return;
            }
        }
        let Ok(mut cursor) = engine.store.follow(&resource.table, revision) else {
            continue;
        };
        while let Ok(events) = cursor.next(BATCH).await {
            for event in events {
                let old = event.old.as_deref();
                if send(&queue, kind, &event.state, old).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Queues an object and its owners.
async fn send(
    queue: &mpsc::Sender<Task>,
    kind: Kind,
    entry: &Entry,
    old: Option<&Entry>,
) -> Result<(), mpsc::error::SendError<Task>> {
    let meta = &entry.meta;
    let task = |kind, name: &CompactString| Task {
        kind,
        namespace: meta.namespace.clone(),
        name: name.clone(),
    };
    if kind.is_of_namespace() {
        return queue.send(task(kind, &CompactString::default())).await;
    }
    queue.send(task(kind, &meta.name)).await?;
    for dependent in kind.dependents() {
        queue
            .send(task(*dependent, &CompactString::default()))
            .await?;
    }
    let owners = old.map_or(&[][..], |old| &old.meta.owners);
    for owner in meta.owners.iter().chain(owners) {
        let followed = FOLLOWED
            .iter()
            .find(|(_, _, kind, _, _)| *kind == owner.kind);
        if let Some((_, _, _, kind, _)) = followed {
            queue.send(task(*kind, &owner.name)).await?;
        }
    }
    Ok(())
}

/// Works off tasks in batches; equal tasks of a batch are done once. Times are those of the server's clock.
async fn work(world: &World, queue: &mut mpsc::Receiver<Task>) {
    let clock = world.engine.environment.clock.clone();
    let mut due: BTreeMap<Task, Timestamp> = BTreeMap::new();
    let mut refusals: BTreeMap<Task, u32> = BTreeMap::new();
    loop {
        let next = due.values().min().copied();
        let mut batch = BTreeSet::new();
        tokio::select! {
            task = queue.recv() => match task {
                Some(task) => { batch.insert(task); }
                None => return,
            },
            () = until(clock.as_ref(), next) => {}
        }
        while let Ok(task) = queue.try_recv() {
            batch.insert(task);
        }
        let now = clock.now();
        let ripe: Vec<Task> = due
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(task, _)| task.clone())
            .collect();
        batch.extend(ripe);
        for task in batch {
            due.remove(&task);
            if let Some(delay) = run_step(world, &task, &mut refusals) {
                let delay = jiff::SignedDuration::try_from(delay).unwrap_or_default();
                due.insert(
                    task,
                    clock.now().checked_add(delay).unwrap_or(Timestamp::MAX),
                );
            }
            tokio::task::yield_now().await;
        }
    }
}

fn run_step(world: &World, task: &Task, refusals: &mut BTreeMap<Task, u32>) -> Option<Duration> {
    let (_, _, _, _, step) = FOLLOWED
        .iter()
        .find(|(_, _, _, kind, _)| *kind == task.kind)?;
    let again = step(world, task);
    if world.take_refusal() {
        // What was missing, such as a service account or room in a quota, may come without an event of ours.
        let times = refusals.entry(task.clone()).or_insert(0);
        let pause = RETRY.saturating_mul(1 << (*times).min(10)).min(RETRY_MAX);
        *times += 1;
        return Some(again.map_or(pause, |again| again.min(pause)));
    }
    refusals.remove(task);
    again
}

async fn until(clock: &dyn Clock, at: Option<Timestamp>) {
    match at {
        Some(at) => clock.until(at).await,
        None => std::future::pending().await,
    }
}
