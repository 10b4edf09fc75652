//! How the program is linked: at a fixed place, as the Go programs it replaces are.
//!
//! Linked for any place, the loader would write 60,000 addresses into a megabyte of tables before `main`, which
//! takes as long as rendering a small chart.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |key: &str| std::env::var(format!("CARGO_CFG_TARGET_{key}")).unwrap_or_default();
    if target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
