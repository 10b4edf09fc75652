//! `flux create helmrelease`.

use objects::{Map, Object, Value, json};

use super::helm_reference::{ChartSource, chart_source, name_and_namespace};
use super::kustomization::dependencies;
use super::secrets::read_file;
use super::upsert::{labels_and_spec, upsert};
use super::{Shared, object_name, set_text};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::flags::{GoDuration, string_slice};
use crate::flux_object::{helm_release_revision, readiness};
use crate::kinds::HELM_RELEASE;
use crate::{manifest, wait};

/// Arguments of `flux create helmrelease`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Name of the HelmRelease.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Name of the release; composed of target namespace and name where not given.
    #[arg(long, default_value = "", hide_default_value = true)]
    release_name: String,
    /// Where the chart is: KIND/NAME[.NAMESPACE] of a HelmRepository, GitRepository or Bucket.
    #[arg(long, value_parser = chart_source)]
    source: Option<ChartSource>,
    /// Name of the chart, or its path in a Git repository or bucket.
    #[arg(long, default_value = "", hide_default_value = true)]
    chart: String,
    /// Version, or range of versions.
    #[arg(long, default_value = "", hide_default_value = true)]
    chart_version: String,
    /// A source that has the chart: KIND/NAME[.NAMESPACE] of an OCIRepository or HelmChart.
    #[arg(long, default_value = "", hide_default_value = true)]
    chart_ref: String,
    /// HelmReleases that must be ready before: [NAMESPACE/]NAME, separated by commas.
    #[arg(long, value_name = "LIST")]
    depends_on: Vec<String>,
    /// Namespace of the release.
    #[arg(long, default_value = "", hide_default_value = true)]
    target_namespace: String,
    /// Namespace of the release's records; the target namespace where not given.
    #[arg(long, default_value = "", hide_default_value = true)]
    storage_namespace: String,
    /// Create the target namespace.
    #[arg(long)]
    create_target_namespace: bool,
    /// Service account to act as.
    #[arg(long, default_value = "", hide_default_value = true)]
    service_account: String,
    /// What makes a new chart: ChartVersion or Revision.
    #[arg(long, default_value = "ChartVersion")]
    reconcile_strategy: String,
    /// How often to look for new charts; as often as for the release where not given.
    #[arg(
        long,
        default_value = "0s",
        hide_default_value = true,
        value_name = "DURATION"
    )]
    chart_interval: GoDuration,
    /// Files with values, later ones win; separated by commas.
    #[arg(long, value_name = "FILES")]
    values: Vec<String>,
    /// Objects with values: Secret/NAME or ConfigMap/NAME, separated by commas.
    #[arg(long, value_name = "LIST")]
    values_from: Vec<String>,
    /// What upgrades do with CRDs: Skip, Create or CreateReplace.
    #[arg(long, value_parser = crds)]
    crds: Option<String>,
    /// Secret with the kubeconfig of another cluster.
    #[arg(long, default_value = "", hide_default_value = true)]
    kubeconfig_secret_ref: String,
}

fn crds(text: &str) -> Result<String, String> {
    const KNOWN: [&str; 3] = ["Skip", "Create", "CreateReplace"];
    match KNOWN.contains(&text.trim()) {
        true => Ok(text.trim().to_owned()),
        false if text.trim().is_empty() => Err(format!(
            "no upgrade CRDs policy given, must be one of: {}",
            KNOWN.join(", ")
        )),
        false => Err(format!(
            "unsupported upgrade CRDs policy '{text}', must be one of: {}",
            KNOWN.join(", ")
        )),
    }
}

