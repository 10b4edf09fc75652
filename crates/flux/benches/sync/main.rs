//! Measures the path from a commit to an applied object against its goals; run by `cargo xtask bench sync`.
//!
//! Embedded server, controllers and a repository on disk, all in this process; every scenario runs in a process
//! of its own, so that its peak memory is its own. Prints one JSON line a scenario.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a measuring program: it prints, looks at the clock, and stops at the first surprise"
)]

mod counting;
mod scenarios;
mod stage;

use std::process::Command;

/// As in the product: the allocator decides much of the peak.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    // `cargo bench` adds --bench.
    let names: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with("--"))
        .collect();
    match names.as_slice() {
        [one] => scenarios::run(one),
        _ => {
            let program = std::env::current_exe().unwrap();
            for name in scenarios::NAMES {
                let status = Command::new(&program).arg(name).status().unwrap();
                assert!(status.success(), "scenario {name} failed");
            }
        }
    }
}
