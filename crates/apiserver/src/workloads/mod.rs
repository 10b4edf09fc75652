//! Workloads that live without nodes: what the controller manager, the scheduler and a kubelet would do.
//!
//! Deployments make replica sets, those and the other workload kinds make pods, pods start at once and become ready, jobs
//! complete, claims bind, services get endpoints. One task follows the store and looks again at whatever an event touches;
//! every step is level-triggered and writes nothing when all is as it should be. Conditions, reasons and the order of status
//! changes are those recorded from Kubernetes. No container ever runs: see [`pod`] for the annotations that act out
//! slow starts and failures, and for the one that marks simulated pods.

mod claim;
mod daemon_set;
mod deployment;
mod job;
mod owned;
mod pod;
mod replica_set;
mod service;
mod stateful_set;
mod status;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::catalog::Resource;
use crate::engine::Engine;
use crate::store::Entry;
use world::World;

/// One object to look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Task {
    kind: Kind,
    namespace: CompactString,
    /// Empty for [`Kind::Endpoints`], which looks at all services of a namespace.
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
    Deployment,
    Endpoints,
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
    ("", "services", "Service", Kind::Endpoints, service::step),
];

/// Events taken from a ring at once.
const BATCH: usize = 256;
/// Tasks that may wait; followers wait beyond it.
const QUEUE_MAX: usize = 4096;

/// Pause before a refused create is tried again.
const RETRY: Duration = Duration::from_secs(1);

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
    if kind == Kind::Endpoints {
        return queue.send(task(kind, &CompactString::default())).await;
    }
    queue.send(task(kind, &meta.name)).await?;
    if kind == Kind::Pod {
        queue
            .send(task(Kind::Endpoints, &CompactString::default()))
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

/// Works off tasks in batches; equal tasks of a batch are done once.
async fn work(world: &World, queue: &mut mpsc::Receiver<Task>) {
    let mut due: BTreeMap<Task, Instant> = BTreeMap::new();
    loop {
        let next = due.values().min().copied();
        let mut batch = BTreeSet::new();
        tokio::select! {
            task = queue.recv() => match task {
                Some(task) => { batch.insert(task); }
                None => return,
            },
            () = sleep_until(next) => {}
        }
        while let Ok(task) = queue.try_recv() {
            batch.insert(task);
        }
        let now = Instant::now();
        let ripe: Vec<Task> = due
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(task, _)| task.clone())
            .collect();
        batch.extend(ripe);
        for task in batch {
            due.remove(&task);
            if let Some(delay) = run_step(world, &task) {
                due.insert(task, Instant::now() + delay);
            }
            tokio::task::yield_now().await;
        }
    }
}

fn run_step(world: &World, task: &Task) -> Option<Duration> {
    let (_, _, _, _, step) = FOLLOWED
        .iter()
        .find(|(_, _, _, kind, _)| *kind == task.kind)?;
    let again = step(world, task);
    if world.take_refusal() {
        // What was missing, such as a service account, may come without an event of ours.
        return Some(again.map_or(RETRY, |again| again.min(RETRY)));
    }
    again
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
