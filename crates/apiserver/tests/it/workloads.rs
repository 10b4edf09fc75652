//! Workloads that live without nodes: rollouts, failures, jobs, claims.

use std::sync::Arc;
use std::time::Duration;

use apiserver::{Environment, ManualClock, Options, Server};
use cluster::{Cluster, ListParams, Scope, Target, WatchEvent, WatchParams, WriteParams};
use futures::StreamExt as _;
use objects::{Gvk, Object, Value, json};

/// Longest time of a test's wait, for the case that it waits in vain.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server whose clock stands still until a test moves it.
struct World {
    server: Server,
    cluster: Arc<dyn Cluster>,
    clock: ManualClock,
}

impl World {
    async fn start() -> Self {
        let clock = ManualClock::new("2024-01-01T00:00:30Z".parse().unwrap());
        let options = Options {
            environment: Environment::seeded(Arc::new(clock.clone()), 1),
            ..Options::default()
        };
        let server = Server::start(options).await.unwrap();
        let cluster = server.cluster();
        Self {
            server,
            cluster,
            clock,
        }
    }

    fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    async fn target(&self, object: &Object) -> Target {
        let resource = self.cluster.resolve(&object.gvk()).await.unwrap();
        Target::new(&resource, object.namespace(), object.name())
    }

    async fn create(&self, object: Value) -> Object {
        let object = Object::from_value(object).unwrap();
        let target = self.target(&object).await;
        let params = WriteParams::default();
        self.cluster
            .create(&target, &object, &params)
            .await
            .unwrap()
    }

    async fn update(&self, object: &Object) {
        let target = self.target(object).await;
        let params = WriteParams::default();
        self.cluster.update(&target, object, &params).await.unwrap();
    }

    /// Follows an object until it passes.
    async fn until(&self, like: &Object, check: impl Fn(&Object) -> bool) -> Object {
        let resource = self.cluster.resolve(&like.gvk()).await.unwrap();
        let name = like.name().to_owned();
        self.any(&resource.gvk, |object| {
            object.name() == name && check(object)
        })
        .await
    }

    /// Follows a kind until one of its objects passes.
    async fn any(&self, gvk: &Gvk, check: impl Fn(&Object) -> bool) -> Object {
        let resource = self.cluster.resolve(gvk).await.unwrap();
        let scope = Scope {
            namespace: if resource.namespaced {
                "default".into()
            } else {
                String::new()
            },
            resource,
        };
        let params = WatchParams::default();
        let mut events = self.cluster.watch(&scope, &params).await.unwrap();
        let mut last = None;
        let found = async {
            while let Some(event) = events.next().await {
                if let WatchEvent::Added(object) | WatchEvent::Modified(object) = event.unwrap() {
                    if check(&object) {
                        return object;
                    }
                    last = Some(object);
                }
            }
            panic!("the watch ended");
        };
        let found = tokio::time::timeout(PATIENCE, found).await;
        found.unwrap_or_else(|_| panic!("never passed: {last:#?}"))
    }

    /// Waits for an event: kind and reason of it, and a part of its message.
    async fn event(&self, kind: &str, reason: &str, part: &str) -> Object {
        self.any(&Gvk::new("", "v1", "Event"), |event| {
            event.str_at(&["involvedObject", "kind"]) == kind
                && event.str_at(&["reason"]) == reason
                && event.str_at(&["message"]).contains(part)
        })
        .await
    }

    async fn list(&self, group: &str, kind: &str) -> Vec<Object> {
        let resource = self
            .cluster
            .resolve(&Gvk::new(group, "v1", kind))
            .await
            .unwrap();
        let scope = Scope {
            resource,
            namespace: "default".into(),
        };
        let list = self
            .cluster
            .list(&scope, &ListParams::default())
            .await
            .unwrap();
        list.items
    }
}

fn deployment(image: &str, annotations: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "progressDeadlineSeconds": 1,
            "template": {"metadata": {"labels": {"app": "web"}, "annotations": annotations},
                "spec": {"containers": [{"name": "c", "image": image, "ports": [{"containerPort": 80}]}]}}},
    })
}

