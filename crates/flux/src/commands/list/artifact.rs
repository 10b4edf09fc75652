//! `flux list artifacts`.

use api::names::{OCI_REVISION, OCI_SOURCE};
use gocompat::regexp::Regexp;
use gocompat::semver::Range;
use reconcile::ocirepository::parse_version;
use remote::oci::{Manifest, Registry};

use crate::artifact::registry::{self, Login, Named, failed};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::table;

const HEADER: [&str; 4] = ["artifact", "digest", "source", "revision"];
/// Tags under which signatures and their like are kept.
const HIDDEN: [&str; 3] = [".att", ".sbom", ".sig"];

/// Arguments of `flux list artifacts`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// URL of the repository: oci://HOST/REPOSITORY.
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    /// Only tags in this range.
    #[arg(long, default_value = "", hide_default_value = true)]
    filter_semver: String,
    /// Only tags that match this expression.
    #[arg(long, default_value = "", hide_default_value = true)]
    filter_regex: String,
    /// Allow registries without TLS.
    #[arg(long)]
    insecure_registry: bool,
    #[command(flatten)]
    login: Login,
}

/// Prints a table, highest tags first.
pub fn run(ctx: &Context, args: &Args) -> CliResult {
    let Some(url) = args.urls.first() else {
        return Err(CliError::user("artifact repository URL is required"));
    };
    let named = registry::parse(url)?;
    let registry = args.login.open(ctx, &named, args.insecure_registry)?;
    check_repository(&named.shown)?;
    let rows = ctx.block_on(rows(args, &named, &registry))?;
    ctx.out.data(&table::render(&HEADER, &rows));
    Ok(())
}

/// Refuses a tag or digest where a repository is asked for.
fn check_repository(shown: &str) -> CliResult {
    const CHARACTERS: &str = "abcdefghijklmnopqrstuvwxyz0123456789_-./";
    let path = shown.split_once('/').map_or("", |(_, path)| path);
    if path.chars().all(|c| CHARACTERS.contains(c)) {
        return Ok(());
    }
    Err(CliError::user(format!(
        "listing tags failed: parsing repo {shown:?}: repository can only contain the characters `{CHARACTERS}`: {path}"
    )))
}

async fn rows(args: &Args, named: &Named, registry: &Registry) -> CliResult<Vec<Vec<String>>> {
    let tags = registry.tags().await;
    let mut tags = tags.map_err(|error| failed(error).context("listing tags failed"))?;
    tags.sort_by(|a, b| b.cmp(a));
    let mut rows = Vec::new();
    for tag in filter(args, tags)? {
        let reference = registry.repository().tag(&tag);
        let fetched = registry.manifest_bytes(&reference).await;
        let (digest, bytes) =
            fetched.map_err(|error| failed(error).context("fetching manifest failed"))?;
        let manifest = Manifest::parse(&bytes)
            .map_err(|error| failed(error).context("parsing manifest failed"))?;
        let fact = |key: &str| manifest.annotations.get(key).cloned().unwrap_or_default();
        rows.push(vec![
            format!("{}:{tag}", named.shown),
            digest,
            fact(OCI_SOURCE),
            fact(OCI_REVISION),
        ]);
    }
    Ok(rows)
}

fn filter(args: &Args, tags: Vec<String>) -> CliResult<Vec<String>> {
    let (semver, regex) = (&args.filter_semver, &args.filter_regex);
    let range = (!semver.is_empty())
        .then(|| Range::parse(semver))
        .transpose();
    let range =
        range.map_err(|error| CliError::user(format!("semver '{semver}' parse error: {error}")))?;
    let expression = (!regex.is_empty()).then(|| Regexp::new(regex)).transpose();
    let expression = expression
        .map_err(|error| CliError::user(format!("regex '{regex}' parse error: {error}")))?;
    let fits = |tag: &String| {
        let in_range = |range: &Range| parse_version(tag).is_some_and(|v| range.matches(&v));
        !HIDDEN.iter().any(|end| tag.ends_with(end))
            && range.as_ref().is_none_or(in_range)
            && expression
                .as_ref()
                .is_none_or(|e| e.is_match(tag.as_bytes()))
    };
    Ok(tags.into_iter().filter(fits).collect())
}
