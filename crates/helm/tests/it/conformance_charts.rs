//! Charts of the corpus: final values, rendered output, upstream's command cases, real charts.

use std::io::Read as _;
use std::path::Path;

use filetree::disk::DirectoryTree;
use filetree::{FileTree, UnpackLimits, unpack_tar_gz};
use helm::Version;
use helm::action::{ActionError, coalesced};
use helm::convert::to_json;
use helm::load::load_path;
use serde_json::Value;
use testkit::corpus::{Report, data_dir, first_difference};

use super::charts::{Args, run, tree};
use super::known;

const VERSIONS: [(Version, &str); 2] = [(Version::V4, "4.2"), (Version::V3, "3.21")];

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn texts(value: &Value) -> Vec<String> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .map(|v| v.as_str().unwrap().to_owned())
        .collect()
}

/// Arguments of a table case; values files are given as texts.
fn case_args(case: &Value) -> Args {
    let mut args = Args::parse(&texts(&case["args"]), &|_| Vec::new());
    for (index, text) in texts(&case["values_files"]).into_iter().enumerate() {
        args.user
            .files
            .push((format!("DIR/values-{index}.yaml"), text.into_bytes()));
    }
    args
}

fn expectation<'c>(
    case: &'c Value,
    label: &str,
    version: Version,
) -> (Option<&'c Value>, Option<&'c str>) {
    let expected = case.get("by_version").map_or(case, |by| &by[label]);
    let newer = expected.get("error_4_2").filter(|_| version == Version::V4);
    let error = newer
        .or_else(|| expected.get("error"))
        .and_then(Value::as_str);
    (expected.get("expected"), error)
}

fn floats(value: &Value) -> Value {
    match value {
        Value::Number(n) => n.as_f64().unwrap().into(),
        Value::Array(items) => items.iter().map(floats).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(k, v)| (k.clone(), floats(v))).collect())
        }
        other => other.clone(),
    }
}

#[test]
fn conformance_values() {
    let Some(dir) = data_dir("helm") else { return };
    let mut report = Report::new("helm/values");
    for case in lines(&dir.join("charts/values.jsonl")) {
        for (version, label) in VERSIONS {
            let id = format!("{}@{label}", case["id"].as_str().unwrap());
            let actual = values_of(&case, version);
            let (expected, error) = expectation(&case, label, version);
            let outcome = match (expected, error, actual) {
                (Some(expected), None, Ok(actual)) if floats(expected) == floats(&actual) => Ok(()),
                (_, Some(expected), Err(actual)) if expected == actual => Ok(()),
                (expected, error, actual) => Err(format!(
                    "expected {expected:?} {error:?}\n  actual {actual:?}\n  {}",
                    case["files"]
                )),
            };
            report.case(&id, outcome);
        }
    }
    report.check(&[]);
}

fn values_of(case: &Value, version: Version) -> Result<Value, String> {
    let args = case_args(case);
    let user = args.user.merge(version, &|_| Err("no files".to_owned()))?;
    let mut chart = load_path(&tree(&case["files"]), "", version).map_err(|e| e.to_string())?;
    let values = coalesced(&mut chart, &user, version, &mut Vec::new())?;
    Ok(to_json(&gotemplate::Value::Map(values)).unwrap())
}

fn compare(
    expected: Option<&str>,
    error: Option<&str>,
    actual: Result<String, ActionError>,
) -> Result<(), String> {
    match (expected, error, actual) {
        (Some(expected), None, Ok(actual)) => match first_difference(expected, &actual) {
            None => Ok(()),
            Some(difference) => Err(difference),
        },
        // The record has its errors trimmed.
        (_, Some(expected), Err(actual)) if expected == actual.to_string().trim_end() => Ok(()),
        (expected, error, actual) => Err(format!(
            "expected {expected:?} {error:?}\n  actual {actual:?}"
        )),
    }
}

#[test]
fn conformance_render() {
    let Some(dir) = data_dir("helm") else { return };
    let mut report = Report::new("helm/render");
    for case in lines(&dir.join("charts/render.jsonl")) {
        for (version, label) in VERSIONS {
            let id = format!("{}@{label}", case["id"].as_str().unwrap());
            let actual = run(&tree(&case["files"]), "", &case_args(&case), version);
            let (expected, error) = expectation(&case, label, version);
            let outcome = compare(expected.and_then(Value::as_str), error, actual);
            report.case(
                &id,
                outcome.map_err(|difference| format!("{difference}\n  {}", case["files"])),
            );
        }
    }
    report.check(&[]);
}

