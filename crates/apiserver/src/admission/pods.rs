//! Pods as they enter a cluster: their service account and its token, their priority, what their runtime class demands, and how
//! long they stay on a node that is gone. Texts are those of Kubernetes' plugins of these names.

use objects::{Map, Value, json};

use crate::catalog::text;
use crate::engine::{Engine, Place};
use crate::failure::{Answered, Failure};

const PRIORITY_CLASSES: &str = "scheduling.k8s.io/priorityclasses";
const RUNTIME_CLASSES: &str = "node.k8s.io/runtimeclasses";

/// Completes a new pod, or refuses it.
pub fn admit(engine: &Engine, place: &Place, object: &mut Map) -> Answered<()> {
    let spec = object.entry("spec").or_insert_with(|| json!({}));
    let Some(spec) = spec.as_object_mut() else {
        return Ok(());
    };
    account(engine, place, spec)?;
    priority(engine, place, spec)?;
    tolerate(spec);
    runtime(engine, place, spec)
}

fn refused(place: &Place, why: &str) -> Box<Failure> {
    Failure::forbidden(place.named(), why)
}

/// Gives a pod its service account. The default one is taken for granted: it comes with the namespace.
fn account(engine: &Engine, place: &Place, spec: &mut Map) -> Answered<()> {
    let name = match text(spec, "serviceAccountName") {
        "" => "default".to_owned(),
        name => name.to_owned(),
    };
    spec.insert("serviceAccountName".into(), name.clone().into());
    spec.insert("serviceAccount".into(), name.clone().into());
    let key = crate::store::key(&place.namespace, &name);
    let account = match engine.store.get("/serviceaccounts", &key) {
        Some(entry) => entry.decode("v1", "ServiceAccount"),
        None if name == "default" => Map::new(),
        None => {
            let why = format!(
                "error looking up service account {}/{name}: serviceaccount \"{name}\" not found",
                place.namespace
            );
            return Err(refused(place, &why));
        }
    };
    let mounts = |object: &Map| {
        object
            .get("automountServiceAccountToken")
            .and_then(Value::as_bool)
    };
    if mounts(spec).or_else(|| mounts(&account)).unwrap_or(true) {
        mount_token(engine, spec);
    }
    let list = |object: &Map| {
        let list = object.get("imagePullSecrets").and_then(Value::as_array);
        list.filter(|list| !list.is_empty()).cloned()
    };
    if list(spec).is_none()
        && let Some(secrets) = list(&account)
    {
        spec.insert("imagePullSecrets".into(), secrets.into());
    }
    Ok(())
}

/// The class that counts where a pod names none: the lowest of those that say so.
fn default_class(engine: &Engine) -> Option<Map> {
    let (_, entries) = engine.store.list(PRIORITY_CLASSES, "");
    let classes = entries
        .iter()
        .map(|e| e.decode("scheduling.k8s.io/v1", "PriorityClass"));
    classes
        .filter(|class| class.get("globalDefault") == Some(&Value::Bool(true)))
        .min_by_key(|class| class.get("value").and_then(Value::as_i64))
}

fn priority(engine: &Engine, place: &Place, spec: &mut Map) -> Answered<()> {
    let class = match text(spec, "priorityClassName") {
        "" => {
            let class = default_class(engine);
            if let Some(class) = &class {
                let name = crate::engine::metadata_text(class, "name").to_owned();
                spec.insert("priorityClassName".into(), name.into());
            }
            class
        }
        name => {
            let Some(entry) = engine.store.get(PRIORITY_CLASSES, name) else {
                let why = format!("no PriorityClass with name {name} was found");
                return Err(refused(place, &why));
            };
            Some(entry.decode("scheduling.k8s.io/v1", "PriorityClass"))
        }
    };
    const FROM: &str = "from the given PriorityClass name";
    let value = class.as_ref().map_or(0, |class| {
        class.get("value").and_then(Value::as_i64).unwrap_or(0)
    });
    if let Some(own) = spec.get("priority").and_then(Value::as_i64)
        && own != value
    {
        let why = format!(
            "the integer value of priority ({own}) must not be provided in pod spec; priority admission controller computed {value} {FROM}"
        );
        return Err(refused(place, &why));
    }
    spec.insert("priority".into(), value.into());
    let policy = match class
        .as_ref()
        .map_or("", |class| text(class, "preemptionPolicy"))
    {
        "" => "PreemptLowerPriority",
        policy => policy,
    };
    let own = text(spec, "preemptionPolicy");
    if !own.is_empty() && own != policy {
        let why = format!(
            "the string value of PreemptionPolicy ({own}) must not be provided in pod spec; priority admission controller computed {policy} {FROM}"
        );
        return Err(refused(place, &why));
    }
    let policy = policy.to_owned();
    spec.insert("preemptionPolicy".into(), policy.into());
    Ok(())
}

