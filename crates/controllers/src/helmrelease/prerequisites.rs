//! What a release needs before anything is done: dependencies, the chart's source, values, the chart itself.

use api::conditions;
use api::names::reason;
use objects::{Gvk, Object, Value};
use reconcile::helmrelease::{Failure, check_dependencies, clear_stale, source_ready};

use super::chart::{self, Loaded, SourceRef};
use super::pass::Pass;
use super::template;
use super::values::{Resolved, Values, compose};

/// Everything that a release is made from.
pub(super) struct Wanted {
    pub(super) loaded: Loaded,
    pub(super) values: Values,
    pub(super) config_digest: String,
}

impl Pass<'_> {
    pub(super) async fn chart_template(&mut self) -> Result<(), Failure> {
        let synced =
            template::reconcile(self.controller, self.run, &self.own, &mut self.status).await;
        match synced {
            Ok(events) => {
                for event in events {
                    self.record(event);
                }
                Ok(())
            }
            Err(Failure::ChartTemplate(text)) => {
                let reason = reason::HELM_CHART_SYNC_ERROR;
                self.record(reconcile::helmrelease::chart_event(reason, text.clone()));
                Err(Failure::ChartTemplate(text))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Dependencies, source, values, chart.
    pub(super) async fn prerequisites(&mut self) -> Result<Wanted, Failure> {
        let stamp = self.stamp();
        // A pass that finds nothing new says nothing; progress is noted where there is something to wait for.
        let settled = self.status.observed_generation == Some(stamp.generation)
            && conditions::is_ready(&self.status.conditions);
        if !settled {
            let text = "Fulfilling prerequisites";
            let list = &mut self.status.conditions;
            conditions::mark_reconciling(list, reason::PROGRESSING, text, stamp);
        }
        self.check_dependencies()?;
        clear_stale(&mut self.status, &[reason::DEPENDENCY_NOT_READY], stamp);
        let source = chart::source(self.controller, self.run, &self.own).await?;
        let stale = [reason::ACCESS_DENIED, reason::ARTIFACT_FAILED];
        clear_stale(&mut self.status, &stale, stamp);
        let kind = SourceRef::of(&self.own).kind;
        source_ready(&kind, &source).map_err(Failure::SourceNotReady)?;
        clear_stale(&mut self.status, &[reason::SOURCE_NOT_READY], stamp);
        let values = self.values().await?;
        clear_stale(&mut self.status, &[reason::VALUES_ERROR], stamp);
        let loaded = chart::load(self.controller, self.run, &kind, &source).await?;
        clear_stale(&mut self.status, &[reason::ARTIFACT_FAILED], stamp);
        if self.own.spec.kube_config.is_some() {
            return Err(Failure::Client(
                "remote clusters (spec.kubeConfig) are not supported yet".to_owned(),
            ));
        }
        let stale = [reason::REST_CLIENT_ERROR, reason::FACTORY_ERROR];
        clear_stale(&mut self.status, &stale, stamp);
        Ok(Wanted {
            config_digest: values.digest(),
            loaded,
            values,
        })
    }

    fn check_dependencies(&self) -> Result<(), Failure> {
        if self.own.spec.depends_on.is_empty() {
            return Ok(());
        }
        let store = &self.run.store;
        let lookup =
            |namespace: &str, name: &str| store.get(&controller_runtime::Key::new(namespace, name));
        let additive = self.controller.settings.gates.additive_cel_dependency_check;
        match check_dependencies(&self.own, &self.run.object, additive, &lookup) {
            Ok(()) => Ok(()),
            Err(error) if error.is_terminal() => Err(Failure::InvalidExpression(error.to_string())),
            Err(error) => Err(Failure::DependencyNotReady(error.to_string())),
        }
    }

    async fn values(&self) -> Result<Values, Failure> {
        let namespace = &self.own.metadata.namespace;
        let mut known: Vec<(String, String, Result<Object, String>)> = Vec::new();
        let mut references = Vec::new();
        for reference in &self.own.spec.values_from {
            let (kind, name) = (&reference.kind, &reference.name);
            if !known.iter().any(|(k, n, _)| k == kind && n == name) {
                let object = self.read_config(kind, name).await?;
                known.push((kind.clone(), name.clone(), object));
            }
            let found = known.iter().find(|(k, n, _)| k == kind && n == name);
            let resolved = match found.map(|(_, _, object)| object) {
                Some(Ok(object)) => data_of(object, reference.values_key()),
                Some(Err(cause)) => Resolved::NoObject(cause.clone()),
                None => Resolved::NoKey,
            };
            references.push((reference.clone(), resolved));
        }
        let composed = compose(namespace, self.own.spec.values.as_ref(), &references);
        composed.map_err(|error| Failure::Values(error.to_string()))
    }

    /// Reads a ConfigMap or Secret; the inner error says that it does not exist.
    async fn read_config(&self, kind: &str, name: &str) -> Result<Result<Object, String>, Failure> {
        let failed = |error: cluster::Error| Failure::Values(error.to_string());
        let cluster = &self.run.runtime.cluster;
        let resource = cluster.resolve(&Gvk::new("", "v1", kind)).await;
        let resource = resource.map_err(failed)?;
        let target = cluster::Target::new(&resource, &self.own.metadata.namespace, name);
        match cluster.get(&target).await {
            Ok(object) => Ok(Ok(object)),
            Err(error) if error.is_not_found() => Ok(Err(error.to_string())),
            Err(error) => Err(failed(error)),
        }
    }
}

fn data_of(object: &Object, key: &str) -> Resolved {
    use base64::Engine as _;
    let text = |field: &str| object.get(&[field, key]).and_then(Value::as_str);
    if object.kind() != "Secret" {
        return match text("data") {
            Some(text) => Resolved::Data(text.as_bytes().to_vec()),
            None => Resolved::NoKey,
        };
    }
    let decoded = text("data").map(|text| base64::engine::general_purpose::STANDARD.decode(text));
    match decoded {
        Some(Ok(data)) => Resolved::Data(data),
        _ => Resolved::NoKey,
    }
}
