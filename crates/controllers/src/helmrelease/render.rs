//! Rendering a chart for a release, with the cluster to ask and everything Flux changes in what was rendered.

use std::sync::Arc;

use api::{HelmRelease, HelmReleaseSpec, names};
use cluster::{Cluster, Discovery, Error, ListParams, Scope, Target};
use helm::action::{ActionError, Options, Rendered, render_release_with};
use helm::capabilities::{Capabilities, DEFAULT_KUBE_VERSION, KubeVersion};
use helm::chart::Chart;
use helm::convert::from_map;
use helm::explain::explain;
use helm::functions::{Lookup, World};
use helm::origin::Sources;
use helm::release::{Info, Record, StoredChart, StoredHook};
use helm::values::UserValues;
use helm::{Release, Version};
use jiff::Timestamp;
use objects::{Gvk, Value, json};
use parking_lot::Mutex;
use reconcile::helmrelease::shorten;

use super::post_render::{PostRenderer, Strategy};
use super::values::Values;

/// What a release is rendered from.
pub(super) struct RenderRequest {
    pub(super) chart: Arc<Chart>,
    /// Version that the release records.
    pub(super) version: String,
    pub(super) values: Values,
    pub(super) release: Release,
    pub(super) skip_schema: bool,
    pub(super) renderer: PostRenderer,
    pub(super) capabilities: Arc<Capabilities>,
    pub(super) cluster: Arc<dyn Cluster>,
    pub(super) now: Timestamp,
    /// What the values were composed from, where errors are to explain themselves.
    pub(super) sources: Option<UserValues>,
}

/// A rendered release as a record that waits for its status.
pub(super) struct RenderedRelease {
    pub(super) record: Record,
    /// The chart as it was rendered, dependencies processed.
    pub(super) chart: Chart,
}

