//! `flux get`: tables of objects and their status, once or as they change.

mod columns;
mod list;

pub use list::missing_kind;

use clap::{Args as ClapArgs, Subcommand};

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::kinds::{self, FluxKind};

/// Arguments of `flux get`.
#[derive(ClapArgs, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(flatten)]
    select: Select,
    #[command(subcommand)]
    leaf: Leaf,
}

/// Flags that all leaves share.
#[derive(ClapArgs, Debug)]
struct Select {
    /// List objects of all namespaces.
    #[arg(short = 'A', long, global = true)]
    all_namespaces: bool,
    /// Print no header.
    #[arg(long, global = true)]
    no_header: bool,
    /// Keep printing rows as objects change.
    #[arg(short, long, global = true)]
    watch: bool,
    /// Only objects with this condition, such as ready=false or ready!=true.
    #[arg(
        long,
        global = true,
        value_name = "TYPE=STATUS",
        default_value = "",
        hide_default_value = true
    )]
    status_selector: String,
    /// Only objects with these labels.
    #[arg(
        short,
        long,
        global = true,
        value_name = "SELECTOR",
        default_value = "",
        hide_default_value = true
    )]
    label_selector: String,
}

/// A name, where one object is meant.
#[derive(ClapArgs, Debug)]
struct Named {
    /// Only the object of this name.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Add a column with the source of each object.
    #[arg(skip)]
    show_source: bool,
}

/// As [`Named`], for kinds that have a source.
#[derive(ClapArgs, Debug)]
struct Sourced {
    /// Only the object of this name.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Add a column with the source of each object.
    #[arg(long)]
    show_source: bool,
}

#[derive(Subcommand, Debug)]
enum Leaf {
    /// Print everything.
    All(Named),
    /// Print Kustomizations.
    #[command(visible_alias = "ks", alias = "kustomization")]
    Kustomizations(Sourced),
    /// Print HelmReleases.
    #[command(visible_alias = "hr", alias = "helmrelease")]
    Helmreleases(Sourced),
    /// Print sources.
    #[command(
        alias = "source",
        subcommand,
        subcommand_required = true,
        arg_required_else_help = true
    )]
    Sources(SourceLeaf),
    /// Print image automation objects.
    #[command(
        alias = "image",
        subcommand,
        subcommand_required = true,
        arg_required_else_help = true
    )]
    Images(ImageLeaf),
    /// Print Alerts.
    #[command(alias = "alert")]
    Alerts(Named),
    /// Print alert Providers.
    #[command(alias = "alert-provider")]
    AlertProviders(Named),
    /// Print Receivers.
    #[command(alias = "receiver")]
    Receivers(Named),
    /// Print artifact objects.
    #[command(
        alias = "artifact",
        subcommand,
        subcommand_required = true,
        arg_required_else_help = true
    )]
    Artifacts(ArtifactLeaf),
}

#[derive(Subcommand, Debug)]
enum SourceLeaf {
    /// Print all sources.
    All(Named),
    /// Print GitRepositories.
    Git(Named),
    /// Print OCIRepositories.
    Oci(Named),
    /// Print Buckets.
    Bucket(Named),
    /// Print HelmRepositories.
    Helm(Named),
    /// Print HelmCharts.
    Chart(Named),
    /// Print ExternalArtifacts.
    External(Named),
}

#[derive(Subcommand, Debug)]
enum ImageLeaf {
    /// Print all image automation objects.
    All(Named),
    /// Print ImagePolicies.
    Policy(Named),
    /// Print ImageRepositories.
    Repository(Named),
    /// Print ImageUpdateAutomations.
    Update(Named),
}

#[derive(Subcommand, Debug)]
enum ArtifactLeaf {
    /// Print ArtifactGenerators.
    #[command(alias = "generator")]
    Generators(Named),
}

