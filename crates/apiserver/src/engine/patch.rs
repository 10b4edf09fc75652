//! The four kinds of patches.

use bytes::Bytes;
use cluster::Validation;
use objects::{Map, Value};

use super::decode::{TYPE_META, go_error, go_gvk, go_kind, parse_json, yaml_map};
use super::write::{check_name, check_namespace};
use super::{Body, Context, Engine, Place, WriteOptions, Written, metadata_text};
use crate::catalog::text;
use crate::failure::{Answered, Failure, Named, field};
use crate::kinds;
use crate::kinds::form::{self, Source};

/// Most operations of one JSON patch.
const JSON_PATCH_OPERATIONS_MAX: usize = 10_000;

/// A patch as sent.
#[derive(Clone, Debug)]
pub enum PatchBody {
    /// Server-side apply: YAML (or JSON) bytes, or an object from inside the process.
    Apply(Body),
    /// RFC 7396.
    Merge(Value),
    /// RFC 6902.
    Json(Value),
    /// Strategic merge.
    Strategic(Value),
}

impl PatchBody {
    /// Reads a patch by its media type; parameters of the type are ignored.
    pub fn read(content_type: &str, bytes: Bytes, custom: bool) -> Answered<Self> {
        let media = content_type.split(';').next().unwrap_or("").trim();
        match media {
            "application/apply-patch+yaml" => {
                Ok(Self::Apply(Body::Raw(bytes, super::Format::Yaml)))
            }
            "application/merge-patch+json" => {
                Ok(Self::Merge(patch_object(&bytes, "error decoding patch: ")?))
            }
            "application/json-patch+json" => Ok(Self::Json(patch_list(&bytes)?)),
            "application/strategic-merge-patch+json" if !custom => {
                Ok(Self::Strategic(patch_object(&bytes, "")?))
            }
            "application/strategic-merge-patch+json" => {
                let message = "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
                Err(Failure::new(415, "UnsupportedMediaType", message))
            }
            _ => {
                let mut failure =
                    Failure::new(415, "UnsupportedMediaType", "415: Unsupported Media Type");
                failure.empty_details = true;
                Err(failure)
            }
        }
    }
}

fn patch_object(bytes: &[u8], prefix: &str) -> Answered<Value> {
    if bytes == b"null" && prefix.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    if bytes == b"null" {
        return Err(Failure::bad_request("Invalid JSON Patch"));
    }
    match parse_json(bytes) {
        Ok(map) => Ok(Value::Object(map)),
        Err(why) => {
            let why = why.replace(TYPE_META, "map[string]interface {}");
            Err(Failure::bad_request(format!("{prefix}{why}")))
        }
    }
}

fn patch_list(bytes: &[u8]) -> Answered<Value> {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Null) => Ok(Value::Array(Vec::new())),
        Ok(Value::Array(list)) if list.len() > JSON_PATCH_OPERATIONS_MAX => {
            let message = format!(
                "The allowed maximum operations in a JSON patch is {JSON_PATCH_OPERATIONS_MAX}, got {}",
                list.len()
            );
            Err(Failure::new(413, "RequestEntityTooLarge", message))
        }
        Ok(list @ Value::Array(_)) => Ok(list),
        Ok(other) => {
            let kind = go_kind(&other).unwrap_or("string");
            Err(Failure::bad_request(format!(
                "error decoding patch: json: cannot unmarshal {kind} into Go value of type []handlers.jsonPatchOp"
            )))
        }
        Err(error) => {
            let why = go_error(bytes, &error);
            Err(Failure::bad_request(format!("error decoding patch: {why}")))
        }
    }
}

