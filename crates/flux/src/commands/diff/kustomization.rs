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

use super::secret;
use crate::commands::build::kustomization::What;
use crate::commands::tree::subject;
use crate::context::Context;
use crate::dyff;
use crate::error::{CliError, CliResult};
use crate::kinds::KUSTOMIZATION;
use crate::local_build::{LocalBuild, is_kustomization};

const FAILURE_EXIT_CODE: u8 = 2;

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
        let colored = std::io::stdout().is_terminal();
        let comparison = Comparison { cluster, colored };
        comparison.run(build).await
    });
    spinner.finish_and_clear();
    let report = outcome.map_err(failed)?;
    ctx.out.data(&report.text);
    match report.errors.len() {
        0 => {}
        1 => return Err(failed(CliError::cluster(report.errors.concat()))),
        _ => {
            let message = format!("[{}]", report.errors.join(", "));
            return Err(failed(CliError::cluster(message)));
        }
    }
    match report.changed {
        true => Err(CliError::finding(
            "identified at least one change, exiting with non-zero exit code",
        )),
        false => Ok(()),
    }
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

/// What was found out.
#[derive(Default)]
struct Report {
    text: String,
    changed: bool,
    errors: Vec<String>,
}

#[derive(Clone, Copy)]
enum Color {
    Green,
    Orange,
    Red,
}

struct Comparison {
    cluster: Arc<dyn Cluster>,
    colored: bool,
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
                self.tell(&mut report, &object, difference);
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

    fn tell(&self, report: &mut Report, object: &Object, difference: Difference) {
        let subject = subject(&object.key());
        match difference {
            Difference::Unchanged => {}
            Difference::Skipped => {
                self.line(report, Color::Orange, &format!("► {subject} skipped"))
            }
            Difference::Created => {
                report.changed = true;
                self.line(report, Color::Green, &format!("► {subject} created"));
            }
            Difference::Configured {
                mut live,
                mut merged,
            } => {
                if object.kind() == "Secret" {
                    secret::sanitize(&mut live, &mut merged);
                    if secret::is_same_encrypted(object, &mut live, &mut merged) {
                        return;
                    }
                }
                report.changed = true;
                report.text.push_str(&format!("► {subject} drifted\n"));
                report.text.push_str(&dyff::report(&live, &merged));
            }
        }
    }

    async fn descend(&self, report: &mut Report, build: &LocalBuild, object: &Object) {
        let subject = subject(&object.key());
        if object
            .get(&["spec", "kubeConfig"])
            .is_some_and(|v| !v.is_null())
        {
            let line = format!("⚠️ {subject} skipped: diff not supported for remote clusters");
            return self.line(report, Color::Orange, &line);
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
            report.changed = true;
            self.line(
                report,
                Color::Red,
                &format!("► {} deleted", subject(&object.key())),
            );
        }
    }

    fn line(&self, report: &mut Report, color: Color, line: &str) {
        if !self.colored {
            report.text.push_str(&format!("{line}\n"));
            return;
        }
        let code = match color {
            Color::Green => "32",
            Color::Orange => "33",
            Color::Red => "31",
        };
        report
            .text
            .push_str(&format!("\u{1b}[{code}m{line}\u{1b}[0m\n"));
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
