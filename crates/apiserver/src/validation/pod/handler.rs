//! Probes and life-cycle handlers of containers.

use objects::{Map, Value};

use super::super::{Faults, at, items, map_at, number, text};
use super::{Scene, port_value};

const EXTRA: &str = "may not specify more than 1 handler type";
const SIGNALS_WINDOWS: [&str; 2] = ["SIGKILL", "SIGTERM"];

/// Checks what the kubelet does to a running container.
pub(super) fn all(container: &Map, path: &str, scene: &Scene<'_>, faults: &mut Faults) {
    if let Some(cycle) = map_at(container, &["lifecycle"]) {
        life_cycle(cycle, &format!("{path}.lifecycle"), scene, faults);
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = map_at(container, &[name]) else {
            continue;
        };
        let own = format!("{path}.{name}");
        self::probe(probe, &own, scene, faults);
        let grace = at(probe, &["terminationGracePeriodSeconds"]);
        if name == "readinessProbe" {
            if let Some(grace) = grace {
                let why = "must not be set for readinessProbes";
                faults.invalid(&format!("{own}.terminationGracePeriodSeconds"), grace, why);
            }
        } else {
            let threshold = number(probe, "successThreshold");
            if threshold != 1 {
                let own = format!("{own}.successThreshold");
                faults.invalid(&own, &threshold.into(), "must be 1");
            }
        }
    }
}

fn life_cycle(cycle: &Map, path: &str, scene: &Scene<'_>, faults: &mut Faults) {
    for name in ["postStart", "preStop"] {
        if let Some(inner) = map_at(cycle, &[name]) {
            handler(inner, &format!("{path}.{name}"), scene, faults);
        }
    }
    if let Some(signal) = at(cycle, &["stopSignal"]).and_then(Value::as_str) {
        let own = format!("{path}.stopSignal");
        match scene.system {
            None => {
                let why = "may not be set for containers with empty `spec.os.name`";
                faults.forbidden(&own, why);
            }
            Some("windows") => faults.one_of(&own, signal, &SIGNALS_WINDOWS),
            Some(_) => {}
        }
    }
}

fn probe(probe: &Map, path: &str, scene: &Scene<'_>, faults: &mut Faults) {
    handler(probe, path, scene, faults);
    for key in [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ] {
        faults.not_negative(probe, path, key);
    }
    let grace = at(probe, &["terminationGracePeriodSeconds"]).and_then(Value::as_i64);
    if let Some(grace) = grace.filter(|grace| *grace <= 0) {
        let own = format!("{path}.terminationGracePeriodSeconds");
        faults.invalid(&own, &grace.into(), "must be greater than 0");
    }
}

fn handler(handler: &Map, path: &str, scene: &Scene<'_>, faults: &mut Faults) {
    let mut any = false;
    for name in ["exec", "httpGet", "tcpSocket", "grpc", "sleep"] {
        let Some(action) = map_at(handler, &[name]) else {
            continue;
        };
        let own = format!("{path}.{name}");
        if any {
            faults.forbidden(&own, EXTRA);
            continue;
        }
        any = true;
        match name {
            "exec" => {
                let command = at(action, &["command"]).and_then(Value::as_array);
                if command.is_none_or(Vec::is_empty) {
                    faults.required(&format!("{own}.command"), "");
                }
            }
            "httpGet" => http(action, &own, faults),
            "sleep" => sleep(action, &own, scene, faults),
            _ => port(action, &own, faults),
        }
    }
    if !any {
        faults.required(path, "must specify a handler type");
    }
}

fn port(action: &Map, path: &str, faults: &mut Faults) {
    let zero = Value::from(0);
    let port = at(action, &["port"]).unwrap_or(&zero);
    port_value(&format!("{path}.port"), port, faults);
}

fn http(action: &Map, path: &str, faults: &mut Faults) {
    if text(action, "path").is_empty() {
        faults.required(&format!("{path}.path"), "");
    }
    port(action, path, faults);
    let scheme = text(action, "scheme");
    faults.one_of(&format!("{path}.scheme"), scheme, &["HTTP", "HTTPS"]);
    for (_, header) in items(action, &["httpHeaders"]) {
        let name = text(header, "name");
        let sound = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if name.is_empty() || !name.chars().all(sound) {
            let why = "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";
            faults.invalid(&format!("{path}.httpHeaders"), &name.into(), why);
        }
    }
}

fn sleep(action: &Map, path: &str, scene: &Scene<'_>, faults: &mut Faults) {
    let seconds = number(action, "seconds");
    let Some(grace) = scene.grace else { return };
    if seconds < 0 || seconds > grace {
        let why =
            format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
        faults.invalid(path, &seconds.into(), &why);
    }
}