static SOURCES: [&FluxKind; 6] = [
    &kinds::OCI_REPOSITORY,
    &kinds::BUCKET,
    &kinds::GIT_REPOSITORY,
    &kinds::HELM_REPOSITORY,
    &kinds::HELM_CHART,
    &kinds::EXTERNAL_ARTIFACT,
];
static IMAGES: [&FluxKind; 3] = [
    &kinds::IMAGE_REPOSITORY,
    &kinds::IMAGE_POLICY,
    &kinds::IMAGE_UPDATE_AUTOMATION,
];
static OTHERS: [&FluxKind; 5] = [
    &kinds::HELM_RELEASE,
    &kinds::KUSTOMIZATION,
    &kinds::RECEIVER,
    &kinds::PROVIDER,
    &kinds::ALERT,
];

/// Prints the table of one kind, or of several one after the other.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    ctx.settings.check_namespace()?;
    let select = &args.select;
    let all = |kinds: Vec<&FluxKind>, args: Named| {
        if select.watch {
            return Err(CliError::user(
                "expected a single resource type, but found all",
            ));
        }
        list::print_all(ctx, &kinds, &resolve(ctx, select, args.names, false, true)?)
    };
    let (kind, names, show_source) = match args.leaf {
        Leaf::All(args) => return all([&SOURCES[..], &IMAGES, &OTHERS].concat(), args),
        Leaf::Sources(SourceLeaf::All(args)) => return all(SOURCES.to_vec(), args),
        Leaf::Images(ImageLeaf::All(args)) => return all(IMAGES.to_vec(), args),
        Leaf::Kustomizations(args) => (&kinds::KUSTOMIZATION, args.names, args.show_source),
        Leaf::Helmreleases(args) => (&kinds::HELM_RELEASE, args.names, args.show_source),
        Leaf::Sources(leaf) => single_source(leaf),
        Leaf::Images(leaf) => single_image(leaf),
        Leaf::Alerts(args) => (&kinds::ALERT, args.names, false),
        Leaf::AlertProviders(args) => (&kinds::PROVIDER, args.names, false),
        Leaf::Receivers(args) => (&kinds::RECEIVER, args.names, false),
        Leaf::Artifacts(ArtifactLeaf::Generators(args)) => {
            (&kinds::ARTIFACT_GENERATOR, args.names, false)
        }
    };
    let query = resolve(ctx, select, names, show_source, false)?;
    if select.watch {
        list::watch(ctx, kind, &query)
    } else {
        list::print(ctx, kind, &query)
    }
}

fn single_source(leaf: SourceLeaf) -> (&'static FluxKind, Vec<String>, bool) {
    let (kind, args) = match leaf {
        SourceLeaf::All(args) | SourceLeaf::Git(args) => (&kinds::GIT_REPOSITORY, args),
        SourceLeaf::Oci(args) => (&kinds::OCI_REPOSITORY, args),
        SourceLeaf::Bucket(args) => (&kinds::BUCKET, args),
        SourceLeaf::Helm(args) => (&kinds::HELM_REPOSITORY, args),
        SourceLeaf::Chart(args) => (&kinds::HELM_CHART, args),
        SourceLeaf::External(args) => (&kinds::EXTERNAL_ARTIFACT, args),
    };
    (kind, args.names, args.show_source)
}

fn single_image(leaf: ImageLeaf) -> (&'static FluxKind, Vec<String>, bool) {
    let (kind, args) = match leaf {
        ImageLeaf::Repository(args) => (&kinds::IMAGE_REPOSITORY, args),
        ImageLeaf::Update(args) => (&kinds::IMAGE_UPDATE_AUTOMATION, args),
        ImageLeaf::All(args) | ImageLeaf::Policy(args) => (&kinds::IMAGE_POLICY, args),
    };
    (kind, args.names, args.show_source)
}

fn resolve(
    ctx: &Context,
    select: &Select,
    names: Vec<String>,
    show_source: bool,
    with_kind: bool,
) -> CliResult<list::Query> {
    let namespace = match select.all_namespaces {
        true => String::new(),
        false => ctx.namespace().to_owned(),
    };
    Ok(list::Query {
        namespace,
        name: names.into_iter().next().unwrap_or_default(),
        label_selector: select.label_selector.clone(),
        status: list::StatusSelector::parse(&select.status_selector)?,
        no_header: select.no_header,
        shape: columns::Shape {
            with_namespace: select.all_namespaces,
            with_kind,
            with_source: show_source,
        },
    })
}
