//! All cases of the kustomize conformance corpus.

use std::path::Path;

use filetree::MemoryTree;
use kustomize::{BuildError, BuildOptions, LoadRestrictor, Reorder, build};
use regex::Regex;
use serde_json::Value;
use testkit::corpus::{Report, data_dir, first_difference};

/// Cases that differ, each with the reason.
const KNOWN: &[(&str, &str)] = &[
    (
        "customconfig-customconfig-unreleased",
        "after 5.8.1: volumeClaimTemplateLabels in configurations",
    ),
    (
        "customconfig-customconfigwithdefaultoverspecification-unreleased",
        "after 5.8.1: volumeClaimTemplateLabels in configurations",
    ),
    (
        "filters-replacement-inline-replacement-json-substring-options-first",
        "after 5.8.1: delimiter and index inside structured strings",
    ),
    (
        "filters-replacement-inline-replacement-json-substring-options-middle",
        "after 5.8.1: delimiter and index inside structured strings",
    ),
    (
        "filters-replacement-inline-replacement-json-substring-options-suffix",
        "after 5.8.1: delimiter and index inside structured strings",
    ),
    (
        "filters-replacement-inline-replacement-yaml-substring-options-first",
        "after 5.8.1: delimiter and index inside structured strings",
    ),
    (
        "filters-replacement-inline-replacement-yaml-substring-options-middle",
        "after 5.8.1: delimiter and index inside structured strings",
    ),
    (
        "filters-replacement-inline-replacement-yaml-substring-options-prefix",
        "after 5.8.1: delimiter and index inside structured strings",
    ),
    (
        "inlinelabels-kustomizationlabelsindeploymentwithoutclaimtemplateandincludevolumecla-977bb2",
        "after 5.8.1: includeVolumeClaimTemplates",
    ),
    (
        "inlinelabels-kustomizationlabelsinstatefulsettemplatewithincludeselectorstrue",
        "after 5.8.1: includeVolumeClaimTemplates",
    ),
    (
        "namespaces-namespacenotaddedtovalidatingadmissionpolicies",
        "after 5.8.1: ValidatingAdmissionPolicy without namespace",
    ),
];

#[test]
fn kustomize_build() {
    let Some(data) = data_dir("kustomize") else {
        return;
    };
    let index = read_json(&data.join("index.json"));
    let mut report = Report::new("kustomize");
    for case in index["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        report.case(name, run(&data.join("cases").join(name)));
    }
    report.check(KNOWN);
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn run(case: &Path) -> Result<(), String> {
    let command = read_json(&case.join("cmd.json"));
    let mut tree = MemoryTree::new();
    add_files(&mut tree, &case.join("in"), "");
    let asked = &command["options"];
    let flag = |name: &str| asked[name].as_bool().unwrap_or(false);
    let options = BuildOptions {
        load_restrictor: match asked["load_restrictor"].as_str() {
            Some("none") => LoadRestrictor::None,
            _ => LoadRestrictor::RootOnly,
        },
        reorder: match asked["reorder"].as_str() {
            Some("legacy") => Reorder::Legacy,
            _ => Reorder::None,
        },
        add_managedby_label: flag("add_managedby_label"),
        version: asked["version_string"].as_str().unwrap_or("v5.8.1"),
        ..BuildOptions::command_line()
    };
    let dir = command["dir"].as_str().unwrap_or("");
    let outcome = build(&tree, dir, &options).and_then(|output| output.to_yaml());
    match (command.get("error"), outcome) {
        (Some(error), Err(actual)) => check_error(error, &actual),
        (Some(_), Ok(_)) => Err("expected an error, got output".to_owned()),
        (None, Err(actual)) => Err(format!("unexpected error: {actual:#}")),
        (None, Ok(actual)) => {
            let expected = std::fs::read_to_string(case.join("expected.yaml")).unwrap();
            first_difference(&expected, &actual).map_or(Ok(()), Err)
        }
    }
}

fn add_files(tree: &mut MemoryTree, dir: &Path, prefix: &str) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().into_string().unwrap());
        // Follows symlinks.
        let path = entry.path();
        if path.is_dir() {
            tree.insert_directory(&name).unwrap();
            add_files(tree, &path, &format!("{name}/"));
        } else {
            tree.insert(&name, std::fs::read(&path).unwrap()).unwrap();
        }
    }
}

fn check_error(expected: &Value, actual: &BuildError) -> Result<(), String> {
    let message = actual.to_string();
    for entry in expected["match"].as_array().unwrap() {
        let text = entry["text"].as_str().unwrap_or("");
        let holds = match entry["kind"].as_str().unwrap() {
            "contains" => message.contains(text),
            "equals" => message == text,
            "regexp" => Regex::new(text).unwrap().is_match(&message),
            _ => true,
        };
        if !holds {
            return Err(format!("expected {entry}\n  actual   {message}"));
        }
    }
    Ok(())
}