fn condition(object: &Object, kind: &str, status: &str) -> bool {
    reason(object, kind).is_some_and(|(own, _)| own == status)
}

fn reason(object: &Object, kind: &str) -> Option<(String, String)> {
    let conditions = object.get(&["status", "conditions"])?.as_array()?;
    let found = conditions.iter().find(|c| c["type"] == kind)?;
    let text = |key: &str| found[key].as_str().unwrap_or("").to_owned();
    Some((text("status"), text("reason")))
}

fn settled(object: &Object) -> bool {
    object.get(&["status", "observedGeneration"]) == object.get(&["metadata", "generation"])
        && reason(object, "Progressing").is_some_and(|(_, r)| r == "NewReplicaSetAvailable")
        && object.get(&["status", "replicas"]) == object.get(&["spec", "replicas"])
}

#[tokio::test]
async fn a_deployment_rolls_out_and_over() {
    let world = World::start().await;
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    });
    world.create(service).await;
    let created = world.create(deployment("nginx:1", json!({}))).await;
    let mut live = world.until(&created, settled).await;
    assert!(condition(&live, "Available", "True"));
    assert_eq!(
        live.annotation("deployment.kubernetes.io/revision"),
        Some("1")
    );
    assert_eq!(live.get(&["metadata", "generation"]), Some(&json!(1)));
    live.set(
        &["spec", "template", "spec", "containers"],
        json!([{"name": "c", "image": "nginx:2"}]),
    );
    world.update(&live).await;
    let live = world
        .until(&created, |d| {
            settled(d) && d.annotation("deployment.kubernetes.io/revision") == Some("2")
        })
        .await;
    assert_eq!(live.get(&["status", "updatedReplicas"]), Some(&json!(2)));
    assert_eq!(world.list("apps", "ReplicaSet").await.len(), 2);
    let pods = world.list("", "Pod").await;
    assert_eq!(pods.len(), 2);
    assert!(
        pods.iter()
            .all(|pod| pod.str_at(&["status", "phase"]) == "Running")
    );
    let slice = Gvk::new("discovery.k8s.io", "v1", "EndpointSlice");
    world
        .any(&slice, |slice| {
            let endpoints = slice.get(&["endpoints"]).and_then(Value::as_array);
            slice.label("kubernetes.io/service-name") == Some("web")
                && endpoints.is_some_and(|endpoints| endpoints.len() == 2)
        })
        .await;
    world
        .event("Deployment", "ScalingReplicaSet", "from 0 to 2")
        .await;
    world
        .event("Deployment", "ScalingReplicaSet", "Scaled down")
        .await;
    world
        .event("ReplicaSet", "SuccessfulCreate", "Created pod: web-")
        .await;
    world
        .event("ReplicaSet", "SuccessfulDelete", "Deleted pod: web-")
        .await;
    for (reason, part) in [
        ("Scheduled", "Successfully assigned default/web-"),
        ("Pulled", "Container image \"nginx:1\" already present"),
        ("Created", "Container created"),
        ("Started", "Container started"),
        ("Killing", "Stopping container c"),
    ] {
        world.event("Pod", reason, part).await;
    }
    world.server.shutdown().await;
}

#[tokio::test]
async fn a_bad_image_stops_the_rollout() {
    let world = World::start().await;
    let fail = json!({"simulation.ferroflux.dev/fail": "image-pull"});
    let created = world.create(deployment("nginx:1", fail)).await;
    let late = |d: &Object| {
        reason(d, "Progressing")
            .is_some_and(|(status, r)| status == "False" && r == "ProgressDeadlineExceeded")
    };
    world
        .event("Pod", "BackOff", "Back-off pulling image \"nginx:1\"")
        .await;
    world.advance(2);
    let live = world.until(&created, late).await;
    assert!(condition(&live, "Available", "False"));
    world.server.shutdown().await;
}

