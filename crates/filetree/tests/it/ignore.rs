//! `golden/ignore.json`: inputs of ours, answers recorded from `pkg/sourceignore` v0.19.

use filetree::{EntryKind, Ignore, MemoryTree};
use serde_json::Value;

#[test]
fn rules_match_as_upstream() {
    let golden: Value = serde_json::from_str(include_str!("../golden/ignore.json")).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        check(case, golden["paths"].as_array().unwrap());
    }
}

fn check(case: &Value, paths: &[Value]) {
    let mut tree = MemoryTree::new();
    for (path, text) in case["files"].as_object().unwrap() {
        tree.insert(path, text.as_str().unwrap().as_bytes())
            .unwrap();
    }
    let ignore = Ignore::load(&tree, case["ignore"].as_str()).unwrap();
    let excluded: Vec<&str> = paths
        .iter()
        .filter_map(Value::as_str)
        .filter(|path| match path.strip_suffix('/') {
            Some(path) => ignore.excludes(path, EntryKind::Directory),
            None => ignore.excludes(path, EntryKind::File),
        })
        .collect();
    let expected: Vec<&str> = case["excluded"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(excluded, expected, "{}", case["name"]);
}

proptest::proptest! {
    #[test]
    fn no_pattern_panics(text in "(.|\n){0,80}", path in "[a-z./\\*\\[\\]ü]{0,20}") {
        let mut ignore = Ignore::default();
        ignore.add(&text, &[]);
        ignore.excludes(&path, EntryKind::File);
    }
}
