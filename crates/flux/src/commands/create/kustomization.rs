//! `flux create kustomization`.

use objects::{Map, Object, Value, json};

use super::upsert::{labels_and_spec, upsert};
use super::{Shared, object_name, set_reference, set_text};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::flags::{GoDuration, string_slice};
use crate::flux_object::readiness;
use crate::kinds::KUSTOMIZATION;
use crate::{manifest, wait};

/// Arguments of `flux create kustomization`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Name of the Kustomization.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Source: [KIND/]NAME[.NAMESPACE], a GitRepository where no kind is given.
    #[arg(long, value_parser = source)]
    source: Option<Source>,
    /// Directory within the source.
    #[arg(long, default_value = "./", value_parser = relative_path)]
    path: String,
    /// Delete what disappears from the source.
    #[arg(long)]
    prune: bool,
    /// Wait for all applied objects to become ready.
    #[arg(long)]
    wait: bool,
    /// Objects to wait for: KIND/NAME.NAMESPACE, separated by commas.
    #[arg(long, value_name = "LIST")]
    health_check: Vec<String>,
    /// Most time to wait for objects to become ready.
    #[arg(long, default_value = "2m0s", value_name = "DURATION")]
    health_check_timeout: GoDuration,
    /// Kustomizations that must be ready before: [NAMESPACE/]NAME, separated by commas.
    #[arg(long, value_name = "LIST")]
    depends_on: Vec<String>,
    /// Service account to act as.
    #[arg(long, default_value = "", hide_default_value = true)]
    service_account: String,
    /// Decryption of manifests: sops.
    #[arg(long, value_parser = decryption)]
    decryption_provider: Option<String>,
    /// Secret with decryption keys.
    #[arg(long, default_value = "", hide_default_value = true)]
    decryption_secret: String,
    /// Namespace for all objects.
    #[arg(long, default_value = "", hide_default_value = true)]
    target_namespace: String,
    /// Secret with the kubeconfig of another cluster.
    #[arg(long, default_value = "", hide_default_value = true)]
    kubeconfig_secret_ref: String,
    /// How soon to retry after a failure.
    #[arg(
        long,
        default_value = "0s",
        hide_default_value = true,
        value_name = "DURATION"
    )]
    retry_interval: GoDuration,
    /// Accepted for compatibility: everything is validated by the server.
    #[arg(long, default_value = "", hide = true)]
    validation: String,
}

/// A source reference as written.
#[derive(Clone, Debug)]
struct Source {
    kind: String,
    name: String,
    namespace: String,
}

const SOURCE_KINDS: [&str; 3] = ["OCIRepository", "GitRepository", "Bucket"];

fn source(text: &str) -> Result<Source, String> {
    if text.trim().is_empty() {
        return Err("no Kustomization source given, please specify source that contains the Kubernetes manifests in the format '[<kind>/]<name>.<namespace>', where kind must be one of: (OCIRepository, GitRepository, Bucket), if kind is not specified it defaults to GitRepository".to_owned());
    }
    let (kind, rest) = text.split_once('/').unwrap_or(("", text));
    let (name, namespace) = rest.rsplit_once('.').unwrap_or((rest, ""));
    if name.is_empty() {
        return Err(format!("no name given for source of kind '{kind}'"));
    }
    if kind.is_empty() && SOURCE_KINDS.contains(&name) {
        return Err(format!("no kind specified for source '{name}'"));
    }
    let wanted = if kind.is_empty() {
        "GitRepository"
    } else {
        kind
    };
    let kind = SOURCE_KINDS
        .iter()
        .find(|known| known.eq_ignore_ascii_case(wanted))
        .ok_or_else(|| {
            let kinds = SOURCE_KINDS.join(", ");
            format!("source kind '{kind}' is not supported, must be one of: {kinds}")
        })?;
    Ok(Source {
        kind: (*kind).to_owned(),
        name: name.to_owned(),
        namespace: namespace.to_owned(),
    })
}

/// Cleans a path so that it stays below `./`.
fn relative_path(text: &str) -> Result<String, String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in text.trim().split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Ok(format!("./{}", parts.join("/")))
}

fn decryption(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err(
            "no decryption provider given, please specify the decryption provider name".to_owned(),
        ),
        "sops" => Ok("sops".to_owned()),
        _ => Err(format!(
            "unsupported decryption provider '{text}', must be one of: sops"
        )),
    }
}

/// Prints the Kustomization, or applies it and waits until it is ready.
pub fn run(ctx: &Context, shared: &Shared, args: Args) -> CliResult {
    let name = object_name(&args.names)?;
    let Some(source) = &args.source else {
        return Err(CliError::user("source is required"));
    };
    if !shared.export {
        ctx.out.generate("generating Kustomization");
    }
    let labels = shared.labels()?;
    let mut object = Object::new(&KUSTOMIZATION.gvk(), ctx.namespace(), name);
    if !labels.is_empty() {
        object.set(&["metadata", "labels"], labels);
    }
    object.set(&["spec"], spec(&args, shared, source)?);
    if shared.export {
        ctx.out.data(&manifest::document(&object.into_value())?);
        return Ok(());
    }
    ctx.block_on(apply(ctx, name, object))
}

