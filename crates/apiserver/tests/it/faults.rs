//! Faults of a simulation: what a client sees of them, what is stored, and that a seed repeats them.

use std::sync::Arc;
use std::time::Duration;

use apiserver::faults::{Fault, Rule, Rules, When};
use apiserver::{Clock as _, Environment, ManualClock, Options, Server};
use cluster::{
    ApiResource, Cluster, Error, ListParams, Scope, Target, WatchEvent, WatchParams, WatchStream,
    WriteParams,
};
use futures::StreamExt as _;
use objects::{Gvk, Object, json};

struct World {
    server: Server,
    cluster: Arc<dyn Cluster>,
    rules: Arc<Rules>,
    resource: Arc<ApiResource>,
}

async fn world(options: Options, seed: u64, rules: Vec<Rule>) -> World {
    let rules = Rules::new(seed, rules);
    let server = Server::start(Options {
        workloads: false,
        faults: Some(rules.clone()),
        ..options
    })
    .await
    .unwrap();
    let cluster = server.cluster();
    let resource = cluster
        .resolve(&Gvk::new("", "v1", "ConfigMap"))
        .await
        .unwrap();
    World {
        server,
        cluster,
        rules,
        resource,
    }
}

impl World {
    async fn create(&self, name: &str) -> Result<Object, Error> {
        let mut object = Object::new(&Gvk::new("", "v1", "ConfigMap"), "default", name);
        object.set(&["data"], json!({"k": "v"}));
        let target = Target::new(&self.resource, "default", name);
        let params = WriteParams::default();
        self.cluster.create(&target, &object, &params).await
    }

    /// Watches from now on: what was there before has been told.
    async fn watch(&self) -> WatchStream {
        let scope = Scope {
            resource: self.resource.clone(),
            namespace: "default".into(),
        };
        let params = WatchParams::default();
        let mut watch = self.cluster.watch(&scope, &params).await.unwrap();
        while !matches!(watch.next().await, Some(Ok(WatchEvent::Bookmark(_)))) {}
        watch
    }

    async fn exists(&self, name: &str) -> bool {
        let target = Target::new(&self.resource, "default", name);
        self.cluster.get(&target).await.is_ok()
    }
}

/// Creates an object under one fault: what the client gets (code, 0 for no answer), whether it is stored.
async fn check(fault: Fault, code: u16, stored: bool) {
    let rule = Rule::on("create", "configmaps", fault.clone()).when(When::Nth(1));
    let world = world(Options::default(), 1, vec![rule]).await;
    let actual = match world.create("a").await {
        Ok(_) => 201,
        Err(Error::Status(status)) => status.code,
        Err(Error::Transport(_)) => 0,
        Err(other) => panic!("{fault:?}: {other}"),
    };
    assert_eq!(actual, code, "{fault:?}");
    assert_eq!(world.exists("a").await, stored, "{fault:?}");
    assert_eq!(world.rules.journal().len(), 1, "{fault:?}");
    world.create("b").await.unwrap();
}

#[tokio::test]
async fn a_fault_is_seen_once_and_stores_what_it_says() {
    check(Fault::Conflict, 409, false).await;
    let busy = Fault::TooManyRequests {
        retry_after_seconds: 3,
    };
    check(busy, 429, false).await;
    check(Fault::InternalError, 500, false).await;
    check(Fault::Unavailable, 503, false).await;
    check(Fault::DropBefore, 0, false).await;
    check(Fault::DropAfterCommit, 0, true).await;
    check(Fault::ErrorAfterCommit, 500, true).await;
}

#[tokio::test]
async fn a_busy_server_says_when_to_come_back() {
    let fault = Fault::TooManyRequests {
        retry_after_seconds: 7,
    };
    let rule = Rule::on("list", "configmaps", fault);
    let world = world(Options::default(), 1, vec![rule]).await;
    let request = http::Request::builder()
        .uri("/api/v1/configmaps")
        .header(
            "authorization",
            format!("Bearer {}", world.server.admin_token()),
        )
        .body(bytes::Bytes::new())
        .unwrap();
    let response = world.server.call(request).await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "7");
}

#[tokio::test]
async fn a_lost_answer_closes_the_connection() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let rule = Rule::on("create", "configmaps", Fault::DropAfterCommit);
    let world = world(Options::default(), 1, vec![rule]).await;
    let serving = world.server.serve_plain(None).await.unwrap();
    let mut stream = tokio::net::TcpStream::connect(serving.address)
        .await
        .unwrap();
    let body = r#"{"metadata":{"name":"a"}}"#;
    let head = format!(
        "POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        serving.token,
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    assert!(world.exists("a").await);
}

