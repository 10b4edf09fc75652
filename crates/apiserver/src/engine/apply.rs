//! Server-side apply: the intent of one manager goes in, the merged object comes out.

use cluster::Validation;
use objects::Map;

use super::decode::{TYPE_META, go_gvk, yaml_map};
use super::identity::{check_name, check_namespace};
use super::write::Write;
use super::{Body, Place, Written, metadata_mut, metadata_text};
use crate::catalog::text;
use crate::failure::{Answered, Failure};
use crate::kinds;
use crate::kinds::form;

impl Write<'_> {
    /// Applies a configuration; creates what is not there.
    pub(super) fn apply(&self, body: &Body) -> Answered<Written> {
        let place = self.place;
        let applied = self.decode_applied(body)?;
        let stored = self.engine.store.get(&place.resource.table, &place.key());
        if stored.is_none() && !place.sub.is_empty() {
            return Err(Failure::not_found(place.named()));
        }
        if stored.is_none() {
            return self.apply_absent(&applied);
        }
        self.transform(&|live, _| {
            let mut next = crate::fields::applied(self, Some(live), &applied)?;
            settle(place, &applied, &mut next)?;
            kinds::prepare_update(place, live, &mut next);
            kinds::default(&place.resource, &mut next);
            Ok(next)
        })
    }

    fn apply_absent(&self, applied: &Map) -> Answered<Written> {
        let place = self.place;
        let uid = metadata_text(applied, "uid");
        if !uid.is_empty() {
            let why = format!(
                "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            );
            return Err(Failure::conflict(place.named(), &why));
        }
        crate::auth::authorize_create(self.engine, self.context, place)?;
        let mut object = crate::fields::applied(self, None, applied)?;
        settle(place, applied, &mut object)?;
        metadata_mut(&mut object).remove("resourceVersion");
        kinds::default(&place.resource, &mut object);
        self.insert(object)
    }

    fn decode_applied(&self, body: &Body) -> Answered<Map> {
        let resource = &self.place.resource;
        let applied = match body {
            Body::Object(map) => map.clone(),
            Body::Raw(bytes, _) => {
                let map = yaml_map(bytes).map_err(|why| undecodable(&why))?;
                self.tell_repeated(body)?;
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
            metadata_mut(&mut complete).insert("name".into(), self.place.name.clone().into());
        }
        check_name(self.place, &complete)?;
        check_namespace(self.place, &mut complete)?;
        if applied
            .get("metadata")
            .and_then(|m| m.get("managedFields"))
            .is_some_and(|fields| !fields.is_null())
        {
            return Err(Failure::bad_request("metadata.managedFields must be nil"));
        }
        Ok(applied)
    }

    /// Refuses, or warns of, keys that an applied text has twice.
    fn tell_repeated(&self, body: &Body) -> Answered<()> {
        let lines = body.duplicates().lines;
        if lines.is_empty() {
            return Ok(());
        }
        match self.options.validation {
            Validation::Strict => Err(Failure::bad_request(format!(
                "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  {}",
                lines.join("\n  ")
            ))),
            Validation::Default => {
                for line in lines {
                    self.context.warn(line);
                }
                Ok(())
            }
            Validation::Ignore => Ok(()),
        }
    }
}

/// Says why a text is no map, in the words of the decoder that upstream reads applied texts with.
fn undecodable(why: &str) -> Box<Failure> {
    let why = why.replace(TYPE_META, "map[string]interface {}");
    let inside = match why.strip_prefix("json: cannot") {
        Some(rest) => {
            format!("error unmarshaling JSON: while decoding JSON: json: cannot{rest}")
        }
        None => why,
    };
    Failure::bad_request(format!("error decoding YAML: {inside}"))
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
