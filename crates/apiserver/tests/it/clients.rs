//! What real clients do: the kube crate over a socket, and how Helm keeps releases.

use std::collections::BTreeMap;

use apiserver::{Options, Server};
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchParams};
use kube::core::{ApiResource, GroupVersionKind, WatchEvent};
use serde_json::json;

async fn client(server: &Server) -> kube::Client {
    let serving = server.serve_plain(None).await.unwrap();
    let mut config = kube::Config::new(serving.url.parse().unwrap());
    config.default_namespace = "default".into();
    config.auth_info.token = Some(serving.token.clone().into());
    kube::Client::try_from(config).unwrap()
}

async fn server() -> Server {
    let options = Options {
        workloads: false,
        ..Options::default()
    };
    Server::start(options).await.unwrap()
}

fn object(value: serde_json::Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

#[tokio::test]
async fn the_kube_crate_applies_lists_and_watches() {
    use futures::StreamExt as _;
    let server = server().await;
    let client = client(&server).await;
    let gvk = GroupVersionKind::gvk("", "v1", "ConfigMap");
    let maps: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), "default", &ApiResource::from_gvk(&gvk));
    let version = maps
        .list(&ListParams::default())
        .await
        .unwrap()
        .metadata
        .resource_version
        .unwrap();
    let wanted = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}});
    let applied = maps
        .patch("a", &PatchParams::apply("test"), &Patch::Apply(&wanted))
        .await
        .unwrap();
    assert_eq!(applied.data["data"]["k"], "v");
    let events = maps.watch(&WatchParams::default(), &version).await.unwrap();
    futures::pin_mut!(events);
    match events.next().await.unwrap().unwrap() {
        WatchEvent::Added(seen) => assert_eq!(seen.metadata.uid, applied.metadata.uid),
        other => panic!("unexpected {other:?}"),
    }
    let mut stale = applied.clone();
    stale.data["data"]["k"] = "w".into();
    maps.replace("a", &PostParams::default(), &stale)
        .await
        .unwrap();
    let error = maps
        .replace("a", &PostParams::default(), &stale)
        .await
        .unwrap_err();
    assert!(
        matches!(error, kube::Error::Api(status) if status.code == 409 && status.reason == "Conflict")
    );
    let other = object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}}));
    maps.create(&PostParams::default(), &other).await.unwrap();
    let page = maps.list(&ListParams::default().limit(1)).await.unwrap();
    assert!(page.items.len() == 1 && page.metadata.continue_.is_some());
}

#[tokio::test]
async fn releases_are_kept_as_helm_keeps_them() {
    let server = server().await;
    let client = client(&server).await;
    let gvk = GroupVersionKind::gvk("", "v1", "Secret");
    let secrets: Api<DynamicObject> =
        Api::namespaced_with(client, "default", &ApiResource::from_gvk(&gvk));
    let release = |revision: u32, status: &str| {
        object(json!({
            "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
            "metadata": {
                "name": format!("sh.helm.release.v1.web.v{revision}"),
                "labels": {"owner": "helm", "name": "web", "status": status, "version": revision.to_string()},
            },
            "data": {"release": "SDRzSUFBQUE="},
        }))
    };
    let params = PostParams::default();
    for revision in 1..=3 {
        secrets
            .create(&params, &release(revision, "deployed"))
            .await
            .unwrap();
    }
    let again = secrets
        .create(&params, &release(3, "deployed"))
        .await
        .unwrap_err();
    assert!(matches!(again, kube::Error::Api(status) if status.reason == "AlreadyExists"));
    // An update without a version replaces whatever is there.
    let name = "sh.helm.release.v1.web.v1";
    secrets
        .replace(name, &params, &release(1, "superseded"))
        .await
        .unwrap();
    let count = |selector: &'static str| {
        let secrets = secrets.clone();
        async move {
            let list = secrets
                .list(&ListParams::default().labels(selector))
                .await
                .unwrap();
            let names = list.items.iter().map(|s| s.metadata.name.clone().unwrap());
            names.collect::<Vec<_>>()
        }
    };
    assert_eq!(count("name=web,owner=helm,status=deployed").await.len(), 2);
    assert_eq!(
        count("owner=helm,status in (superseded,failed)").await,
        [name]
    );
    assert_eq!(count("owner=helm,version!=1").await.len(), 2);
    let fields = ListParams::default().fields("type=helm.sh/release.v1");
    assert_eq!(secrets.list(&fields).await.unwrap().items.len(), 3);
    secrets.delete(name, &Default::default()).await.unwrap();
    let labels: Vec<BTreeMap<String, String>> = secrets
        .list(&ListParams::default().labels("owner=helm"))
        .await
        .unwrap()
        .items
        .into_iter()
        .filter_map(|s| s.metadata.labels)
        .collect();
    assert_eq!(labels.len(), 2);
}
