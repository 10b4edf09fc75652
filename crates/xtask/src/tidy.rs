//! `cargo xtask tidy`: proves from `cargo metadata` that the arrows between crates are those of
//! ARCHITECTURE.md, that foundation and engines have no door to the outside, and that every dependency is used.

mod unused;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// Crates without sockets, clock, environment, processes or an async runtime.
const PURE: &[&str] = &[
    "gocompat",
    "kyaml",
    "objects",
    "api",
    "filetree",
    "openpgp",
    "kustomize",
    "gotemplate",
    "helm",
    "sops",
    "reconcile",
];

/// Every crate with the workspace crates it may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    ("gocompat", &[]),
    ("kyaml", &["gocompat"]),
    ("objects", &["kyaml", "gocompat"]),
    ("api", &["objects", "gocompat"]),
    ("filetree", &["gocompat"]),
    ("openpgp", &[]),
    ("kustomize", &["objects", "kyaml", "filetree", "gocompat"]),
    ("gotemplate", &["gocompat"]),
    (
        "helm",
        &[
            "gotemplate",
            "objects",
            "kyaml",
            "filetree",
            "openpgp",
            "gocompat",
        ],
    ),
    ("reconcile", &["api", "objects", "gocompat"]),
    ("remote", &["filetree", "gocompat"]),
    ("git", &["remote", "filetree", "gocompat"]),
    ("cluster", &["remote", "objects", "gocompat"]),
    ("apiserver", &["cluster", "objects", "kyaml", "gocompat"]),
    ("apply", &["cluster", "objects", "gocompat"]),
    (
        "controller-runtime",
        &["cluster", "reconcile", "api", "objects", "gocompat"],
    ),
    (
        "controllers",
        &[
            "gocompat",
            "kyaml",
            "objects",
            "api",
            "filetree",
            "kustomize",
            "gotemplate",
            "helm",
            "reconcile",
            "remote",
            "git",
            "cluster",
            "apply",
            "controller-runtime",
        ],
    ),
    (
        "flux",
        &[
            "gocompat",
            "kyaml",
            "objects",
            "api",
            "filetree",
            "openpgp",
            "kustomize",
            "gotemplate",
            "helm",
            "reconcile",
            "remote",
            "git",
            "cluster",
            "apiserver",
            "apply",
            "controller-runtime",
            "controllers",
        ],
    ),
    ("testkit", &["filetree", "objects", "git", "gocompat"]),
    (
        "xtask",
        &["gocompat", "kyaml", "objects", "api", "filetree", "testkit"],
    ),
];

/// External crates that may not stand in the dependency tree of a pure crate.
const DOORS: &[&str] = &[
    "tokio",
    "hyper",
    "reqwest",
    "rustls",
    "tokio-rustls",
    "clap",
    "kube",
    "kube-client",
    "mio",
    "socket2",
    "async-std",
    "notify",
];

/// Source text that may not stand in a pure crate, outside of tests. Addresses of `std::net` are values, not doors.
const DOOR_TEXTS: &[&str] = &[
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "ToSocketAddrs",
    "std::process",
    "std::env",
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
];

/// Files in pure crates that may touch `std::fs`.
const FILE_SYSTEM_MODULES: &[&str] = &["crates/filetree/src/disk.rs", "crates/filetree/src/disk/"];

/// Prints every violation; returns whether there is none.
pub fn run() -> anyhow::Result<bool> {
    let metadata = metadata()?;
    let mut violations = arrows(&metadata);
    violations.extend(doors(&metadata));
    violations.extend(sources(&crate::workspace_root())?);
    violations.extend(unused::dependencies(&metadata)?);
    violations.extend(crate::generate::stale()?);
    for violation in &violations {
        println!("tidy: {violation}");
    }
    println!("tidy: {} violations", violations.len());
    Ok(violations.is_empty())
}

fn metadata() -> anyhow::Result<Value> {
    let output = crate::cargo()
        .current_dir(crate::workspace_root())
        .args(["metadata", "--format-version", "1", "--locked"])
        .output()
        .context("cannot run cargo metadata")?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("")
}

fn workspace_packages(metadata: &Value) -> Vec<&Value> {
    list(metadata, "packages")
        .filter(|package| package["source"].is_null())
        .collect()
}

