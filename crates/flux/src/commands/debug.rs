//! `flux debug kustomization|helmrelease`: status, history, and what variables or values come to.

use api::{HelmRelease, ValuesReference};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use cluster::{Cluster, Target};
use controllers::helmrelease::values::{Resolved, Values, compose};
use helm::values::UserValues;
use objects::{Object, Value};

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::kinds::{FluxKind, HELM_RELEASE, KUSTOMIZATION, builtin};
use crate::{local_build, manifest};

const KUSTOMIZATIONS: &str = "https://fluxcd.io/flux/components/kustomize/kustomizations/";
const HELM_RELEASES: &str = "https://fluxcd.io/flux/components/helm/helmreleases/";

/// Arguments of `flux debug`.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    leaf: Leaf,
}

#[derive(Subcommand, Debug)]
enum Leaf {
    /// Debug a Kustomization.
    #[command(visible_alias = "ks")]
    Kustomization(Kustomization),
    /// Debug a HelmRelease.
    #[command(visible_alias = "hr")]
    Helmrelease(Release),
}

#[derive(clap::Args, Debug)]
struct Release {
    /// Name of the HelmRelease.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Print the status.
    #[arg(long)]
    show_status: bool,
    /// Print the values that the chart gets; these may be secret.
    #[arg(long)]
    show_values: bool,
    /// Print the history.
    #[arg(long)]
    show_history: bool,
}

#[derive(clap::Args, Debug)]
struct Kustomization {
    /// Name of the Kustomization.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Print the status.
    #[arg(long)]
    show_status: bool,
    /// Print the variables of the substitution after the build; these may be secret.
    #[arg(long)]
    show_vars: bool,
    /// Print the history.
    #[arg(long)]
    show_history: bool,
}

/// What is asked for.
enum Wanted {
    Status,
    History,
    /// Variables or values.
    Input,
}

/// Prints what is asked for on stdout.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    ctx.settings.check_namespace()?;
    let (kind, names, flags, input): (&'static FluxKind, _, _, _) = match args.leaf {
        Leaf::Kustomization(args) => {
            let flags = [args.show_status, args.show_vars, args.show_history];
            (&KUSTOMIZATION, args.names, flags, "--show-vars")
        }
        Leaf::Helmrelease(args) => {
            let flags = [args.show_status, args.show_values, args.show_history];
            (&HELM_RELEASE, args.names, flags, "--show-values")
        }
    };
    let [name] = &names[..] else {
        let message = format!("accepts 1 arg(s), received {}", names.len());
        return Err(CliError::user(message));
    };
    let wanted = match flags {
        [true, false, false] => Wanted::Status,
        [false, true, false] => Wanted::Input,
        [false, false, true] => Wanted::History,
        _ => {
            return Err(CliError::user(format!(
                "exactly one of --show-status, {input}, or --show-history must be set"
            )));
        }
    };
    let text = ctx.block_on(async {
        let cluster = ctx.cluster().await?;
        let object = cluster.get(&kind.target(ctx.namespace(), name)).await?;
        show(&*cluster, kind, &object, &wanted).await
    })?;
    ctx.out.data(&text);
    Ok(())
}

async fn show(
    cluster: &dyn Cluster,
    kind: &FluxKind,
    object: &Object,
    wanted: &Wanted,
) -> CliResult<String> {
    let documentation = match kind.kind {
        "HelmRelease" => HELM_RELEASES,
        _ => KUSTOMIZATIONS,
    };
    let mut status = object.get(&["status"]).cloned().unwrap_or_default();
    add_deleted(&mut status);
    let empty = Value::Array(Vec::new());
    match wanted {
        Wanted::Status => {
            let yaml = manifest::to_yaml(&status)?;
            let anchor = kind.kind.to_lowercase();
            Ok(format!(
                "# Status documentation: {documentation}#{anchor}-status\n{yaml}"
            ))
        }
        Wanted::History => {
            let yaml = manifest::to_yaml(status.get("history").unwrap_or(&empty))?;
            Ok(format!(
                "# History documentation: {documentation}#history\n{yaml}"
            ))
        }
        Wanted::Input if kind.kind == HELM_RELEASE.kind => values(cluster, object).await,
        Wanted::Input => variables(cluster, object).await,
    }
}

