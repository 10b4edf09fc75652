//! The kinds that `suspend`, `resume`, `delete` and `export` take as their last words.

use clap::{Args, Subcommand};

use crate::kinds::{self, FluxKind};

/// Names of objects; which of them may be left out is the command's decision.
#[derive(Args, Debug)]
pub struct Names {
    /// Names of the objects.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// A kind with names.
#[derive(Subcommand, Debug)]
pub enum KindLeaf {
    /// Kustomizations.
    #[command(visible_alias = "ks")]
    Kustomization(Names),
    /// HelmReleases.
    #[command(visible_alias = "hr")]
    Helmrelease(Names),
    /// Sources.
    #[command(subcommand, subcommand_required = true, arg_required_else_help = true)]
    Source(SourceLeaf),
    /// Alerts.
    Alert(Names),
    /// Alert Providers.
    AlertProvider(Names),
    /// Receivers.
    Receiver(Names),
    /// Image automation objects.
    #[command(subcommand, subcommand_required = true, arg_required_else_help = true)]
    Image(ImageLeaf),
}

/// A kind of source with names.
#[derive(Subcommand, Debug)]
pub enum SourceLeaf {
    /// GitRepositories.
    Git(Names),
    /// OCIRepositories.
    Oci(Names),
    /// Buckets.
    Bucket(Names),
    /// HelmRepositories.
    Helm(Names),
    /// HelmCharts.
    Chart(Names),
}

/// A kind of image automation with names.
#[derive(Subcommand, Debug)]
pub enum ImageLeaf {
    /// ImagePolicies.
    Policy(Names),
    /// ImageRepositories.
    Repository(Names),
    /// ImageUpdateAutomations.
    Update(Names),
}

impl KindLeaf {
    /// Returns the kind and the names given.
    pub fn resolve(self) -> (&'static FluxKind, Vec<String>) {
        let (kind, args) = match self {
            Self::Kustomization(args) => (&kinds::KUSTOMIZATION, args),
            Self::Helmrelease(args) => (&kinds::HELM_RELEASE, args),
            Self::Alert(args) => (&kinds::ALERT, args),
            Self::AlertProvider(args) => (&kinds::PROVIDER, args),
            Self::Receiver(args) => (&kinds::RECEIVER, args),
            Self::Source(leaf) => match leaf {
                SourceLeaf::Git(args) => (&kinds::GIT_REPOSITORY, args),
                SourceLeaf::Oci(args) => (&kinds::OCI_REPOSITORY, args),
                SourceLeaf::Bucket(args) => (&kinds::BUCKET, args),
                SourceLeaf::Helm(args) => (&kinds::HELM_REPOSITORY, args),
                SourceLeaf::Chart(args) => (&kinds::HELM_CHART, args),
            },
            Self::Image(leaf) => match leaf {
                ImageLeaf::Policy(args) => (&kinds::IMAGE_POLICY, args),
                ImageLeaf::Repository(args) => (&kinds::IMAGE_REPOSITORY, args),
                ImageLeaf::Update(args) => (&kinds::IMAGE_UPDATE_AUTOMATION, args),
            },
        };
        (kind, args.names)
    }
}
