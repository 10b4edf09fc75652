//! Custom resource definitions of a chart, applied before an install or upgrade.

use std::time::Duration;

use helm::chart::Chart;
use objects::Object;

use super::items::{Item, locate, parse};
use super::kube::Mode;
use super::session::{Session, WaitFor};

/// Longest wait for definitions.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What happens to definitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CrdPolicy {
    /// They are left alone.
    Skip,
    /// They are created.
    Create,
    /// They are created or replaced.
    CreateReplace,
}

impl CrdPolicy {
    /// Reads a policy; the empty one creates, for installs and upgrades alike.
    pub(super) fn of(text: &str) -> Self {
        match text {
            "Skip" => Self::Skip,
            "CreateReplace" => Self::CreateReplace,
            _ => Self::Create,
        }
    }
}

impl Session<'_> {
    /// Applies the definitions of a chart. `chart` has its disabled dependencies removed.
    pub(super) async fn apply_crds(
        &self,
        chart: &Chart,
        policy: CrdPolicy,
        server_side: bool,
    ) -> Result<(), String> {
        let files = chart.crds();
        if files.is_empty() || policy == CrdPolicy::Skip {
            return Ok(());
        }
        let result = self.apply_all_crds(chart, policy, server_side).await;
        result.map_err(|error| format!("failed to apply CustomResourceDefinitions: {error}"))
    }

    async fn apply_all_crds(
        &self,
        chart: &Chart,
        policy: CrdPolicy,
        server_side: bool,
    ) -> Result<(), String> {
        let mut items = Vec::new();
        for file in chart.crds() {
            for mut object in parse(&String::from_utf8_lossy(&file.data))? {
                if !is_definition(&object) {
                    self.log(format!(
                        "skipping {} {}: not a CustomResourceDefinition",
                        object.kind(),
                        object.name()
                    ));
                    continue;
                }
                let metadata = &self.own.metadata;
                object.set_label(api::names::HELM_NAME_LABEL, &metadata.name);
                object.set_label(api::names::HELM_NAMESPACE_LABEL, &metadata.namespace);
                items.push(locate(&*self.kube.cluster, object, "").await?);
            }
        }
        let mode = Mode {
            server_side,
            force_conflicts: server_side,
            replace: !server_side,
            three_way: false,
            migrate: false,
            strict: true,
        };
        match policy {
            CrdPolicy::CreateReplace => {
                let (_, result) = self.kube.update(&[], &items, mode).await;
                result.map_err(|error| {
                    format!("failed to update CustomResourceDefinition(s): {error}")
                })?;
            }
            _ => self.create_crds(&items, mode).await?,
        }
        self.watch(&items);
        self.wait(&items, TIMEOUT, WaitFor::Objects).await?;
        let discovery = self.kube.cluster.rediscover().await;
        discovery.map(|_| ()).map_err(|error| error.to_string())
    }

    async fn create_crds(&self, items: &[Item], mode: Mode) -> Result<(), String> {
        for item in items {
            let present = self.kube.get(&item.target()).await;
            let present = present.map_err(|error| error.to_string())?.is_some();
            // Upstream's "create" is an apply where that happens on the server's side, so it changes present ones.
            if present && !mode.server_side {
                continue;
            }
            let created = self.kube.create(std::slice::from_ref(item), mode).await;
            created.map_err(|error| {
                let name = item.object.name();
                format!("failed to create CustomResourceDefinition {name}: {error}")
            })?;
        }
        Ok(())
    }
}

fn is_definition(object: &Object) -> bool {
    object.kind() == "CustomResourceDefinition" && object.gvk().group == "apiextensions.k8s.io"
}
