//! What the generic write path asks about each kind: tables of yes and no.

use crate::catalog::Resource;

/// Tells whether objects of a kind carry a generation.
pub fn has_generation(resource: &Resource) -> bool {
    if resource.custom.is_some() {
        return true;
    }
    matches!(
        (resource.group(), resource.plural()),
        (
            "apps",
            "deployments" | "replicasets" | "statefulsets" | "daemonsets"
        ) | ("", "replicationcontrollers" | "podtemplates" | "pods")
            | ("batch", "jobs" | "cronjobs")
            | (
                "networking.k8s.io",
                "ingresses" | "ingressclasses" | "networkpolicies"
            )
            | ("policy", "poddisruptionbudgets")
            | ("apiextensions.k8s.io", "customresourcedefinitions")
            | ("admissionregistration.k8s.io", _)
            | ("flowcontrol.apiserver.k8s.io", _)
            | ("storage.k8s.io", "csidrivers")
            | ("resource.k8s.io", "resourceslices" | "deviceclasses")
            | ("discovery.k8s.io", "endpointslices")
            | ("scheduling.k8s.io", "priorityclasses")
    )
}

/// Tells whether a write of the status may change a member of the metadata. Most built-in kinds allow it.
pub fn changes_with_status(resource: &Resource, member: &str) -> bool {
    if matches!(member, "managedFields" | "resourceVersion" | "uid") {
        return true;
    }
    let reset = resource.custom.is_some()
        || matches!(
            (resource.group(), resource.plural()),
            (
                "apiextensions.k8s.io"
                    | "apiregistration.k8s.io"
                    | "flowcontrol.apiserver.k8s.io"
                    | "resource.k8s.io"
                    | "admissionregistration.k8s.io",
                _
            ) | ("networking.k8s.io", "servicecidrs")
                | ("storage.k8s.io", "volumeattachments")
        );
    match member {
        "labels" => !reset && !resource.is("apps", "deployments"),
        "ownerReferences" => !reset && !resource.is("", "pods"),
        "annotations" | "finalizers" => !reset,
        _ => false,
    }
}

/// Tells whether an update has to name the version it replaces.
pub fn needs_version(resource: &Resource) -> bool {
    resource.custom.is_some()
        || matches!(
            (resource.group(), resource.plural()),
            ("apiextensions.k8s.io", "customresourcedefinitions")
                | ("apiregistration.k8s.io", "apiservices")
                | ("coordination.k8s.io", "leases")
                | ("policy", "poddisruptionbudgets")
                | ("node.k8s.io", "runtimeclasses")
                | ("admissionregistration.k8s.io", _)
                | (
                    "storage.k8s.io",
                    "csidrivers" | "csinodes" | "csistoragecapacities" | "volumeattachments"
                )
        )
}

/// Tells whether a PUT of something absent creates it.
pub fn creates_on_update(resource: &Resource) -> bool {
    matches!(
        (resource.group(), resource.plural()),
        ("rbac.authorization.k8s.io", _)
            | ("coordination.k8s.io", "leases")
            | ("", "limitranges" | "events" | "services" | "endpoints")
            | ("events.k8s.io", "events")
            | ("node.k8s.io", "runtimeclasses")
    )
}

/// Tells whether the answer to a delete shows the object rather than a Status, as some storages upstream do.
pub fn answers_with_deleted(resource: &Resource) -> bool {
    const CORE: &[&str] = &[
        "persistentvolumeclaims",
        "persistentvolumes",
        "podtemplates",
        "resourcequotas",
        "serviceaccounts",
        "services",
    ];
    const STORAGE: &[&str] = &[
        "csidrivers",
        "csinodes",
        "storageclasses",
        "volumeattachments",
        "volumeattributesclasses",
    ];
    match resource.group() {
        "" => CORE.contains(&resource.plural()),
        "storage.k8s.io" => STORAGE.contains(&resource.plural()),
        "resource.k8s.io" => true,
        _ => false,
    }
}
