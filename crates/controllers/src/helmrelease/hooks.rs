//! Hooks: objects that run at one moment of an action, in order of weight and name.

use std::time::Duration;

use cluster::{ListParams, Propagation, Scope};
use helm::release::{HookRun, Record, StoredHook};
use objects::Gvk;

use super::items::{Item, build};
use super::kube::Mode;
use super::session::{Session, WaitFor};

/// Policy of a hook that names none.
const BEFORE: &str = "before-hook-creation";
/// Longest log of a hook that is shown, in characters.
const OUTPUT_CHARS_MAX: usize = 4096;

/// What is left to do after the hooks of a moment: deletions that tests delay.
#[derive(Debug, Default)]
pub(super) struct Shutdown {
    hooks: Vec<StoredHook>,
    policy: &'static str,
    /// A failed hook that is deleted by its own policy first.
    failed: Option<StoredHook>,
}

impl Session<'_> {
    /// Runs the hooks of a moment and what follows them.
    pub(super) async fn run_hooks(
        &self,
        record: &mut Record,
        moment: &str,
        timeout: Duration,
        server_side: bool,
    ) -> Result<(), String> {
        let all = |_: &StoredHook| true;
        let (shutdown, result) = self
            .start_hooks(record, moment, timeout, server_side, &all)
            .await;
        let ended = self.shut_down(shutdown, timeout).await;
        result.and(ended)
    }

    /// Runs the selected hooks of a moment; the record is stored before each.
    pub(super) async fn start_hooks(
        &self,
        record: &mut Record,
        moment: &str,
        timeout: Duration,
        server_side: bool,
        selected: &(dyn Fn(&StoredHook) -> bool + Sync),
    ) -> (Shutdown, Result<(), String>) {
        let mut order: Vec<usize> = Vec::new();
        for (index, hook) in record.hooks.iter().enumerate() {
            let times = hook.events.iter().filter(|event| *event == moment).count();
            if selected(hook) {
                order.extend(std::iter::repeat_n(index, times));
            }
        }
        order.sort_by(|a, b| {
            let (a, b) = (&record.hooks[*a], &record.hooks[*b]);
            a.weight.cmp(&b.weight).then_with(|| a.name.cmp(&b.name))
        });
        let mut done: Vec<StoredHook> = Vec::new();
        for index in order {
            if record.hooks[index].delete_policies.is_empty() {
                record.hooks[index].delete_policies.push(BEFORE.to_owned());
            }
            let result = self
                .run_hook(record, index, moment, timeout, server_side)
                .await;
            let hook = record.hooks[index].clone();
            if let Err((error, started)) = result {
                let shutdown = Shutdown {
                    failed: started.then_some(hook),
                    hooks: if started { done } else { Vec::new() },
                    policy: "hook-succeeded",
                };
                return (shutdown, Err(error));
            }
            done.push(hook);
        }
        done.reverse();
        let shutdown = Shutdown {
            hooks: done,
            policy: "hook-succeeded",
            failed: None,
        };
        (shutdown, Ok(()))
    }

    /// Runs one hook. The error tells whether the hook had been created when it failed.
    async fn run_hook(
        &self,
        record: &mut Record,
        index: usize,
        moment: &str,
        timeout: Duration,
        server_side: bool,
    ) -> Result<(), (String, bool)> {
        let hook = record.hooks[index].clone();
        let early = |error: String| (error, false);
        self.delete_hook(&hook, BEFORE, timeout)
            .await
            .map_err(early)?;
        let items = build(&*self.kube.cluster, &hook.manifest, &self.namespace).await;
        let items = items.map_err(|error| {
            let path = &hook.path;
            early(format!(
                "unable to build kubernetes object for {moment} hook {path}: {error}"
            ))
        })?;
        self.watch(&items);
        record.hooks[index].last_run = HookRun {
            started_at: Some(self.now().to_string()),
            completed_at: None,
            phase: "Running".to_owned(),
        };
        if let Err(error) = self.update_record(record).await {
            self.log(format!("failed to record the release: {error}"));
        }
        let mode = Mode {
            server_side,
            force_conflicts: false,
            replace: false,
            three_way: false,
            migrate: false,
            strict: true,
        };
        let created = self.kube.create(&items, mode).await;
        let ended = |record: &mut Record, phase: &str, now: String| {
            let run = &mut record.hooks[index].last_run;
            run.completed_at = Some(now);
            phase.clone_into(&mut run.phase);
        };
        if let Err(error) = created {
            ended(record, "Failed", self.now().to_string());
            let path = &hook.path;
            return Err(early(format!(
                "warning: Hook {moment} {path} failed: {error}"
            )));
        }
        self.log(format!("waiting for {moment} hook {}", hook.path));
        let waited = self.wait(&items, timeout, WaitFor::Hooks).await;
        let phase = if waited.is_ok() {
            "Succeeded"
        } else {
            "Failed"
        };
        ended(record, phase, self.now().to_string());
        if let Err(error) = waited {
            self.show_output(&hook, "hook-failed", &items).await;
            return Err((error, true));
        }
        Ok(())
    }

    /// Deletes hooks by their policies after a moment.
    pub(super) async fn shut_down(
        &self,
        shutdown: Shutdown,
        timeout: Duration,
    ) -> Result<(), String> {
        let succeeded = shutdown.failed.is_none();
        if let Some(hook) = shutdown.failed
            && let Err(error) = self.delete_hook(&hook, "hook-failed", timeout).await
        {
            self.log(format!(
                "error deleting the hook resource on hook failure: {error}"
            ));
        }
        for hook in shutdown.hooks {
            if succeeded && !hook.output_log_policies.is_empty() {
                let items = build(&*self.kube.cluster, &hook.manifest, &self.namespace).await;
                self.show_output(&hook, "hook-succeeded", &items.unwrap_or_default())
                    .await;
            }
            self.delete_hook(&hook, shutdown.policy, timeout).await?;
        }
        Ok(())
    }

    async fn delete_hook(
        &self,
        hook: &StoredHook,
        policy: &str,
        timeout: Duration,
    ) -> Result<(), String> {
        // Definitions are never deleted: all their objects would go with them.
        let applies = hook.delete_policies.iter().any(|p| p == policy);
        if hook.kind == "CustomResourceDefinition" || !applies {
            return Ok(());
        }
        let items = build(&*self.kube.cluster, &hook.manifest, &self.namespace).await;
        let items = items.map_err(|error| {
            let path = &hook.path;
            format!("unable to build kubernetes object for deleting hook {path}: {error}")
        })?;
        let mut present = Vec::new();
        for item in items {
            let found = self.kube.get(&item.target()).await;
            if found.map_err(|error| error.to_string())?.is_some() {
                present.push(item);
            }
        }
        let errors = self.kube.delete(&present, Propagation::Background).await;
        if !errors.is_empty() {
            return Err(errors.join("; "));
        }
        self.wait_deleted(&present, timeout).await
    }

    /// Shows the logs of a hook's pods where its policy asks for it.
    async fn show_output(&self, hook: &StoredHook, policy: &str, items: &[Item]) {
        if !hook.output_log_policies.iter().any(|p| p == policy) {
            return;
        }
        let Some(item) = items.first() else { return };
        let namespace = item.object.namespace();
        let params = match hook.kind.as_str() {
            "Job" => ListParams {
                label_selector: format!("job-name={}", hook.name),
                ..ListParams::default()
            },
            "Pod" => ListParams {
                field_selector: format!("metadata.name={}", hook.name),
                ..ListParams::default()
            },
            _ => return,
        };
        let cluster = &self.kube.cluster;
        let Ok(resource) = cluster.resolve(&Gvk::new("", "v1", "Pod")).await else {
            return;
        };
        let scope = Scope {
            resource,
            namespace: namespace.to_owned(),
        };
        let Ok(pods) = cluster.list(&scope, &params).await else {
            return;
        };
        for pod in pods.items {
            let path = format!("/api/v1/namespaces/{namespace}/pods/{}/log", pod.name());
            if let Ok(text) = cluster.get_text(&path).await {
                let shown: String = text.chars().take(OUTPUT_CHARS_MAX).collect();
                self.log(format!("hook {} pod {}: {shown}", hook.name, pod.name()));
            }
        }
    }
}
