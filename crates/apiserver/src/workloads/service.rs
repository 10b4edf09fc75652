//! Services: an endpoint slice (and the older `Endpoints`) for each selector, and an address for each load balancer.

use std::time::Duration;

use compact_str::CompactString;
use objects::{Map, Value, json};

use super::Task;
use super::owned::{is_deleting, is_ready, phase, text_at};
use super::world::{ENDPOINTS, PODS, SERVICES, SLICES, World, controller_reference};
use crate::engine::{metadata_mut, metadata_text};

const SERVICE_LABEL: &str = "kubernetes.io/service-name";
const MANAGED_LABEL: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";
const ENDPOINTS_LABEL: &str = "endpoints.kubernetes.io/managed-by";
const ENDPOINTS_MANAGER: &str = "endpoint-controller";
const TRIGGER: &str = "endpoints.kubernetes.io/last-change-trigger-time";
/// Address of every load balancer; from the range for documentation.
const BALANCER: &str = "198.51.100.1";

/// Looks at all services of a namespace.
pub(super) fn step(world: &World, task: &Task) -> Option<Duration> {
    for service in world.select(SERVICES, &task.namespace, |entry| !entry.meta.deleting) {
        balance(world, &service);
        slice(world, &service);
    }
    // Endpoints have no owner; those of a service that went go with it.
    let left = world.select(ENDPOINTS, &task.namespace, |entry| {
        let managed = |(key, value): &(CompactString, CompactString)| {
            key == ENDPOINTS_LABEL && value == ENDPOINTS_MANAGER
        };
        entry.meta.labels.iter().any(managed)
    });
    for endpoints in left {
        let name = metadata_text(&endpoints, "name");
        if world.find(SERVICES, &task.namespace, name).is_none() {
            world.delete(ENDPOINTS, &endpoints);
        }
    }
    None
}

fn balance(world: &World, service: &Map) {
    let balanced = text_at(service, &["spec", "type"]) == "LoadBalancer";
    let addressed = service
        .get("status")
        .and_then(|s| s.pointer("/loadBalancer/ingress"))
        .is_some();
    if balanced && !addressed {
        let status = json!({"loadBalancer": {"ingress": [{"ip": BALANCER, "ipMode": "VIP"}]}});
        if let Value::Object(status) = status {
            world.set_status(SERVICES, service, status);
        }
    }
}

fn slice(world: &World, service: &Map) {
    let selector = service
        .get("spec")
        .and_then(|s| s.get("selector")?.as_object());
    let Some(selector) = selector.filter(|s| !s.is_empty()) else {
        return;
    };
    let (namespace, name) = (
        metadata_text(service, "namespace"),
        metadata_text(service, "name"),
    );
    let pods = world.select(PODS, namespace, |entry| {
        selector.iter().all(|(key, value)| {
            let value = value.as_str().unwrap_or("");
            entry
                .meta
                .labels
                .iter()
                .any(|(k, v)| k == key && v == value)
        })
    });
    let (endpoints, ports) = (endpoints(&pods), ports(service, &pods));
    write_endpoints(world, service, &endpoints, &ports);
    let uid: CompactString = metadata_text(service, "uid").into();
    let slices = world.select(SLICES, namespace, |entry| {
        entry.meta.owners.iter().any(|owner| owner.uid == uid)
    });
    if let Some(slice) = slices.first() {
        world.update(SLICES, slice, |next| {
            next.insert("endpoints".into(), endpoints.clone());
            next.insert("ports".into(), ports.clone());
            metadata_mut(next).remove("managedFields");
        });
        return;
    }
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {
            "generateName": format!("{name}-"), "namespace": namespace,
            "labels": labels(service, &[(MANAGED_LABEL, MANAGER), (SERVICE_LABEL, name)]),
            "annotations": {TRIGGER: metadata_text(service, "creationTimestamp")},
            "ownerReferences": [controller_reference("v1", "Service", service)],
        },
        "endpoints": endpoints, "ports": ports,
    });
    if let Value::Object(slice) = slice {
        world.create(SLICES, slice);
    }
}

