//! What the server says of itself: health checks under the names of kube-apiserver's, all of them about this one process,
//! and its own few figures.

use http::Response;

use super::ResponseBody;
use super::respond::{build, insert};
use crate::engine::{Engine, Query};
use crate::failure::{Answered, Failure};

/// Checks of all three endpoints, in the order of a verbose answer.
const COMMON: [&str; 31] = [
    "ping",
    "log",
    "poststarthook/start-apiserver-admission-initializer",
    "poststarthook/generic-apiserver-start-informers",
    "poststarthook/priority-and-fairness-config-consumer",
    "poststarthook/priority-and-fairness-filter",
    "poststarthook/storage-object-count-tracker-hook",
    "poststarthook/start-apiextensions-informers",
    "poststarthook/start-apiextensions-controllers",
    "poststarthook/crd-informer-synced",
    "poststarthook/start-system-namespaces-controller",
    "poststarthook/start-cluster-authentication-info-controller",
    "poststarthook/start-kube-apiserver-identity-lease-controller",
    "poststarthook/start-kube-apiserver-identity-lease-garbage-collector",
    "poststarthook/start-legacy-token-tracking-controller",
    "poststarthook/start-service-ip-repair-controllers",
    "poststarthook/rbac/bootstrap-roles",
    "poststarthook/scheduling/bootstrap-system-priority-classes",
    "poststarthook/priority-and-fairness-config-producer",
    "poststarthook/bootstrap-controller",
    "poststarthook/start-kubernetes-service-cidr-controller",
    "poststarthook/start-kube-aggregator-informers",
    "poststarthook/apiservice-status-local-available-controller",
    "poststarthook/apiservice-status-remote-available-controller",
    "poststarthook/apiservice-registration-controller",
    "poststarthook/apiservice-wait-for-first-sync",
    "poststarthook/apiservice-discovery-controller",
    "poststarthook/kube-apiserver-autoregistration",
    "autoregister-completion",
    "poststarthook/apiservice-openapi-controller",
    "poststarthook/apiservice-openapiv3-controller",
];

/// Answers a health check.
pub fn health(path: &str, query: &Query) -> Answered<Response<ResponseBody>> {
    let (endpoint, check) = path.split_once('/').unwrap_or((path, ""));
    let checks = of(endpoint);
    if checks.contains(&check) {
        return Ok(build(200, "text/plain; charset=utf-8", "ok".into()));
    }
    if !check.is_empty() {
        return Err(Failure::no_path());
    }
    let text = if query.contains_key("verbose") {
        let lines: Vec<String> = checks
            .iter()
            .map(|check| format!("[+]{check} ok\n"))
            .collect();
        format!("{}{endpoint} check passed\n", lines.concat())
    } else {
        "ok".to_owned()
    };
    let mut response = build(200, "text/plain; charset=utf-8", text.into());
    insert(response.headers_mut(), "x-content-type-options", "nosniff");
    Ok(response)
}

/// Lists the checks of an endpoint (`healthz`, `livez` or `readyz`) in order.
pub fn of(endpoint: &str) -> Vec<&'static str> {
    let mut checks: Vec<&str> = COMMON.to_vec();
    if endpoint == "readyz" {
        checks.insert(2, "informer-sync");
        checks.push("shutdown");
    } else {
        checks.insert(2, "etcd");
    }
    checks
}

/// Answers with the server's few own figures, in the text form of Prometheus.
pub fn metrics(engine: &Engine) -> Response<ResponseBody> {
    let (records, flushes) = engine.store.log_counts();
    let figures = [
        (
            "ferroflux_apiserver_storage_revision",
            "gauge",
            engine.store.revision(),
        ),
        ("ferroflux_apiserver_log_records_total", "counter", records),
        ("ferroflux_apiserver_log_flushes_total", "counter", flushes),
    ];
    let lines =
        figures.map(|(name, kind, value)| format!("# TYPE {name} {kind}\n{name} {value}\n"));
    build(
        200,
        "text/plain; version=0.0.4; charset=utf-8",
        lines.concat().into(),
    )
}
