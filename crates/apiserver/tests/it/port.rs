//! The in-process port: what controllers rely on.

use apiserver::{Options, Server};
use cluster::{ListParams, Scope, Target, WatchEvent, WatchParams, WriteParams};
use futures::StreamExt as _;
use objects::{Gvk, Object, json};

fn config_map(name: &str) -> Object {
    let mut object = Object::new(&Gvk::new("", "v1", "ConfigMap"), "default", name);
    object.set(&["data"], json!({"k": "v"}));
    object
}

#[tokio::test]
async fn an_object_is_created_listed_watched_and_deleted() {
    let server = Server::start(Options::default()).await.unwrap();
    let cluster = server.cluster();
    let resource = cluster
        .resolve(&Gvk::new("", "v1", "ConfigMap"))
        .await
        .unwrap();
    let scope = Scope {
        resource: resource.clone(),
        namespace: "default".into(),
    };
    let target = Target::new(&resource, "default", "a");
    let created = cluster
        .create(&target, &config_map("a"), &WriteParams::default())
        .await
        .unwrap();
    assert_eq!(created.name(), "a");
    assert!(!created.uid().is_empty());
    let list = cluster.list(&scope, &ListParams::default()).await.unwrap();
    assert!(list.items.contains(&created));
    let params = WatchParams {
        resource_version: list.resource_version,
        ..WatchParams::default()
    };
    let mut watch = cluster.watch(&scope, &params).await.unwrap();
    cluster.delete(&target, &Default::default()).await.unwrap();
    loop {
        match watch.next().await.unwrap().unwrap() {
            WatchEvent::Bookmark(_) => {}
            WatchEvent::Deleted(last) => {
                assert_eq!(last.uid(), created.uid());
                break;
            }
            other => panic!("unexpected {other:?}"),
        }
    }
    assert!(cluster.get(&target).await.unwrap_err().is_not_found());
    server.shutdown().await;
}
