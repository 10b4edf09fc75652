//! Nothing panics, and everything ends: archives, values, flags, schemas and whole small charts of chance.

use filetree::MemoryTree;
use helm::action::{Options, render_release};
use helm::capabilities::Capabilities;
use helm::explain::explain;
use helm::functions::World;
use helm::lint::{Input, lint};
use helm::load::{load_any_directory, load_archive, load_path};
use helm::origin::Sources;
use helm::values::{UserValues, read_values};
use helm::{Version, schema};
use proptest::prelude::*;

const VERSIONS: [Version; 2] = [Version::V4, Version::V3];

fn world() -> World {
    super::charts::world()
}

/// Pieces that templates are made of.
fn template() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{{ "),
        Just(" }}"),
        Just("{{- "),
        Just(" -}}"),
        Just("if "),
        Just("else "),
        Just("end"),
        Just("range $k, $v := "),
        Just("with "),
        Just("define \"a\""),
        Just("template \"a\" ."),
        Just("include \"a\" ."),
        Just("tpl .Values.t ."),
        Just(".Values.a.b"),
        Just("$.Values"),
        Just("$x := "),
        Just("| quote"),
        Just("| nindent 2"),
        Just("toYaml "),
        Just("fromYaml "),
        Just("index .Values \"a\""),
        Just("dict \"k\" ."),
        Just("required \"r\" "),
        Just("fail \"f\""),
        Just("until 3"),
        Just("printf \"%d %s\" "),
        Just("(.Files.Get \"x\")"),
        Just(".Capabilities.APIVersions.Has \"v1\""),
        Just("lookup \"v1\" \"Pod\" \"\" \"\""),
        Just("\n"),
        Just("a: "),
        Just("---\n"),
        Just("kind: X\n"),
        Just("metadata: {name: y}\n"),
        Just("\"é\""),
        Just("1.5"),
        Just("nil"),
        Just("("),
        Just(")"),
        Just("/* c */"),
        Just("block \"b\" ."),
        Just("break"),
        Just(":"),
        Just("\t- x\n"),
    ];
    proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

fn yaml() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("a: "),
        Just("b: 1\n"),
        Just("t: \"{{ .Values.b }}\"\n"),
        Just("  c: x\n"),
        Just("- "),
        Just("null\n"),
        Just("global: {g: 1}\n"),
        Just("sub: {p: q}\n"),
        Just("&x "),
        Just("*x\n"),
        Just("{"),
        Just("}"),
        Just("[1, "),
        Just("]\n"),
        Just("---\n"),
        Just("<<: *x\n"),
        Just("\"q\"\n"),
        Just("|\n  text\n"),
        Just("# c\n"),
        Just("1e999\n"),
        Just("~\n"),
    ];
    proptest::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

