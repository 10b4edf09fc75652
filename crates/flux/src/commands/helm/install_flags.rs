//! Flags of `helm template` that say how a release would be installed: most mean nothing for rendering and
//! are accepted, those that need a cluster, the network or a program are refused.

use helm::Version;

use crate::context::Context;

/// The flags. What is only accepted is not shown in the help.
#[derive(clap::Args, Debug)]
pub struct InstallFlags {
    /// Write manifests to files below this directory instead of printing them.
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<String>,
    /// Put the name of the release into the path of written files.
    #[arg(long)]
    pub release_name: bool,
    /// Make up a name for the release; the name parameter is left out.
    #[arg(short = 'g', long)]
    pub generate_name: bool,
    #[arg(long, hide = true)]
    validate: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "unset")]
    dry_run: Option<String>,
    #[arg(long, hide = true)]
    post_renderer: Option<String>,
    #[arg(long, hide = true)]
    post_renderer_args: Vec<String>,
    /// Refused where a declared chart is missing: nothing is fetched.
    #[arg(long)]
    pub dependency_update: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "watcher")]
    wait: Option<String>,
    #[arg(long, hide = true)]
    atomic: bool,
    #[arg(long, hide = true)]
    force: bool,
    #[arg(long, hide = true)]
    hide_notes: bool,
    #[command(flatten)]
    _accepted: Accepted,
}

/// Flags that change nothing here.
#[derive(clap::Args, Debug)]
struct Accepted {
    #[arg(long, hide = true)]
    wait_for_jobs: bool,
    #[arg(long, hide = true)]
    rollback_on_failure: bool,
    #[arg(long, hide = true)]
    create_namespace: bool,
    #[arg(long, hide = true)]
    disable_openapi_validation: bool,
    #[arg(long, hide = true)]
    description: Option<String>,
    #[arg(long, hide = true)]
    enable_dns: bool,
    #[arg(long, hide = true)]
    force_replace: bool,
    #[arg(long, hide = true)]
    force_conflicts: bool,
    #[arg(long, hide = true)]
    server_side: bool,
    #[arg(long, hide = true)]
    replace: bool,
    #[arg(short = 'l', long, hide = true)]
    labels: Vec<String>,
    #[arg(long, hide = true)]
    skip_crds: bool,
    #[arg(long, hide = true)]
    take_ownership: bool,
    #[arg(long, hide = true)]
    hide_secret: bool,
    #[arg(long, hide = true)]
    kube_context: Option<String>,
    #[arg(long, hide = true)]
    kube_apiserver: Option<String>,
    #[arg(long, hide = true)]
    kube_token: Option<String>,
    #[arg(long, hide = true)]
    registry_config: Option<String>,
    #[arg(long, hide = true)]
    repository_cache: Option<String>,
    #[arg(long, hide = true)]
    repository_config: Option<String>,
    #[arg(long, hide = true)]
    burst_limit: Option<i64>,
    #[arg(long, hide = true)]
    qps: Option<f32>,
}

const NO_EFFECT: &str = "this flag has no effect for 'helm template' and will be removed in Helm 5";

impl InstallFlags {
    /// Says which flags are deprecated, and refuses what cannot be done.
    pub fn check(&self, ctx: &Context, version: Version, sub_notes: bool) -> Result<(), String> {
        if version == Version::V4 {
            self.deprecated(ctx, sub_notes);
        }
        self.dry_run(ctx, version)?;
        let refused = [
            (self.validate, "--validate", "asks a cluster"),
            (
                self.post_renderer.is_some(),
                "--post-renderer",
                "starts a program",
            ),
        ];
        match refused.iter().find(|(given, ..)| *given) {
            Some((_, flag, what)) => Err(format!("{flag} is not supported: it {what}")),
            None => Ok(()),
        }
    }

    fn deprecated(&self, ctx: &Context, sub_notes: bool) {
        let flags = [
            (self.atomic, "atomic", "use --rollback-on-failure instead"),
            (self.force, "force", "use --force-replace instead"),
            (self.hide_notes, "hide-notes", NO_EFFECT),
            (sub_notes, "render-subchart-notes", NO_EFFECT),
            (self.validate, "validate", "use '--dry-run=server' instead"),
        ];
        for (_, flag, hint) in flags.iter().filter(|(given, ..)| *given) {
            ctx.out
                .note(&format!("Flag --{flag} has been deprecated, {hint}"));
        }
    }

    /// Rendering is what a dry run without a cluster does.
    fn dry_run(&self, ctx: &Context, version: Version) -> Result<(), String> {
        const SERVER: &str = "--dry-run=server is not supported: it asks a cluster";
        let Some(value) = self.dry_run.as_deref() else {
            return Ok(());
        };
        if value == "server" {
            return Err(SERVER.to_owned());
        }
        if version == Version::V3 {
            return Ok(());
        }
        match value {
            "client" => Ok(()),
            "unset" => {
                ctx.out.note("level=WARN msg=\"--dry-run is deprecated and should be replaced with '--dry-run=client'\"");
                Ok(())
            }
            "true" | "false" => {
                ctx.out.note(&format!("level=WARN msg=\"boolean '--dry-run={value}' flag is deprecated and must be replaced with '--dry-run=client'\""));
                Ok(())
            }
            _ => Err(format!(
                "invalid dry-run value ({value:?}). Must be \"server\" or \"client\""
            )),
        }
    }
}
