//! `flux diff kustomization`: a local build against the cluster, by dry-run.
//!
//! Exit code 1 says that there are differences, 2 that they could not be found out.

use std::collections::HashSet;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use apply::{ApplyOptions, Controls, Difference, IgnoreRule, IgnoreRules, ResourceManager};
use cluster::Cluster;
use futures::future::{BoxFuture, FutureExt as _};
use indicatif::ProgressBar;
use objects::{Gvk, Object, ObjectKey, Value};

use super::report::{Color, FAILURE_EXIT_CODE, Report};
use crate::commands::build::kustomization::What;
use crate::commands::tree::subject;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::kinds::KUSTOMIZATION;
use crate::local_build::{LocalBuild, is_kustomization};

/// Arguments of `flux diff kustomization`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    what: What,
    /// Show that work goes on; --progress-bar=false does not.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "true",
          hide_default_value = true, value_name = "BOOL", action = clap::ArgAction::Set,
          value_parser = clap::builder::ValueParser::new(crate::flags::go_bool))]
    progress_bar: bool,
    /// Treat a Kustomization that the cluster does not have as new.
    #[arg(long)]
    ignore_not_found: bool,
}

/// Prints the differences on stdout.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    let failed = |error: CliError| error.exit_code(FAILURE_EXIT_CODE);
    args.what.check_for_diff()?;
    let ignore_not_found = args.ignore_not_found;
    let build = args.what.resolve(ctx, false, ignore_not_found)?;
    if ignore_not_found && build.file.is_none() {
        let message = "kustomization file is required when assuming new kustomizations";
        return Err(failed(CliError::user(message)));
    }
    let spinner = spinner(args.progress_bar);
    let outcome = ctx.block_on(async {
        let cluster = ctx.cluster().await?;
        Comparison { cluster }.run(build).await
    });
    spinner.finish_and_clear();
    outcome.map_err(failed)?.print(&ctx.out)
}

fn spinner(wanted: bool) -> ProgressBar {
    if !wanted || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let spinner = ProgressBar::new_spinner();
    spinner.set_message("Kustomization diffing... running dry-run");
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

struct Comparison {
    cluster: Arc<dyn Cluster>,
}

impl Comparison {
    /// Boxed, since Kustomizations nest. The build never nests: each one is compared by itself.
    fn run(&self, mut build: LocalBuild) -> BoxFuture<'_, CliResult<Report>> {
        let recursive = std::mem::take(&mut build.recursive);
        async move {
            let built = build.run(Some(&*self.cluster)).await?;
            let controls = Controls::of_group(KUSTOMIZATION.group);
            let manager =
                ResourceManager::new(self.cluster.clone(), "kustomize-controller", controls);
            let options = ApplyOptions {
                ignore: ignore_rules(&built.kustomization)?,
                ..ApplyOptions::default()
            };
            let mut report = Report::default();
            let mut present = HashSet::new();
            for mut object in built.objects {
                apply::normalize(&mut object);
                let difference = match manager.diff(&object, &options).await {
                    Ok(difference) => difference,
                    Err(error) => {
                        report.errors.push(error.to_string());
                        continue;
                    }
                };
                present.insert(object.key());
                let created = difference == Difference::Created;
                report.tell(&object, difference);
                let other = object.key() != built.kustomization.key();
                if recursive && !created && other && is_kustomization(&object) {
                    let mut nested = build.clone();
                    nested.recursive = true;
                    self.descend(&mut report, &nested, &object).await;
                }
            }
            if report.errors.is_empty() {
                self.tell_deleted(&mut report, &built.kustomization, &present);
            }
            Ok(report)
        }
        .boxed()
    }

    async fn descend(&self, report: &mut Report, build: &LocalBuild, object: &Object) {
        let subject = subject(&object.key());
        if object
            .get(&["spec", "kubeConfig"])
            .is_some_and(|v| !v.is_null())
        {
            let line = format!("⚠️ {subject} skipped: diff not supported for remote clusters");
            return report.line(Color::Orange, &line);
        }
        let nested = match build.nested(object) {
            Ok(mut nested) => {
                nested.found = None;
                self.run(nested).await
            }
            Err(error) => Err(error),
        };
        match nested {
            Ok(below) => {
                report.errors.extend(below.errors);
                if below.changed {
                    report.changed = true;
                    report.text.push_str(&format!("📁 {subject} changed\n"));
                    report.text.push_str(&below.text);
                }
            }
            Err(error) => report.errors.push(error.to_string()),
        }
    }

    fn tell_deleted(&self, report: &mut Report, owner: &Object, present: &HashSet<ObjectKey>) {
        if owner.get(&["spec", "prune"]) != Some(&Value::Bool(true)) {
            return;
        }
        let entries = owner
            .get(&["status", "inventory", "entries"])
            .and_then(Value::as_array);
        let mut stale: Vec<Object> = entries
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let key = ObjectKey::from_id(entry["id"].as_str()?).ok()?;
                let version = entry["v"].as_str().unwrap_or_default();
                let gvk = Gvk::new(&key.group, version, &key.kind);
                (!present.contains(&key)).then(|| Object::new(&gvk, &key.namespace, &key.name))
            })
            .collect();
        apply::sort(&mut stale);
        for object in &stale {
            report.deleted(&object.key());
        }
    }
}

fn ignore_rules(kustomization: &Object) -> CliResult<IgnoreRules> {
    let rules = kustomization
        .get(&["spec", "ignore"])
        .and_then(Value::as_array);
    let rules: Vec<IgnoreRule> = rules
        .into_iter()
        .flatten()
        .map(|rule| {
            let text = |key: &str| rule["target"][key].as_str().unwrap_or_default().to_owned();
            let paths = rule["paths"].as_array().into_iter().flatten();
            IgnoreRule {
                paths: paths.filter_map(Value::as_str).map(str::to_owned).collect(),
                group: text("group"),
                version: text("version"),
                kind: text("kind"),
                name: text("name"),
                namespace: text("namespace"),
                label_selector: text("labelSelector"),
                annotation_selector: text("annotationSelector"),
            }
        })
        .collect();
    IgnoreRules::new(&rules).map_err(|error| CliError::user(error.to_string()))
}