/// Lists members of a JSON patch's operations that are none of theirs, or that are there twice.
pub fn oddities_of_json_patch(bytes: &[u8]) -> Vec<String> {
    const MEMBERS: [&str; 4] = ["op", "path", "from", "value"];
    let top = |path: &str| path.matches('.').count() == 1 && !path.ends_with(']');
    let mut found: Vec<(usize, String)> = super::positions(bytes)
        .into_iter()
        .filter(|(path, _)| {
            let member = path.split_once("].").map_or("", |(_, member)| member);
            top(path) && !MEMBERS.contains(&member)
        })
        .map(|(path, place)| (place, format!("json patch unknown field \"{path}\"")))
        .collect();
    found.sort();
    let twice = super::duplicate_keys(bytes).into_iter();
    let twice = twice.filter(|path| top(path));
    twice
        .map(|path| format!("json patch duplicate field \"{path}\""))
        .chain(found.into_iter().map(|(_, text)| text))
        .collect()
}

impl Engine {
    /// Changes an object or one of its subresources.
    pub fn patch(
        &self,
        context: &Context,
        place: &Place,
        patch: &PatchBody,
        options: &WriteOptions,
    ) -> Answered<Written> {
        if place.sub == "scale" {
            return kinds::scale::patch(self, context, place, patch, options);
        }
        if let PatchBody::Apply(body) = patch {
            return self.apply(context, place, body, options);
        }
        let resource = &place.resource;
        self.replace(context, place, options, &|live, _| {
            let mut next = self.patched(place, live, patch)?;
            let shown = || self.shown(place, live, patch);
            if matches!(patch, PatchBody::Strategic(_)) {
                // Its outcome is read into the type at hand, whatever it says about itself.
                next.insert("apiVersion".into(), resource.api_version.clone().into());
                next.insert("kind".into(), resource.kind().into());
            }
            self.check_patched(place, live, &next, &shown)?;
            check_name(place, &next)?;
            check_namespace(place, &mut next)?;
            let source = match patch {
                PatchBody::Strategic(_) => Source::Strategic(&shown),
                _ => Source::Patch(&shown),
            };
            form::shape(
                context,
                resource,
                &mut next,
                options,
                &options.oddities,
                source,
            )?;
            kinds::default(resource, &mut next);
            Ok(next)
        })
    }

    /// Writes a patched object as failures show it.
    fn shown(&self, place: &Place, live: &Map, patch: &PatchBody) -> String {
        let touched = match patch {
            PatchBody::Strategic(patch) => return objects::smd::go_v(patch),
            PatchBody::Merge(patch) => patch.clone(),
            PatchBody::Json(operations) => containers_of(operations),
            PatchBody::Apply(_) => Value::Null,
        };
        // It was patched once before; failures are rare.
        let patched = self.patched(place, live, patch).unwrap_or_default();
        if place.resource.custom.is_some() {
            return Value::Object(patched).to_string();
        }
        crate::proto::print(place.resource.gvk(), &patched, &touched)
    }

    /// Refuses another kind or uid.
    fn check_patched(
        &self,
        place: &Place,
        live: &Map,
        next: &Map,
        shown: &dyn Fn() -> String,
    ) -> Answered<()> {
        let resource = &place.resource;
        let (version, kind) = (text(next, "apiVersion"), text(next, "kind"));
        let version = if version.is_empty() {
            resource.api_version.as_str()
        } else {
            version
        };
        let kind = if kind.is_empty() {
            resource.kind()
        } else {
            kind
        };
        if resource.custom.is_some() && version == resource.api_version && kind != resource.kind() {
            let why = format!("must be {}", resource.kind());
            let named = Named {
                kind,
                ..place.named()
            };
            let cause = field::invalid("kind", &kind.into(), &why);
            return Err(Failure::invalid(named, vec![cause]));
        }
        if version != resource.api_version || kind != resource.kind() {
            let gvk = objects::Gvk::from_api_version(version, kind);
            if crate::catalog::Catalog::builtin().by_gvk(&gvk).is_none() {
                let why = super::decode::unregistered(version, kind);
                return Err(form::refuse(resource, &why, Source::Patch(shown)));
            }
            let why = format!(
                "converting ({}.{kind}) to ({}.{}): unknown conversion",
                version.rsplit('/').next().unwrap_or(""),
                resource
                    .group()
                    .split('.')
                    .next()
                    .filter(|g| !g.is_empty())
                    .unwrap_or("core"),
                resource.kind()
            );
            return Err(form::refuse(resource, &why, Source::Patch(shown)));
        }
        let uid = metadata_text(next, "uid");
        if !uid.is_empty() && uid != metadata_text(live, "uid") {
            let cause = field::invalid("metadata.uid", &uid.into(), "field is immutable");
            return Err(self.invalid(resource, live, super::write::twice(cause).to_vec()));
        }
        Ok(())
    }