/// Returns the labels of a service and of what is made for it.
fn labels(service: &Map, more: &[(&str, &str)]) -> Value {
    let own = service.get("metadata").and_then(|m| m.get("labels"));
    let mut labels = own.cloned().unwrap_or_else(|| json!({}));
    for (key, value) in more {
        labels[*key] = (*value).into();
    }
    if text_at(service, &["spec", "clusterIP"]) == "None" {
        labels["service.kubernetes.io/headless"] = "".into();
    }
    labels
}

/// Keeps the older form of the endpoints, which clients still read.
fn write_endpoints(world: &World, service: &Map, endpoints: &Value, ports: &Value) {
    let (namespace, name) = (
        metadata_text(service, "namespace"),
        metadata_text(service, "name"),
    );
    let addresses = |ready: bool| -> Value {
        let endpoints = endpoints.as_array().into_iter().flatten();
        endpoints
            .filter(|endpoint| endpoint["conditions"]["ready"] == ready)
            .map(|endpoint| {
                json!({"ip": endpoint["addresses"][0], "nodeName": endpoint["nodeName"], "targetRef": endpoint["targetRef"]})
            })
            .collect()
    };
    let mut subset = Map::new();
    for (key, ready) in [("addresses", true), ("notReadyAddresses", false)] {
        let addresses = addresses(ready);
        if addresses.as_array().is_some_and(|list| !list.is_empty()) {
            subset.insert(key.into(), addresses);
        }
    }
    let empty = subset.is_empty();
    let mut ports = ports.clone();
    for port in ports.as_array_mut().into_iter().flatten() {
        if port["name"] == "" {
            port.as_object_mut().map(|port| port.remove("name"));
        }
    }
    subset.insert("ports".into(), ports);
    let subsets = (!empty).then(|| json!([subset]));
    let set = |object: &mut Map| match &subsets {
        Some(subsets) => {
            object.insert("subsets".into(), subsets.clone());
        }
        None => {
            object.remove("subsets");
        }
    };
    if let Some(present) = world.find(ENDPOINTS, namespace, name) {
        world.update(ENDPOINTS, &present, set);
        return;
    }
    let object = json!({
        "apiVersion": "v1", "kind": "Endpoints",
        "metadata": {
            "name": name, "namespace": namespace,
            "labels": labels(service, &[(ENDPOINTS_LABEL, ENDPOINTS_MANAGER)]),
            "annotations": {TRIGGER: metadata_text(service, "creationTimestamp")},
        },
    });
    if let Value::Object(mut object) = object {
        set(&mut object);
        world.create(ENDPOINTS, object);
    }
}

fn endpoints(pods: &[Map]) -> Value {
    let running = pods
        .iter()
        .filter(|pod| !is_deleting(pod) && phase(pod) == "Running");
    let endpoints = running.map(|pod| {
        let ready = is_ready(pod);
        json!({
            "addresses": [text_at(pod, &["status", "podIP"])],
            "conditions": {"ready": ready, "serving": ready, "terminating": false},
            "nodeName": text_at(pod, &["spec", "nodeName"]),
            "targetRef": {"kind": "Pod", "name": metadata_text(pod, "name"),
                "namespace": metadata_text(pod, "namespace"), "uid": metadata_text(pod, "uid")},
        })
    });
    endpoints.collect()
}

/// Resolves the target ports by the containers of the first pod.
fn ports(service: &Map, pods: &[Map]) -> Value {
    let ports = service.get("spec").and_then(|s| s.get("ports")?.as_array());
    let resolved = ports.into_iter().flatten().filter_map(|port| {
        let target = match port.get("targetPort")? {
            Value::String(name) => named_port(pods.first()?, name)?,
            number => number.clone(),
        };
        Some(json!({
            "name": port.get("name").cloned().unwrap_or_else(|| "".into()),
            "port": target, "protocol": port.get("protocol").cloned().unwrap_or_else(|| "TCP".into()),
        }))
    });
    resolved.collect()
}

fn named_port(pod: &Map, name: &str) -> Option<Value> {
    let containers = pod.get("spec")?.get("containers")?.as_array()?;
    containers
        .iter()
        .filter_map(|c| c.get("ports")?.as_array())
        .flatten()
        .find(|port| port.get("name").and_then(Value::as_str) == Some(name))?
        .get("containerPort")
        .cloned()
}
