//! Bindings: a pod gets its node.

use objects::{Gvk, Map, Value, json};

use super::{read, set_condition, success};
use crate::catalog::text;
use crate::engine::{Body, Place, Reply, Wanted, Write, metadata_mut, metadata_text};
use crate::failure::{Answered, Failure, Named};

/// Binds the pod of the place.
pub(super) fn create(write: &Write<'_>, body: &Body) -> Answered<Reply> {
    let place = write.place;
    let binding = read(write, &Gvk::new("", "v1", "Binding"), body)?;
    if metadata_text(&binding, "name") != place.name {
        return Err(Failure::bad_request(
            "name in URL does not match name in Binding object",
        ));
    }
    let node = target_node(&binding)?;
    let now = write.engine.environment.timestamp();
    // Bindings are not recorded in the pod's managed fields.
    write.transform(&|live, _| {
        let mut next = live.clone();
        take_metadata(&binding, &mut next);
        let spec = next.get_mut("spec").and_then(Value::as_object_mut);
        let Some(spec) = spec else {
            return Err(Failure::internal("a pod has a spec"));
        };
        assign(place, spec, node)?;
        set_condition(&mut next, "PodScheduled", "True", &now);
        Ok(next)
    })?;
    Ok(success())
}

/// Binds the pod that a binding names: the older form, posted to a collection of its own.
pub(super) fn create_by_name(write: &Write<'_>, body: &Body) -> Answered<Reply> {
    let wanted = Wanted {
        api_version: "v1",
        kind: "Binding",
        custom: false,
    };
    let name = metadata_text(&body.decode(wanted)?, "name").to_owned();
    let pods = write.engine.builtin("", "v1", "pods");
    let mut pod = Place::new(&pods, &write.place.namespace, &name);
    pod.sub = "binding".into();
    let write = Write {
        place: &pod,
        ..*write
    };
    create(&write, body)
}

/// Returns the name of the node that a binding is to.
fn target_node(binding: &Map) -> Answered<&str> {
    let target = binding.get("target").and_then(Value::as_object);
    let kind = target.map_or("", |target| text(target, "kind"));
    if !matches!(kind, "" | "Node") {
        return Err(Failure::internal(format!(
            "target.kind: Unsupported value: \"{kind}\": supported values: \"Node\", \"<empty>\""
        )));
    }
    match target.map_or("", |target| text(target, "name")) {
        "" => Err(Failure::internal("target.name: Required value")),
        node => Ok(node),
    }
}

/// Gives the pod the annotations of its binding, and its uid, which another one's is refused by as in any update.
fn take_metadata(binding: &Map, pod: &mut Map) {
    let uid = metadata_text(binding, "uid");
    let notes = binding
        .get("metadata")
        .and_then(|m| m.get("annotations")?.as_object());
    let metadata = metadata_mut(pod);
    if !uid.is_empty() {
        metadata.insert("uid".into(), uid.into());
    }
    let own = metadata.entry("annotations").or_insert_with(|| json!({}));
    match (own.as_object_mut(), notes) {
        (Some(own), Some(notes)) => own.extend(notes.clone()),
        (Some(own), None) if own.is_empty() => {
            metadata.remove("annotations");
        }
        _ => {}
    }
}

fn assign(place: &Place, spec: &mut Map, node: &str) -> Answered<()> {
    let present = text(spec, "nodeName");
    if !present.is_empty() {
        let why = format!(
            "pod {} is already assigned to node \"{present}\"",
            place.name
        );
        let named = Named {
            kind: "pods/binding",
            ..place.named()
        };
        return Err(Failure::conflict(named, &why));
    }
    spec.insert("nodeName".into(), node.into());
    Ok(())
}
