//! Addresses and ports of services.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::api::Api;

/// Users take a run of addresses and ports ahead of the server: it goes past them.
#[tokio::test]
async fn the_server_gives_what_no_service_has() {
    let api = Api::start().await;
    let first = create(&api, "first", Value::Null, 0).await;
    let address: Ipv4Addr = text(&first, "clusterIP").parse().unwrap();
    let port = first["ports"][0]["nodePort"].as_i64().unwrap();
    for ahead in 1..=8 {
        let taken = Ipv4Addr::from(u32::from(address) + ahead).to_string();
        let number = 30_000 + (port - 30_000 + i64::from(ahead)) % 2_768;
        create(&api, &format!("taken-{ahead}"), taken.into(), number).await;
    }
    for n in 0..8 {
        create(&api, &format!("given-{n}"), Value::Null, 0).await;
    }
}

#[tokio::test]
async fn nobody_gets_what_another_service_has() {
    let api = Api::start().await;
    let first = create(&api, "first", Value::Null, 0).await;
    let address = text(&first, "clusterIP");
    let port = first["ports"][0]["nodePort"].as_i64().unwrap();
    for (address, port, why) in [
        (
            address.into(),
            0,
            format!(
                "spec.clusterIPs: Invalid value: [\"{address}\"]: failed to allocate IP {address}: provided IP is already allocated"
            ),
        ),
        (
            Value::Null,
            port,
            format!(
                "spec.ports[0].nodePort: Invalid value: {port}: provided port is already allocated"
            ),
        ),
    ] {
        let body = service("second", address, port);
        let line = "POST /api/v1/namespaces/default/services";
        let message = format!("Service \"second\" is invalid: {why}");
        api.fails(line, body, 422, &message).await;
    }
}

/// Creates a service with node ports and returns its spec.
async fn create(api: &Api, name: &str, address: Value, port: i64) -> Value {
    let line = "POST /api/v1/namespaces/default/services";
    let made = api.ok(line, service(name, address, port)).await;
    made["spec"].clone()
}

fn service(name: &str, address: Value, port: i64) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "type": "NodePort",
            "clusterIP": address,
            "ports": [{"port": 80, "nodePort": port}],
        },
    })
}

fn text<'a>(spec: &'a Value, key: &str) -> &'a str {
    spec[key].as_str().unwrap_or("")
}