fn runtime(engine: &Engine, place: &Place, spec: &mut Map) -> Answered<()> {
    let class = match spec.get("runtimeClassName").and_then(Value::as_str) {
        None => Map::new(),
        Some(name) => match engine.store.get(RUNTIME_CLASSES, name) {
            Some(entry) => entry.decode("node.k8s.io/v1", "RuntimeClass"),
            None => {
                let why = format!("pod rejected: RuntimeClass \"{name}\" not found");
                return Err(refused(place, &why));
            }
        },
    };
    let member = |key: &str, inner: &str| class.get(key).and_then(|v| v.get(inner)).cloned();
    let own = spec
        .get("overhead")
        .filter(|v| v.as_object().is_some_and(|o| !o.is_empty()));
    match (member("overhead", "podFixed"), own) {
        (None, Some(_)) => {
            let why = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead";
            return Err(refused(place, why));
        }
        (Some(fixed), Some(own)) if fixed != *own => {
            let why = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
            return Err(refused(place, why));
        }
        (Some(fixed), _) => {
            spec.insert("overhead".into(), fixed);
        }
        (None, None) => {}
    }
    if let Some(Value::Object(wanted)) = member("scheduling", "nodeSelector") {
        let selector = spec.entry("nodeSelector").or_insert_with(|| json!({}));
        for (key, value) in wanted {
            let shown = |value: &Value| value.as_str().unwrap_or("").to_owned();
            match selector.get(&key).filter(|own| **own != value) {
                Some(own) => {
                    let why = format!(
                        "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {}; pod.spec.nodeSelector[{key}] = {}",
                        shown(&value),
                        shown(own)
                    );
                    return Err(refused(place, &why));
                }
                None => selector[&key] = value,
            }
        }
    }
    if let Some(Value::Array(more)) = member("scheduling", "tolerations") {
        let list = spec.entry("tolerations").or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut() {
            let new: Vec<Value> = more.into_iter().filter(|t| !list.contains(t)).collect();
            list.extend(new);
        }
    }
    Ok(())
}

const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Mounts the service account's token into every container that has nothing at its place.
fn mount_token(engine: &Engine, spec: &mut Map) {
    let volumes = spec.get("volumes").and_then(Value::as_array);
    let mut names = volumes
        .into_iter()
        .flatten()
        .filter_map(|v| v.get("name")?.as_str());
    let old = names.find(|name| name.starts_with("kube-api-access-"));
    let name = match old {
        Some(name) => name.to_owned(),
        None => format!("kube-api-access-{}", engine.environment.suffix()),
    };
    let there = old.is_some();
    let mut mounted = false;
    for list in ["initContainers", "containers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut);
        for container in containers
            .into_iter()
            .flatten()
            .filter_map(Value::as_object_mut)
        {
            let mounts = container.entry("volumeMounts").or_insert_with(|| json!([]));
            let Some(mounts) = mounts.as_array_mut() else {
                continue;
            };
            let taken = mounts
                .iter()
                .any(|m| m.get("mountPath").and_then(Value::as_str) == Some(TOKEN_PATH));
            if !taken {
                mounts.push(json!({"mountPath": TOKEN_PATH, "name": name, "readOnly": true}));
                mounted = true;
            }
        }
    }
    if !mounted || there {
        return;
    }
    let volume = json!({"name": name, "projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"items": [{"key": "ca.crt", "path": "ca.crt"}], "name": "kube-root-ca.crt"}},
        {"downwardAPI": {"items": [
            {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}, "path": "namespace"}]}},
    ]}});
    let volumes = spec.entry("volumes").or_insert_with(|| json!([]));
    if let Some(volumes) = volumes.as_array_mut() {
        volumes.push(volume);
    }
}

/// Lets pods stay five minutes on a node that is gone.
pub fn tolerate(spec: &mut Map) {
    let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
    let Some(tolerations) = tolerations.as_array_mut() else {
        return;
    };
    for key in [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ] {
        let tolerated = tolerations.iter().any(|t| {
            let text = |name: &str| t.get(name).and_then(Value::as_str).unwrap_or("");
            (text("key") == key || (text("key").is_empty() && text("operator") == "Exists"))
                && matches!(text("effect"), "" | "NoExecute")
        });
        if !tolerated {
            tolerations.push(json!({
                "effect": "NoExecute", "key": key, "operator": "Exists", "tolerationSeconds": 300,
            }));
        }
    }
}
