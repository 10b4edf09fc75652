//! Positions, excerpts, bounds, aliases and editing.

use kyaml::{ConvertError, Dialect, ReadOptions};

fn error_of(text: &str) -> kyaml::ReadError {
    kyaml::parse(text.as_bytes(), &ReadOptions::v3()).unwrap_err()
}

#[test]
fn errors_name_the_line_as_go_yaml_and_show_the_place() {
    let source = "a: 1\nb:\n  - x\n c: 2\n";
    let error = error_of(source);
    assert_eq!(error.to_string(), "yaml: line 3: did not find expected key");
    assert_eq!(error.excerpt(source), "4 |  c: 2\n  |  ^\n");
}

#[test]
fn marks_count_characters_from_one() {
    let nodes = kyaml::parse("é: ü\nlist:\n- {x: y}\n".as_bytes(), &ReadOptions::v3()).unwrap();
    let value = nodes[0].get("é").unwrap();
    assert_eq!((value.mark.line, value.mark.column), (1, 4));
    let inner = nodes[0].get("list").unwrap().items().unwrap()[0]
        .get("x")
        .unwrap();
    assert_eq!((inner.mark.line, inner.mark.column), (3, 7));
}

#[test]
fn editing_keeps_comments_and_styles() {
    let source = "# top\n\nimage: 'app:1.0' # {\"$imagepolicy\": \"ns:app\"}\nlist:\n# first\n- a\n- b # second\n# end\n";
    let mut documents = kyaml::parse_documents(source.as_bytes(), &ReadOptions::editing()).unwrap();
    let image = documents[0].root.get_mut("image").unwrap();
    image.value = kyaml::NodeValue::Scalar("app:1.1".into());
    let printed = kyaml::emit_documents(&documents, kyaml::EmitOptions::compact());
    assert_eq!(printed, source.replace("1.0", "1.1"));
}

#[test]
fn aliases_and_merges_expand() {
    let source = "base: &b {x: 1, y: 2}\nuse:\n  <<: [*b, {y: 3, z: 4}]\n  x: 9\nagain: *b\n";
    let mut node = kyaml::parse(source.as_bytes(), &ReadOptions::v3())
        .unwrap()
        .remove(0);
    kyaml::expand_aliases(&mut node, &ReadOptions::v3()).unwrap();
    let value = kyaml::to_json(&node, Dialect::V3).unwrap();
    let expected = serde_json::json!({
        "base": {"x": 1, "y": 2}, "use": {"x": 9, "y": 2, "z": 4}, "again": {"x": 1, "y": 2},
    });
    assert_eq!(value, expected);
}

#[test]
fn bombs_are_refused() {
    let mut source = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let reference = format!("*a{},", level - 1).repeat(9);
        source.push_str(&format!("a{level}: &a{level} [{reference}]\n"));
    }
    let mut node = kyaml::parse(source.as_bytes(), &ReadOptions::v3())
        .unwrap()
        .remove(0);
    assert_eq!(
        kyaml::to_json(&node, Dialect::V3),
        Err(ConvertError::Aliasing)
    );
    assert_eq!(
        kyaml::expand_aliases(&mut node, &ReadOptions::v3()),
        Err(ConvertError::Aliasing)
    );
    let own = "a: &a [*a]\n";
    let node = kyaml::parse(own.as_bytes(), &ReadOptions::v3())
        .unwrap()
        .remove(0);
    assert_eq!(
        kyaml::to_json(&node, Dialect::V3),
        Err(ConvertError::Cycle("a".to_owned()))
    );
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = "[".repeat(100_000);
    assert_eq!(
        error_of(&deep).to_string(),
        "yaml: exceeded max depth of 200"
    );
    let indented: String = (0..2000)
        .map(|level| format!("{}a:\n", " ".repeat(level)))
        .collect();
    assert!(
        error_of(&indented)
            .to_string()
            .ends_with("exceeded max depth of 200")
    );
    let small = ReadOptions {
        max_bytes: 10,
        ..ReadOptions::v3()
    };
    assert!(kyaml::parse(b"a: 12345678", &small).is_err());
}

#[test]
fn duplicate_keys_are_kept_and_found() {
    let source = "a: 1\nb:\n  c: 1\n  c: 2\na: 3\n";
    let node = kyaml::parse(source.as_bytes(), &ReadOptions::v3())
        .unwrap()
        .remove(0);
    assert_eq!(node.entries().unwrap().len(), 3);
    let found: Vec<String> = kyaml::duplicate_keys(&node)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        found,
        ["line 5: mapping key \"a\" already defined at line 1"]
    );
}

#[test]
fn key_order_is_natural() {
    let mut keys = vec![
        "ab", "aB", "a0", "a_b", "a/b", "a.b", "a-b", "a10", "a2", "a001", "a01", "a1", "1a",
        "10a", "a", "A", "0", ".", "-",
    ];
    keys.sort_by(|a, b| kyaml::natural_cmp(a, b));
    assert_eq!(keys[..6], ["-", ".", "0", "10a", "1a", "A"]);
    assert_eq!(kyaml::natural_cmp("a1", "a01"), std::cmp::Ordering::Less);
}

#[test]
fn folded_text_changes_as_go_yaml_prints_it() {
    // Recorded from kustomize v5.8.1: the more indented line gains an empty line above it.
    let source = "k: >-\n  a(\n\n    b\n  )\n";
    let node = kyaml::parse(source.as_bytes(), &ReadOptions::v3())
        .unwrap()
        .remove(0);
    let printed = kyaml::emit_sigs_node(&node).unwrap();
    let value = kyaml::printed_to_json(&node).unwrap();
    assert_eq!(kyaml::emit_sigs(&value).unwrap(), printed);
    let plain = kyaml::to_json(&node, Dialect::V3).unwrap();
    assert_ne!(plain, value);
}
