//! `flux build kustomization`.

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::flags::string_slice;
use crate::local_build::{self, LocalBuild};
use crate::manifest;

/// Arguments of `flux build kustomization`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    what: What,
    /// Read nothing from a cluster.
    #[arg(long)]
    dry_run: bool,
}

/// What to build; `flux diff kustomization` takes the same.
#[derive(clap::Args, Debug)]
pub struct What {
    /// Name of the Kustomization.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Directory with the manifests.
    #[arg(long, default_value = "", hide_default_value = true)]
    path: String,
    /// File with the Kustomization; the cluster's where not given.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "",
        hide_default_value = true
    )]
    kustomization_file: String,
    /// Paths to leave out, in the format of .gitignore, separated by commas.
    #[arg(long, value_name = "LIST")]
    ignore_paths: Vec<String>,
    /// Fail on variables that are neither defined nor have a default.
    #[arg(long)]
    strict_substitute: bool,
    /// Build the Kustomizations found as well.
    #[arg(short, long)]
    recursive: bool,
    /// Directories of sources: KIND/NAMESPACE/NAME=PATH, separated by commas.
    #[arg(long, value_name = "LIST")]
    local_sources: Vec<String>,
    /// Accepted for compatibility: builds are always in memory.
    #[arg(long, hide_short_help = true)]
    in_memory_build: bool,
}

impl What {
    /// Checks what `diff` refuses in other words than `build`, and with another exit code.
    pub fn check_for_diff(&self) -> CliResult {
        if self.names.is_empty() {
            return Err(CliError::user("kustomization name is required"));
        }
        if std::path::Path::new(&self.path).is_dir() {
            return Ok(());
        }
        let message = format!("invalid resource path {:?}", self.path);
        Err(CliError::user(message).exit_code(2))
    }

    /// Checks the arguments and resolves them.
    pub fn resolve(
        self,
        ctx: &Context,
        dry_run: bool,
        ignore_not_found: bool,
    ) -> CliResult<LocalBuild> {
        let Some(name) = self.names.into_iter().next() else {
            return Err(CliError::user("kustomization name is required"));
        };
        let file = self.kustomization_file.as_str();
        let (path, _) = local_build::check_paths(&self.path, "")?;
        if dry_run && file.is_empty() {
            return Err(CliError::user("dry-run mode requires a kustomization file"));
        }
        let (_, file) = local_build::check_paths(&self.path, file)?;
        Ok(LocalBuild {
            name,
            namespace: ctx.namespace().to_owned(),
            path,
            file,
            found: None,
            ignore: string_slice(&self.ignore_paths),
            strict: self.strict_substitute,
            recursive: self.recursive,
            local_sources: local_build::local_sources(&self.local_sources)?,
            ignore_not_found,
        })
    }
}

/// Prints one document per object, a separator after each.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    let build = args.what.resolve(ctx, args.dry_run, false)?;
    let built = ctx.block_on(async {
        match args.dry_run {
            true => build.run(None).await,
            false => build.run(Some(&*ctx.cluster().await?)).await,
        }
    })?;
    let mut text = String::new();
    for object in built.objects {
        text.push_str(&manifest::to_yaml(&object.into_value())?);
        text.push_str("---\n");
    }
    ctx.out.data(&text);
    Ok(())
}
