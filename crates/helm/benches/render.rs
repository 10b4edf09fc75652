//! Steps of a rendering: `cargo bench -p helm --bench render`.
//!
//! `cargo xtask bench helm` compares whole processes with the helm program; here single steps can be watched.

use divan::{Bencher, black_box, counter::BytesCount};
use helm::Version;
use helm::action::{Options, render_release};
use helm::capabilities::Capabilities;
use helm::chart::{Chart, File};
use helm::functions::World;
use helm::values::{UserValues, read_values};

fn main() {
    divan::main();
}

/// A chart of that many templates, each a Deployment.
fn chart(templates: usize) -> Chart {
    let file = |name: &str, text: &str| File {
        name: name.to_owned(),
        data: text.as_bytes().into(),
    };
    let mut files = vec![
        file("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
        file(
            "values.yaml",
            "replicas: 2\nresources:\n  limits: {cpu: 500m}\nenv:\n  MODE: production\n  LEVEL: info\n",
        ),
        file(
            "templates/_labels.tpl",
            "{{- define \"labels\" -}}\napp: {{ .Chart.Name }}\n{{- end }}\n",
        ),
    ];
    files.extend((0..templates).map(|index| {
        file(
            &format!("templates/{index}.yaml"),
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}\n  labels:\n    \
             {{- include \"labels\" . | nindent 4 }}\nspec:\n  replicas: {{ .Values.replicas }}\n  template:\n    spec:\n      \
             containers:\n      - name: main\n        resources:\n          {{- toYaml .Values.resources | nindent 10 }}\n        env:\n        \
             {{- range $key, $value := .Values.env }}\n        - name: {{ $key }}\n          value: {{ $value | quote }}\n        {{- end }}\n",
        )
    }));
    helm::load::load_files(files, Version::V4).expect("the chart is valid")
}

#[divan::bench(args = [1, 100])]
fn render(bencher: Bencher, templates: usize) {
    let chart = chart(templates);
    let options = Options {
        release: helm::Release {
            name: "r".to_owned(),
            namespace: "default".to_owned(),
            revision: 1,
            is_upgrade: false,
        },
        capabilities: Capabilities::offline(Version::V4),
        include_crds: false,
        skip_schema: false,
        sub_notes: false,
        strict: false,
    };
    let world = World::offline(0, 0, |buffer| buffer.fill(1));
    let user = UserValues::default()
        .merge(Version::V4, &|_| Err(String::new()))
        .expect("there are no values");
    bencher.bench(|| {
        render_release(black_box(chart.clone()), &user, &options, &world).expect("it renders")
    });
}

#[divan::bench(args = [10, 1_000])]
fn values(bencher: Bencher, count: usize) {
    let one = |index: usize| {
        format!(
            "key{index}:\n  enabled: true\n  image: {{repository: a/b, tag: \"1\"}}\n  list: [1, 2]\n"
        )
    };
    let text: String = (0..count).map(one).collect();
    bencher
        .counter(BytesCount::of_str(&text))
        .bench(|| read_values(black_box(text.as_bytes()), Version::V4));
}
