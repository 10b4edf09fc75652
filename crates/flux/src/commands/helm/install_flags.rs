//! Flags of `helm template` that say how a release would be installed: most mean nothing for rendering and
//! are accepted, those that need a cluster, the network or a program are refused.

use helm::Version;

use crate::context::Context;
use crate::flags::go_bool;

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
    /// Refused where a declared chart is missing: nothing is fetched.
    #[arg(long)]
    pub dependency_update: bool,
}

impl InstallFlags {
    /// Refuses what cannot be done.
    pub fn check(&self) -> Result<(), String> {
        let refused = [
            (self.validate, "--validate", "asks a cluster"),
            (
                self.post_renderer
                    .as_ref()
                    .is_some_and(|name| !name.is_empty()),
                "--post-renderer",
                "starts a program",
            ),
        ];
        match refused.iter().find(|(given, ..)| *given) {
            Some((_, flag, what)) => Err(format!("{flag} is not supported: it {what}")),
            None => Ok(()),
        }
    }

    /// Rendering is what a dry run without a cluster does. Helm 3 looks at the value after the chart.
    pub fn dry_run(&self, ctx: &Context, version: Version) -> Result<(), String> {
        const TWO: &str = "\"server\" or \"client\"";
        const THREE: &str = "\"server\", or \"client\"";
        const SERVER: &str = "--dry-run=server is not supported: it asks a cluster";
        const OLD: &str = "Invalid dry-run flag. Flag must one of the following: false, true, none, client, server";
        let Some(value) = self.dry_run.as_deref() else {
            return Ok(());
        };
        if value == "server" {
            return Err(SERVER.to_owned());
        }
        if version == Version::V3 {
            return match value {
                "" | "false" | "true" | "none" | "client" => Ok(()),
                _ => Err(OLD.to_owned()),
            };
        }
        match value {
            "client" => Ok(()),
            "unset" => {
                ctx.out.note("level=WARN msg=\"--dry-run is deprecated and should be replaced with '--dry-run=client'\"");
                Ok(())
            }
            "none" => Err(format!("invalid dry-run value ({value:?}). Must be {TWO}")),
            _ => match go_bool(value) {
                Ok(true) => {
                    ctx.out.note("level=WARN msg=\"boolean '--dry-run=true' flag is deprecated and must be replaced with '--dry-run=client'\"");
                    Ok(())
                }
                Ok(false) => Err(format!("invalid dry-run value ({value:?}). Must be {TWO}")),
                Err(_) => Err(format!(
                    "invalid dry-run value ({value:?}). Must be \"none\", {THREE}"
                )),
            },
        }
    }
}
