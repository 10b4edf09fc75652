//! The controller dies at every single write of an action; the next one finds its way without help.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use cluster::{
    Cluster, DeleteParams, Deleted, Discovery, Error, Identity, ListParams, ObjectList, Patch,
    Scope, Target, WatchParams, WatchStream, WriteParams,
};
use controllers::helmrelease::Settings;
use objects::{Object, Value, json};
use tokio::sync::Notify;

use super::lab::{Lab, chart_kind, condition, config_map, release};

/// A cluster that lets so many writes through and none after.
struct Mortal {
    inner: Arc<dyn Cluster>,
    life: Arc<LifeSpan>,
}

struct LifeSpan {
    left: AtomicUsize,
    dead: Notify,
}

impl Mortal {
    fn new(inner: Arc<dyn Cluster>, writes: usize) -> (Arc<Self>, Arc<LifeSpan>) {
        let life = Arc::new(LifeSpan {
            left: AtomicUsize::new(writes),
            dead: Notify::new(),
        });
        let mortal = Self {
            inner,
            life: life.clone(),
        };
        (Arc::new(mortal), life)
    }

    /// Counts a write; never returns once they are used up. Events are not what a life is about.
    async fn write(&self, target: &Target, dry_run: bool) {
        if dry_run || target.resource.gvk.kind == "Event" {
            return;
        }
        let spent = |left: usize| left.checked_sub(1);
        let counted = self
            .life
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, spent);
        if counted.is_err() {
            self.life.dead.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Cluster for Mortal {
    async fn discovery(&self) -> Result<Arc<Discovery>, Error> {
        self.inner.discovery().await
    }
    async fn rediscover(&self) -> Result<Arc<Discovery>, Error> {
        self.inner.rediscover().await
    }
    async fn get(&self, target: &Target) -> Result<Object, Error> {
        self.inner.get(target).await
    }
    async fn list(&self, scope: &Scope, params: &ListParams) -> Result<ObjectList, Error> {
        self.inner.list(scope, params).await
    }
    async fn watch(&self, scope: &Scope, params: &WatchParams) -> Result<WatchStream, Error> {
        self.inner.watch(scope, params).await
    }
    async fn create(
        &self,
        target: &Target,
        object: &Object,
        params: &WriteParams,
    ) -> Result<Object, Error> {
        self.write(target, params.dry_run).await;
        self.inner.create(target, object, params).await
    }
    async fn update(
        &self,
        target: &Target,
        object: &Object,
        params: &WriteParams,
    ) -> Result<Object, Error> {
        self.write(target, params.dry_run).await;
        self.inner.update(target, object, params).await
    }
    async fn patch(
        &self,
        target: &Target,
        patch: &Patch,
        params: &WriteParams,
    ) -> Result<Object, Error> {
        self.write(target, params.dry_run).await;
        self.inner.patch(target, patch, params).await
    }
    async fn delete(&self, target: &Target, params: &DeleteParams) -> Result<Deleted, Error> {
        self.write(target, params.dry_run).await;
        self.inner.delete(target, params).await
    }
    async fn get_text(&self, path: &str) -> Result<String, Error> {
        self.inner.get_text(path).await
    }
    fn impersonate(&self, identity: &Identity) -> Arc<dyn Cluster> {
        Arc::new(Self {
            inner: self.inner.impersonate(identity),
            life: self.life.clone(),
        })
    }
}

/// A chart with hooks around everything, two objects and a test; `.Values.bad` makes the second one refused.
fn chart() -> Vec<(&'static str, &'static str)> {
    vec![
        (
            "templates/a.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: demo-a}\ndata: {color: {{ .Values.color | default \"red\" | quote }}}\n",
        ),
        (
            "templates/b.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: demo-b}\ndata:\n  color: {{ .Values.color | default \"red\" | quote }}\n  {{- if .Values.bad }}\n  broken: {a: b}\n  {{- end }}\n",
        ),
        (
            "templates/hook.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: demo-hook\n  annotations:\n    helm.sh/hook: pre-install,post-upgrade,pre-rollback,pre-delete\n    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded\n",
        ),
        (
            "templates/test.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: demo-test\n  annotations: {helm.sh/hook: test}\n",
        ),
    ]
}

/// What a walk does at one death: prepare, start the action, wait for the end.
struct Walk {
    name: &'static str,
    spec: Value,
    /// The patch that starts the action; none where creating the release does.
    start: Option<Value>,
    deletes: bool,
    /// Reason of Ready at the end.
    reasons: &'static [&'static str],
    color: &'static str,
}

/// Lets the controller die before its `n`th write; tells whether it came that far.
async fn die_at(walk: &Walk, n: usize) -> bool {
    let lab = Lab::start().await;
    lab.chart("1.0.0", &chart()).await;
    let installs = walk.start.is_none() && !walk.deletes;
    if !installs {
        let life = lab.live();
        lab.create("demo", walk.spec.clone()).await;
        lab.wait_ready("True", "", "Helm ").await;
        lab.wait_observed("demo").await;
        life.runtime.shutdown().await;
    }
    let (mortal, span) = Mortal::new(lab.cluster.clone(), n);
    match &walk.start {
        Some(patch) => lab.patch(&release(), "demo", patch.clone()).await,
        None if walk.deletes => lab.delete(&release(), "demo").await,
        None => lab.create("demo", walk.spec.clone()).await,
    }
    let first = lab.live_on(mortal, Settings::default());
    let died = tokio::select! {
        () = span.dead.notified() => true,
        () = finish(&lab, walk) => false,
    };
    first.runtime.shutdown().await;
    if died && !installs && !walk.deletes {
        let records = lab.records("demo").await;
        let deployed = records.iter().any(|r| r.ends_with(" deployed"));
        assert!(
            deployed,
            "{} at write {n} lost its release: {records:?}",
            walk.name
        );
    }
    let second = lab.live();
    finish(&lab, walk).await;
    check(&lab, walk, n).await;
    second.runtime.shutdown().await;
    died
}

/// Waits for the end of the action.
async fn finish(lab: &Lab, walk: &Walk) {
    lab.wait(&release(), "demo", |object| match object {
        None => walk.deletes,
        Some(object) => {
            let observed = object.get(&["status", "observedGeneration"]);
            let ready = condition(object, "Ready");
            let reason = ready.and_then(|c| c["reason"].as_str()).unwrap_or("");
            !walk.deletes
                && observed.and_then(Value::as_i64) == Some(object.generation())
                && walk.reasons.contains(&reason)
                && condition(object, "Reconciling").is_none()
        }
    })
    .await;
}

async fn check(lab: &Lab, walk: &Walk, n: usize) {
    let at = format!("{} at write {n}", walk.name);
    let records = lab.records("demo").await;
    if walk.deletes {
        assert!(records.is_empty(), "{at}: {records:?}");
        for name in ["demo-a", "demo-b"] {
            assert!(lab.get(&config_map(), name).await.is_none(), "{at}: {name}");
        }
        assert!(
            lab.get(&chart_kind(), "default-demo").await.is_none(),
            "{at}"
        );
        return;
    }
    assert!(
        records.last().unwrap().ends_with(" deployed"),
        "{at}: {records:?}"
    );
    let deployed = records.iter().filter(|r| r.ends_with(" deployed")).count();
    assert_eq!(deployed, 1, "{at}: {records:?}");
    assert!(
        !records.iter().any(|r| r.contains("pending")),
        "{at}: {records:?}"
    );
    for name in ["demo-a", "demo-b"] {
        let object = lab.get(&config_map(), name).await.unwrap();
        assert_eq!(
            object.str_at(&["data", "color"]),
            walk.color,
            "{at}: {name}"
        );
    }
}

async fn walk(walk: Walk) {
    let mut n = 0;
    while die_at(&walk, n).await {
        n += 1;
        assert!(n < 60, "{} never ends", walk.name);
    }
    assert!(n > 4, "{} has only {n} writes", walk.name);
}

#[tokio::test]
async fn installs_survive_a_death_at_every_write() {
    walk(Walk {
        name: "install",
        spec: json!({"test": {"enable": true}}),
        start: None,
        deletes: false,
        reasons: &["TestSucceeded"],
        color: "red",
    })
    .await;
}

#[tokio::test]
async fn upgrades_survive_a_death_at_every_write() {
    walk(Walk {
        name: "upgrade",
        spec: json!({"test": {"enable": true}}),
        start: Some(json!({"spec": {"values": {"color": "blue"}}})),
        deletes: false,
        reasons: &["TestSucceeded"],
        color: "blue",
    })
    .await;
}

#[tokio::test]
async fn rollbacks_survive_a_death_at_every_write() {
    walk(Walk {
        name: "rollback",
        spec: json!({"upgrade": {"remediation": {"retries": 0, "remediateLastFailure": true}}}),
        start: Some(json!({"spec": {"values": {"color": "blue", "bad": true}}})),
        deletes: false,
        reasons: &["RollbackSucceeded"],
        color: "red",
    })
    .await;
}

#[tokio::test]
async fn uninstalls_survive_a_death_at_every_write() {
    walk(Walk {
        name: "uninstall",
        spec: json!({}),
        start: None,
        deletes: true,
        reasons: &[],
        color: "",
    })
    .await;
}