    /// Computes the outcome of a patch that is no apply.
    pub(crate) fn patched(&self, place: &Place, live: &Map, patch: &PatchBody) -> Answered<Map> {
        let mut value = Value::Object(live.clone());
        match patch {
            PatchBody::Merge(patch) => merge(&mut value, patch),
            PatchBody::Json(operations) => {
                crate::fields::json_patch(&mut value, operations).map_err(|_| rejected())?;
            }
            PatchBody::Strategic(patch) => {
                crate::fields::strategic_merge(&place.resource, &mut value, patch)
                    .map_err(strategic_failure)?;
            }
            PatchBody::Apply(_) => return Err(Failure::internal("apply is not a plain patch")),
        }
        match value {
            Value::Object(map) => Ok(map),
            _ => Err(rejected()),
        }
    }

    fn apply(
        &self,
        context: &Context,
        place: &Place,
        body: &Body,
        options: &WriteOptions,
    ) -> Answered<Written> {
        let applied = self.decode_applied(context, place, body, options)?;
        let manager = options.manager(context);
        let force = options.force.unwrap_or(false);
        if self
            .store
            .get(&place.resource.table, &place.key())
            .is_none()
        {
            if !place.sub.is_empty() {
                return Err(Failure::not_found(place.named()));
            }
            return self.apply_absent(context, place, &applied, options);
        }
        self.transform(context, place, options, &|live, _| {
            let mut next = crate::fields::applied(
                self,
                &place.resource,
                Some(live),
                &applied,
                manager,
                force,
                &place.sub,
            )?;
            settle(place, &applied, &mut next)?;
            kinds::prepare_update(place, live, &mut next);
            kinds::default(&place.resource, &mut next);
            Ok(next)
        })
    }

