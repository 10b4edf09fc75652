//! `helm.toolkit.fluxcd.io/v2`: HelmRelease: what it asks for, how releases are made, what it reports.

mod actions;
mod spec;
mod status;

use crate::meta::Resource;

pub use actions::{
    Install, ReleaseAction, Remediation, ResolvedRemediation, Rollback, Strategy, Test, TestFilter,
    Uninstall, Upgrade,
};
pub use spec::{
    DriftDetection, DriftMode, HelmChartTemplate, HelmChartTemplateSpec, HelmChartVerification,
    HelmReleaseSpec, KustomizeRenderer, PostRenderer, ValuesReference, WaitStrategy,
};
pub use status::{HelmReleaseStatus, Snapshot, TestHookStatus};

/// A chart installed with values.
pub type HelmRelease = Resource<HelmReleaseSpec, HelmReleaseStatus>;

impl HelmRelease {
    /// Returns the name of the release before it is shortened.
    pub fn release_name(&self) -> String {
        let spec = &self.spec;
        if !spec.release_name.is_empty() {
            return spec.release_name.clone();
        }
        if spec.target_namespace.is_empty() {
            return self.metadata.name.clone();
        }
        format!("{}-{}", spec.target_namespace, self.metadata.name)
    }

    /// Returns the namespace of the release.
    pub fn release_namespace(&self) -> &str {
        match self.spec.target_namespace.as_str() {
            "" => &self.metadata.namespace,
            namespace => namespace,
        }
    }

    /// Returns the namespace of the release records.
    pub fn storage_namespace(&self) -> &str {
        match self.spec.storage_namespace.as_str() {
            "" => &self.metadata.namespace,
            namespace => namespace,
        }
    }

    /// Returns the name of the HelmChart made from the template.
    pub fn chart_name(&self) -> String {
        format!("{}-{}", self.metadata.namespace, self.metadata.name)
    }

    /// Returns the namespace of the HelmChart made from the template.
    pub fn chart_namespace(&self) -> &str {
        let own = self.metadata.namespace.as_str();
        let template = self.spec.chart.as_ref();
        template.map_or(own, |chart| chart.spec.source_ref.namespace_or(own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::{Object, Value, json};

    fn release(spec: Value) -> HelmRelease {
        let object = Object::from_value(json!({
            "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
            "metadata": {"name": "podinfo", "namespace": "apps"}, "spec": spec
        }));
        HelmRelease::from_object(&object.unwrap()).unwrap()
    }

    #[test]
    fn names_and_namespaces_have_upstreams_defaults() {
        for (spec, name, namespace, storage) in [
            (json!({}), "podinfo", "apps", "apps"),
            (
                json!({"targetNamespace": "web"}),
                "web-podinfo",
                "web",
                "apps",
            ),
            (
                json!({"targetNamespace": "web", "releaseName": "front", "storageNamespace": "s"}),
                "front",
                "web",
                "s",
            ),
        ] {
            let release = release(spec);
            assert_eq!(release.release_name(), name);
            assert_eq!(release.release_namespace(), namespace);
            assert_eq!(release.storage_namespace(), storage);
        }
    }

    #[test]
    fn remediation_has_upstreams_defaults() {
        for (retries, last, uninstalls) in [
            (json!({}), false, false),
            (json!({"retries": 3}), true, false),
            (json!({"retries": -1, "strategy": "uninstall"}), false, true),
            (
                json!({"retries": 3, "remediateLastFailure": false}),
                false,
                false,
            ),
        ] {
            let release = release(json!({"upgrade": {"remediation": retries}}));
            let got = release.spec.upgrade_remediation();
            assert_eq!(
                (got.remediate_last_failure, got.uninstalls),
                (last, uninstalls)
            );
            assert!(!release.spec.install_remediation().remediate_last_failure);
        }
        let endless = release(json!({"install": {"remediation": {"retries": -1}}}));
        assert!(!endless.spec.install_remediation().is_exhausted(100));
    }

    #[test]
    fn specs_and_statuses_round_trip() {
        let object = Object::from_value(json!({
            "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
            "metadata": {"name": "podinfo", "namespace": "apps"},
            "spec": {
                "interval": "10m0s", "chart": {"spec": {"chart": "podinfo", "version": "6.x",
                    "sourceRef": {"kind": "HelmRepository", "name": "podinfo"}}},
                "install": {"disableOpenAPIValidation": true, "skipCRDs": true, "serverSideApply": true,
                    "timeout": "1m0s", "remediation": {"retries": -1}},
                "upgrade": {"disableHooks": true, "serverSideApply": "auto", "crds": "CreateReplace",
                    "strategy": {"name": "RetryOnFailure", "retryInterval": "2m0s"}},
                "values": {"replicas": 2}, "postRenderers": []
            },
            "status": {"observedGeneration": -1, "history": [{
                "apiVersion": "v2", "digest": "sha256:x", "name": "podinfo", "namespace": "apps", "version": 1,
                "status": "deployed", "chartName": "podinfo", "chartVersion": "6.0.0", "configDigest": "sha256:y",
                "firstDeployed": "2026-01-01T00:00:00Z", "lastDeployed": "2026-01-01T00:00:00Z",
                "testHooks": {"a": null, "b": {"phase": "Succeeded", "lastStarted": "2026-01-01T00:00:00Z"}},
                "ociDigest": "sha256:z"
            }], "lastAttemptedReleaseActionDuration": "1.5s"}
        }))
        .unwrap();
        assert_eq!(
            HelmRelease::from_object(&object).unwrap().to_object(),
            object
        );
    }
}