/// Checks the declared dependencies of every workspace crate, development ones aside.
fn arrows(metadata: &Value) -> Vec<String> {
    let packages = workspace_packages(metadata);
    let ours: BTreeSet<&str> = packages
        .iter()
        .map(|package| text(package, "name"))
        .collect();
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut violations = Vec::new();
    for package in &packages {
        let name = text(package, "name");
        let Some(allowed) = allowed.get(name) else {
            violations.push(format!(
                "{name}: no arrows listed for this crate in xtask/src/tidy.rs"
            ));
            continue;
        };
        let dependencies = list(package, "dependencies").filter(|d| d["kind"] != "dev");
        for dependency in dependencies.map(|d| text(d, "name")) {
            if ours.contains(dependency) && !allowed.contains(&dependency) {
                violations.push(format!("{name} may not depend on {dependency}"));
            }
        }
    }
    violations
}

/// Checks the whole dependency tree of every pure crate for doors to the outside.
fn doors(metadata: &Value) -> Vec<String> {
    let nodes: BTreeMap<&str, &Value> = list(&metadata["resolve"], "nodes")
        .map(|node| (text(node, "id"), node))
        .collect();
    let names: BTreeMap<&str, &str> = list(metadata, "packages")
        .map(|p| (text(p, "id"), text(p, "name")))
        .collect();
    let mut violations = Vec::new();
    for package in workspace_packages(metadata) {
        let name = text(package, "name");
        if !PURE.contains(&name) {
            continue;
        }
        let reached = reachable(text(package, "id"), &nodes);
        let found = reached
            .iter()
            .filter_map(|id| names.get(id))
            .filter(|n| DOORS.contains(n));
        violations.extend(found.map(|door| format!("{name} is pure but reaches {door}")));
    }
    violations
}

/// Returns all packages reached by normal dependencies.
fn reachable<'a>(start: &'a str, nodes: &BTreeMap<&'a str, &'a Value>) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut queue = vec![start];
    while let Some(id) = queue.pop() {
        if !seen.insert(id) {
            continue;
        }
        let Some(node) = nodes.get(id) else { continue };
        for dependency in list(node, "deps") {
            if list(dependency, "dep_kinds").any(|kind| kind["kind"].is_null()) {
                queue.push(text(dependency, "pkg"));
            }
        }
    }
    seen
}

/// Checks the source text of pure crates, up to their test modules.
fn sources(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut violations = Vec::new();
    for name in PURE {
        let directory = root.join("crates").join(name).join("src");
        if directory.is_dir() {
            sources_below(root, &directory, &mut violations)?;
        }
    }
    Ok(violations)
}

fn sources_below(root: &Path, directory: &Path, found: &mut Vec<String>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            sources_below(root, &path, found)?;
            continue;
        }
        let shown = path.strip_prefix(root)?.to_string_lossy().into_owned();
        let is_test = shown.ends_with("/tests.rs") || shown.contains("/tests/");
        if shown.ends_with(".rs") && !is_test {
            let source = std::fs::read_to_string(&path)?;
            found.extend(source_violations(&shown, &source));
        }
    }
    Ok(())
}

fn source_violations(shown: &str, source: &str) -> Vec<String> {
    let may_read_files = FILE_SYSTEM_MODULES
        .iter()
        .any(|module| shown.starts_with(module));
    let mut violations = Vec::new();
    for (index, line) in source.lines().enumerate() {
        if line.trim_start().starts_with("#[cfg(test)]") {
            break;
        }
        if line.trim_start().starts_with("//") {
            continue;
        }
        let doors = DOOR_TEXTS
            .iter()
            .copied()
            .chain((!may_read_files).then_some("std::fs"));
        for door in doors.filter(|door| line.contains(door)) {
            violations.push(format!("{shown}:{}: {door} in a pure crate", index + 1));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doors_in_source_are_found_outside_of_tests_and_comments() {
        let source = "// std::fs\nuse std::fs;\n#[cfg(test)]\nmod tests { use std::env; }\n";
        assert_eq!(
            source_violations("crates/kyaml/src/lib.rs", source),
            ["crates/kyaml/src/lib.rs:2: std::fs in a pure crate"]
        );
        assert!(source_violations("crates/filetree/src/disk.rs", source).is_empty());
    }
}