/// Prints the HelmRelease, or applies it and waits until it is ready.
pub fn run(ctx: &Context, shared: &Shared, args: Args) -> CliResult {
    let name = object_name(&args.names)?;
    match (args.chart.is_empty(), args.chart_ref.is_empty()) {
        (true, true) => return Err(CliError::user("chart or chart-ref is required")),
        (false, false) => {
            let message = "cannot use --chart in combination with --chart-ref";
            return Err(CliError::user(message));
        }
        _ => {}
    }
    let labels = shared.labels()?;
    if !shared.export {
        ctx.out.generate("generating HelmRelease");
    }
    let strategy = &args.reconcile_strategy;
    if !["Revision", "ChartVersion"].contains(&strategy.as_str()) {
        return Err(CliError::user(format!(
            "'{strategy}' is an invalid reconcile strategy(valid: Revision, ChartVersion)"
        )));
    }
    let mut object = Object::new(&HELM_RELEASE.gvk(), ctx.namespace(), name);
    if !labels.is_empty() {
        object.set(&["metadata", "labels"], labels);
    }
    object.set(&["spec"], spec(&args, shared)?);
    if shared.export {
        ctx.out.data(&manifest::document(&object.into_value())?);
        return Ok(());
    }
    ctx.block_on(apply(ctx, name, object))
}

fn spec(args: &Args, shared: &Shared) -> CliResult<Map> {
    let mut spec = Map::new();
    set_text(&mut spec, "releaseName", &args.release_name);
    let depends_on = dependencies(&string_slice(&args.depends_on));
    if !depends_on.is_empty() {
        spec.insert("dependsOn".to_owned(), depends_on.into());
    }
    spec.insert("interval".to_owned(), shared.interval.to_string().into());
    set_text(&mut spec, "targetNamespace", &args.target_namespace);
    let storage = match args.storage_namespace.as_str() {
        "" => &args.target_namespace,
        _ => &args.storage_namespace,
    };
    set_text(&mut spec, "storageNamespace", storage);
    if args.chart.is_empty() {
        spec.insert("chartRef".to_owned(), chart_ref(&args.chart_ref)?.into());
    } else {
        spec.insert("chart".to_owned(), json!({"spec": chart(args)}));
    }
    if !args.kubeconfig_secret_ref.is_empty() {
        let reference = json!({"secretRef": {"name": args.kubeconfig_secret_ref}});
        spec.insert("kubeConfig".to_owned(), reference);
    }
    let mut install = Map::new();
    if args.create_target_namespace {
        install.insert("createNamespace".to_owned(), true.into());
    }
    set_text(&mut spec, "serviceAccountName", &args.service_account);
    if let Some(policy) = &args.crds {
        set_text(&mut install, "crds", "Create");
        spec.insert("upgrade".to_owned(), json!({"crds": policy}));
    }
    if !install.is_empty() {
        spec.insert("install".to_owned(), install.into());
    }
    let files = string_slice(&args.values);
    if !files.is_empty() {
        spec.insert("values".to_owned(), values(&files)?);
    }
    let from = string_slice(&args.values_from);
    if !from.is_empty() {
        let from: Vec<Value> = from
            .iter()
            .map(|text| values_from(text))
            .collect::<CliResult<_>>()?;
        spec.insert("valuesFrom".to_owned(), from.into());
    }
    Ok(spec)
}

fn chart(args: &Args) -> Map {
    let mut reference = Map::new();
    if let Some(source) = &args.source {
        let (name, namespace) = name_and_namespace(&source.name);
        set_text(&mut reference, "kind", &source.kind);
        reference.insert("name".to_owned(), name.into());
        set_text(&mut reference, "namespace", namespace);
    } else {
        reference.insert("name".to_owned(), "".into());
    }
    let mut chart = Map::new();
    set_text(&mut chart, "chart", &args.chart);
    set_text(&mut chart, "version", &args.chart_version);
    set_text(&mut chart, "reconcileStrategy", &args.reconcile_strategy);
    chart.insert("sourceRef".to_owned(), reference.into());
    if args.chart_interval.0 != 0 {
        chart.insert(
            "interval".to_owned(),
            args.chart_interval.to_string().into(),
        );
    }
    chart
}

