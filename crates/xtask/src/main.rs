//! Generated files, tidy checks, conformance runs and benchmarks.
//!
//! `cargo xtask COMMAND`. Everything that `.ci/run` checks beyond cargo's own commands is here.

#![allow(clippy::print_stdout, reason = "a command-line tool prints")]

mod bench;
mod conformance;
mod generate;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Development tasks of Ferroflux")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Checks the arrows between crates, the purity of the engines and that generated files are fresh.
    Tidy,
    /// Runs a conformance corpus through the built code and lists what differs.
    Conformance {
        /// kustomize, helm, smd, apiserver or all.
        #[arg(default_value = "all")]
        corpus: String,
        /// Folder laid out as the conformance data; default: ../shared/conformance.
        #[arg(long)]
        data: Option<PathBuf>,
    },
    /// Writes generated files anew.
    Generate(generate::Arguments),
    /// Measures against the goals and writes the report.
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Tidy => tidy::run(),
        Task::Conformance { corpus, data } => conformance::run(&corpus, data.as_deref()),
        Task::Generate(arguments) => generate::run(&arguments).map(|()| true),
        Task::Bench(arguments) => bench::run(&arguments).map(|()| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Returns the root of the checkout that `cargo xtask` was called in; a kept binary may have been built elsewhere.
fn workspace_root() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR");
    let mut root = manifest.map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    root.pop();
    root.pop();
    root
}

/// Starts a command of the cargo that runs this program.
fn cargo() -> std::process::Command {
    std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
