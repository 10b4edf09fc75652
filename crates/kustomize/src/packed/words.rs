//! Words that fill Kubernetes objects: field names and values that occur so often that one byte stands for them.
//!
//! The list is fixed, so packed objects mean the same everywhere and share nothing. Words may be added at the
//! end; what is not listed is packed as it is.

/// The words; a byte is the place of one.
pub(super) const WORDS: [&str; 231] = [
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "namespace",
    "labels",
    "annotations",
    "spec",
    "data",
    "status",
    "type",
    "description",
    "properties",
    "items",
    "required",
    "format",
    "default",
    "enum",
    "pattern",
    "object",
    "string",
    "integer",
    "boolean",
    "array",
    "int32",
    "int64",
    "date-time",
    "value",
    "valueFrom",
    "key",
    "keys",
    "env",
    "envFrom",
    "image",
    "imagePullPolicy",
    "command",
    "args",
    "ports",
    "port",
    "targetPort",
    "containerPort",
    "protocol",
    "TCP",
    "UDP",
    "http",
    "https",
    "metrics",
    "selector",
    "matchLabels",
    "matchExpressions",
    "operator",
    "values",
    "In",
    "NotIn",
    "Exists",
    "template",
    "replicas",
    "containers",
    "initContainers",
    "volumes",
    "volumeMounts",
    "mountPath",
    "subPath",
    "readOnly",
    "configMap",
    "configMapRef",
    "configMapKeyRef",
    "secret",
    "secretRef",
    "secretKeyRef",
    "secretName",
    "emptyDir",
    "persistentVolumeClaim",
    "claimName",
    "resources",
    "limits",
    "requests",
    "cpu",
    "memory",
    "storage",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "httpGet",
    "path",
    "scheme",
    "initialDelaySeconds",
    "periodSeconds",
    "timeoutSeconds",
    "failureThreshold",
    "successThreshold",
    "tcpSocket",
    "exec",
    "securityContext",
    "runAsNonRoot",
    "runAsUser",
    "runAsGroup",
    "fsGroup",
    "allowPrivilegeEscalation",
    "privileged",
    "readOnlyRootFilesystem",
    "capabilities",
    "drop",
    "add",
    "ALL",
    "seccompProfile",
    "RuntimeDefault",
    "serviceAccountName",
    "serviceAccount",
    "automountServiceAccountToken",
    "nodeSelector",
    "tolerations",
    "effect",
    "NoSchedule",
    "affinity",
    "podAntiAffinity",
    "podAffinity",
    "nodeAffinity",
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
    "nodeSelectorTerms",
    "podAffinityTerm",
    "labelSelector",
    "topologyKey",
    "topologySpreadConstraints",
    "weight",
    "strategy",
    "rollingUpdate",
    "RollingUpdate",
    "maxSurge",
    "maxUnavailable",
    "minAvailable",
    "restartPolicy",
    "dnsPolicy",
    "hostNetwork",
    "terminationGracePeriodSeconds",
    "priorityClassName",
    "revisionHistoryLimit",
    "progressDeadlineSeconds",
    "rules",
    "apiGroups",
    "resourceNames",
    "verbs",
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "roleRef",
    "apiGroup",
    "subjects",
    "rbac.authorization.k8s.io",
    "rbac.authorization.k8s.io/v1",
    "v1",
    "apps/v1",
    "batch/v1",
    "networking.k8s.io/v1",
    "policy/v1",
    "apiextensions.k8s.io/v1",
    "Deployment",
    "Service",
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "Ingress",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "Namespace",
    "PodDisruptionBudget",
    "HorizontalPodAutoscaler",
    "ClusterIP",
    "IfNotPresent",
    "Always",
    "Never",
    "Opaque",
    "stringData",
    "binaryData",
    "immutable",
    "schedule",
    "jobTemplate",
    "backoffLimit",
    "concurrencyPolicy",
    "host",
    "hosts",
    "tls",
    "ingressClassName",
    "backend",
    "service",
    "number",
    "pathType",
    "Prefix",
    "accessModes",
    "ReadWriteOnce",
    "storageClassName",
    "volumeClaimTemplates",
    "serviceName",
    "clusterIP",
    "None",
    "fieldRef",
    "fieldPath",
    "metadata.name",
    "metadata.namespace",
    "ingress",
    "egress",
    "from",
    "to",
    "podSelector",
    "namespaceSelector",
    "policyTypes",
    "podManagementPolicy",
    "interval",
    "sourceRef",
    "chart",
    "version",
    "app",
    "component",
    "app.kubernetes.io/name",
    "_non_namespaceable_",
    "prod",
    "production",
];

/// Longest word, in bytes.
const LONGEST: usize = 47;
/// Slots of the table; a power of two, large enough that most searches end at the first.
const SLOTS: usize = 1024;
/// Mark of a slot without word.
const EMPTY: u8 = 0xff;

static TABLE: [u8; SLOTS] = table();

/// Picks the first slot for a word from its length and three of its bytes.
const fn slot(word: &[u8]) -> usize {
    let length = word.len();
    if length == 0 {
        return 0;
    }
    let (first, middle, last) = (word[0], word[length / 2], word[length - 1]);
    let mixed =
        (first as usize) * 37 + (middle as usize) * 149 + (last as usize) * 601 + length * 211;
    mixed % SLOTS
}

const fn table() -> [u8; SLOTS] {
    let mut table = [EMPTY; SLOTS];
    let mut index = 0u8;
    while (index as usize) < WORDS.len() {
        let mut at = slot(WORDS[index as usize].as_bytes());
        while table[at] != EMPTY {
            at = (at + 1) % SLOTS;
        }
        table[at] = index;
        index += 1;
    }
    table
}

/// Finds the byte that stands for a text.
pub(super) fn find(text: &str) -> Option<u8> {
    if text.len() > LONGEST {
        return None;
    }
    let mut at = slot(text.as_bytes());
    loop {
        let word = TABLE[at];
        if word == EMPTY {
            return None;
        }
        if WORDS[usize::from(word)] == text {
            return Some(word);
        }
        at = (at + 1) % SLOTS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found() {
        for (index, word) in WORDS.iter().enumerate() {
            assert_eq!(find(word).map(usize::from), Some(index), "{word}");
            assert!(word.len() <= LONGEST, "{word}");
        }
        assert_eq!(find(""), None);
        assert_eq!(find("kinds"), None);
    }
}