fn spec(args: &Args, shared: &Shared, source: &Source) -> CliResult<Map> {
    let mut reference = Map::new();
    set_text(&mut reference, "kind", &source.kind);
    set_text(&mut reference, "name", &source.name);
    set_text(&mut reference, "namespace", &source.namespace);
    let mut spec = Map::new();
    spec.insert("interval".to_owned(), shared.interval.to_string().into());
    spec.insert("prune".to_owned(), args.prune.into());
    spec.insert("sourceRef".to_owned(), reference.into());
    set_text(&mut spec, "path", &args.path);
    set_text(&mut spec, "targetNamespace", &args.target_namespace);
    set_text(&mut spec, "serviceAccountName", &args.service_account);
    let depends_on = dependencies(&string_slice(&args.depends_on));
    if !depends_on.is_empty() {
        spec.insert("dependsOn".to_owned(), depends_on.into());
    }
    if !args.kubeconfig_secret_ref.is_empty() {
        let reference = json!({"secretRef": {"name": args.kubeconfig_secret_ref}});
        spec.insert("kubeConfig".to_owned(), reference);
    }
    let checks = string_slice(&args.health_check);
    let timeout = args.health_check_timeout.to_string();
    if args.wait {
        spec.insert("wait".to_owned(), true.into());
        spec.insert("timeout".to_owned(), timeout.into());
    } else if !checks.is_empty() {
        let checks = checks
            .iter()
            .map(|check| health_check(check))
            .collect::<CliResult<Vec<_>>>()?;
        spec.insert("healthChecks".to_owned(), checks.into());
        spec.insert("timeout".to_owned(), timeout.into());
    }
    if let Some(provider) = &args.decryption_provider {
        let mut decryption = Map::new();
        set_text(&mut decryption, "provider", provider);
        set_reference(&mut decryption, "secretRef", &args.decryption_secret);
        spec.insert("decryption".to_owned(), decryption.into());
    }
    if args.retry_interval.0 > 0 {
        spec.insert(
            "retryInterval".to_owned(),
            args.retry_interval.to_string().into(),
        );
    }
    Ok(spec)
}

/// Reads `[NAMESPACE/]NAME` references.
pub fn dependencies(list: &[String]) -> Vec<Value> {
    let reference = |text: &String| {
        // Behind an `@` may be a CEL expression, which upstream drops.
        let text = text.split('@').next().unwrap_or_default();
        let (namespace, name) = text.split_once('/').unwrap_or(("", text));
        let mut reference = Map::new();
        set_text(&mut reference, "name", name);
        set_text(&mut reference, "namespace", namespace);
        Value::Object(reference)
    };
    list.iter().map(reference).collect()
}

fn health_check(text: &str) -> CliResult<Value> {
    let parts: Vec<&str> = text.split('/').collect();
    let [kind, rest] = parts[..] else {
        return Err(CliError::user(format!(
            "invalid health check '{text}' must be in the format 'kind/name.namespace' [{}]",
            parts.join(" ")
        )));
    };
    if !["Deployment", "DaemonSet", "StatefulSet", "HelmRelease"].contains(&kind) {
        return Err(CliError::user(format!(
            "invalid health check kind '{kind}' can be HelmRelease, Deployment, DaemonSet or StatefulSet"
        )));
    }
    let parts: Vec<&str> = rest.split('.').collect();
    let [name, namespace] = parts[..] else {
        return Err(CliError::user(format!(
            "invalid health check '{text}' must be in the format 'kind/name.namespace'"
        )));
    };
    let mut check = json!({"kind": kind, "name": name, "namespace": namespace});
    if kind == "HelmRelease" {
        check["apiVersion"] = "helm.toolkit.fluxcd.io/v2".into();
    }
    Ok(check)
}

async fn apply(ctx: &Context, name: &str, object: Object) -> CliResult {
    let cluster = ctx.cluster().await?;
    ctx.out.action("applying Kustomization");
    let target = KUSTOMIZATION.target(ctx.namespace(), name);
    let outcome = upsert(&*cluster, &target, &object, labels_and_spec).await?;
    ctx.out.success(format_args!("Kustomization {outcome}"));
    ctx.out.waiting("waiting for Kustomization reconciliation");
    let judge = |found: &Object| readiness(&KUSTOMIZATION, found);
    let object = wait::until_current(ctx, &*cluster, &target, judge).await?;
    ctx.out
        .success(format_args!("Kustomization {name} is ready"));
    let revision = object.str_at(&["status", "lastAppliedRevision"]);
    ctx.out.success(format_args!("applied revision {revision}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::relative_path;

    #[test]
    fn paths_stay_below_the_source() {
        for (text, clean) in [
            ("./kustomize", "./kustomize"),
            ("./", "./"),
            ("../../etc", "./etc"),
            ("/a//b/../c/", "./a/c"),
        ] {
            assert_eq!(relative_path(text).unwrap(), clean);
        }
    }
}
