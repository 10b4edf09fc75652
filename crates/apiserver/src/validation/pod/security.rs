//! Security contexts of pods and containers. Windows' own options are checked for the host's processes only.

use objects::{Map, Value};

use super::super::{Faults, NO_FIELDS, at, items, map_at, text};
use super::Scene;
use super::volume::descending;
use crate::internals::compact;

const IDENTITY: &str = "must be between 0 and 2147483647, inclusive";
const PROFILES: [&str; 3] = ["Localhost", "RuntimeDefault", "Unconfined"];

fn identity(value: Option<&Value>, path: &str, faults: &mut Faults) {
    let number = value.and_then(Value::as_i64);
    if let Some(number) = number.filter(|n| !(0..=i64::from(i32::MAX)).contains(n)) {
        faults.invalid(path, &number.into(), IDENTITY);
    }
}

/// Checks the security context of a pod.
pub(super) fn of_pod(spec: &Map, path: &str, faults: &mut Faults) {
    let context = map_at(spec, &["securityContext"]).unwrap_or(&NO_FIELDS);
    let path = format!("{path}.securityContext");
    for key in ["fsGroup", "runAsUser", "runAsGroup"] {
        identity(context.get(key), &format!("{path}.{key}"), faults);
    }
    let groups = at(context, &["supplementalGroups"]).and_then(Value::as_array);
    for (i, group) in groups.into_iter().flatten().enumerate() {
        identity(
            Some(group),
            &format!("{path}.supplementalGroups[{i}]"),
            faults,
        );
    }
    let truth = |key: &str| spec.get(key) == Some(&Value::Bool(true));
    if truth("shareProcessNamespace") && truth("hostPID") {
        let why = "ShareProcessNamespace and HostPID cannot both be enabled";
        faults.invalid(&format!("{path}.shareProcessNamespace"), &true.into(), why);
    }
    controls(context, &path, faults);
    let word = |key: &str, words: &[&str], faults: &mut Faults| {
        if let Some(word) = at(context, &[key]).and_then(Value::as_str) {
            faults.one_of(&format!("{path}.{key}"), word, words);
        }
    };
    word("fsGroupChangePolicy", &["Always", "OnRootMismatch"], faults);
    profiles(context, &path, faults);
    word("supplementalGroupsPolicy", &["Merge", "Strict"], faults);
    word("seLinuxChangePolicy", &["MountOption", "Recursive"], faults);
}

/// Checks the security context of a container.
pub(super) fn of_container(context: &Map, path: &str, scene: &Scene<'_>, faults: &mut Faults) {
    for key in ["runAsUser", "runAsGroup"] {
        identity(context.get(key), &format!("{path}.{key}"), faults);
    }
    if let Some(mount) = at(context, &["procMount"]).and_then(Value::as_str) {
        let own = format!("{path}.procMount");
        faults.one_of(&own, mount, &["Default", "Unmasked"]);
        if mount == "Unmasked" && scene.host_users {
            let why = "`hostUsers` must be false to use `Unmasked`";
            faults.invalid(&own, &mount.into(), why);
        }
    }
    seccomp(context, path, faults);
    if context.get("allowPrivilegeEscalation") == Some(&Value::Bool(false)) {
        let shown = || compact("SecurityContext", context);
        if context.get("privileged") == Some(&Value::Bool(true)) {
            let why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            faults.invalid_text(path, &shown(), why);
        }
        let added = at(context, &["capabilities", "add"]).and_then(Value::as_array);
        if added.is_some_and(|added| added.iter().any(|name| name == "CAP_SYS_ADMIN")) {
            let why = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
            faults.invalid_text(path, &shown(), why);
        }
    }
    windows(context, path, faults);
    armor(context, path, faults);
}

fn profiles(context: &Map, path: &str, faults: &mut Faults) {
    seccomp(context, path, faults);
    windows(context, path, faults);
    armor(context, path, faults);
}

fn windows(context: &Map, path: &str, faults: &mut Faults) {
    let user = at(context, &["windowsOptions", "runAsUserName"]);
    if user.and_then(Value::as_str) == Some("") {
        let own = format!("{path}.windowsOptions.runAsUserName");
        faults.invalid(&own, &"".into(), "runAsUserName cannot be an empty string");
    }
}

