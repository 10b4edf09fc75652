//! Dependencies that no source file of a crate names: each costs build time, and draws an arrow that is not there.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::{list, text, workspace_packages};

/// Crate and dependency that no source names, on purpose; the manifest says why.
const UNNAMED: &[(&str, &str)] = &[("cluster", "k8s-openapi")];

/// Checks every dependency of every workspace crate, development ones included.
pub(super) fn dependencies(metadata: &Value) -> anyhow::Result<Vec<String>> {
    let libraries: BTreeMap<&str, String> = list(metadata, "packages")
        .map(|package| (text(package, "name"), library(package)))
        .collect();
    let mut violations = Vec::new();
    for package in workspace_packages(metadata) {
        let name = text(package, "name");
        let Some(folder) = Path::new(text(package, "manifest_path")).parent() else {
            continue;
        };
        let mut sources = String::new();
        read_sources(folder, &mut sources)?;
        for dependency in list(package, "dependencies").map(|d| text(d, "name")) {
            let library = libraries.get(dependency).map_or(dependency, String::as_str);
            if !names(&sources, library) && !UNNAMED.contains(&(name, dependency)) {
                violations.push(format!("{name} does not use {dependency}"));
            }
        }
    }
    Ok(violations)
}

/// Returns the name of a package in source text.
fn library(package: &Value) -> String {
    let is_library = |target: &&Value| {
        list(target, "kind")
            .any(|kind| matches!(kind.as_str(), Some("lib" | "proc-macro" | "rlib")))
    };
    let target = list(package, "targets").find(is_library);
    let name = target.map_or_else(|| text(package, "name"), |target| text(target, "name"));
    name.replace('-', "_")
}

fn read_sources(folder: &Path, sources: &mut String) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read_sources(&path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&std::fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

/// Tells whether a word stands in a text, outside of whole comment lines.
fn names(sources: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let code = sources
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split(|c| !is_part(c)))
        .any(|found| found == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_count_whole_and_outside_of_comments() {
        for (source, used) in [
            ("use serde_json::Value;", true),
            ("let x: serde_json::Value;", true),
            ("use my_serde_json::Value;", false),
            ("// serde_json", false),
        ] {
            assert_eq!(names(source, "serde_json"), used, "{source}");
        }
    }
}
