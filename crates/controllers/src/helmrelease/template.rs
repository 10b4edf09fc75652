//! The HelmChart that is made from the template of a release.

use api::names::{self, reason};
use api::{HelmRelease, HelmReleaseStatus};
use cluster::{DeleteParams, Patch, Target, WriteParams};
use controller_runtime::{Key, Run};
use objects::{Object, Value, json};
use reconcile::EventDraft;
use reconcile::helmrelease::{Failure, chart_event};
use tracing::info;

use super::HelmReleaseController;
use super::chart::{SourceRef, check_access};
use crate::source::source_gvk;

/// Brings the HelmChart to what the template says; returns events about it.
pub(super) async fn reconcile(
    controller: &HelmReleaseController,
    run: &Run,
    own: &HelmRelease,
    status: &mut HelmReleaseStatus,
) -> Result<Vec<EventDraft>, Failure> {
    let wanted = own.spec.chart.is_some() && !own.metadata.is_deleted();
    let reference = format!("{}/{}", own.chart_namespace(), own.chart_name());
    let mut events = Vec::new();
    let is_wanted = wanted && status.helm_chart == reference;
    if !status.helm_chart.is_empty() && !is_wanted {
        events.extend(delete(controller, run, own, status).await?);
    }
    if wanted {
        check_access(controller, own, &SourceRef::of(own))?;
        events.extend(apply(run, own).await?);
        status.helm_chart = reference;
    }
    Ok(events)
}