fn chart_ref(text: &str) -> CliResult<Map> {
    let (kind, rest) = text.split_once('/').unwrap_or(("", text));
    if !["OCIRepository", "HelmChart"].contains(&kind) {
        return Err(CliError::user(format!(
            "chart reference kind '{kind}' is not supported, must be one of: OCIRepository, HelmChart"
        )));
    }
    let (name, namespace) = name_and_namespace(rest);
    let mut reference = Map::new();
    set_text(&mut reference, "kind", kind);
    reference.insert("name".to_owned(), name.into());
    set_text(&mut reference, "namespace", namespace);
    Ok(reference)
}

fn values_from(text: &str) -> CliResult<Value> {
    let Some((kind, name)) = text.split_once('/').filter(|(_, name)| !name.contains('/')) else {
        return Err(CliError::user(format!(
            "invalid Kubernetes object reference '{text}', must be in format <kind>/<name>"
        )));
    };
    let known = ["Secret", "ConfigMap"]
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(kind));
    let Some(kind) = known else {
        return Err(CliError::user(format!(
            "reference kind '{kind}' is not supported, must be one of: Secret, ConfigMap"
        )));
    };
    Ok(json!({"kind": kind, "name": name}))
}

/// Reads files of values and merges them.
fn values(files: &[String]) -> CliResult<Value> {
    let mut merged = Value::Object(Map::new());
    for file in files {
        let text = read_file(file, &format!("reading values from {file} failed"))?;
        let value = kyaml::yaml_to_json(text.as_bytes()).map_err(|error| {
            let error = error.to_string();
            let reason = error
                .strip_prefix("error converting YAML to JSON: ")
                .unwrap_or(&error);
            CliError::user(format!(
                "converting values to JSON from {file} failed: {reason}"
            ))
        })?;
        let kind = match &value {
            Value::Object(_) => None,
            Value::Null => continue,
            Value::Array(_) => Some("array"),
            Value::String(_) => Some("string"),
            Value::Number(_) => Some("number"),
            Value::Bool(_) => Some("bool"),
        };
        if let Some(kind) = kind {
            return Err(CliError::user(format!(
                "unmarshaling values from {file} failed: json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
            )));
        }
        merge(&mut merged, value);
    }
    round_integers(&mut merged);
    Ok(merged)
}

/// Rounds integers beyond 2^53 as Go does, where every number of a JSON document is a double.
fn round_integers(value: &mut Value) {
    const EXACT_MAX: u64 = 1 << 53;
    match value {
        Value::Object(map) => map.values_mut().for_each(round_integers),
        Value::Array(items) => items.iter_mut().for_each(round_integers),
        Value::Number(number) => {
            let large = number.as_u64().is_some_and(|n| n > EXACT_MAX)
                || number
                    .as_i64()
                    .is_some_and(|n| n.unsigned_abs() > EXACT_MAX);
            let rounded = number.as_f64().filter(|_| large);
            let text = rounded.and_then(gocompat::number::json_float);
            if let Some(rounded) = text.and_then(|text| serde_json::from_str(&text).ok()) {
                *value = rounded;
            }
        }
        _ => {}
    }
}

fn merge(below: &mut Value, above: Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (key, value) in above {
                match below.get_mut(&key) {
                    Some(present) => merge(present, value),
                    None => drop(below.insert(key, value)),
                }
            }
        }
        (below, above) => *below = above,
    }
}

async fn apply(ctx: &Context, name: &str, object: Object) -> CliResult {
    let cluster = ctx.cluster().await?;
    ctx.out.action("applying HelmRelease");
    let target = HELM_RELEASE.target(ctx.namespace(), name);
    let outcome = upsert(&*cluster, &target, &object, labels_and_spec).await?;
    ctx.out.success(format_args!("HelmRelease {outcome}"));
    ctx.out.waiting("waiting for HelmRelease reconciliation");
    let judge = |found: &Object| readiness(&HELM_RELEASE, found);
    let object = wait::until_current(ctx, &*cluster, &target, judge).await?;
    ctx.out.success(format_args!("HelmRelease {name} is ready"));
    let revision = helm_release_revision(&object);
    ctx.out.success(format_args!("applied revision {revision}"));
    Ok(())
}
