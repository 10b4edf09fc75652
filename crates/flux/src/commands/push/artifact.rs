//! `flux push artifact`.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use objects::{Value, json};
use remote::oci::{Layer, Package, Selector, media_type};

use crate::artifact::files::{Contents, Input};
use crate::artifact::registry::{self, Login, Named, failed};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::manifest;

/// The config of every artifact, as upstream writes it.
const CONFIG: &str = r#"{"architecture":"","created":"0001-01-01T00:00:00Z","os":"","rootfs":{"type":"layers","diff_ids":null},"config":{}}"#;

/// Arguments of `flux push artifact`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// URL of the artifact: oci://HOST/REPOSITORY:TAG.
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    /// Directory or file with the manifests; - for stdin.
    #[arg(short = 'f', long, default_value = "", hide_default_value = true)]
    path: String,
    /// Address of the source, such as the URL of the Git repository.
    #[arg(long, default_value = "", hide_default_value = true)]
    source: String,
    /// Revision of the source, such as main@sha1:COMMIT.
    #[arg(long, default_value = "", hide_default_value = true)]
    revision: String,
    /// Further annotation, KEY=VALUE; may be repeated.
    #[arg(short, long, value_name = "KEY=VALUE")]
    annotations: Vec<String>,
    /// json or yaml: print the digest in this format.
    #[arg(short, long, default_value = "", hide_default_value = true)]
    output: String,
    /// Accepted for compatibility.
    #[arg(long, hide_short_help = true)]
    debug: bool,
    /// Write 1970-01-01T00:00:00Z as the time of creation.
    #[arg(long)]
    reproducible: bool,
    /// Allow registries without TLS.
    #[arg(long)]
    insecure_registry: bool,
    #[command(flatten)]
    contents: Contents,
    #[command(flatten)]
    login: Login,
}

/// Packs and pushes.
pub fn run(ctx: &Context, args: &Args) -> CliResult {
    let Some(url) = args.urls.first() else {
        return Err(CliError::user("artifact URL is required"));
    };
    for (flag, value) in [("source", &args.source), ("revision", &args.revision)] {
        if value.is_empty() {
            return Err(CliError::user(format!("--{flag} is required")));
        }
    }
    let (named, input) = if args.path.is_empty() {
        return Err(CliError::user("invalid path \"\""));
    } else {
        (registry::parse(url)?, Input::open(&args.path)?)
    };
    if let Some(cause) = input.missing() {
        let path = input.shown();
        return Err(CliError::user(format!(
            "invalid path '{path}', must point to an existing directory or file: {cause}"
        )));
    }
    let annotations = annotations(args)?;
    let registry = args.login.open(ctx, &named, args.insecure_registry)?;
    args.contents.check(&input)?;
    ctx.block_on(async {
        let ready = registry.log_in("push,pull").await;
        ready.map_err(|error| failed(error).context("error setting up transport"))
    })?;
    if args.output.is_empty() {
        ctx.out
            .action(format!("pushing artifact to {}", named.shown));
    }
    let package = package(args.contents.pack(&input)?, annotations);
    let digest = ctx.block_on(async {
        let pushed = registry.push(&named.reference, &package).await;
        pushed.map_err(|error| {
            failed(error)
                .context("pushing artifact failed")
                .context("pushing artifact failed")
        })
    })?;
    report(ctx, &args.output, &named, &digest)
}

fn annotations(args: &Args) -> CliResult<BTreeMap<String, String>> {
    let created = if args.reproducible {
        Timestamp::UNIX_EPOCH
    } else {
        let now = Timestamp::now();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    };
    let mut annotations = BTreeMap::from([
        (api::names::OCI_CREATED.to_owned(), created.to_string()),
        (api::names::OCI_SOURCE.to_owned(), args.source.clone()),
        (api::names::OCI_REVISION.to_owned(), args.revision.clone()),
    ]);
    for annotation in &args.annotations {
        let parts: Vec<&str> = annotation.split('=').collect();
        let [key, value] = parts[..] else {
            return Err(CliError::user(format!(
                "invalid annotation {annotation}, must be in the format key=value"
            )));
        };
        annotations.insert(key.to_owned(), value.to_owned());
    }
    Ok(annotations)
}

fn package(archive: Vec<u8>, annotations: BTreeMap<String, String>) -> Package {
    Package {
        config_media_type: media_type::FLUX_CONFIG.to_owned(),
        config: Bytes::from_static(CONFIG.as_bytes()),
        layers: vec![Layer {
            media_type: media_type::FLUX_CONTENT.to_owned(),
            content: archive.into(),
        }],
        annotations,
    }
}

fn report(ctx: &Context, format: &str, named: &Named, digest: &str) -> CliResult {
    let repository = named.reference.repository.to_string();
    let pushed = format!("{repository}@{digest}");
    let tag = match &named.reference.selector {
        Selector::Tag(tag) => tag.clone(),
        Selector::Digest(_) => String::new(),
    };
    match format {
        "json" => {
            // In the order of upstream's struct.
            let fields = [
                ("url", format!("oci://{pushed}")),
                ("repository", repository),
                ("tag", tag),
                ("digest", digest.to_owned()),
            ];
            let lines: Vec<String> = fields
                .iter()
                .map(|(key, value)| format!("  \"{key}\": {}", Value::from(value.as_str())))
                .collect();
            ctx.out.data(&format!("{{\n{}\n}}\n", lines.join(",\n")));
        }
        "yaml" => {
            let info = json!({
                "url": format!("oci://{pushed}"), "repository": repository, "tag": tag, "digest": digest,
            });
            ctx.out.data(&manifest::to_yaml(&info)?);
        }
        _ => ctx
            .out
            .success(format!("artifact successfully pushed to {pushed}")),
    }
    Ok(())
}
