//! Small repairs before an apply that upstream makes by a round trip through typed structs.
//!
//! Defaults that belong to merge keys (protocols), `stringData` of Secrets, and fields that users copy from live
//! objects. Unknown fields are not dropped here; the server's schema decides about them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use objects::{Object, Value};

/// Repairs one object in place.
pub fn normalize(object: &mut Object) {
    let gvk = objects::Gvk::from_api_version(object.api_version(), object.kind());
    let metadata = object.metadata_mut();
    for field in [
        "creationTimestamp",
        "managedFields",
        "resourceVersion",
        "uid",
        "generation",
        "selfLink",
    ] {
        metadata.remove(field);
    }
    if gvk.kind != "CustomResourceDefinition" {
        object.remove(&["status"]);
    } else {
        drop_broken_ca_bundle(object);
    }
    match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("", "Secret") => encode_string_data(object),
        ("", "Service") => {
            default_protocols(object.0.get_mut("spec").and_then(|s| s.get_mut("ports")))
        }
        ("", "Pod") => default_container_protocols(object.0.get_mut("spec")),
        ("apps" | "batch", _) => {
            let spec = object.0.get_mut("spec");
            let template = match gvk.kind.as_str() {
                "CronJob" => spec
                    .and_then(|s| s.get_mut("jobTemplate"))
                    .and_then(|t| t.get_mut("spec")),
                _ => spec,
            };
            default_container_protocols(
                template
                    .and_then(|s| s.get_mut("template"))
                    .and_then(|t| t.get_mut("spec")),
            );
        }
        _ => {}
    }
}

fn default_protocols(ports: Option<&mut Value>) {
    for port in ports.and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(port) = port.as_object_mut() {
            port.entry("protocol").or_insert_with(|| "TCP".into());
        }
    }
}

fn default_container_protocols(pod: Option<&mut Value>) {
    let Some(pod) = pod.and_then(Value::as_object_mut) else {
        return;
    };
    for list in ["containers", "initContainers"] {
        let containers = pod.get_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            default_protocols(container.get_mut("ports"));
        }
    }
}

/// Moves `stringData` into `data`, base64-encoded, as the server would.
fn encode_string_data(object: &mut Object) {
    let Some(Value::Object(plain)) = object.remove(&["stringData"]) else {
        return;
    };
    for (key, value) in plain {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        object.set(&["data", &key], STANDARD.encode(text));
    }
}

/// Removes a conversion webhook's `caBundle` that is no PEM; injectors put the real one in.
fn drop_broken_ca_bundle(object: &mut Object) {
    const PATH: &[&str] = &["spec", "conversion", "webhook", "clientConfig", "caBundle"];
    let bundle = object.str_at(PATH);
    if bundle.is_empty() {
        return;
    }
    let valid = STANDARD
        .decode(bundle)
        .is_ok_and(|pem| pem.starts_with(b"-----BEGIN"));
    if !valid {
        object.remove(PATH);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::json;

    #[test]
    fn objects_are_repaired() {
        for (name, before, after) in [
            (
                "plain secret data is encoded",
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "b"}}),
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "Yg=="}}),
            ),
            (
                "service ports get their protocol",
                json!({"apiVersion": "v1", "kind": "Service", "metadata": {"creationTimestamp": null}, "spec": {"ports": [{"port": 80}]}, "status": {}}),
                json!({"apiVersion": "v1", "kind": "Service", "metadata": {}, "spec": {"ports": [{"port": 80, "protocol": "TCP"}]}}),
            ),
            (
                "container ports get their protocol",
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": {"template": {"spec": {"containers": [{"ports": [{"containerPort": 80}]}]}}}}),
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": {"template": {"spec": {"containers": [{"ports": [{"containerPort": 80, "protocol": "TCP"}]}]}}}}),
            ),
        ] {
            let mut object = Object::from_value(before).unwrap();
            normalize(&mut object);
            assert_eq!(object.into_value(), after, "{name}");
        }
    }
}