/// Adds `deleted: null` to the snapshots of releases, which Go prints for a time that is not set.
fn add_deleted(status: &mut Value) {
    let history = status.get_mut("history").and_then(Value::as_array_mut);
    let snapshots = history.into_iter().flatten();
    for snapshot in snapshots.filter_map(Value::as_object_mut) {
        if snapshot.contains_key("chartName") {
            snapshot.entry("deleted").or_insert(Value::Null);
        }
    }
}

async fn variables(cluster: &dyn Cluster, object: &Object) -> CliResult<String> {
    if object.get(&["spec", "postBuild"]).is_none() {
        return Err(CliError::user("no post build substitutions found"));
    }
    let values = local_build::variables(Some(cluster), object).await?;
    let lines = values
        .into_iter()
        .map(|(key, value)| format!("{key}={value}\n"));
    Ok(lines.collect())
}

async fn values(cluster: &dyn Cluster, object: &Object) -> CliResult<String> {
    let (values, _) = compose_values(Some(cluster), object).await?;
    manifest::to_yaml(&Value::Object(values.config()))
}

/// Composes the values of a HelmRelease as its controller does, and says what from; without a cluster, what it refers
/// to is missing.
pub async fn compose_values(
    cluster: Option<&dyn Cluster>,
    object: &Object,
) -> CliResult<(Values, UserValues)> {
    let release = HelmRelease::from_object(object).map_err(|e| CliError::user(e.to_string()))?;
    let mut references = Vec::new();
    for reference in &release.spec.values_from {
        let resolved = match cluster {
            Some(cluster) => referenced(cluster, object.namespace(), reference).await?,
            None => Resolved::NoObject("no cluster was asked".to_owned()),
        };
        references.push((reference.clone(), resolved));
    }
    let inline = release.spec.values.as_ref();
    let values = compose(object.namespace(), inline, &references);
    let values = values.map_err(|error| CliError::user(error.to_string()))?;
    Ok((values, sources(object, inline, &references)?))
}

/// The texts that values are composed from, for explanations: what goes to a single path is left out.
fn sources(
    object: &Object,
    inline: Option<&Value>,
    references: &[(ValuesReference, Resolved)],
) -> CliResult<UserValues> {
    let namespace = object.namespace();
    let mut sources = UserValues::default();
    for (reference, resolved) in references {
        if let Resolved::Data(text) = resolved
            && reference.target_path.is_empty()
        {
            let ValuesReference { kind, name, .. } = reference;
            let key = reference.values_key();
            let name = format!("{key} of {kind} {namespace}/{name}");
            sources.files.push((name, text.clone()));
        }
    }
    if let Some(inline) = inline {
        let name = format!("spec.values of HelmRelease {namespace}/{}", object.name());
        let text = manifest::to_yaml(inline)?;
        sources.files.push((name, text.into_bytes()));
    }
    Ok(sources)
}

async fn referenced(
    cluster: &dyn Cluster,
    namespace: &str,
    reference: &ValuesReference,
) -> CliResult<Resolved> {
    let plural = format!("{}s", reference.kind.to_lowercase());
    let resource = builtin("", &reference.kind, &plural, true);
    let found = match cluster
        .get(&Target::new(&resource, namespace, &reference.name))
        .await
    {
        Ok(found) => found,
        Err(error) if error.is_not_found() => return Ok(Resolved::NoObject(error.to_string())),
        Err(error) => return Err(error.into()),
    };
    let key = reference.values_key();
    let decode = |field: &str| STANDARD.decode(found.str_at(&[field, key])).ok();
    let data = match (reference.kind.as_str(), found.get(&["data", key])) {
        ("Secret", Some(_)) => decode("data"),
        (_, Some(text)) => text.as_str().map(|text| text.as_bytes().to_vec()),
        (_, None) if found.get(&["binaryData", key]).is_some() => decode("binaryData"),
        _ => None,
    };
    Ok(data.map_or(Resolved::NoKey, Resolved::Data))
}