fn render_all(tree: &MemoryTree, user: &UserValues) {
    for version in VERSIONS {
        let Ok(chart) = load_path(tree, "", version) else {
            continue;
        };
        let options = Options {
            release: helm::Release {
                name: "r".to_owned(),
                namespace: "n".to_owned(),
                revision: 1,
                is_upgrade: false,
            },
            capabilities: Capabilities::offline(version),
            include_crds: true,
            skip_schema: false,
            sub_notes: true,
            strict: false,
        };
        let Ok(values) = user.merge(version, &|_| Ok(String::new())) else {
            continue;
        };
        let outcome = render_release(chart.clone(), &values, &options, &world());
        if let Err(error) = outcome {
            let sources = Sources {
                chart: &chart,
                user,
                version,
            };
            let _ = explain(&error, &sources).to_string();
        }
        let mut lenient = world();
        lenient.lint = true;
        let _ = lint(&Input {
            tree,
            directory: "",
            shown: "/chart",
            values: &values,
            namespace: "n",
            kube_version: None,
            skip_schema: false,
            version,
            world: &lenient,
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whole_charts_never_panic(
        text in template(),
        helper in template(),
        values in yaml(),
        inner in yaml(),
        user in yaml(),
        flag in "[a-c.,=\\[\\]{}0-9]{0,12}",
        meta in yaml(),
    ) {
        let mut tree = MemoryTree::new();
        let chart = "apiVersion: v2\nname: c\nversion: 0.1.0\ndependencies:\n- {name: sub, version: 0.1.0, alias: s, condition: b, import-values: [p]}\n";
        for (path, text) in [
            ("Chart.yaml", format!("{chart}{meta}")),
            ("values.yaml", values),
            ("templates/_h.tpl", helper.clone()),
            ("templates/x.yaml", text.clone()),
            ("templates/NOTES.txt", text.clone()),
            ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 0.1.0\n".to_owned()),
            ("charts/sub/values.yaml", inner),
            ("charts/sub/templates/y.yaml", helper),
            ("crds/c.yaml", text),
        ] {
            tree.insert(path, text.as_bytes()).unwrap();
        }
        let user = UserValues {
            files: vec![("u.yaml".to_owned(), user.into_bytes())],
            set: vec![flag.clone()],
            set_json: vec![flag.clone()],
            set_literal: vec![flag],
            ..UserValues::default()
        };
        render_all(&tree, &user);
    }

    #[test]
    fn charts_of_any_bytes_never_panic(
        meta in proptest::collection::vec(any::<u8>(), 0..80),
        values in proptest::collection::vec(any::<u8>(), 0..80),
        text in proptest::collection::vec(any::<u8>(), 0..80),
        schema in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut tree = MemoryTree::new();
        tree.insert("values.yaml", values.clone()).unwrap();
        tree.insert("values.schema.json", schema).unwrap();
        tree.insert("templates/x.yaml", text.clone()).unwrap();
        tree.insert("Chart.yaml", &b"apiVersion: v2\nname: c\nversion: 0.1.0\n"[..]).unwrap();
        render_all(&tree, &UserValues::default());
        tree.insert(".helmignore", text).unwrap();
        tree.insert("Chart.yaml", meta).unwrap();
        for version in VERSIONS {
            let _ = load_any_directory(&tree, "", version);
            let _ = read_values(&values, version);
        }
    }

    #[test]
    fn archives_of_any_bytes_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        names in proptest::collection::vec("[a-c./\\\\:]{0,12}", 0..6),
        flip in any::<(usize, u8)>(),
    ) {
        let mut tar = tar::Builder::new(Vec::new());
        for name in &names {
            let mut header = tar::Header::new_gnu();
            header.set_size(4);
            // Names are put in as they are, traversal included.
            let field = &mut header.as_old_mut().name;
            field[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            tar.append(&header, &b"a: b"[..]).unwrap();
        }
        let mut packed = tar.into_inner().unwrap();
        let at = flip.0 % packed.len().max(1);
        if let Some(byte) = packed.get_mut(at) {
            *byte = flip.1;
        }
        let zip = |bytes: &[u8]| {
            use std::io::Write as _;
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            out.write_all(bytes).unwrap();
            out.finish().unwrap()
        };
        for version in VERSIONS {
            let _ = load_archive(&bytes, version);
            let _ = load_archive(&zip(&bytes), version);
            let _ = load_archive(&zip(&packed), version);
        }
    }

    #[test]
    fn schemas_of_chance_never_panic(text in "[{}\\[\\]\":,a-e0-9$#/. -]{0,40}", pieces in proptest::collection::vec(0..24_usize, 0..8)) {
        const PIECES: [&str; 24] = [
            "\"type\": \"string\"", "\"type\": [\"object\", 5]", "\"$ref\": \"#\"", "\"$ref\": \"#/a\"", "\"$ref\": \"x.json#y\"",
            "\"$id\": \"http://a/b\"", "\"$id\": \"%zz\"", "\"$schema\": \"http://json-schema.org/draft-07/schema#\"",
            "\"$schema\": \"http://json-schema.org/draft-04/schema#\"", "\"a\": {\"$ref\": \"#\"}", "\"allOf\": [{\"$ref\": \"#\"}]",
            "\"properties\": {\"a\": {\"$ref\": \"#\"}}", "\"$dynamicRef\": \"#n\"", "\"$dynamicAnchor\": \"n\"",
            "\"$recursiveRef\": \"#\"", "\"unevaluatedProperties\": false", "\"multipleOf\": 0", "\"multipleOf\": 1e-300",
            "\"format\": \"date-time\"", "\"pattern\": \"(\"", "\"required\": [\"a\"]", "\"items\": [{}]", "\"minItems\": 1e300",
            "\"enum\": [1, \"1\", null]",
        ];
        let joined: Vec<&str> = pieces.iter().map(|index| PIECES[*index]).collect();
        let values = helm::values::untyped(serde_json::json!({"a": {"a": ["2020-01-01T00:00:00Z", 1e300, "é"]}}).as_object().unwrap());
        let _ = schema::validate_single(text.as_bytes(), &values, None, &mut Vec::new());
        let _ = schema::validate_single(format!("{{{}}}", joined.join(", ")).as_bytes(), &values, None, &mut Vec::new());
    }
}