#[tokio::test]
async fn stateful_sets_daemon_sets_jobs_and_claims_settle() {
    let world = World::start().await;
    let template = json!({"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": "x:1"}]}});
    let selector = json!({"matchLabels": {"app": "x"}});
    let mut mounting = template.clone();
    mounting["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
    let set = world
        .create(json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "default"},
            "spec": {"replicas": 2, "serviceName": "db", "selector": selector, "template": mounting,
                "volumeClaimTemplates": [{"metadata": {"name": "v"}, "spec": {"accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Gi"}}}}]},
        }))
        .await;
    let daemon = world
        .create(json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "ds", "namespace": "default"},
            "spec": {"selector": selector, "template": template},
        }))
        .await;
    let mut once = template.clone();
    once["spec"]["restartPolicy"] = "Never".into();
    once["metadata"] = json!({});
    let job = world
        .create(json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once", "namespace": "default"},
            "spec": {"template": once},
        }))
        .await;
    let ready = |s: &Object| s.get(&["status", "readyReplicas"]) == Some(&json!(2));
    world.until(&set, ready).await;
    world
        .until(&daemon, |d| {
            d.get(&["status", "numberAvailable"]) == Some(&json!(1))
        })
        .await;
    world
        .until(&job, |j| condition(j, "Complete", "True"))
        .await;
    let mut claim = Object::new(
        &Gvk::new("", "v1", "PersistentVolumeClaim"),
        "default",
        "v-db-1",
    );
    claim.set_name("v-db-1");
    world
        .until(&claim, |c| c.str_at(&["status", "phase"]) == "Bound")
        .await;
    world.server.shutdown().await;
}

#[tokio::test]
async fn crashing_containers_are_restarted_with_growing_pauses() {
    let world = World::start().await;
    let fail = json!({"simulation.ferroflux.dev/fail": "crash-loop"});
    world.create(deployment("nginx:1", fail)).await;
    let pod = Gvk::new("", "v1", "Pod");
    let restarted = |wanted: i64| {
        move |pod: &Object| {
            let status = pod.get(&["status", "containerStatuses"]);
            status.is_some_and(|s| {
                s[0]["restartCount"] == wanted
                    && s[0]["state"]["waiting"]["reason"] == "CrashLoopBackOff"
            })
        }
    };
    let first = world.any(&pod, restarted(1)).await;
    let message =
        &first.get(&["status", "containerStatuses"]).unwrap()[0]["state"]["waiting"]["message"];
    assert!(
        message
            .as_str()
            .unwrap()
            .starts_with("back-off 10s restarting failed container=c pod=web-")
    );
    world.advance(10);
    world.any(&pod, restarted(2)).await;
    world.advance(20);
    world.any(&pod, restarted(3)).await;
    world
        .event(
            "Pod",
            "BackOff",
            "Back-off restarting failed container c in pod web-",
        )
        .await;
}

#[tokio::test]
async fn pods_count_as_available_after_a_while() {
    let world = World::start().await;
    let mut patient = deployment("nginx:1", json!({}));
    patient["spec"]["minReadySeconds"] = 30.into();
    patient["spec"]["progressDeadlineSeconds"] = 600.into();
    let created = world.create(patient).await;
    let count = |key: &'static str| move |d: &Object| d.get(&["status", key]) == Some(&json!(2));
    let live = world.until(&created, count("readyReplicas")).await;
    assert_eq!(live.get(&["status", "availableReplicas"]), None);
    world.advance(31);
    world.until(&created, count("availableReplicas")).await;
}

fn cron_job(spec: Value) -> Value {
    let mut all = json!({"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": {"spec": {
        "restartPolicy": "Never", "containers": [{"name": "c", "image": "x:1"}]}}}}});
    for (key, value) in spec.as_object().unwrap() {
        all[key] = value.clone();
    }
    json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tick", "namespace": "default"}, "spec": all})
}

