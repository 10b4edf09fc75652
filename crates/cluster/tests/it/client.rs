//! Requests as sent, answers as understood.

use std::sync::Arc;

use cluster::{
    ApiResource, DeleteParams, Deleted, Error, Identity, ListParams, Patch, Propagation, Scope,
    Target, WatchEvent, WatchParams, WriteParams,
};
use futures::StreamExt as _;
use objects::{Gvk, Object, json};

use crate::scripted::serve;

fn config_maps() -> Arc<ApiResource> {
    Arc::new(ApiResource {
        gvk: Gvk::new("", "v1", "ConfigMap"),
        plural: "configmaps".to_owned(),
        namespaced: true,
        ..ApiResource::default()
    })
}

fn target(name: &str) -> Target {
    Target::new(&config_maps(), "apps", name)
}

fn scope() -> Scope {
    Scope {
        resource: config_maps(),
        namespace: "apps".to_owned(),
    }
}

#[tokio::test]
async fn aggregated_discovery_is_read_in_two_requests() {
    let core = r#"{"kind": "APIGroupDiscoveryList", "items": [{"versions": [{"version": "v1", "resources": [
        {"resource": "pods", "responseKind": {"kind": "Pod"}, "scope": "Namespaced", "shortNames": ["po"],
         "singularResource": "pod", "verbs": ["get"], "subresources": [{"subresource": "log"}]}]}]}]}"#;
    let groups = r#"{"kind": "APIGroupDiscoveryList", "items": [{"metadata": {"name": "apps"}, "versions": [
        {"version": "v1", "resources": [{"resource": "deployments", "responseKind": {"kind": "Deployment"},
         "scope": "Namespaced"}, {"resource": "orphans", "subresources": [{"subresource": "x"}]}]}]}]}"#;
    let server = serve(
        &[("GET /api", 200, core), ("GET /apis", 200, groups)],
        |_| {},
    )
    .await;
    let discovery = server.cluster.discovery().await.unwrap();
    let names: Vec<_> = discovery
        .resources
        .iter()
        .map(|r| r.plural.as_str())
        .collect();
    assert_eq!(names, ["pods", "deployments"]);
    assert_eq!(discovery.resources[0].subresources, ["log"]);
    server.cluster.discovery().await.unwrap();
    assert_eq!(
        server.requests.lock().unwrap().len(),
        2,
        "discovery is kept"
    );
}

#[tokio::test]
async fn older_servers_are_asked_version_by_version() {
    let server = serve(
        &[
            ("GET /api", 200, r#"{"kind": "APIVersions", "versions": ["v1"]}"#),
            (
                "GET /apis",
                200,
                r#"{"kind": "APIGroupList", "groups": [{"name": "apps", "preferredVersion": {"groupVersion": "apps/v1"},
                    "versions": [{"groupVersion": "apps/v1beta1"}, {"groupVersion": "apps/v1"}]}]}"#,
            ),
            (
                "GET /api/v1",
                200,
                r#"{"resources": [{"name": "pods", "kind": "Pod", "namespaced": true}, {"name": "pods/log", "kind": "Pod"}]}"#,
            ),
            (
                "GET /apis/apps/v1",
                200,
                r#"{"resources": [{"name": "deployments", "kind": "Deployment", "namespaced": true}]}"#,
            ),
            // A version whose server is down hides nothing else.
            ("GET /apis/apps/v1beta1", 503, "unavailable"),
        ],
        |_| {},
    )
    .await;
    let discovery = server.cluster.discovery().await.unwrap();
    assert_eq!(discovery.resources.len(), 2);
    assert_eq!(discovery.resources[0].subresources, ["log"]);
    let error = server
        .cluster
        .resolve(&Gvk::new("x.io", "v1", "Thing"))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "no matches for kind \"Thing\" in version \"x.io/v1\""
    );
}