#[test]
fn conformance_commands() {
    let Some(dir) = data_dir("helm") else { return };
    let mut report = Report::new("helm/commands");
    for (version, label) in VERSIONS {
        let base = dir.join("helm-cmd").join(label);
        let disk = DirectoryTree::open(&base).unwrap();
        for case in lines(&base.join("template-cases.jsonl")) {
            let all = texts(&case["args"]);
            let mut args = Args::parse(&all[1..], &|name| disk.read(name).unwrap().to_vec());
            args.kube_version.get_or_insert_with(|| "1.20.0".to_owned());
            let golden =
                std::fs::read_to_string(base.join(case["golden"].as_str().unwrap())).unwrap();
            let outcome = if args.chart.is_empty() {
                // Counting arguments is the command line's part.
                Ok(())
            } else {
                command_outcome(
                    &disk,
                    &args,
                    version,
                    &golden,
                    case["expect_error"].as_bool().unwrap(),
                )
            };
            report.case(case["id"].as_str().unwrap(), outcome);
        }
    }
    report.check(&[]);
}

fn command_outcome(
    disk: &DirectoryTree,
    args: &Args,
    version: Version,
    golden: &str,
    fails: bool,
) -> Result<(), String> {
    let actual = match run(disk, &args.chart, args, version) {
        Ok(text) if !fails => text,
        Err(ActionError::Invalid {
            error, manifest, ..
        }) if fails && args.debug => {
            format!("{}\nError: {error}\n", manifest.trim())
        }
        Err(ActionError::Invalid { error, .. }) if fails => {
            format!("Error: {error}\n\nUse --debug flag to render out invalid YAML\n")
        }
        Err(error) if fails => format!("Error: {error}\n"),
        other => return Err(format!("{other:?}")),
    };
    first_difference(golden.trim_end(), actual.trim_end()).map_or(Ok(()), Err)
}

#[test]
fn conformance_real_charts() {
    let Some(dir) = data_dir("helm") else { return };
    let real = dir.join("real");
    let index: Value =
        serde_json::from_str(&std::fs::read_to_string(real.join("index.json")).unwrap()).unwrap();
    let mut report = Report::new("helm/real");
    for chart in index.as_array().unwrap() {
        let name = chart["name"].as_str().unwrap();
        let Ok(archive) = std::fs::read(real.join(format!("charts/{name}.tgz"))) else {
            continue;
        };
        let limits = UnpackLimits::ARTIFACT;
        let unpacked = unpack_tar_gz(&archive[..], limits).unwrap();
        let root = unpacked.list("").unwrap()[0].name.clone();
        let golden = real.join("golden").join(name);
        let variants: Value =
            serde_json::from_str(&std::fs::read_to_string(golden.join("index.json")).unwrap())
                .unwrap();
        for (index, variant) in variants.as_array().unwrap().iter().enumerate() {
            // Values files that are not part of the corpus are written with a tilde.
            if variant["args"].as_str().unwrap().contains('~') {
                continue;
            }
            let stable = chart["variants"][index]["stable"].as_bool().unwrap_or(true);
            for (version, label) in VERSIONS {
                let id = format!("{name}-{}@{label}", variant["n"]);
                let args = real_args(variant["args"].as_str().unwrap(), &unpacked, &root);
                let actual = run(&unpacked, &root, &args, version);
                let key = format!("error_{label}");
                let outcome = real_outcome(
                    variant[&key].as_str(),
                    &golden,
                    variant,
                    label,
                    actual,
                    stable,
                );
                report.case(&id, outcome);
            }
        }
    }
    report.check(known::REAL);
}

fn real_args(text: &str, tree: &dyn FileTree, root: &str) -> Args {
    let read = |name: &str| tree.read(&format!("{root}/{name}")).unwrap().to_vec();
    if text == "default" {
        return Args::default();
    }
    if !text.starts_with('-') {
        return Args::parse(&["-f".to_owned(), text.to_owned()], &read);
    }
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    Args::parse(&words, &read)
}

fn real_outcome(
    error: Option<&str>,
    golden: &Path,
    variant: &Value,
    label: &str,
    actual: Result<String, ActionError>,
    stable: bool,
) -> Result<(), String> {
    if let Some(error) = error {
        return match actual {
            Err(actual) if error == actual.to_string().trim_end() => Ok(()),
            other => Err(format!("expected error {error}\n  actual {other:?}")),
        };
    }
    let file = golden.join(format!("{}.{label}.yaml.gz", variant["n"]));
    let mut expected = String::new();
    let compressed = std::fs::File::open(file).map_err(|e| e.to_string())?;
    flate2::read::GzDecoder::new(compressed)
        .read_to_string(&mut expected)
        .unwrap();
    let actual = actual.map_err(|e| e.to_string())?;
    if stable {
        return first_difference(&expected, &actual).map_or(Ok(()), Err);
    }
    let (expected, actual) = (expected.lines().count(), actual.lines().count());
    if expected == actual {
        Ok(())
    } else {
        Err(format!("{expected} lines expected, {actual} printed"))
    }
}
