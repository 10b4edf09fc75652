//! What stands below errors: lines with marks, and where values came from.

use filetree::MemoryTree;
use helm::Version;
use helm::action::{Options, render_release};
use helm::capabilities::Capabilities;
use helm::explain::explain;
use helm::load::load_path;
use helm::origin::Sources;
use helm::values::UserValues;

const CHART: &str = "apiVersion: v2\nname: demo\nversion: 0.1.0\ndependencies:\n- name: sub\n  version: 0.1.0\n  alias: db\n";
const VALUES: &str = "a:\n  b: text\n  list:\n  - x: 1\ngone:\n  c: 1\ndb:\n  port: abc\n";
const SUB: &str = "apiVersion: v2\nname: sub\nversion: 0.1.0\n";

/// Renders a chart with one more file and compares what is said below the error.
fn check(path: &str, text: &str, user: &UserValues, expected: &str) {
    let mut tree = MemoryTree::new();
    for (name, text) in [
        ("Chart.yaml", CHART),
        ("values.yaml", VALUES),
        ("charts/sub/Chart.yaml", SUB),
        ("charts/sub/values.yaml", "port: 80\nhost: h\n"),
        (
            "templates/_h.tpl",
            "{{ define \"h\" }}\n  {{- .cfg.b.z }}{{ end }}",
        ),
        (path, text),
    ] {
        tree.insert(name, text.as_bytes()).unwrap();
    }
    let version = Version::V4;
    let chart = load_path(&tree, "", version).unwrap();
    let options = Options {
        release: helm::Release {
            name: "r".to_owned(),
            namespace: "ns".to_owned(),
            revision: 1,
            is_upgrade: false,
        },
        capabilities: Capabilities::offline(version),
        include_crds: false,
        skip_schema: false,
        sub_notes: false,
        strict: false,
    };
    let merged = user
        .merge(version, &|_| Err("no files".to_owned()))
        .unwrap();
    let error = render_release(chart.clone(), &merged, &options, &super::charts::world());
    let error = error.expect_err(text);
    let sources = Sources {
        chart: &chart,
        user,
        version,
    };
    let actual = explain(&error, &sources).to_string();
    assert_eq!(actual, expected, "{text}\n{error}");
}

fn set(text: &str) -> UserValues {
    UserValues {
        set: vec![text.to_owned()],
        ..UserValues::default()
    }
}

fn file(text: &str) -> UserValues {
    UserValues {
        files: vec![("prod.yaml".to_owned(), text.as_bytes().to_vec())],
        ..UserValues::default()
    }
}

#[test]
fn lines_are_marked_and_values_traced() {
    let none = UserValues::default();
    let t = "templates/x.yaml";
    check(
        t,
        "k: v\nn: {{ .Values.a.b.c | quote }}\n",
        &none,
        "  --> demo/templates/x.yaml:2:7\n  2 | n: {{ .Values.a.b.c | quote }}\n    |       ^^^^^^^^^^^^^\n  = .Values.a.b.c is not set; .Values.a.b is from line 2 of values.yaml of the chart demo\n",
    );
    check(
        t,
        "{{ until .Values.a.n }}",
        &set("a.n=ten"),
        "  --> demo/templates/x.yaml:1:10\n  1 | {{ until .Values.a.n }}\n    |          ^^^^^^^^^^^\n  = .Values.a.n is a string, from --set a.n\n",
    );
    check(
        t,
        "{{ .Values.gone.c.d }}",
        &file("\ngone: null\n"),
        "  --> demo/templates/x.yaml:1:4\n  1 | {{ .Values.gone.c.d }}\n    |    ^^^^^^^^^^^^^^^^\n  = .Values.gone.c.d is not set: line 2 of prod.yaml makes .Values.gone null\n",
    );
    check(
        t,
        "{{ include \"h\" (dict \"cfg\" .Values.a) }}",
        &none,
        "  --> demo/templates/x.yaml:1:4\n  1 | {{ include \"h\" (dict \"cfg\" .Values.a) }}\n    |    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n  --> demo/templates/_h.tpl:2:7\n  2 |   {{- .cfg.b.z }}{{ end }}\n    |       ^^^^^^^^\n  = .Values.a.b.z is not set; .Values.a.b is from line 2 of values.yaml of the chart demo\n",
    );
    check(
        t,
        "{{ tpl \"{{ .q.r.s }}\" .Values.a }}",
        &none,
        "  --> demo/templates/x.yaml:1:4\n  1 | {{ tpl \"{{ .q.r.s }}\" .Values.a }}\n    |    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n  --> gotpl:1:4\n  1 | {{ .q.r.s }}\n    |    ^^^^^^\n  = .Values.a.q.r.s is not set; .Values.a is from line 1 of values.yaml of the chart demo\n",
    );
    check(
        "charts/sub/templates/x.yaml",
        "{{ until .Values.port }}",
        &none,
        "  --> demo/charts/db/templates/x.yaml:1:10\n  1 | {{ until .Values.port }}\n    |          ^^^^^^^^^^^^\n  = .Values.port of the chart db is a string, from line 8 of values.yaml of the chart demo\n",
    );
    check(
        "charts/sub/templates/x.yaml",
        "{{ until .Values.host }}",
        &none,
        "  --> demo/charts/db/templates/x.yaml:1:10\n  1 | {{ until .Values.host }}\n    |          ^^^^^^^^^^^^\n  = .Values.host of the chart db is a string, from line 2 of values.yaml of the chart demo/db\n",
    );
}

#[test]
fn other_errors_show_their_lines() {
    let none = UserValues::default();
    check(
        "templates/x.yaml",
        "a: 1\n  {{ if }}\n",
        &none,
        "  --> demo/templates/x.yaml:2\n  2 |   {{ if }}\n    |   ^^^^^^^^\n",
    );
    check(
        "templates/x.yaml",
        "a: {{ .Values.a.b }}\n  b: {c\nd: 1\n",
        &none,
        "  --> demo/templates/x.yaml (as rendered):2\n  2 |   b: {c\n    |   ^^^^^\n",
    );
    check(
        "values.schema.json",
        "{\"properties\": {\"db\": {\"properties\": {\"port\": {\"type\": \"integer\"}}}, \"a\": {\"properties\": {\"list\": {\"items\": {\"properties\": {\"x\": {\"type\": \"string\"}}}}, \"b\": {}}, \"additionalProperties\": false}}}",
        &set("a.extra=1"),
        "  = .Values.a.list.0.x is a number, from line 4 of values.yaml of the chart demo\n  = .Values.a.extra is a number, from --set a.extra\n  = .Values.db.port is a string, from line 8 of values.yaml of the chart demo\n",
    );
}