fn seccomp(context: &Map, path: &str, faults: &mut Faults) {
    let Some(profile) = map_at(context, &["seccompProfile"]) else {
        return;
    };
    let path = format!("{path}.seccompProfile");
    match text(profile, "type") {
        "" => {
            let why = "type is required when seccompProfile is set";
            faults.required(&format!("{path}.type"), why);
        }
        kind => faults.one_of(&format!("{path}.type"), kind, &PROFILES),
    }
    let own = format!("{path}.localhostProfile");
    let local = at(profile, &["localhostProfile"]).and_then(Value::as_str);
    match (text(profile, "type"), local) {
        ("Localhost", None) => {
            faults.required(&own, "must be set when seccomp type is Localhost");
        }
        ("Localhost", Some(place)) => descending(&own, place, faults),
        (_, Some(_)) => {
            let why = "can only be set when seccomp type is Localhost";
            faults.invalid_text(&own, &compact("SeccompProfile", profile), why);
        }
        (_, None) => {}
    }
}

fn armor(context: &Map, path: &str, faults: &mut Faults) {
    let Some(profile) = map_at(context, &["appArmorProfile"]) else {
        return;
    };
    let path = format!("{path}.appArmorProfile");
    let own = format!("{path}.localhostProfile");
    let local = at(profile, &["localhostProfile"]).and_then(Value::as_str);
    match (text(profile, "type"), local) {
        ("", _) => {
            let why = "type is required when appArmorProfile is set";
            faults.required(&format!("{path}.type"), why);
        }
        ("Localhost", None | Some("")) => {
            faults.required(&own, "must be set when AppArmor type is Localhost");
        }
        ("Localhost", Some(place)) if place.trim() != place => {
            faults.invalid(&own, &place.into(), "must not be padded with whitespace");
        }
        ("RuntimeDefault" | "Unconfined", Some(place)) => {
            let why = "can only be set when AppArmor type is Localhost";
            faults.invalid(&own, &place.into(), why);
        }
        (kind, _) => {
            let kinds = ["Localhost", "RuntimeDefault", "Unconfined"];
            faults.one_of(&format!("{path}.type"), kind, &kinds);
        }
    }
}

fn controls(context: &Map, path: &str, faults: &mut Faults) {
    const PATTERN: &str = r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
    let mut seen: Vec<&str> = Vec::new();
    for (i, control) in items(context, &["sysctls"]) {
        let own = format!("{path}.sysctls[{i}].name");
        let name = text(control, "name");
        if name.is_empty() {
            faults.required(&own, "");
        } else if !is_control(name) {
            let why = format!("must have at most 253 characters and match regex {PATTERN}");
            faults.invalid(&own, &name.into(), &why);
        } else if seen.contains(&name) {
            faults.duplicate(&own, name);
        }
        seen.push(name);
    }
}

fn is_control(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.len() <= 253
        && name.split(['.', '/']).all(|part| {
            part.chars().all(inner) && edge(part.chars().next()) && edge(part.chars().last())
        })
}

/// Processes of a Windows host need the host's network.
pub(super) fn host_process(spec: &Map, path: &str, faults: &mut Faults) {
    let wants = |context: Option<&Map>| {
        context.and_then(|c| at(c, &["windowsOptions", "hostProcess"])) == Some(&Value::Bool(true))
    };
    let any = wants(map_at(spec, &["securityContext"]))
        || items(spec, &["containers"]).any(|(_, c)| wants(map_at(c, &["securityContext"])));
    if any && spec.get("hostNetwork") != Some(&Value::Bool(true)) {
        let why = "hostNetwork must be true if pod contains any hostProcess containers";
        faults.invalid(&format!("{path}.hostNetwork"), &false.into(), why);
    }
}

/// A pod with users of its own shares nothing else with the host.
pub(super) fn host_users(spec: &Map, path: &str, scene: &Scene<'_>, faults: &mut Faults) {
    if scene.host_users {
        return;
    }
    const WHY: &str = "when `hostUsers` is false";
    for (key, shown) in [
        ("hostNetwork", "hostNetwork"),
        ("hostPID", "HostPID"),
        ("hostIPC", "HostIPC"),
    ] {
        if spec.get(key) == Some(&Value::Bool(true)) {
            faults.forbidden(&format!("{path}.{shown}"), WHY);
        }
    }
    for list in ["initContainers", "containers"] {
        for (i, container) in items(spec, &[list]) {
            if items(container, &["volumeDevices"]).next().is_some() {
                faults.forbidden(&format!("{path}.{list}[{i}].volumeDevices"), WHY);
            }
        }
    }
}
