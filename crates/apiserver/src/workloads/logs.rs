//! Logs of simulated pods: a line for each container, or what the annotation `simulation.ferroflux.dev/log` says.

use jiff::Timestamp;
use objects::{Map, Value};

use super::owned::text_at;
use super::pod::containers;
use crate::engine::{Engine, Place, Query};
use crate::failure::{Answered, Failure, Named, field};

/// Answers a read of a pod's log.
///
/// # Errors
/// Fails where the options exclude each other, or the pod, its container or the container's state cannot be read from.
pub(crate) fn answer(engine: &Engine, place: &Place, query: &Query) -> Answered<String> {
    check_options(&place.name, query)?;
    let entry = engine.entry(place)?;
    let pod = engine.decode_entry(&place.resource, &entry);
    read(&pod, query, engine.environment.clock.now())
}

/// Reads the log of one container; pods without a node have none.
fn read(pod: &Map, query: &Query, now: Timestamp) -> Answered<String> {
    let given = |key: &str| query.get(key).and_then(|v| v.first()).map(String::as_str);
    let flag = |key: &str| given(key).is_some_and(|v| !matches!(v, "false" | "0"));
    let (name, image) = container(pod, given("container").unwrap_or(""))?;
    if text_at(pod, &["spec", "nodeName"]).is_empty() {
        return Ok(String::new());
    }
    let status = status_of(pod, &name);
    check_state(pod, &name, status, flag("previous"))?;
    let since = status
        .and_then(|s| {
            let state = s.get("state")?;
            let inner = state.get("running").or_else(|| state.get("terminated"))?;
            inner.get("startedAt")?.as_str()
        })
        .unwrap_or_else(|| text_at(pod, &["status", "startTime"]));
    let text = super::pod::annotation(pod, "log").map_or_else(
        || format!("simulated container {name} of image {image}: nothing runs here"),
        str::to_owned,
    );
    let mut lines: Vec<&str> = text.lines().collect();
    if let Some(seconds) = given("sinceSeconds").and_then(|s| s.parse::<i64>().ok()) {
        let start = since.parse::<Timestamp>().map_or(0, |s| s.as_second());
        if now.as_second() - start > seconds {
            lines.clear();
        }
    }
    if let Some(tail) = given("tailLines").and_then(|s| s.parse::<usize>().ok()) {
        lines.drain(..lines.len().saturating_sub(tail));
    }
    let stamps = flag("timestamps");
    let mut out = String::new();
    for line in lines {
        if stamps {
            out.push_str(&since.replace('Z', ".000000000Z"));
            out.push(' ');
        }
        out.push_str(line);
        out.push('\n');
    }
    if let Some(limit) = given("limitBytes").and_then(|s| s.parse::<usize>().ok()) {
        let end = (0..=limit.min(out.len()))
            .rev()
            .find(|at| out.is_char_boundary(*at));
        out.truncate(end.unwrap_or(0));
    }
    Ok(out)
}

/// Refuses options that no log can be read with, before anybody looks for the pod.
fn check_options(pod: &str, query: &Query) -> Answered<()> {
    let given = |key: &str| query.get(key).and_then(|v| v.first()).map(String::as_str);
    let mut numbers = [("tailLines", 0), ("sinceSeconds", 1), ("limitBytes", 1)].map(|o| (o, None));
    for ((key, _), number) in &mut numbers {
        *number = crate::engine::parse_integer(given(key).unwrap_or(""))?;
    }
    let time = given("sinceTime").filter(|time| !time.is_empty());
    if let Some(time) = time
        && time.parse::<Timestamp>().is_err()
    {
        return Err(Failure::bad_request(format!(
            "parsing time \"{time}\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"{time}\" as \"2006\""
        )));
    }
    let mut causes = Vec::new();
    for ((key, least), number) in numbers {
        if let Some(number) = number.filter(|number| *number < least) {
            let bound = if least == 0 {
                "greater than or equal to 0"
            } else {
                "greater than 0"
            };
            causes.push(field::invalid(
                key,
                &number.into(),
                &format!("must be {bound}"),
            ));
        }
    }
    if time.is_some() && given("sinceSeconds").is_some_and(|s| !s.is_empty()) {
        let why = "at most one of `sinceTime` or `sinceSeconds` may be specified";
        causes.push(field::forbidden("[]", why));
    }
    // The choice of a stream is not switched on in 1.35.
    if given("stream").is_some_and(|stream| !matches!(stream, "" | "All")) {
        causes.push(field::forbidden("stream", "may not be specified"));
    }
    if causes.is_empty() {
        return Ok(());
    }
    let named = Named {
        group: "",
        kind: "PodLogOptions",
        name: pod,
    };
    Err(Failure::invalid(named, causes))
}

/// Finds the container that is asked for: its name and image.
fn container(pod: &Map, wanted: &str) -> Answered<(String, String)> {
    let pod_name = crate::engine::metadata_text(pod, "name");
    let main = containers(pod, "containers");
    let init = containers(pod, "initContainers");
    if wanted.is_empty() {
        if let [one] = main.as_slice() {
            return Ok(one.clone());
        }
        let names = |list: &[(String, String)]| -> String {
            let names: Vec<&str> = list.iter().map(|(name, _)| name.as_str()).collect();
            names.join(" ")
        };
        let mut message = format!(
            "a container name must be specified for pod {pod_name}, choose one of: [{}]",
            names(&main)
        );
        if !init.is_empty() {
            message.push_str(&format!(
                " or one of the init containers: [{}]",
                names(&init)
            ));
        }
        return Err(Failure::bad_request(message));
    }
    let found = main
        .into_iter()
        .chain(init)
        .find(|(name, _)| name == wanted);
    found.ok_or_else(|| {
        Failure::bad_request(format!(
            "container {wanted} is not valid for pod {pod_name}"
        ))
    })
}

fn status_of<'a>(pod: &'a Map, name: &str) -> Option<&'a Value> {
    let status = pod.get("status")?;
    ["containerStatuses", "initContainerStatuses"]
        .iter()
        .filter_map(|list| status.get(*list)?.as_array())
        .flatten()
        .find(|status| status["name"] == name)
}

fn check_state(pod: &Map, name: &str, status: Option<&Value>, previous: bool) -> Answered<()> {
    let pod_name = crate::engine::metadata_text(pod, "name");
    let ended = status.is_some_and(|s| s.pointer("/lastState/terminated").is_some());
    if previous {
        if ended {
            return Ok(());
        }
        return Err(Failure::bad_request(format!(
            "previous terminated container {name:?} in pod {pod_name:?} not found"
        )));
    }
    let waiting = status.and_then(|s| s.pointer("/state/waiting/reason")?.as_str());
    let why = match waiting {
        _ if ended => return Ok(()),
        Some("ImagePullBackOff" | "ErrImagePull") => {
            format!(
                "container {name:?} in pod {pod_name:?} is waiting to start: trying and failing to pull image"
            )
        }
        Some(reason) => {
            format!("container {name:?} in pod {pod_name:?} is waiting to start: {reason}")
        }
        None => return Ok(()),
    };
    Err(Failure::bad_request(why))
}
