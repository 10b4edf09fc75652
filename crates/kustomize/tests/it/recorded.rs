//! Our own cases, recorded from the reference program; see `tests/golden/README.md`.

use std::path::Path;

use filetree::MemoryTree;
use kustomize::{BuildOptions, Reorder, build};
use testkit::corpus::first_difference;

#[test]
fn recorded_builds() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cases");
    let mut failures = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        count += 1;
        if let Err(difference) = check(&std::fs::read_to_string(&path).unwrap()) {
            failures.push(format!("--- {}\n{difference}", path.display()));
        }
    }
    assert!(count > 20, "only {count} cases");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Splits a case at its `-- NAME --` lines.
fn sections(case: &str) -> Vec<(&str, String)> {
    let mut sections: Vec<(&str, String)> = Vec::new();
    for line in case.split_inclusive('\n') {
        let header = line.trim_end().strip_prefix("-- ");
        if let Some(name) = header.and_then(|rest| rest.strip_suffix(" --")) {
            sections.push((name, String::new()));
        } else if let Some((_, content)) = sections.last_mut() {
            content.push_str(line);
        }
    }
    sections
}

fn check(case: &str) -> Result<(), String> {
    let mut tree = MemoryTree::new();
    let (mut dir, mut expected, mut error) = ("", None, None);
    for (name, content) in sections(case) {
        match name {
            "expected" => expected = Some(content),
            "error" => error = Some(content.trim_end().to_owned()),
            _ if name.starts_with("build ") => dir = &name["build ".len()..],
            path => tree.insert(path, content.into_bytes()).unwrap(),
        }
    }
    let options = BuildOptions {
        reorder: Reorder::None,
        ..BuildOptions::command_line()
    };
    let outcome = build(&tree, dir, &options).and_then(|output| output.to_yaml());
    match (outcome, expected, error) {
        (Ok(actual), Some(expected), _) => first_difference(&expected, &actual).map_or(Ok(()), Err),
        (Err(actual), None, Some(expected)) => {
            let message = actual.to_string();
            let message = message.lines().next().unwrap_or("");
            // The chain that our message for cycles adds.
            let message = message.split(" (chain: ").next().unwrap_or("");
            if message == expected {
                Ok(())
            } else {
                Err(format!("expected {expected}\nactual   {message}"))
            }
        }
        (outcome, ..) => Err(format!("unexpected {outcome:?}")),
    }
}