#[tokio::test]
async fn cron_jobs_start_jobs_by_the_clock() {
    let world = World::start().await;
    let created = world
        .create(cron_job(
            json!({"successfulJobsHistoryLimit": 1, "timeZone": "Europe/Berlin"}),
        ))
        .await;
    let job = Gvk::new("batch", "v1", "Job");
    let named = |minute: i64| {
        let name = format!("tick-{minute}");
        move |job: &Object| job.name() == name && condition(job, "Complete", "True")
    };
    world.advance(300);
    // 2024-01-01T00:05:00Z in minutes.
    let first = world.any(&job, named(28_401_125)).await;
    assert_eq!(
        first.annotation("batch.kubernetes.io/cronjob-scheduled-timestamp"),
        Some("2024-01-01T01:05:00+01:00")
    );
    world
        .event(
            "CronJob",
            "SawCompletedJob",
            "Saw completed job: tick-28401125, condition: Complete",
        )
        .await;
    world.advance(300);
    world.any(&job, named(28_401_130)).await;
    world
        .event("CronJob", "SuccessfulDelete", "Deleted job tick-28401125")
        .await;
    let live = world
        .until(&created, |c| {
            c.str_at(&["status", "lastScheduleTime"]) == "2024-01-01T00:10:00Z"
        })
        .await;
    assert_eq!(
        live.str_at(&["status", "lastSuccessfulTime"]),
        "2024-01-01T00:10:30Z"
    );
}

#[tokio::test]
async fn cron_jobs_keep_to_their_concurrency_policy() {
    let world = World::start().await;
    let mut slow = cron_job(json!({"concurrencyPolicy": "Forbid"}));
    slow["spec"]["jobTemplate"]["spec"]["template"]["metadata"] =
        json!({"annotations": {"simulation.ferroflux.dev/complete-after": "1h"}});
    world.create(slow).await;
    world.advance(300);
    world
        .event("CronJob", "SuccessfulCreate", "Created job tick-28401125")
        .await;
    world.advance(300);
    world
        .event("CronJob", "JobAlreadyActive", "prior execution is running")
        .await;
    assert_eq!(world.list("batch", "Job").await.len(), 1);
}

#[tokio::test]
async fn failing_jobs_reach_their_limit() {
    let world = World::start().await;
    let template = json!({"metadata": {"annotations": {"simulation.ferroflux.dev/fail": "exit"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x:1"}]}});
    let job = world
        .create(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "bad", "namespace": "default"},
            "spec": {"backoffLimit": 1, "template": template}}))
        .await;
    let live = world.until(&job, |j| condition(j, "Failed", "True")).await;
    assert_eq!(live.get(&["status", "failed"]), Some(&json!(2)));
    world
        .event(
            "Job",
            "BackoffLimitExceeded",
            "Job has reached the specified backoff limit",
        )
        .await;
}

#[tokio::test]
async fn budgets_and_autoscalers_follow_their_pods() {
    let world = World::start().await;
    let created = world.create(deployment("nginx:1", json!({}))).await;
    let budget = world
        .create(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b", "namespace": "default"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}}))
        .await;
    let live = world
        .until(&budget, |b| {
            b.get(&["status", "disruptionsAllowed"]) == Some(&json!(1))
        })
        .await;
    assert!(condition(&live, "DisruptionAllowed", "True"));
    let pod = world.list("", "Pod").await.remove(0);
    let mut place = world.target(&pod).await;
    place.subresource = "eviction".into();
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod.name(), "namespace": "default"}});
    let eviction = Object::from_value(eviction).unwrap();
    let mut strict = live;
    strict.set(
        &["spec"],
        json!({"maxUnavailable": 0, "selector": {"matchLabels": {"app": "web"}}}),
    );
    world.update(&strict).await;
    world
        .until(&budget, |b| {
            b.get(&["status", "disruptionsAllowed"]) == Some(&json!(0))
        })
        .await;
    let params = WriteParams::default();
    let refused = world.cluster.create(&place, &eviction, &params).await;
    let refused = refused.unwrap_err().to_string();
    let expected = "Cannot evict pod as it would violate the pod's disruption budget.";
    assert!(refused.contains(expected), "{refused}");
    let scaler = world
        .create(json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h", "namespace": "default"},
            "spec": {"minReplicas": 3, "maxReplicas": 5, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}))
        .await;
    world
        .event(
            "HorizontalPodAutoscaler",
            "SuccessfulRescale",
            "New size: 3; reason: Current number of replicas below Spec.MinReplicas",
        )
        .await;
    world
        .until(&created, |d| {
            d.get(&["status", "readyReplicas"]) == Some(&json!(3))
        })
        .await;
    let live = world
        .until(&scaler, |h| {
            reason(h, "ScalingActive").is_some_and(|(_, r)| r == "FailedGetResourceMetric")
        })
        .await;
    assert!(condition(&live, "AbleToScale", "True"));
}

