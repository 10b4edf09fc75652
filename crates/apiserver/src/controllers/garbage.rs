//! The garbage collector: dependents follow their owners.
//!
//! It keeps a graph of who owns whom by uid, fed by every table. An owner that goes, or that never was, takes its
//! dependents along; foreground deletion waits for the dependents that block it; orphaning cuts the references.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use compact_str::CompactString;
use objects::Value;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::{Seen, context, follow};
use crate::catalog::Resource;
use crate::engine::{DeleteOptions, Engine, FOREGROUND, ORPHAN, Place, metadata_mut};
use crate::store::{Entry, Owner, TableName};

/// One object as the collector knows it.
#[derive(Clone, Debug)]
struct Node {
    table: TableName,
    namespace: CompactString,
    name: CompactString,
    owners: Box<[Owner]>,
    deleting: bool,
    foreground: bool,
    orphan: bool,
}

#[derive(Default)]
struct Graph {
    nodes: HashMap<CompactString, Node>,
    dependents: HashMap<CompactString, HashSet<CompactString>>,
}

impl Graph {
    fn insert(&mut self, table: &TableName, entry: &Entry) {
        let uid = entry.meta.uid.clone();
        self.unlink(&uid);
        for owner in &entry.meta.owners {
            let dependents = self.dependents.entry(owner.uid.clone()).or_default();
            dependents.insert(uid.clone());
        }
        let has = |finalizer: &str| entry.meta.finalizers.iter().any(|f| f == finalizer);
        let node = Node {
            table: table.clone(),
            namespace: entry.meta.namespace.clone(),
            name: entry.meta.name.clone(),
            owners: entry.meta.owners.clone(),
            deleting: entry.meta.deleting,
            foreground: has(FOREGROUND),
            orphan: has(ORPHAN),
        };
        self.nodes.insert(uid, node);
    }

    fn remove(&mut self, uid: &str) {
        self.unlink(uid);
        self.nodes.remove(uid);
    }

    fn unlink(&mut self, uid: &str) {
        let Some(node) = self.nodes.get(uid) else {
            return;
        };
        for owner in &node.owners {
            if let Some(dependents) = self.dependents.get_mut(&owner.uid) {
                dependents.remove(uid);
                if dependents.is_empty() {
                    self.dependents.remove(&owner.uid);
                }
            }
        }
    }
}

struct Collector {
    engine: Arc<Engine>,
    graph: Mutex<Graph>,
    queue: mpsc::UnboundedSender<CompactString>,
}

