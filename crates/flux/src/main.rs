//! The `flux` binary: commands, `flux dev`, the in-cluster manager.
//!
//! Arguments become settings ([`cli`], [`globals`]), settings become one function call (a file in
//! [`commands`]), its outcome becomes an exit code ([`error`]). Nothing is started that the command does
//! not ask for: no runtime, no TLS, no thread; a local build has to fit into a few milliseconds.

mod artifact;
mod cli;
mod cluster_info;
mod commands;
mod context;
mod dyff;
mod elapsed;
mod error;
mod flags;
mod flux_object;
mod globals;
mod helm_inventory;
mod kinds;
mod local_build;
mod manifest;
mod output;
mod prompt;
mod remote_bases;
mod table;
mod wait;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Version of the command line and the controllers: the release of Flux they are compatible with, and ours.
pub const VERSION: &str = concat!("2.9.4+ferroflux.", env!("CARGO_PKG_VERSION"));

fn main() {
    let out = output::Output::new();
    let outcome = cli::parse(std::env::args_os()).and_then(|parsed| match parsed {
        cli::Parsed::Text(text) => {
            out.data(&text);
            Ok(())
        }
        cli::Parsed::Command(globals, command) => globals
            .resolve(out)
            .and_then(|settings| commands::run(&context::Context::new(settings, out), command)),
    });
    out.leave(outcome.map_or_else(|error| error.report(out), |()| 0))
}
