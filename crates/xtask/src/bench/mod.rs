//! Benchmarks against the goals: each writes its report to `docs/bench/NAME.md`.

mod apiserver;
mod helm;
mod helmrelease;
mod kustomize;
mod process;
mod sync;

use anyhow::Context as _;

/// Arguments of `cargo xtask bench`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Which benchmark, such as kustomize, helm, apiserver or sync.
    name: String,
    /// The reference program to run side by side; looked up on PATH by default.
    #[arg(long)]
    pub reference: Option<std::path::PathBuf>,
}

type Bench = fn(&Arguments) -> anyhow::Result<()>;

/// The benchmarks, by name.
const BENCHES: &[(&str, Bench)] = &[
    ("apiserver", apiserver::run),
    ("helm", helm::run),
    ("helmrelease", helmrelease::run),
    ("kustomize", kustomize::run),
    ("sync", sync::run),
];

/// Runs one benchmark.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (_, bench) = BENCHES
        .iter()
        .find(|(name, _)| *name == arguments.name)
        .with_context(|| format!("no benchmark is called {:?}", arguments.name))?;
    bench(arguments)
}
