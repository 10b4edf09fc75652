//! The Flux kinds as the command line speaks of them.
//!
//! Requests go straight to a kind's path: its plural and version are known, so no discovery is needed.

use std::sync::Arc;

use cluster::{ApiResource, Scope, Target};
use objects::Gvk;

/// A Flux kind in the version that the command line reads and writes.
#[derive(Debug, PartialEq, Eq)]
pub struct FluxKind {
    /// Kind, such as `GitRepository`.
    pub kind: &'static str,
    /// Words for it in messages, such as `source git`.
    pub human: &'static str,
    /// API group.
    pub group: &'static str,
    /// API version.
    pub version: &'static str,
    /// Plural resource name.
    pub plural: &'static str,
}

const fn kind(
    kind: &'static str,
    human: &'static str,
    group: &'static str,
    version: &'static str,
    plural: &'static str,
) -> FluxKind {
    FluxKind {
        kind,
        human,
        group,
        version,
        plural,
    }
}

const SOURCE: &str = "source.toolkit.fluxcd.io";
const KUSTOMIZE: &str = "kustomize.toolkit.fluxcd.io";
const HELM: &str = "helm.toolkit.fluxcd.io";
const NOTIFICATION: &str = "notification.toolkit.fluxcd.io";
const IMAGE: &str = "image.toolkit.fluxcd.io";

pub static GIT_REPOSITORY: FluxKind = kind(
    "GitRepository",
    "source git",
    SOURCE,
    "v1",
    "gitrepositories",
);
pub static OCI_REPOSITORY: FluxKind = kind(
    "OCIRepository",
    "source oci",
    SOURCE,
    "v1",
    "ocirepositories",
);
pub static BUCKET: FluxKind = kind("Bucket", "source bucket", SOURCE, "v1", "buckets");
pub static HELM_REPOSITORY: FluxKind = kind(
    "HelmRepository",
    "source helm",
    SOURCE,
    "v1",
    "helmrepositories",
);
pub static HELM_CHART: FluxKind = kind("HelmChart", "source chart", SOURCE, "v1", "helmcharts");
pub static EXTERNAL_ARTIFACT: FluxKind = kind(
    "ExternalArtifact",
    "source external-artifact",
    SOURCE,
    "v1",
    "externalartifacts",
);
pub static KUSTOMIZATION: FluxKind = kind(
    "Kustomization",
    "kustomization",
    KUSTOMIZE,
    "v1",
    "kustomizations",
);
pub static HELM_RELEASE: FluxKind = kind("HelmRelease", "helmrelease", HELM, "v2", "helmreleases");
pub static ALERT: FluxKind = kind("Alert", "alert", NOTIFICATION, "v1beta3", "alerts");
pub static PROVIDER: FluxKind = kind(
    "Provider",
    "alert provider",
    NOTIFICATION,
    "v1beta3",
    "providers",
);
pub static RECEIVER: FluxKind = kind("Receiver", "receiver", NOTIFICATION, "v1", "receivers");
pub static IMAGE_REPOSITORY: FluxKind = kind(
    "ImageRepository",
    "image repository",
    IMAGE,
    "v1",
    "imagerepositories",
);
pub static IMAGE_POLICY: FluxKind =
    kind("ImagePolicy", "image policy", IMAGE, "v1", "imagepolicies");
pub static IMAGE_UPDATE_AUTOMATION: FluxKind = kind(
    "ImageUpdateAutomation",
    "image update automation",
    IMAGE,
    "v1",
    "imageupdateautomations",
);
pub static ARTIFACT_GENERATOR: FluxKind = kind(
    "ArtifactGenerator",
    "artifactgenerator",
    "source.extensions.fluxcd.io",
    "v1beta1",
    "artifactgenerators",
);

impl FluxKind {
    /// Returns group, version and kind.
    pub fn gvk(&self) -> Gvk {
        Gvk::new(self.group, self.version, self.kind)
    }

    /// Returns the resource to address; all Flux kinds live in namespaces.
    pub fn resource(&self) -> Arc<ApiResource> {
        Arc::new(ApiResource {
            gvk: self.gvk(),
            plural: self.plural.to_owned(),
            namespaced: true,
            ..ApiResource::default()
        })
    }

    /// Points at one object.
    pub fn target(&self, namespace: &str, name: &str) -> Target {
        Target::new(&self.resource(), namespace, name)
    }

    /// Points at all objects of a namespace, or of all with an empty one.
    pub fn scope(&self, namespace: &str) -> Scope {
        Scope {
            resource: self.resource(),
            namespace: namespace.to_owned(),
        }
    }
}

/// Returns a resource of the core API groups that commands address without discovery.
pub fn builtin(group: &str, kind: &str, plural: &str, namespaced: bool) -> Arc<ApiResource> {
    Arc::new(ApiResource {
        gvk: Gvk::new(group, "v1", kind),
        plural: plural.to_owned(),
        namespaced,
        ..ApiResource::default()
    })
}
