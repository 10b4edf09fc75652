//! Patches: the four kinds as they are sent, and the outcome of those three that change what they find.

use bytes::Bytes;
use objects::{Map, Value};

use super::decode::{TYPE_META, go_error, go_kind, parse_json};
use super::identity::{check_name, check_namespace, twice};
use super::write::Write;
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

impl PatchBody {
    /// Tells failures where an object comes from that this patch led to, and how they show it.
    pub(crate) fn source<'a>(&self, shown: &'a dyn Fn() -> String) -> Source<'a> {
        match self {
            Self::Strategic(_) => Source::Strategic(shown),
            _ => Source::Patch(shown),
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
    ///
    /// # Errors
    /// Fails where the patch does not fit the object, its outcome is refused, or applied fields are others'.
    pub fn patch(
        &self,
        context: &Context,
        place: &Place,
        patch: &PatchBody,
        options: &WriteOptions,
    ) -> Answered<Written> {
        let write = self.write(context, place, options);
        match patch {
            _ if place.sub == "scale" => kinds::scale::patch(&write, patch),
            PatchBody::Apply(body) => write.apply(body),
            _ => write.patch(patch),
        }
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
            return Err(self.invalid(resource, live, twice(cause).to_vec()));
        }
        Ok(())
    }

    /// Computes the outcome of a patch that is no apply.
    pub(crate) fn patched(&self, place: &Place, live: &Map, patch: &PatchBody) -> Answered<Map> {
        let mut value = Value::Object(live.clone());
        match patch {
            PatchBody::Merge(patch) => objects::patch::merge_patch(&mut value, patch),
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
}

impl Write<'_> {
    fn patch(&self, patch: &PatchBody) -> Answered<Written> {
        let (engine, place) = (self.engine, self.place);
        let resource = &place.resource;
        self.replace(&|live, _| {
            let mut next = engine.patched(place, live, patch)?;
            let shown = || engine.shown(place, live, patch);
            if matches!(patch, PatchBody::Strategic(_)) {
                // Its outcome is read into the type at hand, whatever it says about itself.
                next.insert("apiVersion".into(), resource.api_version.clone().into());
                next.insert("kind".into(), resource.kind().into());
            }
            engine.check_patched(place, live, &next, &shown)?;
            check_name(place, &next)?;
            check_namespace(place, &mut next)?;
            let source = patch.source(&shown);
            form::shape(self, resource, &mut next, &self.options.oddities, source)?;
            kinds::default(resource, &mut next);
            Ok(next)
        })
    }
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