async fn delete(
    controller: &HelmReleaseController,
    run: &Run,
    own: &HelmRelease,
    status: &mut HelmReleaseStatus,
) -> Result<Option<EventDraft>, Failure> {
    let reference = status.helm_chart.clone();
    let Some((namespace, name)) = reference.split_once('/') else {
        status.helm_chart.clear();
        return Ok(None);
    };
    let source = SourceRef {
        kind: names::HELM_CHART.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    check_access(controller, own, &source)?;
    let failed = |error: cluster::Error| {
        Failure::ChartTemplate(format!("failed to delete HelmChart '{reference}': {error}"))
    };
    let cluster = &run.runtime.cluster;
    let resource = cluster.resolve(&source_gvk(names::HELM_CHART)).await;
    let target = match resource {
        Ok(resource) => Target::new(&resource, namespace, name),
        // Where the kind is not served there is nothing to delete.
        Err(error) if error.is_no_match() => {
            status.helm_chart.clear();
            return Ok(None);
        }
        Err(error) => return Err(failed(error)),
    };
    let deleted = match cluster.delete(&target, &DeleteParams::default()).await {
        Ok(_) => true,
        Err(error) if error.is_not_found() => false,
        Err(error) => return Err(failed(error)),
    };
    status.helm_chart.clear();
    Ok(deleted.then(|| {
        let text = format!("deleted HelmChart '{reference}'");
        chart_event(reason::HELM_CHART_DELETED, text)
    }))
}

/// Applies the HelmChart where it is not as the template says.
async fn apply(run: &Run, own: &HelmRelease) -> Result<Option<EventDraft>, Failure> {
    let wanted = build(own);
    let gvk = source_gvk(names::HELM_CHART);
    let runtime = &run.runtime;
    let key = Key::new(wanted.namespace(), wanted.name());
    let store = runtime.store(&runtime.spec(gvk.clone(), ""));
    let present = store.get(&key);
    if present.as_ref().is_some_and(|live| covers(live, &wanted)) {
        return Ok(None);
    }
    let failed = |error: cluster::Error| {
        Failure::ChartTemplate(format!("failed to run server-side apply: {error}"))
    };
    let resource = runtime.cluster.resolve(&gvk).await.map_err(failed)?;
    let target = Target::new(&resource, wanted.namespace(), wanted.name());
    let live = match present {
        Some(live) => Some((*live).clone()),
        None => match runtime.cluster.get(&target).await {
            Ok(live) => Some(live),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(failed(error)),
        },
    };
    if live.as_ref().is_some_and(|live| covers(live, &wanted)) {
        return Ok(None);
    }
    let params = WriteParams {
        field_manager: names::HELM_CONTROLLER.to_owned(),
        force: true,
        ..WriteParams::default()
    };
    let written = runtime
        .cluster
        .patch(&target, &Patch::Apply(wanted.clone()), &params)
        .await
        .map_err(failed)?;
    runtime.observe(&written);
    let (reason, verb) = match live {
        None => (reason::HELM_CHART_CREATED, "Created"),
        Some(_) => (reason::HELM_CHART_CONFIGURED, "Configured"),
    };
    let source = own.spec.chart.as_ref().map(|chart| &chart.spec.source_ref);
    let (kind, name) = source.map_or(("", ""), |s| (&s.kind, &s.name));
    let (namespace, chart) = (wanted.namespace(), wanted.name());
    let text =
        format!("{verb} HelmChart/{namespace}/{chart} with SourceRef '{kind}/{namespace}/{name}'");
    info!("{text}");
    Ok(Some(chart_event(reason, text)))
}

/// Builds the HelmChart of a template, with upstream's fields.
fn build(own: &HelmRelease) -> Object {
    let template = own.spec.chart.clone().unwrap_or_default();
    let spec = &template.spec;
    let mut chart = Object::new(
        &source_gvk(names::HELM_CHART),
        own.chart_namespace(),
        &own.chart_name(),
    );
    let metadata = template.metadata.unwrap_or_default();
    for (key, value) in &metadata.labels {
        chart.set_label(key, value);
    }
    for (key, value) in &metadata.annotations {
        chart.set_annotation(key, value);
    }
    chart.set_label(names::HELM_NAME_LABEL, &own.metadata.name);
    chart.set_label(names::HELM_NAMESPACE_LABEL, &own.metadata.namespace);
    let or = |text: &str, default: &str| match text {
        "" => default.to_owned(),
        text => text.to_owned(),
    };
    let mut body = json!({
        "chart": spec.chart,
        "version": or(&spec.version, "*"),
        "sourceRef": {"kind": spec.source_ref.kind, "name": spec.source_ref.name},
        "interval": spec.interval.unwrap_or(own.spec.interval).to_string(),
        "reconcileStrategy": or(&spec.reconcile_strategy, "ChartVersion"),
    });
    if !spec.source_ref.api_version.is_empty() {
        body["sourceRef"]["apiVersion"] = json!(spec.source_ref.api_version);
    }
    if !spec.values_files.is_empty() {
        body["valuesFiles"] = json!(spec.values_files);
    }
    if spec.ignore_missing_values_files {
        body["ignoreMissingValuesFiles"] = json!(true);
    }
    if let Some(verify) = &spec.verify {
        body["verify"] = serde_json::to_value(verify).unwrap_or_default();
    }
    chart.set(&["spec"], body);
    chart
}

/// Tells whether a live object has everything that is wanted.
fn covers(live: &Object, wanted: &Object) -> bool {
    fn has(live: &Value, wanted: &Value) -> bool {
        match (live, wanted) {
            (Value::Object(live), Value::Object(wanted)) => wanted
                .iter()
                .all(|(key, value)| live.get(key).is_some_and(|live| has(live, value))),
            (live, wanted) => live == wanted,
        }
    }
    let spec = |object: &Object| object.get(&["spec"]).cloned().unwrap_or_default();
    let gone = ["valuesFiles", "ignoreMissingValuesFiles", "verify"]
        .iter()
        .any(|key| spec(live).get(key).is_some() && spec(wanted).get(key).is_none());
    let part = |object: &Object, name: &str| {
        let value = object.get(&["metadata", name]);
        value.cloned().unwrap_or_else(|| json!({}))
    };
    !gone
        && has(&spec(live), &spec(wanted))
        && has(&part(live, "labels"), &part(wanted, "labels"))
        && has(&part(live, "annotations"), &part(wanted, "annotations"))
}
