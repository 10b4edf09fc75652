//! Texts of table columns: documented fields where a column shows one, else upstream's own words.

use objects::schema::builtin;

use crate::catalog::Resource;

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// What OpenAPI adds to the text of a field with a closed set of values.
const ENUM_APPENDIX: &str = "\n\nPossible enum values:";

/// Where a text comes from.
pub(super) enum Source {
    /// A field of a component schema.
    Field(&'static str, &'static str),
    /// These words.
    Words(&'static str),
}
use Source::{Field, Words};

/// Texts of columns by plural; an empty plural means any kind.
const COLUMNS: &[(&str, &str, Source)] = &[
    (
        "pods",
        "Ready",
        Words("The aggregate readiness state of this pod for accepting traffic."),
    ),
    (
        "pods",
        "Status",
        Words("The aggregate status of the containers in this pod."),
    ),
    (
        "pods",
        "Restarts",
        Words(
            "The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.",
        ),
    ),
    ("pods", "IP", Field("io.k8s.api.core.v1.PodStatus", "podIP")),
    (
        "pods",
        "Node",
        Field("io.k8s.api.core.v1.PodSpec", "nodeName"),
    ),
    (
        "pods",
        "Nominated Node",
        Field("io.k8s.api.core.v1.PodStatus", "nominatedNodeName"),
    ),
    (
        "pods",
        "Readiness Gates",
        Field("io.k8s.api.core.v1.PodSpec", "readinessGates"),
    ),
    (
        "deployments",
        "Ready",
        Words("Number of the pod with ready state"),
    ),
    (
        "deployments",
        "Up-to-date",
        Field("io.k8s.api.apps.v1.DeploymentStatus", "updatedReplicas"),
    ),
    (
        "deployments",
        "Available",
        Field("io.k8s.api.apps.v1.DeploymentStatus", "availableReplicas"),
    ),
    (
        "deployments",
        "Selector",
        Words(
            "Label selector for pods. Existing ReplicaSets whose pods are selected by this will be the ones affected by this deployment.",
        ),
    ),
    (
        "statefulsets",
        "Ready",
        Words("Number of the pod with ready state"),
    ),
    (
        "replicasets",
        "Desired",
        Field("io.k8s.api.apps.v1.ReplicaSetSpec", "replicas"),
    ),
    (
        "replicasets",
        "Current",
        Field("io.k8s.api.apps.v1.ReplicaSetStatus", "replicas"),
    ),
    (
        "replicasets",
        "Ready",
        Field("io.k8s.api.apps.v1.ReplicaSetStatus", "readyReplicas"),
    ),
    (
        "replicasets",
        "Selector",
        Field("io.k8s.api.apps.v1.ReplicaSetSpec", "selector"),
    ),
    (
        "replicationcontrollers",
        "Desired",
        Field("io.k8s.api.core.v1.ReplicationControllerSpec", "replicas"),
    ),
    (
        "replicationcontrollers",
        "Current",
        Field("io.k8s.api.core.v1.ReplicationControllerStatus", "replicas"),
    ),
    (
        "replicationcontrollers",
        "Ready",
        Field(
            "io.k8s.api.core.v1.ReplicationControllerStatus",
            "readyReplicas",
        ),
    ),
    (
        "replicationcontrollers",
        "Selector",
        Field("io.k8s.api.core.v1.ReplicationControllerSpec", "selector"),
    ),
    (
        "daemonsets",
        "Desired",
        Field(
            "io.k8s.api.apps.v1.DaemonSetStatus",
            "desiredNumberScheduled",
        ),
    ),
    (
        "daemonsets",
        "Current",
        Field(
            "io.k8s.api.apps.v1.DaemonSetStatus",
            "currentNumberScheduled",
        ),
    ),
    (
        "daemonsets",
        "Ready",
        Field("io.k8s.api.apps.v1.DaemonSetStatus", "numberReady"),
    ),
    (
        "daemonsets",
        "Up-to-date",
        Field(
            "io.k8s.api.apps.v1.DaemonSetStatus",
            "updatedNumberScheduled",
        ),
    ),
    (
        "daemonsets",
        "Available",
        Field("io.k8s.api.apps.v1.DaemonSetStatus", "numberAvailable"),
    ),
    (
        "daemonsets",
        "Node Selector",
        Field("io.k8s.api.core.v1.PodSpec", "nodeSelector"),
    ),
    (
        "daemonsets",
        "Selector",
        Field("io.k8s.api.apps.v1.DaemonSetSpec", "selector"),
    ),
    ("jobs", "Status", Words("Status of the job.")),
    (
        "jobs",
        "Completions",
        Field("io.k8s.api.batch.v1.JobStatus", "succeeded"),
    ),
    (
        "jobs",
        "Duration",
        Words("Time required to complete the job."),
    ),
    (
        "jobs",
        "Selector",
        Field("io.k8s.api.batch.v1.JobSpec", "selector"),
    ),
    (
        "cronjobs",
        "Schedule",
        Field("io.k8s.api.batch.v1.CronJobSpec", "schedule"),
    ),
    (
        "cronjobs",
        "Timezone",
        Field("io.k8s.api.batch.v1.CronJobSpec", "timeZone"),
    ),
    (
        "cronjobs",
        "Suspend",
        Field("io.k8s.api.batch.v1.CronJobSpec", "suspend"),
    ),
    (
        "cronjobs",
        "Active",
        Field("io.k8s.api.batch.v1.CronJobStatus", "active"),
    ),
    (
        "cronjobs",
        "Last Schedule",
        Field("io.k8s.api.batch.v1.CronJobStatus", "lastScheduleTime"),
    ),
    (
        "cronjobs",
        "Selector",
        Field("io.k8s.api.batch.v1.JobSpec", "selector"),
    ),
    (
        "services",
        "Type",
        Field("io.k8s.api.core.v1.ServiceSpec", "type"),
    ),
    (
        "services",
        "Cluster-IP",
        Field("io.k8s.api.core.v1.ServiceSpec", "clusterIP"),
    ),
    (
        "services",
        "External-IP",
        Field("io.k8s.api.core.v1.ServiceSpec", "externalIPs"),
    ),
    (
        "services",
        "Port(s)",
        Field("io.k8s.api.core.v1.ServiceSpec", "ports"),
    ),
    (
        "services",
        "Selector",
        Field("io.k8s.api.core.v1.ServiceSpec", "selector"),
    ),
    (
        "ingresses",
        "Class",
        Words(
            "The name of the IngressClass resource that should be used for additional configuration",
        ),
    ),
    (
        "ingresses",
        "Hosts",
        Words("Hosts that incoming requests are matched against before the ingress rule"),
    ),
    (
        "ingresses",
        "Address",
        Words("Address is a list containing ingress points for the load-balancer"),
    ),
    (
        "ingresses",
        "Ports",
        Words("Ports of TLS configurations that open"),
    ),
    (
        "ingressclasses",
        "Controller",
        Words("Controller that is responsible for handling matching Ingresses"),
    ),
    (
        "ingressclasses",
        "Parameters",
        Words("A reference to a resource with additional parameters"),
    ),
    (
        "networkpolicies",
        "Pod-Selector",
        Field("io.k8s.api.networking.v1.NetworkPolicySpec", "podSelector"),
    ),
    (
        "configmaps",
        "Data",
        Field("io.k8s.api.core.v1.ConfigMap", "data"),
    ),
    (
        "secrets",
        "Type",
        Field("io.k8s.api.core.v1.Secret", "type"),
    ),
    (
        "secrets",
        "Data",
        Field("io.k8s.api.core.v1.Secret", "data"),
    ),
    ("namespaces", "Status", Words("The status of the namespace")),
    ("nodes", "Status", Words("The status of the node")),
    ("nodes", "Roles", Words("The roles of the node")),
    (
        "nodes",
        "Version",
        Field("io.k8s.api.core.v1.NodeSystemInfo", "kubeletVersion"),
    ),
    (
        "nodes",
        "Internal-IP",
        Field("io.k8s.api.core.v1.NodeStatus", "addresses"),
    ),
    (
        "nodes",
        "External-IP",
        Field("io.k8s.api.core.v1.NodeStatus", "addresses"),
    ),
    (
        "nodes",
        "OS-Image",
        Field("io.k8s.api.core.v1.NodeSystemInfo", "osImage"),
    ),
    (
        "nodes",
        "Kernel-Version",
        Field("io.k8s.api.core.v1.NodeSystemInfo", "kernelVersion"),
    ),
    (
        "nodes",
        "Container-Runtime",
        Field(
            "io.k8s.api.core.v1.NodeSystemInfo",
            "containerRuntimeVersion",
        ),
    ),
    (
        "endpoints",
        "Endpoints",
        Field("io.k8s.api.core.v1.Endpoints", "subsets"),
    ),
    (
        "endpointslices",
        "AddressType",
        Field("io.k8s.api.discovery.v1.EndpointSlice", "addressType"),
    ),
    (
        "endpointslices",
        "Ports",
        Field("io.k8s.api.discovery.v1.EndpointSlice", "ports"),
    ),
    (
        "endpointslices",
        "Endpoints",
        Field("io.k8s.api.discovery.v1.EndpointSlice", "endpoints"),
    ),
    (
        "persistentvolumeclaims",
        "Status",
        Field("io.k8s.api.core.v1.PersistentVolumeClaimStatus", "phase"),
    ),
    (
        "persistentvolumeclaims",
        "Volume",
        Field("io.k8s.api.core.v1.PersistentVolumeClaimSpec", "volumeName"),
    ),
    (
        "persistentvolumeclaims",
        "Capacity",
        Field("io.k8s.api.core.v1.PersistentVolumeClaimStatus", "capacity"),
    ),
    (
        "persistentvolumeclaims",
        "Access Modes",
        Field(
            "io.k8s.api.core.v1.PersistentVolumeClaimStatus",
            "accessModes",
        ),
    ),
    (
        "persistentvolumeclaims",
        "StorageClass",
        Words("StorageClass of the pvc"),
    ),
    (
        "persistentvolumeclaims",
        "VolumeAttributesClass",
        Words("VolumeAttributesClass of the pvc"),
    ),
    (
        "persistentvolumeclaims",
        "VolumeMode",
        Field("io.k8s.api.core.v1.PersistentVolumeClaimSpec", "volumeMode"),
    ),
    (
        "persistentvolumes",
        "Capacity",
        Field("io.k8s.api.core.v1.PersistentVolumeSpec", "capacity"),
    ),
    (
        "persistentvolumes",
        "Access Modes",
        Field("io.k8s.api.core.v1.PersistentVolumeSpec", "accessModes"),
    ),
    (
        "persistentvolumes",
        "Reclaim Policy",
        Field(
            "io.k8s.api.core.v1.PersistentVolumeSpec",
            "persistentVolumeReclaimPolicy",
        ),
    ),
    (
        "persistentvolumes",
        "Status",
        Field("io.k8s.api.core.v1.PersistentVolumeStatus", "phase"),
    ),
    (
        "persistentvolumes",
        "Claim",
        Field("io.k8s.api.core.v1.PersistentVolumeSpec", "claimRef"),
    ),
    (
        "persistentvolumes",
        "StorageClass",
        Words("StorageClass of the pv"),
    ),
    (
        "persistentvolumes",
        "VolumeAttributesClass",
        Words("VolumeAttributesClass of the pv"),
    ),
    (
        "persistentvolumes",
        "Reason",
        Field("io.k8s.api.core.v1.PersistentVolumeStatus", "reason"),
    ),
    (
        "persistentvolumes",
        "VolumeMode",
        Field("io.k8s.api.core.v1.PersistentVolumeSpec", "volumeMode"),
    ),
    (
        "events",
        "Last Seen",
        Field("io.k8s.api.core.v1.Event", "lastTimestamp"),
    ),
    ("events", "Type", Field("io.k8s.api.core.v1.Event", "type")),
    (
        "events",
        "Reason",
        Field("io.k8s.api.core.v1.Event", "reason"),
    ),
    (
        "events",
        "Object",
        Field("io.k8s.api.core.v1.Event", "involvedObject"),
    ),
    (
        "events",
        "Subobject",
        Field("io.k8s.api.core.v1.ObjectReference", "fieldPath"),
    ),
    (
        "events",
        "Source",
        Field("io.k8s.api.core.v1.Event", "source"),
    ),
    (
        "events",
        "Message",
        Field("io.k8s.api.core.v1.Event", "message"),
    ),
    (
        "events",
        "First Seen",
        Field("io.k8s.api.core.v1.Event", "firstTimestamp"),
    ),
    (
        "events",
        "Count",
        Field("io.k8s.api.core.v1.Event", "count"),
    ),
    (
        "rolebindings",
        "Role",
        Field("io.k8s.api.rbac.v1.RoleBinding", "roleRef"),
    ),
    ("rolebindings", "Users", Words("Users in the roleBinding")),
    ("rolebindings", "Groups", Words("Groups in the roleBinding")),
    (
        "rolebindings",
        "ServiceAccounts",
        Words("ServiceAccounts in the roleBinding"),
    ),
    (
        "clusterrolebindings",
        "Role",
        Field("io.k8s.api.rbac.v1.ClusterRoleBinding", "roleRef"),
    ),
    (
        "clusterrolebindings",
        "Users",
        Words("Users in the clusterRoleBinding"),
    ),
    (
        "clusterrolebindings",
        "Groups",
        Words("Groups in the clusterRoleBinding"),
    ),
    (
        "clusterrolebindings",
        "ServiceAccounts",
        Words("ServiceAccounts in the clusterRoleBinding"),
    ),
    (
        "storageclasses",
        "Provisioner",
        Field("io.k8s.api.storage.v1.StorageClass", "provisioner"),
    ),
    (
        "storageclasses",
        "ReclaimPolicy",
        Field("io.k8s.api.storage.v1.StorageClass", "reclaimPolicy"),
    ),
    (
        "storageclasses",
        "VolumeBindingMode",
        Field("io.k8s.api.storage.v1.StorageClass", "volumeBindingMode"),
    ),
    (
        "storageclasses",
        "AllowVolumeExpansion",
        Field("io.k8s.api.storage.v1.StorageClass", "allowVolumeExpansion"),
    ),
    (
        "priorityclasses",
        "Value",
        Field("io.k8s.api.scheduling.v1.PriorityClass", "value"),
    ),
    (
        "priorityclasses",
        "Global-Default",
        Field("io.k8s.api.scheduling.v1.PriorityClass", "globalDefault"),
    ),
    (
        "priorityclasses",
        "PreemptionPolicy",
        Field("io.k8s.api.scheduling.v1.PriorityClass", "preemptionPolicy"),
    ),
    (
        "leases",
        "Holder",
        Field("io.k8s.api.coordination.v1.LeaseSpec", "holderIdentity"),
    ),
    (
        "poddisruptionbudgets",
        "Min Available",
        Words("The minimum number of pods that must be available."),
    ),
    (
        "poddisruptionbudgets",
        "Max Unavailable",
        Words("The maximum number of pods that may be unavailable."),
    ),
    (
        "poddisruptionbudgets",
        "Allowed Disruptions",
        Words("Calculated number of pods that may be disrupted at this time."),
    ),
    (
        "horizontalpodautoscalers",
        "Reference",
        Field(
            "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpec",
            "scaleTargetRef",
        ),
    ),
    (
        "horizontalpodautoscalers",
        "Targets",
        Field(
            "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpec",
            "metrics",
        ),
    ),
    (
        "horizontalpodautoscalers",
        "MinPods",
        Field(
            "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpec",
            "minReplicas",
        ),
    ),
    (
        "horizontalpodautoscalers",
        "MaxPods",
        Field(
            "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpec",
            "maxReplicas",
        ),
    ),
    (
        "horizontalpodautoscalers",
        "Replicas",
        Field(
            "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerStatus",
            "currentReplicas",
        ),
    ),
    (
        "",
        "Containers",
        Words("Names of each container in the template."),
    ),
    (
        "",
        "Images",
        Words("Images referenced by each container in the template."),
    ),
    (
        "",
        "Webhooks",
        Words("Webhooks indicates the number of webhooks registered in this configuration"),
    ),
    ("", "Name", Field(META, "name")),
    ("", "Age", Field(META, "creationTimestamp")),
    ("", "Created At", Field(META, "creationTimestamp")),
];

/// Returns the text of a column of a built-in kind, or "".
pub fn description(resource: &Resource, column: &str) -> &'static str {
    let all = super::documented::COLUMNS.iter().chain(COLUMNS);
    let mut all = all;
    let entry = all.find(|(plural, name, _)| {
        *name == column && (plural.is_empty() || *plural == resource.plural())
    });
    match entry {
        Some((_, _, Field(component, field))) => {
            let text = builtin::description(component, field);
            text.split(ENUM_APPENDIX).next().unwrap_or(text)
        }
        Some((_, _, Words(words))) => words,
        None => "",
    }
}