#[tokio::test]
async fn stale_reads_are_old_but_never_for_the_most_recent_version() {
    let fault = Fault::StaleRead { versions: 1 };
    let world = world(
        Options::default(),
        1,
        vec![Rule::on("list", "configmaps", fault)],
    )
    .await;
    world.create("a").await.unwrap();
    world.create("b").await.unwrap();
    let scope = Scope {
        resource: world.resource.clone(),
        namespace: "default".into(),
    };
    let names = |version: &str| {
        let params = ListParams {
            resource_version: version.into(),
            ..ListParams::default()
        };
        let (cluster, scope) = (world.cluster.clone(), scope.clone());
        async move {
            let list = cluster.list(&scope, &params).await.unwrap();
            let names = list.items.iter().map(|o| o.name().to_owned());
            names.filter(|name| name.len() == 1).collect::<Vec<_>>()
        }
    };
    assert_eq!(names("0").await, ["a"]);
    assert_eq!(names("").await, ["a", "b"]);
}

#[tokio::test]
async fn delayed_watches_follow_the_clock() {
    let clock = Arc::new(ManualClock::new("2030-01-01T00:00:00Z".parse().unwrap()));
    let rules = vec![Rule::on(
        "events",
        "configmaps",
        Fault::Delay(Duration::from_secs(60)),
    )];
    let options = Options {
        environment: Environment::seeded(clock.clone(), 1),
        ..Options::default()
    };
    let world = world(options, 1, rules).await;
    let mut watch = world.watch().await;
    world.create("a").await.unwrap();
    let next = watch.next();
    futures::pin_mut!(next);
    assert!(futures::poll!(next.as_mut()).is_pending());
    assert_eq!(world.rules.journal().len(), 1);
    clock.set(clock.now() + Duration::from_secs(60));
    assert!(matches!(next.await, Some(Ok(WatchEvent::Added(_)))));
}

#[tokio::test]
async fn watches_can_be_cut_or_expired() {
    for fault in [Fault::WatchCut, Fault::WatchExpired] {
        let rules = vec![Rule::on("events", "configmaps", fault.clone())];
        let world = world(Options::default(), 1, rules).await;
        let mut watch = world.watch().await;
        world.create("a").await.unwrap();
        match (fault, watch.next().await) {
            (Fault::WatchCut, None) => continue,
            (_, Some(Err(Error::Status(status)))) => assert_eq!(status.code, 410),
            (fault, other) => panic!("{fault:?}: {other:?}"),
        }
        assert!(watch.next().await.is_none());
    }
}

#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options {
        data: Some(folder.path().to_path_buf()),
        ..Options::default()
    };
    let kill = Rule::on("create", "configmaps", Fault::KillAfterCommit).when(When::Nth(3));
    let first = world(options(), 1, vec![kill]).await;
    first.create("a").await.unwrap();
    first.create("b").await.unwrap();
    assert!(matches!(first.create("c").await, Err(Error::Transport(_))));
    assert!(matches!(first.create("d").await, Err(Error::Transport(_))));
    first.server.shutdown().await;
    drop(first);
    let second = world(options(), 1, Vec::new()).await;
    assert!(second.exists("a").await && second.exists("b").await);
    assert!(!second.exists("d").await);
}

#[tokio::test]
async fn a_seed_repeats_its_faults_and_its_objects() {
    let run = |seed| async move {
        let clock = Arc::new(ManualClock::new("2030-01-01T00:00:00Z".parse().unwrap()));
        let options = Options {
            environment: Environment::seeded(clock, seed),
            ..Options::default()
        };
        let rules = vec![
            Rule::on("create", "", Fault::Conflict).when(When::Chance(0.3)),
            Rule::on("create", "", Fault::DropAfterCommit).when(When::Chance(0.3)),
        ];
        let world = world(options, seed, rules).await;
        let mut seen = Vec::new();
        for index in 0..40 {
            let outcome = world.create(&format!("n{index}")).await;
            seen.push(match outcome {
                Ok(object) => serde_json::to_string(&object.0).unwrap(),
                Err(error) => error.to_string(),
            });
        }
        (seen, world.rules.journal())
    };
    let (seen, journal) = run(7).await;
    assert!(journal.len() > 10 && seen.iter().any(|s| s.contains("\"uid\"")));
    assert_eq!((seen, journal.clone()), run(7).await);
    assert_ne!(journal, run(8).await.1);
}