    fn apply_absent(
        &self,
        context: &Context,
        place: &Place,
        applied: &Map,
        options: &WriteOptions,
    ) -> Answered<Written> {
        let uid = metadata_text(applied, "uid");
        if !uid.is_empty() {
            let why = format!(
                "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            );
            return Err(Failure::conflict(place.named(), &why));
        }
        crate::auth::authorize_create(self, context, place)?;
        let mut object = crate::fields::applied(
            self,
            &place.resource,
            None,
            applied,
            options.manager(context),
            false,
            "",
        )?;
        settle(place, applied, &mut object)?;
        crate::engine::metadata_mut(&mut object).remove("resourceVersion");
        kinds::default(&place.resource, &mut object);
        self.insert(context, place, object, options)
    }

    /// Refuses, or warns of, keys that an applied text has twice.
    fn tell_repeated(
        &self,
        context: &Context,
        body: &Body,
        options: &WriteOptions,
    ) -> Answered<()> {
        let lines = body.duplicates().lines;
        if lines.is_empty() {
            return Ok(());
        }
        match options.validation {
            Validation::Strict => Err(Failure::bad_request(format!(
                "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  {}",
                lines.join("\n  ")
            ))),
            Validation::Default => {
                for line in lines {
                    context.warn(line);
                }
                Ok(())
            }
            Validation::Ignore => Ok(()),
        }
    }

    fn decode_applied(
        &self,
        context: &Context,
        place: &Place,
        body: &Body,
        options: &WriteOptions,
    ) -> Answered<Map> {
        let resource = &place.resource;
        let applied = match body {
            Body::Object(map) => map.clone(),
            Body::Raw(bytes, _) => {
                let prefix = "error decoding YAML: ";
                let map = yaml_map(bytes).map_err(|why| {
                    let inside = "error unmarshaling JSON: while decoding JSON: json: cannot";
                    let why = why.replace(TYPE_META, "map[string]interface {}");
                    let why = match why.strip_prefix("json: cannot") {
                        Some(rest) => format!("{inside}{rest}"),
                        None => why,
                    };
                    Failure::bad_request(format!("{prefix}{why}"))
                })?;
                self.tell_repeated(context, body, options)?;
                map
            }
        };
        let (api_version, kind) = (text(&applied, "apiVersion"), text(&applied, "kind"));
        if api_version != resource.api_version || kind != resource.kind() {
            return Err(Failure::bad_request(format!(
                "invalid object type: {}",
                go_gvk(api_version, kind)
            )));
        }
        // The body stays as it was sent: messages and the last-applied annotation show it.
        let mut complete = applied.clone();
        if metadata_text(&complete, "name").is_empty() {
            super::metadata_mut(&mut complete).insert("name".into(), place.name.clone().into());
        }
        check_name(place, &complete)?;
        check_namespace(place, &mut complete)?;
        if applied
            .get("metadata")
            .and_then(|m| m.get("managedFields"))
            .is_some_and(|fields| !fields.is_null())
        {
            return Err(Failure::bad_request("metadata.managedFields must be nil"));
        }
        Ok(applied)
    }
}

/// Brings the outcome of an apply into form.
fn settle(place: &Place, applied: &Map, next: &mut Map) -> Answered<()> {
    let resource = &place.resource;
    form::settle(resource, next).map_err(|failure| {
        let kind = resource.kind();
        let prefix = format!(
            "{kind} in version \"{}\" cannot be handled as a {kind}: ",
            resource.version()
        );
        let Some(why) = failure.status.message.strip_prefix(&prefix) else {
            return failure;
        };
        let gvk = go_gvk(&resource.api_version, kind);
        let (namespace, name) = (
            metadata_text(applied, "namespace"),
            metadata_text(applied, "name"),
        );
        Failure::internal(format!(
            "failed to convert new object ({namespace}/{name}; {gvk}) to proper version: unable to convert unstructured object to {gvk}: {why}"
        ))
    })
}

/// A few faults of strategic patches are the client's; upstream reports the others without a reason.
fn strategic_failure(why: String) -> Box<Failure> {
    const BAD_REQUESTS: &[&str] = &[
        "invalid JSON document",
        "invalid patch format of primitive list",
        "invalid patch format of retainKeys",
        "invalid patch format of setElementOrder list",
        "strategic merge patch format is not supported",
    ];
    if BAD_REQUESTS.contains(&why.as_str()) {
        return Failure::bad_request(why);
    }
    Failure::internal(why)
}

/// Lists the maps that a JSON patch goes through, as nested maps.
fn containers_of(operations: &Value) -> Value {
    let mut root = Value::Object(Map::new());
    for operation in operations.as_array().into_iter().flatten() {
        let path = operation.get("path").and_then(Value::as_str).unwrap_or("");
        let mut parts: Vec<&str> = path.split('/').skip(1).collect();
        parts.pop();
        let mut at = &mut root;
        for part in parts {
            let Some(map) = at.as_object_mut() else { break };
            at = map
                .entry(part.replace("~1", "/").replace("~0", "~"))
                .or_insert_with(|| Value::Object(Map::new()));
        }
    }
    root
}

fn rejected() -> Box<Failure> {
    let mut failure = Failure::about(
        422,
        "Invalid",
        Named {
            group: "",
            kind: "",
            name: "",
        },
        "the server rejected our request due to an error in our request",
    );
    failure.empty_details = true;
    failure
}

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else {
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}
