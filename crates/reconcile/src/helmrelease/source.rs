//! Whether the source of a chart can be used.

use api::names::{EXTERNAL_ARTIFACT, READY, STALLED};
use objects::{Object, Value};

/// Tells why a source cannot be used yet. A source that failed but still has a current artifact can be used.
///
/// # Errors
/// Says why, in the words of the condition.
pub fn source_ready(kind: &str, source: &Object) -> Result<(), String> {
    let not_ready = |why: &str| {
        let (namespace, name) = (source.namespace(), source.name());
        Err(format!("{kind} '{namespace}/{name}' is not ready: {why}"))
    };
    let has_artifact = source
        .get(&["status", "artifact"])
        .is_some_and(|a| !a.is_null());
    if kind != EXTERNAL_ARTIFACT {
        let observed = source.get(&["status", "observedGeneration"]);
        let observed = observed.and_then(Value::as_i64).unwrap_or(0);
        if source.generation() != observed {
            let failed = condition(source, READY).filter(|c| c["status"] == "False");
            let message = failed.and_then(|c| c["message"].as_str());
            let unseen = "latest generation of object has not been reconciled";
            return not_ready(message.unwrap_or(unseen));
        }
        if let Some(stalled) = condition(source, STALLED).filter(|c| c["status"] == "True") {
            return not_ready(stalled["message"].as_str().unwrap_or(""));
        }
    }
    if !has_artifact {
        return not_ready("does not have an artifact");
    }
    Ok(())
}

fn condition<'a>(object: &'a Object, type_: &str) -> Option<&'a Value> {
    let list = object.get(&["status", "conditions"])?.as_array()?;
    list.iter().find(|c| c["type"] == type_)
}