#[tokio::test]
async fn failures_carry_the_servers_words_or_client_gos() {
    let status = r#"{"kind": "Status", "status": "Failure", "message": "configmaps \"a\" is invalid", "reason": "Invalid",
        "code": 422, "details": {"name": "a", "kind": "configmaps", "causes": [{"reason": "FieldValueInvalid",
        "message": "no", "field": "data"}], "retryAfterSeconds": 3}}"#;
    let server = serve(
        &[
            ("GET /api/v1/namespaces/apps/configmaps/a", 422, status),
            ("GET /api/v1/namespaces/apps/configmaps/b", 500, "boom"),
        ],
        |_| {},
    )
    .await;
    let Error::Status(error) = server.cluster.get(&target("a")).await.unwrap_err() else {
        panic!("no status");
    };
    assert_eq!((error.code, error.reason.as_str()), (422, "Invalid"));
    assert_eq!(error.causes[0].field, "data");
    assert_eq!(error.retry_after_seconds, 3);
    for (name, message) in [
        (
            "b",
            "an error on the server (\"boom\") has prevented the request from succeeding",
        ),
        ("c", "the server could not find the requested resource"),
    ] {
        let error = server.cluster.get(&target(name)).await.unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[tokio::test]
async fn an_unreachable_server_is_named() {
    let server = serve(&[], |options| {
        options.server = "http://127.0.0.1:1".to_owned()
    })
    .await;
    let error = server.cluster.get(&target("a")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Get \"http://127.0.0.1:1/api/v1/namespaces/apps/configmaps/a\": dial tcp 127.0.0.1:1: connect: connection refused"
    );
    assert!(error.is_retryable());
}

#[tokio::test]
async fn lists_and_watches_name_the_kind_of_their_objects() {
    let server = serve(
        &[
            (
                "GET /api/v1/namespaces/apps/configmaps?labelSelector=a%20in%20%28b%29&limit=5",
                200,
                r#"{"metadata": {"resourceVersion": "7", "continue": "next"}, "items": [{"metadata": {"name": "a"}}]}"#,
            ),
            (
                "GET /api/v1/namespaces/apps/configmaps?watch=true&allowWatchBookmarks=true&resourceVersion=7",
                200,
                "{\"type\": \"ADDED\", \"object\": {\"metadata\": {\"name\": \"b\"}}}\n\
                 {\"type\": \"BOOKMARK\", \"object\": {\"metadata\": {\"resourceVersion\": \"9\"}}}\n\
                 {\"type\": \"ERROR\", \"object\": {\"kind\": \"Status\", \"code\": 410, \"reason\": \"Expired\", \"message\": \"too old\"}}\n",
            ),
        ],
        |_| {},
    )
    .await;
    let params = ListParams {
        label_selector: "a in (b)".to_owned(),
        limit: 5,
        ..ListParams::default()
    };
    let list = server.cluster.list(&scope(), &params).await.unwrap();
    assert_eq!(
        (list.resource_version.as_str(), list.continue_token.as_str()),
        ("7", "next")
    );
    assert_eq!(list.items[0].kind(), "ConfigMap");
    let params = WatchParams {
        resource_version: "7".to_owned(),
        ..WatchParams::default()
    };
    let mut events = server.cluster.watch(&scope(), &params).await.unwrap();
    let expected = Object::new(&Gvk::new("", "v1", "ConfigMap"), "", "b");
    assert_eq!(
        events.next().await.unwrap().unwrap(),
        WatchEvent::Added(expected)
    );
    assert_eq!(
        events.next().await.unwrap().unwrap(),
        WatchEvent::Bookmark("9".to_owned())
    );
    assert!(events.next().await.unwrap().unwrap_err().is_expired());
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn writes_carry_their_parameters_and_the_identity() {
    let object = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}"#;
    let server = serve(
        &[
            (
                "PATCH /api/v1/namespaces/apps/configmaps/a?fieldManager=me&dryRun=All&force=true",
                200,
                object,
            ),
            ("DELETE /api/v1/namespaces/apps/configmaps/a", 200, r#"{"kind": "Status", "status": "Success"}"#),
            (
                "DELETE /api/v1/namespaces/apps/configmaps/b",
                200,
                r#"{"kind": "ConfigMap", "metadata": {"name": "b", "deletionTimestamp": "2026-01-01T00:00:00Z"}}"#,
            ),
        ],
        |options| options.token = "secret".to_owned(),
    )
    .await;
    let identity = Identity {
        user: "system:serviceaccount:apps:deployer".to_owned(),
        groups: vec!["a".to_owned(), "b".to_owned()],
    };
    let cluster = server.cluster.impersonate(&identity);
    let params = WriteParams {
        field_manager: "me".to_owned(),
        dry_run: true,
        force: true,
        ..WriteParams::default()
    };
    let patch = Patch::Apply(serde_json::from_str(object).unwrap());
    cluster.patch(&target("a"), &patch, &params).await.unwrap();
    let params = DeleteParams {
        propagation: Propagation::Foreground,
        uid: "u".to_owned(),
        ..DeleteParams::default()
    };
    assert_eq!(
        cluster.delete(&target("a"), &params).await.unwrap(),
        Deleted::Gone
    );
    assert!(matches!(
        cluster.delete(&target("b"), &params).await.unwrap(),
        Deleted::Pending(_)
    ));
    let requests = server.requests.lock().unwrap();
    let head = requests[0].to_lowercase();
    for line in [
        "content-type: application/apply-patch+yaml",
        "authorization: bearer secret",
        "impersonate-user: system:serviceaccount:apps:deployer",
        "impersonate-group: a",
        "impersonate-group: b",
    ] {
        assert!(head.contains(line), "{line} is missing in\n{head}");
    }
    let body = requests[1].split_once("\r\n\r\n").unwrap().1;
    assert_eq!(
        serde_json::from_str::<objects::Value>(body).unwrap(),
        json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground", "preconditions": {"uid": "u"}})
    );
}
