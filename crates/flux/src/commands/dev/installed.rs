//! What `flux install` puts into a cluster beside the controllers: accounts, roles and the kinds.
//!
//! Names are upstream's, because repositories refer to them (`serviceAccountName: kustomize-controller`). Kinds that no
//! controller of this version attends are served with an open schema, so that repositories that hold them apply whole.

use api::names;
use objects::{Map, Object, Value, json};

use super::board::ROOT;
use crate::kinds::{self, FluxKind};

/// Annotation that keeps a copy of these objects in the repository from replacing them.
const KEEP: &str = "kustomize.toolkit.fluxcd.io/reconcile";

/// Controllers with an account of their own.
const ACCOUNTS: &[&str] = &[
    "helm-controller",
    "kustomize-controller",
    "notification-controller",
    "source-controller",
];

/// Accounts that apply what repositories hold.
const RECONCILERS: &[&str] = &["kustomize-controller", "helm-controller"];

/// Groups of the Flux kinds, as roles name them.
const GROUPS: &[&str] = &[
    "notification.toolkit.fluxcd.io",
    "source.toolkit.fluxcd.io",
    "source.extensions.fluxcd.io",
    "helm.toolkit.fluxcd.io",
    "image.toolkit.fluxcd.io",
    "kustomize.toolkit.fluxcd.io",
];

/// Kinds that Flux has, with the versions that users write; the first is stored.
const KINDS: &[(&FluxKind, &[&str])] = &[
    (&kinds::HELM_RELEASE, &["v2", "v2beta2", "v2beta1"]),
    (&kinds::ALERT, &["v1beta3", "v1beta2", "v1beta1"]),
    (&kinds::PROVIDER, &["v1beta3", "v1beta2", "v1beta1"]),
    (&kinds::RECEIVER, &["v1", "v1beta2", "v1beta1"]),
    (&kinds::IMAGE_REPOSITORY, &["v1", "v1beta2", "v1beta1"]),
    (&kinds::IMAGE_POLICY, &["v1", "v1beta2", "v1beta1"]),
    (
        &kinds::IMAGE_UPDATE_AUTOMATION,
        &["v1", "v1beta2", "v1beta1"],
    ),
    (&kinds::ARTIFACT_GENERATOR, &["v1beta1"]),
];

/// Returns the CRDs of all Flux kinds: those that this version knows, then those that it only stores.
///
/// A repository's own copy must not replace them: it may be of a release without the versions needed here.
pub fn definitions() -> Vec<Object> {
    let mut all = api::crds();
    let known: Vec<String> = all.iter().map(|crd| crd.name().to_owned()).collect();
    let open = KINDS.iter().map(|(kind, versions)| open(kind, versions));
    all.extend(open.filter(|crd| !known.iter().any(|name| name == crd.name())));
    for crd in &mut all {
        crd.set_annotation(KEEP, names::DISABLED);
    }
    all
}

/// A definition without a schema: everything is kept as it is written.
fn open(kind: &FluxKind, versions: &[&str]) -> Object {
    let version = |(index, name): (usize, &&str)| {
        json!({
            "name": name, "served": true, "storage": index == 0,
            "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": true,
            }},
        })
    };
    let versions: Vec<Value> = versions.iter().enumerate().map(version).collect();
    object(json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{}.{}", kind.plural, kind.group)},
        "spec": {
            "group": kind.group, "scope": "Namespaced", "versions": versions,
            "names": {
                "kind": kind.kind, "listKind": format!("{}List", kind.kind),
                "plural": kind.plural, "singular": kind.kind.to_lowercase(),
            },
        },
    }))
}

/// Returns namespace, accounts and roles, in the order in which they can be applied.
pub fn accounts_and_roles() -> Vec<Object> {
    let mut all = vec![object(json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": ROOT, "labels": {
            "app.kubernetes.io/instance": ROOT,
            "app.kubernetes.io/part-of": "flux",
            "pod-security.kubernetes.io/warn": "restricted",
            "pod-security.kubernetes.io/warn-version": "latest",
        }},
    }))];
    all.extend(ACCOUNTS.iter().map(|name| {
        object(json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": ROOT, "labels": part_of_flux()},
        }))
    }));
    let (read, write): (&[&str], &[&str]) = (
        &["get", "list", "watch"],
        &["create", "delete", "deletecollection", "patch", "update"],
    );
    all.push(flux_role("flux-view", &["admin", "edit", "view"], read));
    all.push(flux_role("flux-edit", &["admin", "edit"], write));
    all.push(controllers_role());
    all.push(binding(
        "crd-controller",
        "crd-controller-flux-system",
        ACCOUNTS,
    ));
    all.push(binding("cluster-reconciler", "cluster-admin", RECONCILERS));
    all
}

fn part_of_flux() -> Value {
    json!({"app.kubernetes.io/instance": ROOT, "app.kubernetes.io/part-of": "flux"})
}

/// A role over the Flux kinds that joins the built-in ones, so that tenants may own Flux objects.
fn flux_role(name: &str, joins: &[&str], verbs: &[&str]) -> Object {
    let mut labels = Map::new();
    for role in joins {
        let label = format!("rbac.authorization.k8s.io/aggregate-to-{role}");
        labels.insert(label, json!("true"));
    }
    labels.insert("app.kubernetes.io/part-of".into(), json!("flux"));
    cluster_role(
        name,
        Value::Object(labels),
        json!([{"apiGroups": GROUPS, "resources": ["*"], "verbs": verbs}]),
    )
}

fn controllers_role() -> Object {
    let read = json!(["get", "list", "watch"]);
    let lead = json!([
        "get", "list", "watch", "create", "update", "patch", "delete"
    ]);
    cluster_role(
        "crd-controller",
        part_of_flux(),
        json!([
            {"apiGroups": GROUPS, "resources": ["*"], "verbs": ["*"]},
            {"apiGroups": [""], "resources": ["namespaces", "secrets", "configmaps", "serviceaccounts"], "verbs": read},
            {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": lead},
            {"apiGroups": [""], "resources": ["configmaps/status"], "verbs": ["get", "update", "patch"]},
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": lead},
            {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]},
            {"nonResourceURLs": ["/livez/ping"], "verbs": ["head"]},
        ]),
    )
}

fn cluster_role(name: &str, labels: Value, rules: Value) -> Object {
    object(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": format!("{name}-{ROOT}"), "labels": labels},
        "rules": rules,
    }))
}

fn binding(name: &str, role: &str, accounts: &[&str]) -> Object {
    let subject =
        |account: &&str| json!({"kind": "ServiceAccount", "name": account, "namespace": ROOT});
    let subjects: Vec<Value> = accounts.iter().map(subject).collect();
    object(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": format!("{name}-{ROOT}"), "labels": part_of_flux()},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": subjects,
    }))
}

fn object(value: Value) -> Object {
    Object::from_value(value).expect("a map was written just above")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flux_kind_is_served_once_and_kept() {
        let all = definitions();
        let mut kinds: Vec<&str> = all
            .iter()
            .map(|crd| crd.str_at(&["spec", "names", "kind"]))
            .collect();
        kinds.sort_unstable();
        let count = kinds.len();
        kinds.dedup();
        assert_eq!(kinds.len(), count);
        for (kind, versions) in KINDS {
            assert!(kinds.contains(&kind.kind), "{}", kind.kind);
            assert_eq!(versions[0], kind.version);
        }
        assert!(
            all.iter()
                .all(|crd| crd.annotation(KEEP) == Some("disabled"))
        );
    }
}
