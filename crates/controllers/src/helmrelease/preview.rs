//! What the next upgrade of a release (or its installation) would apply, for `flux diff helmrelease`.
//!
//! Rendered with what the cluster can do and has, as the controller renders; hooks and the chart's `crds/` are left
//! out, as drift detection leaves them out. Nothing is written.

use std::sync::Arc;

use api::{HelmRelease, names};
use apply::{ApplyOptions, ResourceManager};
use cluster::Cluster;
use helm::chart::Chart;
use helm::values::UserValues;
use jiff::Timestamp;
use objects::Object;
use reconcile::helmrelease::shorten;

use super::detect::{controls, options};
use super::items::{locate, parse};
use super::render::{CapabilitiesCache, RenderRequest, post_renderer, render};
use super::values::Values;

/// The objects of a release that is not applied yet, with what compares them.
pub struct Preview {
    /// Objects in the order of the manifest, in their namespaces and marked as the release's.
    pub objects: Vec<Object>,
    /// Objects whose kinds the cluster does not serve, in words.
    pub errors: Vec<String>,
    /// Compares as the controller does.
    pub manager: ResourceManager,
    /// Fields that may differ.
    pub options: ApplyOptions,
}

/// Renders a chart for a HelmRelease as its next revision.
///
/// # Errors
/// The words of the chart, a post-renderer or the cluster.
pub async fn preview(
    cluster: Arc<dyn Cluster>,
    own: &HelmRelease,
    chart: Chart,
    (values, sources): (Values, UserValues),
    now: Timestamp,
) -> Result<Preview, String> {
    let options = options(&own.spec)?;
    let release = next(own);
    let capabilities = CapabilitiesCache::default().get(&*cluster).await;
    let metadata = &own.metadata;
    let skip_schema = match release.is_upgrade {
        true => own.spec.upgrade().action.disable_schema_validation,
        false => own.spec.install().action.disable_schema_validation,
    };
    let request = RenderRequest {
        version: chart.metadata.version.clone(),
        chart: Arc::new(chart),
        values,
        release: release.clone(),
        skip_schema,
        renderer: post_renderer(&own.spec, &metadata.name, &metadata.namespace, false),
        capabilities: capabilities.map_err(|error| error.to_string())?,
        cluster: cluster.clone(),
        now,
        sources: Some(sources),
    };
    let record = render(request).await?.record;
    let (mut objects, mut errors) = (Vec::new(), Vec::new());
    for object in parse(&record.manifest)? {
        if object.annotation("helm.sh/hook").is_some() {
            continue;
        }
        match locate(&*cluster, object, &release.namespace).await {
            Ok(mut item) => {
                item.own(&release.name, &release.namespace);
                apply::normalize(&mut item.object);
                objects.push(item.object);
            }
            Err(error) => errors.push(error),
        }
    }
    Ok(Preview {
        objects,
        errors,
        manager: ResourceManager::new(cluster, names::HELM_CONTROLLER, controls()),
        options,
    })
}

/// Finds the revision after the present one; a release of another name or namespace begins anew.
fn next(own: &HelmRelease) -> helm::Release {
    let (name, namespace) = (shorten(&own.release_name()), own.release_namespace());
    let present = own.status.history.first().filter(|latest| {
        latest.name == name && latest.namespace == namespace && latest.deleted.is_none()
    });
    helm::Release {
        revision: present.map_or(1, |latest| latest.version + 1),
        is_upgrade: present.is_some(),
        name,
        namespace: namespace.to_owned(),
    }
}
