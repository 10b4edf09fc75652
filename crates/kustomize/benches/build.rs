//! Reader, emitter and whole builds, small and large: `cargo bench -p kustomize`.
//!
//! Inputs are made here, in the shape of those of `cargo xtask bench kustomize`, which compares whole processes
//! with the kustomize program.

use divan::{Bencher, black_box, counter::BytesCount};
use filetree::MemoryTree;
use kustomize::{BuildOptions, Output};
use kyaml::{Node, ReadOptions};

fn main() {
    divan::main();
}

/// A Deployment that refers to a ConfigMap, a Service and the ConfigMap.
fn application(index: usize) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app-{index}\n  labels:\n    app: app-{index}\nspec:\n  \
         replicas: 2\n  selector:\n    matchLabels:\n      app: app-{index}\n  template:\n    metadata:\n      labels:\n        \
         app: app-{index}\n    spec:\n      containers:\n      - name: main\n        image: registry.example.com/team/app:1.0.0\n        \
         ports:\n        - containerPort: 8080\n        envFrom:\n        - configMapRef:\n            name: config-{index}\n\
         ---\napiVersion: v1\nkind: Service\nmetadata:\n  name: app-{index}\nspec:\n  selector:\n    app: app-{index}\n  \
         ports:\n  - port: 80\n    targetPort: 8080\n\
         ---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: config-{index}\ndata:\n  mode: production\n  \
         settings.yaml: |\n    server:\n      port: 8080\n      timeout: 30s\n"
    )
}

fn applications(count: usize) -> String {
    (0..count)
        .map(application)
        .collect::<Vec<_>>()
        .join("---\n")
}

/// A base with that many applications below an overlay with the usual fields.
fn tree(count: usize) -> MemoryTree {
    let overlay = "resources: [base]\nnamespace: prod\nnamePrefix: prod-\nlabels:\n- pairs: {env: prod}\n\
                   images:\n- name: registry.example.com/team/app\n  newTag: 2.0.0\n\
                   patches:\n- target: {kind: Deployment}\n  patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    \
                   metadata: {name: any}\n    spec: {revisionHistoryLimit: 3}\n";
    let mut tree = MemoryTree::new();
    let files = [
        ("kustomization.yaml", overlay.to_owned()),
        (
            "base/kustomization.yaml",
            "resources: [all.yaml]\n".to_owned(),
        ),
        ("base/all.yaml", applications(count)),
    ];
    for (path, content) in files {
        tree.insert(path, content.into_bytes())
            .expect("the paths are plain");
    }
    tree
}

fn build(tree: &MemoryTree) -> Output {
    kustomize::build(tree, "", &BuildOptions::command_line()).expect("the input is valid")
}

fn nodes(text: &str) -> Vec<Node> {
    kyaml::parse(text.as_bytes(), &ReadOptions::v3()).expect("the input is valid")
}

#[divan::bench]
fn read_thousand_documents(bencher: Bencher) {
    let text = applications(334);
    bencher
        .counter(BytesCount::of_str(&text))
        .bench(|| nodes(black_box(&text)));
}

#[divan::bench]
fn print_thousand_documents(bencher: Bencher) {
    let text = applications(334);
    let nodes = nodes(&text);
    bencher.counter(BytesCount::of_str(&text)).bench(|| {
        let mut out = String::new();
        for node in black_box(&nodes) {
            kyaml::write_sigs_node(&mut out, node).expect("the input is valid");
        }
        out
    });
}

#[divan::bench(args = [1, 100, 1_000])]
fn build_applications(bencher: Bencher, count: usize) {
    let tree = tree(count);
    bencher.bench(|| build(black_box(&tree)));
}

#[divan::bench(args = [1, 100, 1_000])]
fn print_built_applications(bencher: Bencher, count: usize) {
    let output = build(&tree(count));
    bencher.bench(|| output.to_yaml().expect("the output is valid"));
}