/// Runs the collector.
pub async fn run(engine: Arc<Engine>) {
    let (queue, mut queued) = mpsc::unbounded_channel();
    let collector = Arc::new(Collector {
        engine: engine.clone(),
        graph: Mutex::default(),
        queue,
    });
    let mut followed: BTreeSet<TableName> = BTreeSet::new();
    let mut tasks = tokio::task::JoinSet::new();
    let mut crds = engine
        .store
        .follow(
            &TableName::from("apiextensions.k8s.io/customresourcedefinitions"),
            engine.store.revision(),
        )
        .ok();
    loop {
        for (table, _) in engine.catalog().stored() {
            if followed.insert(table.clone()) {
                tasks.spawn(feed(collector.clone(), table));
            }
        }
        let crd_changed = async {
            match &mut crds {
                Some(cursor) => cursor.next(16).await.is_ok(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            uid = queued.recv() => match uid {
                Some(uid) => collector.look(&uid),
                None => return,
            },
            alive = crd_changed => if !alive {
                let revision = engine.store.revision();
                let table = TableName::from("apiextensions.k8s.io/customresourcedefinitions");
                crds = engine.store.follow(&table, revision).ok();
            },
        }
    }
}

async fn feed(collector: Arc<Collector>, table: TableName) {
    let engine = collector.engine.clone();
    follow(&engine, &table.clone(), move |seen: &Seen<'_>| {
        collector.see(&table, seen);
    })
    .await;
}

impl Collector {
    fn see(&self, table: &TableName, seen: &Seen<'_>) {
        let entry = seen.entry();
        let mut graph = self.graph.lock();
        // Whoever is not in the channel any more has ended with the server.
        let ask = |uid: &CompactString| drop(self.queue.send(uid.clone()));
        if seen.removed() {
            graph.remove(&entry.meta.uid);
            for dependent in graph.dependents.get(&entry.meta.uid).into_iter().flatten() {
                ask(dependent);
            }
            entry.meta.owners.iter().for_each(|owner| ask(&owner.uid));
            return;
        }
        graph.insert(table, entry);
        let special = entry
            .meta
            .finalizers
            .iter()
            .any(|f| f == FOREGROUND || f == ORPHAN);
        if !entry.meta.owners.is_empty() || special {
            ask(&entry.meta.uid);
        }
        if entry.meta.deleting {
            for owner in &entry.meta.owners {
                ask(&owner.uid);
            }
        }
    }

    /// Decides about one object.
    fn look(&self, uid: &str) {
        let Some(node) = self.graph.lock().nodes.get(uid).cloned() else {
            return;
        };
        let Some(resource) = self.engine.catalog().stored().get(&node.table).cloned() else {
            return;
        };
        let place = Place::new(&resource, &node.namespace, &node.name);
        if node.deleting && node.orphan {
            self.orphan(uid, &place);
        } else if node.deleting && node.foreground {
            self.foreground(uid, &place);
        } else if !node.owners.is_empty() && !node.deleting {
            self.collect(uid, &place, &node);
        }
    }

    /// Deletes an object without living owners, or cuts its references to dead ones.
    fn collect(&self, uid: &str, place: &Place, node: &Node) {
        let (mut solid, mut dangling, mut waiting) = (0, Vec::new(), Vec::new());
        for owner in &node.owners {
            match self.owner_state(owner, node) {
                OwnerState::Solid => solid += 1,
                OwnerState::Absent => dangling.push(owner.uid.clone()),
                OwnerState::Waiting => waiting.push(owner.uid.clone()),
                OwnerState::Unknown => return,
            }
        }
        if solid > 0 {
            if !dangling.is_empty() || !waiting.is_empty() {
                dangling.extend(waiting);
                self.cut(place, &dangling);
            }
            return;
        }
        let has_dependents = self
            .graph
            .lock()
            .dependents
            .get(uid)
            .is_some_and(|d| !d.is_empty());
        let propagation = if !waiting.is_empty() && has_dependents {
            cluster::Propagation::Foreground
        } else {
            cluster::Propagation::Background
        };
        let options = DeleteOptions {
            propagation,
            uid: uid.to_owned(),
            ..DeleteOptions::default()
        };
        if let Err(failure) = self
            .engine
            .delete(&context("garbage-collector"), place, &options)
            && failure.status.code != 404
        {
            tracing::debug!(name = %node.name, message = failure.status.message, "not collected");
        }
    }

    fn owner_state(&self, owner: &Owner, node: &Node) -> OwnerState {
        let graph = self.graph.lock();
        if let Some(known) = graph.nodes.get(&owner.uid) {
            let reachable = known.namespace.is_empty() || known.namespace == node.namespace;
            return match (reachable, known.deleting && known.foreground) {
                (false, _) => OwnerState::Absent,
                (true, true) => OwnerState::Waiting,
                (true, false) => OwnerState::Solid,
            };
        }
        drop(graph);
        let gvk = objects::Gvk::from_api_version(&owner.api_version, &owner.kind);
        let catalog = self.engine.catalog();
        let Some(resource) = catalog.by_gvk(&gvk) else {
            // A kind that is not served may come back; nothing is deleted on a guess.
            return OwnerState::Unknown;
        };
        if resource.api.namespaced && node.namespace.is_empty() {
            return OwnerState::Unknown;
        }
        let namespace = if resource.api.namespaced {
            node.namespace.as_str()
        } else {
            ""
        };
        let key = crate::store::key(namespace, &owner.name);
        match self.engine.store.get(&resource.table, &key) {
            Some(entry) if entry.meta.uid == owner.uid => OwnerState::Solid,
            _ => OwnerState::Absent,
        }
    }

    /// Removes owner references from an object.
    fn cut(&self, place: &Place, uids: &[CompactString]) {
        // An object that went meanwhile needs no cut.
        let _ = self
            .engine
            .replace(&context("garbage-collector"), place, &|live, _| {
                let mut next = live.clone();
                let metadata = metadata_mut(&mut next);
                if let Some(owners) = metadata
                    .get_mut("ownerReferences")
                    .and_then(Value::as_array_mut)
                {
                    owners.retain(|owner| {
                        let uid = owner["uid"].as_str().unwrap_or("");
                        !uids.iter().any(|u| u == uid)
                    });
                    if owners.is_empty() {
                        metadata.remove("ownerReferences");
                    }
                }
                Ok(next)
            });
    }

    fn orphan(&self, uid: &str, place: &Place) {
        for (dependent, _) in self.dependents(uid) {
            self.cut(&dependent, &[uid.into()]);
        }
        self.drop_finalizer(place, ORPHAN);
    }

    fn foreground(&self, uid: &str, place: &Place) {
        let dependents = self.dependents(uid);
        let blocking = dependents.iter().any(|(_, node)| {
            node.owners
                .iter()
                .any(|owner| owner.uid == uid && owner.block)
        });
        for (_, node) in &dependents {
            if !node.deleting {
                let key = crate::store::key(&node.namespace, &node.name);
                if let Some(entry) = self.engine.store.get(&node.table, &key) {
                    // The collection of the dependent sees an owner that waits for it.
                    drop(self.queue.send(entry.meta.uid.clone()));
                }
            }
        }
        if !blocking {
            self.drop_finalizer(place, FOREGROUND);
        }
    }

    fn dependents(&self, uid: &str) -> Vec<(Place, Node)> {
        let catalog = self.engine.catalog().stored();
        let graph = self.graph.lock();
        let uids = graph.dependents.get(uid).into_iter().flatten();
        let nodes = uids.filter_map(|uid| graph.nodes.get(uid));
        let placed = nodes.filter_map(|node| {
            let resource: &Arc<Resource> = catalog.get(&node.table)?;
            Some((
                Place::new(resource, &node.namespace, &node.name),
                node.clone(),
            ))
        });
        placed.collect()
    }

    fn drop_finalizer(&self, place: &Place, finalizer: &str) {
        // An object that went meanwhile has no finalizer.
        let _ = self
            .engine
            .replace(&context("garbage-collector"), place, &|live, _| {
                let mut next = live.clone();
                let metadata = metadata_mut(&mut next);
                if let Some(list) = metadata.get_mut("finalizers").and_then(Value::as_array_mut) {
                    list.retain(|f| f.as_str() != Some(finalizer));
                    if list.is_empty() {
                        metadata.remove("finalizers");
                    }
                }
                Ok(next)
            });
    }
}

enum OwnerState {
    /// There.
    Solid,
    /// Gone, or never there.
    Absent,
    /// There, but its foreground deletion waits for its dependents.
    Waiting,
    /// Its kind is not served, or it cannot be looked up.
    Unknown,
}