/// Renders on a blocking thread.
pub(super) async fn render(request: RenderRequest) -> Result<RenderedRelease, String> {
    let runtime = tokio::runtime::Handle::current();
    let task = tokio::task::spawn_blocking(move || render_here(request, runtime));
    match task.await {
        Ok(result) => result,
        Err(error) if error.is_panic() => Err("recovered from a panic while rendering".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn render_here(
    request: RenderRequest,
    runtime: tokio::runtime::Handle,
) -> Result<RenderedRelease, String> {
    let mut chart = (*request.chart).clone();
    chart.metadata.version.clone_from(&request.version);
    let user = gotemplate::Map::new(from_map(&request.values.0, true));
    let options = Options {
        release: request.release.clone(),
        capabilities: (*request.capabilities).clone(),
        include_crds: false,
        skip_schema: request.skip_schema,
        sub_notes: false,
        strict: false,
    };
    let nanoseconds = u32::try_from(request.now.subsec_nanosecond()).unwrap_or(0);
    let mut world = World::offline(request.now.as_second(), nanoseconds, |buffer| {
        rand::fill(buffer);
    });
    world.lookup = Some(Arc::new(ClusterLookup {
        cluster: request.cluster.clone(),
        runtime,
    }));
    let renderer = request.renderer;
    let change = |files| renderer.run(files);
    let rendered = render_release_with(chart, &user, &options, &world, Some(&change));
    let rendered = rendered.map_err(|error| match &request.sources {
        Some(sources) => explained(&error, &request.chart, sources),
        None => error.to_string(),
    })?;
    Ok(to_record(rendered, &request.values, &request.release))
}

fn to_record(mut rendered: Rendered, values: &Values, release: &Release) -> RenderedRelease {
    let chart = rendered
        .chart
        .take()
        .expect("a rendered release has its chart");
    let config = values.config();
    let record = Record {
        name: release.name.clone(),
        info: Some(Info {
            notes: rendered.notes,
            ..Info::default()
        }),
        chart: Some(StoredChart::of(&chart)),
        config: (!config.is_empty()).then_some(config),
        manifest: rendered.manifest,
        hooks: rendered.hooks.iter().map(StoredHook::of).collect(),
        version: release.revision,
        namespace: release.namespace.clone(),
        apply_method: String::new(),
    };
    RenderedRelease { record, chart }
}

/// An error with the lines that are wrong, and where the values in them come from.
fn explained(error: &ActionError, chart: &Chart, user: &UserValues) -> String {
    let sources = Sources {
        chart,
        user,
        version: Version::V4,
    };
    let explanation = explain(error, &sources).to_string();
    let text = error.to_string();
    match explanation.trim_end() {
        "" => text,
        below => format!("{}\n\n{below}", text.trim_end_matches('\n')),
    }
}

/// Renders a chart for a HelmRelease as a first installation, without a cluster to ask, post-renderers included.
///
/// # Errors
/// The chart's or a post-renderer's words, with the lines at fault and where their values come from.
pub fn render_offline(
    own: &HelmRelease,
    chart: Chart,
    (values, sources): (&Values, &UserValues),
    capabilities: Capabilities,
    world: &World,
) -> Result<Rendered, String> {
    let spec = &own.spec;
    let (name, namespace) = (shorten(&own.release_name()), own.release_namespace());
    let options = Options {
        release: Release {
            name,
            namespace: namespace.to_owned(),
            revision: 1,
            is_upgrade: false,
        },
        capabilities,
        include_crds: false,
        skip_schema: false,
        sub_notes: false,
        strict: false,
    };
    let user = gotemplate::Map::new(from_map(&values.0, true));
    let (own_name, own_namespace) = (&own.metadata.name, &own.metadata.namespace);
    let renderer = post_renderer(spec, own_name, own_namespace, false);
    let change = |files| renderer.run(files);
    let rendered = render_release_with(chart.clone(), &user, &options, world, Some(&change));
    rendered.map_err(|error| explained(&error, &chart, sources))
}

/// What is changed in everything that a HelmRelease renders.
pub(super) fn post_renderer(
    spec: &HelmReleaseSpec,
    name: &str,
    namespace: &str,
    helm3_defaults: bool,
) -> PostRenderer {
    let common = spec.common_metadata.clone().unwrap_or_default();
    let mut labels = common.labels;
    labels.insert(names::HELM_NAME_LABEL.to_owned(), name.to_owned());
    labels.insert(names::HELM_NAMESPACE_LABEL.to_owned(), namespace.to_owned());
    PostRenderer {
        kustomize: spec
            .post_renderers
            .iter()
            .flatten()
            .filter_map(|renderer| renderer.kustomize.clone())
            .collect(),
        labels,
        annotations: common.annotations,
        strategy: match (spec.post_render_strategy.as_str(), helm3_defaults) {
            ("nohooks", _) | ("", true) => Strategy::NoHooks,
            ("separate", _) => Strategy::Separate,
            _ => Strategy::Combined,
        },
    }
}

/// What clusters can do, remembered as long as their discovery stays the same.
#[derive(Default)]
pub(super) struct CapabilitiesCache {
    known: Mutex<Option<(Arc<Discovery>, Arc<Capabilities>)>>,
}

impl CapabilitiesCache {
    pub(super) async fn get(&self, cluster: &dyn Cluster) -> Result<Arc<Capabilities>, Error> {
        let discovery = cluster.discovery().await?;
        if let Some((seen, capabilities)) = &*self.known.lock()
            && Arc::ptr_eq(seen, &discovery)
        {
            return Ok(capabilities.clone());
        }
        let version = cluster.get_text("/version").await?;
        let capabilities = Arc::new(read_capabilities(&version, &discovery));
        *self.known.lock() = Some((discovery, capabilities.clone()));
        Ok(capabilities)
    }
}

fn read_capabilities(version: &str, discovery: &Discovery) -> Capabilities {
    let version: Value = serde_json::from_str(version).unwrap_or_default();
    let text = version["gitVersion"]
        .as_str()
        .unwrap_or(DEFAULT_KUBE_VERSION);
    let parse = |text: &str| KubeVersion::parse(text, Version::V4);
    let mut api_versions = Vec::with_capacity(discovery.resources.len() * 2);
    for resource in &discovery.resources {
        let group_version = resource.gvk.api_version();
        api_versions.push(format!("{group_version}/{}", resource.gvk.kind));
        api_versions.push(group_version);
    }
    api_versions.sort();
    api_versions.dedup();
    Capabilities {
        kube_version: parse(text)
            .or_else(|_| parse(DEFAULT_KUBE_VERSION))
            .expect("the default version is well formed"),
        api_versions,
        helm: Version::V4,
    }
}

/// The template function `lookup`, asking the cluster as the release's account.
struct ClusterLookup {
    cluster: Arc<dyn Cluster>,
    runtime: tokio::runtime::Handle,
}

impl Lookup for ClusterLookup {
    fn lookup(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Value>, String> {
        let found = self.find(api_version, kind, namespace, name);
        match self.runtime.block_on(found) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_not_found() || error.is_no_match() => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl ClusterLookup {
    async fn find(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Value, Error> {
        let gvk = Gvk::from_api_version(api_version, kind);
        let resource = self.cluster.resolve(&gvk).await?;
        let namespace = if resource.namespaced { namespace } else { "" };
        if !name.is_empty() {
            let target = Target::new(&resource, namespace, name);
            return Ok(self.cluster.get(&target).await?.into_value());
        }
        let scope = Scope {
            resource,
            namespace: namespace.to_owned(),
        };
        let list = self.cluster.list(&scope, &ListParams::default()).await?;
        let items: Vec<Value> = list.items.into_iter().map(|o| o.into_value()).collect();
        Ok(json!({
            "apiVersion": api_version,
            "kind": format!("{kind}List"),
            "metadata": {"resourceVersion": list.resource_version},
            "items": items,
        }))
    }
}
