//! Properties: nothing panics, and what was printed reads back as what was meant.

use kyaml::{Dialect, EmitOptions, ReadOptions};
use proptest::prelude::*;
use serde_json::Value;

/// Text made of the pieces that mean something to YAML.
fn yaml_text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "a",
        "b: ",
        "- ",
        "? ",
        ": ",
        "\n",
        "\n  ",
        "\n    ",
        "  ",
        "\t",
        "'",
        "\"",
        "|",
        ">",
        "|-\n",
        ">+\n",
        "[",
        "]",
        "{",
        "}",
        ",",
        "#c",
        " # d",
        "&a ",
        "*a",
        "<<: ",
        "!!str ",
        "!t ",
        "---\n",
        "...\n",
        "%YAML 1.1\n",
        "\\",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "é",
        "😀",
        "\r\n",
        "1",
        "0x1",
        "~",
        "true",
        "%",
        "@",
        "`",
        "-",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

fn json_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[ -~\n]{0,30}",
        "[a-z :#'\"-]{0,120}",
        "\\PC{0,10}",
        prop::sample::select(vec![
            "yes",
            "null",
            "1",
            "0x1F",
            "1e3",
            "~",
            "2020-01-01",
            "12:30",
            ".inf",
            "-",
            ""
        ])
        .prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(text.clone(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn use_everything(bytes: &[u8]) {
    for options in [
        ReadOptions::v3(),
        ReadOptions::v11(),
        ReadOptions::editing(),
    ] {
        let documents = match kyaml::parse_documents(bytes, &options) {
            Ok(documents) => documents,
            Err(error) => {
                let _ = error.excerpt(&String::from_utf8_lossy(bytes));
                continue;
            }
        };
        let _ = kyaml::emit_documents(&documents, EmitOptions::compact());
        for mut document in documents {
            let _ = kyaml::to_json(&document.root, options.dialect);
            let _ = kyaml::emit_sigs_node(&document.root);
            let _ = kyaml::duplicate_keys(&document.root);
            let _ = kyaml::expand_aliases(&mut document.root, &options);
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        use_everything(&bytes);
    }

    #[test]
    fn yaml_like_text_never_panics(text in yaml_text()) {
        use_everything(text.as_bytes());
    }

    #[test]
    fn printed_values_read_back(value in json_value()) {
        for (printed, options) in [
            (kyaml::emit_sigs(&value), ReadOptions::v11()),
            (kyaml::emit_sigs(&value), ReadOptions::v3()),
            (kyaml::emit_pretty(&value), ReadOptions::v3()),
        ] {
            let Ok(printed) = printed else { continue };
            // Next-line characters do not survive Go's way over JSON, and U+2028 is a line break when read.
            if value.to_string().contains(['\u{85}', '\u{2028}', '\u{2029}']) {
                continue;
            }
            let node = kyaml::parse_first(printed.as_bytes(), &options).unwrap().unwrap();
            let read = kyaml::to_json(&node, options.dialect).unwrap();
            prop_assert_eq!(&read, &value, "{}", printed);
        }
    }

    #[test]
    fn printing_trees_is_stable(text in yaml_text()) {
        let options = ReadOptions::v3();
        let Ok(nodes) = kyaml::parse(text.as_bytes(), &options) else { return Ok(()) };
        for node in nodes {
            let once = kyaml::emit(&node);
            let (Ok(again), Ok(value)) = (kyaml::parse(once.as_bytes(), &options), kyaml::to_json(&node, Dialect::V3))
            else {
                continue;
            };
            // go-yaml itself does not print folded text so that it reads back.
            if text.contains(['\u{85}', '\u{2028}', '\u{feff}', '>']) || again.len() != 1 {
                continue;
            }
            prop_assert_eq!(kyaml::to_json(&again[0], Dialect::V3).ok(), Some(value), "{}", once);
        }
    }
}
