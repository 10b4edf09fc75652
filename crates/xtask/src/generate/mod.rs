//! Writers of committed generated files; `cargo xtask tidy` and tests say when one is stale.

mod schema;

use anyhow::Context as _;

/// Arguments of `cargo xtask generate`.
#[derive(clap::Args)]
pub struct Arguments {
    /// What to write.
    target: String,
    /// Folder laid out as the conformance data; default: ../shared/conformance.
    #[arg(long)]
    pub data: Option<std::path::PathBuf>,
}

type Writer = fn(&Arguments) -> anyhow::Result<()>;

/// What can be generated, by name.
const WRITERS: &[(&str, Writer)] = &[("schema", schema::write)];

/// Writes the named files.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (_, write) = WRITERS
        .iter()
        .find(|(name, _)| *name == arguments.target)
        .with_context(|| format!("nothing to generate is called {:?}", arguments.target))?;
    write(arguments)
}