#[tokio::test]
async fn refused_pods_are_reported() {
    let world = World::start().await;
    world
        .create(json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "default"}, "spec": {"hard": {"pods": "1"}}}))
        .await;
    world.create(deployment("nginx:1", json!({}))).await;
    let refused = world
        .event(
            "ReplicaSet",
            "FailedCreate",
            "is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1",
        )
        .await;
    assert_eq!(refused.str_at(&["type"]), "Warning");
}

#[tokio::test]
async fn events_go_after_an_hour() {
    let world = World::start().await;
    world.create(deployment("nginx:1", json!({}))).await;
    let event = world
        .event("Deployment", "ScalingReplicaSet", "from 0 to 2")
        .await;
    let resource = world.cluster.resolve(&event.gvk()).await.unwrap();
    let scope = Scope {
        resource,
        namespace: "default".into(),
    };
    let params = WatchParams {
        field_selector: format!("metadata.name={}", event.name()),
        ..WatchParams::default()
    };
    let mut events = world.cluster.watch(&scope, &params).await.unwrap();
    world.advance(3601);
    let gone = async {
        while let Some(event) = events.next().await {
            if let WatchEvent::Deleted(_) = event.unwrap() {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
}

#[tokio::test]
async fn a_paused_deployment_waits_and_goes_on() {
    let world = World::start().await;
    let created = world.create(deployment("nginx:1", json!({}))).await;
    let mut live = world.until(&created, settled).await;
    live.set(&["spec", "paused"], json!(true));
    live.set(
        &["spec", "template", "spec", "containers"],
        json!([{"name": "c", "image": "nginx:2"}]),
    );
    world.update(&live).await;
    let mut live = world
        .until(&created, |d| {
            reason(d, "Progressing") == Some(("Unknown".into(), "DeploymentPaused".into()))
                && d.get(&["status", "observedGeneration"]) == d.get(&["metadata", "generation"])
        })
        .await;
    assert_eq!(world.list("apps", "ReplicaSet").await.len(), 1);
    live.set(&["spec", "paused"], json!(false));
    world.update(&live).await;
    world.until(&created, settled).await;
}

#[tokio::test]
async fn schedules_and_zones_are_checked() {
    let world = World::start().await;
    let cases = [
        (
            json!({"timeZone": "Mars/Olympus"}),
            "spec.timeZone: Invalid value: \"Mars/Olympus\": unknown time zone Mars/Olympus",
        ),
        (
            json!({"schedule": "TZ=UTC * * * * *"}),
            "spec.schedule: Invalid value: \"TZ=UTC * * * * *\": cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
        ),
        (
            json!({"schedule": "* * *"}),
            "spec.schedule: Invalid value: \"* * *\": expected exactly 5 fields, found 3: [* * *]",
        ),
    ];
    for (spec, message) in cases {
        let object = Object::from_value(cron_job(spec)).unwrap();
        let target = world.target(&object).await;
        let refused = world
            .cluster
            .create(&target, &object, &WriteParams::default())
            .await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(message), "{refused}");
    }
}

#[tokio::test]
async fn pods_without_an_owner_run_too() {
    let world = World::start().await;
    let pod = world
        .create(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare", "namespace": "default"},
            "spec": {"containers": [{"name": "c", "image": "x:1"}]}}))
        .await;
    world.until(&pod, |p| condition(p, "Ready", "True")).await;
}
