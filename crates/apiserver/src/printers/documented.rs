//! Texts of columns of rarer kinds, and of those whose text is older than the field's present documentation.

use super::describe::Source::{self, Field, Words};

/// Texts of columns by plural and name; they go before those of all kinds.
pub(super) const COLUMNS: &[(&str, &str, Source)] = &[
    (
        "componentstatuses",
        "Status",
        Words("Status of the component conditions"),
    ),
    (
        "componentstatuses",
        "Message",
        Words("Message of the component conditions"),
    ),
    (
        "componentstatuses",
        "Error",
        Words("Error of the component conditions"),
    ),
    (
        "podtemplates",
        "Pod Labels",
        Words("The labels for the pod template."),
    ),
    (
        "resourcequotas",
        "Request",
        Words("Request represents a minimum amount of cpu/memory that a container may consume."),
    ),
    (
        "resourcequotas",
        "Limit",
        Words(
            "Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node.",
        ),
    ),
    (
        "apiservices",
        "Service",
        Words("The reference to the service that hosts this API endpoint."),
    ),
    (
        "apiservices",
        "Available",
        Words("Whether this service is available."),
    ),
    (
        "controllerrevisions",
        "Controller",
        Words("Controller of the object"),
    ),
    (
        "controllerrevisions",
        "Revision",
        Words("revision indicates the revision of the state represented by Data."),
    ),
    (
        "daemonsets",
        "Ready",
        Words(
            "The number of nodes that should be running the daemon pod and have one or more of the daemon pod running and ready.",
        ),
    ),
    (
        "daemonsets",
        "Selector",
        Words(
            "A label query over pods that are managed by the daemon set. Must match in order to be controlled. If empty, defaulted to labels on Pod template. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors",
        ),
    ),
    (
        "replicasets",
        "Selector",
        Words(
            "Selector is a label query over pods that should match the replica count. If the selector is empty, it is defaulted to the labels present on the pod template. Label keys and values that must match in order to be controlled by this replica set. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors",
        ),
    ),
    (
        "horizontalpodautoscalers",
        "Targets",
        Words(
            "metrics contains the specifications for which to use to calculate the desired replica count (the maximum replica count across all metrics will be used).  The desired replica count is calculated multiplying the ratio between the target value and the current value by the current number of pods.  Ergo, metrics used must decrease as the pod count is increased, and vice-versa.  See the individual metric source types for more information about how each type of metric must respond.",
        ),
    ),
    (
        "certificatesigningrequests",
        "SignerName",
        Words(
            "Requested signer for the request. It is a qualified name in the form: `scope-hostname.io/name`. If empty, it will be defaulted:\n 1. If it's a kubelet client certificate, it is assigned\n    \"kubernetes.io/kube-apiserver-client-kubelet\".\n 2. If it's a kubelet serving certificate, it is assigned\n    \"kubernetes.io/kubelet-serving\".\n 3. Otherwise, it is assigned \"kubernetes.io/legacy-unknown\".\nDistribution of trust for signers happens out of band. You can select on this field using `spec.signerName`.",
        ),
    ),
    (
        "certificatesigningrequests",
        "Requestor",
        Words("Base64-encoded PKCS#10 CSR data"),
    ),
    (
        "certificatesigningrequests",
        "RequestedDuration",
        Field(
            "io.k8s.api.certificates.v1.CertificateSigningRequestSpec",
            "expirationSeconds",
        ),
    ),
    (
        "certificatesigningrequests",
        "Condition",
        Words("Conditions applied to the request, such as approval or denial."),
    ),
    (
        "ingressclasses",
        "Controller",
        Words("Controller that is responsible for handling this class"),
    ),
    (
        "ipaddresses",
        "ParentRef",
        Field("io.k8s.api.networking.v1.IPAddressSpec", "parentRef"),
    ),
    (
        "networkpolicies",
        "Pod-Selector",
        Words(
            "Selects the pods to which this NetworkPolicy object applies.  The array of ingress rules is applied to any pods selected by this field. Multiple network policies can select the same set of pods.  In this case, the ingress rules for each are combined additively. This field is NOT optional and follows standard label selector semantics. An empty podSelector matches all pods in this namespace.",
        ),
    ),
    (
        "servicecidrs",
        "CIDRs",
        Field("io.k8s.api.networking.v1.ServiceCIDRSpec", "cidrs"),
    ),
    (
        "clusterrolebindings",
        "Role",
        Words(
            "RoleRef can only reference a ClusterRole in the global namespace. If the RoleRef cannot be resolved, the Authorizer must return an error.",
        ),
    ),
    (
        "rolebindings",
        "Role",
        Words(
            "RoleRef can reference a Role in the current namespace or a ClusterRole in the global namespace. If the RoleRef cannot be resolved, the Authorizer must return an error.",
        ),
    ),
    (
        "csidrivers",
        "AttachRequired",
        Field("io.k8s.api.storage.v1.CSIDriverSpec", "attachRequired"),
    ),
    (
        "csidrivers",
        "PodInfoOnMount",
        Field("io.k8s.api.storage.v1.CSIDriverSpec", "podInfoOnMount"),
    ),
    (
        "csidrivers",
        "StorageCapacity",
        Field("io.k8s.api.storage.v1.CSIDriverSpec", "storageCapacity"),
    ),
    (
        "csidrivers",
        "TokenRequests",
        Field("io.k8s.api.storage.v1.CSIDriverSpec", "tokenRequests"),
    ),
    (
        "csidrivers",
        "RequiresRepublish",
        Field("io.k8s.api.storage.v1.CSIDriverSpec", "requiresRepublish"),
    ),
    (
        "csidrivers",
        "Modes",
        Field(
            "io.k8s.api.storage.v1.CSIDriverSpec",
            "volumeLifecycleModes",
        ),
    ),
    (
        "csinodes",
        "Drivers",
        Words("Drivers indicates the number of CSI drivers registered on the node"),
    ),
    (
        "volumeattachments",
        "Attacher",
        Field("io.k8s.api.storage.v1.VolumeAttachmentSpec", "attacher"),
    ),
    (
        "volumeattachments",
        "PV",
        Field(
            "io.k8s.api.storage.v1.VolumeAttachmentSource",
            "persistentVolumeName",
        ),
    ),
    (
        "volumeattachments",
        "Node",
        Field("io.k8s.api.storage.v1.VolumeAttachmentSpec", "nodeName"),
    ),
    (
        "volumeattachments",
        "Attached",
        Field("io.k8s.api.storage.v1.VolumeAttachmentStatus", "attached"),
    ),
    (
        "volumeattributesclasses",
        "DriverName",
        Field("io.k8s.api.storage.v1.VolumeAttributesClass", "driverName"),
    ),
    (
        "validatingadmissionpolicies",
        "Validations",
        Words("Validations indicates the number of validation rules defined in this configuration"),
    ),
    (
        "validatingadmissionpolicies",
        "ParamKind",
        Words("ParamKind specifies the kind of resources used to parameterize this policy"),
    ),
    (
        "validatingadmissionpolicybindings",
        "PolicyName",
        Words("PolicyName indicates the policy definition which the policy binding binded to"),
    ),
    (
        "validatingadmissionpolicybindings",
        "ParamRef",
        Words("ParamRef indicates the param resource which sets the configuration param"),
    ),
    (
        "endpointslices",
        "AddressType",
        Words(
            "addressType specifies the type of address carried by this EndpointSlice. All addresses in this slice must be the same type. This field is immutable after creation. The following address types are currently supported: * IPv4: Represents an IPv4 Address. * IPv6: Represents an IPv6 Address. * FQDN: Represents a Fully Qualified Domain Name.",
        ),
    ),
    (
        "endpointslices",
        "Ports",
        Words(
            "ports specifies the list of network ports exposed by each endpoint in this slice. Each port must have a unique name. When ports is empty, it indicates that there are no defined ports. When a port is defined with a nil port value, it indicates \"all ports\". Each slice may include a maximum of 100 ports.",
        ),
    ),
    (
        "resourceclaims",
        "State",
        Words("A summary of the current state (allocated, pending, reserved, etc.)."),
    ),
    (
        "resourceslices",
        "Node",
        Field("io.k8s.api.resource.v1.ResourceSliceSpec", "nodeName"),
    ),
    (
        "resourceslices",
        "Driver",
        Field("io.k8s.api.resource.v1.ResourceSliceSpec", "driver"),
    ),
    (
        "resourceslices",
        "Pool",
        Field("io.k8s.api.resource.v1.ResourcePool", "name"),
    ),
    (
        "flowschemas",
        "PriorityLevel",
        Field(
            "io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationReference",
            "name",
        ),
    ),
    (
        "flowschemas",
        "MatchingPrecedence",
        Field(
            "io.k8s.api.flowcontrol.v1.FlowSchemaSpec",
            "matchingPrecedence",
        ),
    ),
    (
        "flowschemas",
        "DistinguisherMethod",
        Field(
            "io.k8s.api.flowcontrol.v1.FlowSchemaSpec",
            "distinguisherMethod",
        ),
    ),
    (
        "flowschemas",
        "MissingPL",
        Words("references a broken or non-existent PriorityLevelConfiguration"),
    ),
    (
        "prioritylevelconfigurations",
        "Type",
        Field(
            "io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationSpec",
            "type",
        ),
    ),
    (
        "prioritylevelconfigurations",
        "NominalConcurrencyShares",
        Field(
            "io.k8s.api.flowcontrol.v1.LimitedPriorityLevelConfiguration",
            "nominalConcurrencyShares",
        ),
    ),
    (
        "prioritylevelconfigurations",
        "Queues",
        Field("io.k8s.api.flowcontrol.v1.QueuingConfiguration", "queues"),
    ),
    (
        "prioritylevelconfigurations",
        "HandSize",
        Field("io.k8s.api.flowcontrol.v1.QueuingConfiguration", "handSize"),
    ),
    (
        "prioritylevelconfigurations",
        "QueueLengthLimit",
        Field(
            "io.k8s.api.flowcontrol.v1.QueuingConfiguration",
            "queueLengthLimit",
        ),
    ),
];
