//! What policies and webhooks get to see of a request.

use objects::{Map, Value, json};

use super::Request;
use super::rules::{self, Operation};
use crate::catalog::Resource;
use crate::engine::Engine;

/// A request as one policy or webhook sees it, in the version that it asked for.
pub struct Sight {
    /// `request` of expressions and reviews, without `object` and `oldObject`.
    pub request: Map,
    /// New state; null for a delete.
    pub object: Value,
    /// State before; null for a create.
    pub old: Value,
    namespace: String,
}

impl Sight {
    /// Shows a request in the version of a resource.
    pub fn new(request: &Request<'_>, object: Option<&Map>, seen: &Resource) -> Self {
        let own = &request.place.resource;
        let show = |object: Option<&Map>| -> Value {
            let Some(object) = object else {
                return Value::Null;
            };
            let mut object = object.clone();
            if seen.api_version != own.api_version {
                crate::kinds::convert::between(own.version(), seen, &mut object);
                object.insert("apiVersion".into(), seen.api_version.clone().into());
            }
            Value::Object(object)
        };
        Self {
            request: members(request, seen),
            object: show(object),
            old: show(request.live),
            namespace: request.place.namespace.clone(),
        }
    }

    /// Returns the variables of expressions.
    pub fn variables(&self, engine: &Engine) -> Vec<(&'static str, Value)> {
        let namespace = match self.namespace.as_str() {
            "" => None,
            name => rules::namespace(engine, name),
        };
        let mut namespace = namespace.map_or(Value::Null, Value::Object);
        if let Some(metadata) = namespace.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
            metadata.remove("ownerReferences");
        }
        vec![
            ("object", self.object.clone()),
            ("oldObject", self.old.clone()),
            ("request", Value::Object(self.request.clone())),
            ("namespaceObject", namespace),
        ]
    }

    /// Builds the `AdmissionReview` that a webhook gets.
    pub fn review(&self, uid: &str) -> Value {
        let mut request = self.request.clone();
        request.insert("uid".into(), uid.into());
        request.insert("object".into(), self.object.clone());
        request.insert("oldObject".into(), self.old.clone());
        json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request})
    }
}

fn members(request: &Request<'_>, seen: &Resource) -> Map {
    let place = request.place;
    let kind = |resource: &Resource| {
        let gvk = match resource.subresource(&place.sub) {
            Some(sub) if sub.name == "scale" => &sub.gvk,
            _ => resource.gvk(),
        };
        json!({"group": gvk.group, "version": gvk.version, "kind": gvk.kind})
    };
    let plural = |resource: &Resource| json!({"group": resource.group(), "version": resource.version(), "resource": resource.plural()});
    let user = &request.context.user;
    let mut info = Map::new();
    info.insert("username".into(), user.name.clone().into());
    if !user.uid.is_empty() {
        info.insert("uid".into(), user.uid.clone().into());
    }
    info.insert("groups".into(), json!(user.groups));
    if !user.extra.is_empty() {
        info.insert("extra".into(), json!(user.extra));
    }
    let mut members = Map::new();
    let mut put = |key: &str, value: Value| {
        if value != "" {
            members.insert(key.to_owned(), value);
        }
    };
    put("kind", kind(seen));
    put("resource", plural(seen));
    put("subResource", place.sub.clone().into());
    put("requestKind", kind(&place.resource));
    put("requestResource", plural(&place.resource));
    put("requestSubResource", place.sub.clone().into());
    put("name", place.name.clone().into());
    put("namespace", place.namespace.clone().into());
    put("operation", request.operation.word().into());
    put("userInfo", Value::Object(info));
    put("dryRun", request.dry_run.into());
    let options = match request.operation {
        Operation::Create => "CreateOptions",
        Operation::Update => "UpdateOptions",
        Operation::Delete => "DeleteOptions",
    };
    let mut given = json!({"kind": options, "apiVersion": "meta.k8s.io/v1"});
    if request.dry_run {
        given["dryRun"] = json!(["All"]);
    }
    put("options", given);
    members
}
