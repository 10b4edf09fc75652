//! Whatever the input says, a build ends: with objects or with an error, never with a panic.

use filetree::MemoryTree;
use kustomize::{BuildOptions, Fault, build};
use proptest::prelude::*;

const OBJECTS: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
      - name: main
        image: nginx:1
---
apiVersion: v1
kind: Service
metadata:
  name: web
";

fn tree(files: &[(&str, &[u8])]) -> MemoryTree {
    let mut tree = MemoryTree::new();
    for (path, content) in files {
        tree.insert(path, *content).unwrap();
    }
    tree
}

fn builds(files: &[(&str, &[u8])]) -> Result<String, String> {
    let tree = tree(files);
    let run = || {
        build(&tree, "", &BuildOptions::controller())
            .and_then(|output| output.to_yaml())
            .map_err(|error| format!("{error:#}"))
    };
    let first = run();
    assert_eq!(first, run(), "a second build differs");
    first
}

/// Lines that make kustomizations, patches and objects out of pieces.
fn yaml_like() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a: b",
        "- a",
        "- ",
        "  ",
        "\n",
        "&x ",
        "*x",
        "<<: ",
        "$patch: delete",
        "$patch: replace",
        "metadata:",
        "name: web",
        "kind: Deployment",
        "apiVersion: apps/v1",
        "spec:",
        "containers:",
        "- name: main",
        "null",
        "[",
        "]",
        "{",
        "}",
        "|",
        ">",
        "\"",
        "'",
        "op: add",
        "path: /spec/0",
        "value: 1",
        "---\n",
        "\u{feff}",
        "\t",
        "#",
        "items:",
        "kind: List",
        "0x",
        "1e400",
        ".inf",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_kustomization_file(content in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = builds(&[("kustomization.yaml", &content), ("a.yaml", OBJECTS.as_bytes())]);
    }

    #[test]
    fn any_resource(content in prop_oneof![yaml_like(), "[ -~\n]{0,120}"]) {
        let files = [
            ("kustomization.yaml", b"resources: [a.yaml]\nnamePrefix: p-\n".as_slice()),
            ("a.yaml", content.as_bytes()),
        ];
        let _ = builds(&files);
    }

    #[test]
    fn any_patch(content in yaml_like()) {
        let file = b"resources: [a.yaml]\npatches:\n- path: p.yaml\n  target: {kind: Deployment}\n";
        let files = [
            ("kustomization.yaml", file.as_slice()),
            ("a.yaml", OBJECTS.as_bytes()),
            ("p.yaml", content.as_bytes()),
        ];
        let _ = builds(&files);
    }

    #[test]
    fn any_replacement_path(path in "[a-z.*\\[\\]=0-9\\\\-]{0,24}", create in any::<bool>()) {
        let file = format!(
            "resources: [a.yaml]\nreplacements:\n- sourceValue: x\n  targets:\n  - select: {{}}\n    \
             fieldPaths: ['{path}']\n    options: {{create: {create}}}\n"
        );
        let _ = builds(&[("kustomization.yaml", file.as_bytes()), ("a.yaml", OBJECTS.as_bytes())]);
    }
}

/// Files that refer to each other: a Deployment, what it reads, and what reads it.
const RELATED: [(&str, &str); 5] = [
    (
        "config.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata: {a: b}\n",
    ),
    (
        "secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: secret}\n",
    ),
    (
        "account.yaml",
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: account}\n",
    ),
    (
        "web.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      \
         serviceAccountName: account\n      containers:\n      - name: main\n        image: nginx:1\n        envFrom:\n        \
         - configMapRef: {name: config}\n        - secretRef: {name: secret}\n",
    ),
    (
        "scaler.yaml",
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\nspec:\n  \
         scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}\n  maxReplicas: 3\n",
    ),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Where the output is sorted, references, hashes and patches give the same bytes in any order of the input.
    #[test]
    fn any_order_of_resources_gives_the_same_bytes(
        order in Just(RELATED.to_vec()).prop_shuffle(),
    ) {
        let built = |files: &[(&str, &str)]| {
            let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
            let file = format!(
                "namePrefix: p-\nnamespace: ns\nsortOptions: {{order: legacy}}\nimages: [{{name: nginx, newTag: '2'}}]\n\
                 labels: [{{pairs: {{a: b}}, includeSelectors: true}}]\nresources: {}\n",
                serde_json::json!(names)
            );
            let mut tree: Vec<(&str, &[u8])> =
                files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
            tree.push(("kustomization.yaml", file.as_bytes()));
            builds(&tree).unwrap()
        };
        let expected = built(&RELATED);
        prop_assert!(expected.contains("name: p-config") && expected.contains("nginx:2"));
        prop_assert_eq!(built(&order), expected);
    }
}

/// Bad input ends in an error that names file and place.
#[test]
fn bad_input_is_located() {
    let bomb: String = (0..40)
        .map(|i| {
            format!(
                "a{i}: &a{i} [{}]\n",
                "*x,".repeat(0) + &format!("*a{},", i.max(1) - 1).repeat(9)
            )
        })
        .collect();
    let bomb = format!(
        "kind: A\nmetadata: {{name: a}}\na: &a0 [x]\n{}",
        &bomb[bomb.find("a1:").unwrap()..]
    );
    let rows: [(&[u8], &str, Option<u32>); 4] = [
        (bomb.as_bytes(), "excessive aliasing", None),
        (
            b"kind: A\nmetadata: {name: a}\nx: [\n",
            "MalformedYAMLError",
            Some(4),
        ),
        (b"\xff\xd8\xff\xe0 binary", "MalformedYAMLError", None),
        (b"kind: A\n---\nmetadata: {name: a}\n", "missing", None),
    ];
    for (content, text, line) in rows {
        let tree = tree(&[
            ("kustomization.yaml", b"resources: [a.yaml]\n"),
            ("a.yaml", content),
        ]);
        let error = build(&tree, "", &BuildOptions::controller()).err().unwrap();
        assert!(error.message().contains(text), "{error}");
        assert_eq!(error.file(), Some("a.yaml"), "{error}");
        if line.is_some() {
            assert_eq!(error.line(), line, "{error:#}");
        }
    }
}

#[test]
fn cycles_are_printed_as_a_chain() {
    let tree = tree(&[
        ("a/kustomization.yaml", b"resources: [../b]\n"),
        ("b/kustomization.yaml", b"resources: [../c]\n"),
        ("c/kustomization.yaml", b"resources: [../a]\n"),
    ]);
    let error = build(&tree, "a", &BuildOptions::controller())
        .err()
        .unwrap();
    assert_eq!(error.fault(), Fault::Cycle);
    assert!(error.message().contains("/a -> /b -> /c -> /a"), "{error}");
    assert_eq!(error.chain(), ["/a", "/b", "/c"]);
}
