//! What Helm looks at in a rendered document before it installs it: kind, name, annotations.
//!
//! The whole document has to be valid YAML all the same. Almost every one is so plain that a look at its lines
//! ([`plain`]) tells; the others are parsed.

mod plain;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Version;

/// What identifies a document and makes it a hook.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// Kind; empty where the document names none.
    pub kind: String,
    /// Name of the object.
    pub name: String,
    /// Annotations that make it a hook; others may be missing.
    pub annotations: BTreeMap<String, String>,
}

impl Head {
    /// Reads what identifies a document, with Go's messages for fields of the wrong type.
    ///
    /// # Errors
    /// Not YAML, not a map, or a field is of the wrong type; in Helm's words.
    pub fn read(content: &str, version: Version) -> Result<Self, String> {
        match plain::head(content) {
            Some(head) => Ok(head),
            None => parsed(content, version),
        }
    }
}

fn parsed(content: &str, version: Version) -> Result<Head, String> {
    const PREFIX: &str = "error unmarshaling JSON: while decoding JSON: ";
    let value = kyaml::yaml_to_json(content.as_bytes()).map_err(|error| error.to_string())?;
    let map = match &value {
        Value::Null => return Ok(Head::default()),
        Value::Object(map) => map,
        other => {
            let found = kyaml::json_kind(other);
            let package = if version == Version::V4 {
                "util"
            } else {
                "releaseutil"
            };
            return Err(format!(
                "{PREFIX}json: cannot unmarshal {found} into Go value of type {package}.SimpleHead"
            ));
        }
    };
    let mut reader = HeadReader { error: None };
    let mut head = Head::default();
    for (key, value) in map {
        match key.to_ascii_lowercase().as_str() {
            "apiversion" => drop(reader.text(value, "SimpleHead.apiVersion")),
            "kind" => head.kind = reader.text(value, "SimpleHead.kind"),
            "metadata" => reader.metadata(value, &mut head),
            _ => {}
        }
    }
    reader
        .error
        .map_or(Ok(head), |error| Err(format!("{PREFIX}{error}")))
}

struct HeadReader {
    error: Option<String>,
}

impl HeadReader {
    fn mismatch(&mut self, value: &Value, field: &str, wanted: &str) {
        let found = kyaml::json_kind(value);
        self.error.get_or_insert_with(|| {
            format!("json: cannot unmarshal {found} into Go struct field {field} of type {wanted}")
        });
    }

    fn text(&mut self, value: &Value, field: &str) -> String {
        match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => number.to_string(),
            other => {
                self.mismatch(other, field, "string");
                String::new()
            }
        }
    }

    fn metadata(&mut self, value: &Value, head: &mut Head) {
        let Value::Object(map) = value else {
            if !value.is_null() {
                self.mismatch(value, "SimpleHead.metadata", "struct { Name string \"json:\\\"name\\\"\"; Annotations map[string]string \"json:\\\"annotations\\\"\" }");
            }
            return;
        };
        for (key, value) in map {
            match (key.to_ascii_lowercase().as_str(), value) {
                ("name", value) => head.name = self.text(value, ".metadata.name"),
                ("annotations", Value::Object(map)) => {
                    for (key, value) in map {
                        let text = self.text(value, ".metadata.annotations");
                        head.annotations.insert(key.clone(), text);
                    }
                }
                ("annotations", Value::Null) => {}
                ("annotations", other) => {
                    self.mismatch(other, ".metadata.annotations", "map[string]string")
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::*;

    /// Checks that lines alone tell what the parser tells; returns whether they told anything.
    fn agrees(text: &str) -> bool {
        let Some(plain) = plain::head(text) else {
            return false;
        };
        let mut parsed =
            parsed(text, Version::V4).unwrap_or_else(|error| panic!("{error}: {text}"));
        parsed
            .annotations
            .retain(|key, _| key.starts_with("helm.sh/"));
        assert_eq!(plain, parsed, "{text}");
        true
    }

    #[test]
    fn plain_documents_need_no_parser() {
        for text in [
            "",
            "# nothing\n",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n",
            "kind: Job\nmetadata:\n  name: \"a\"\n  annotations:\n    \"helm.sh/hook\": pre-install,post-install\n    helm.sh/hook-weight: \"-5\"\n    checksum: 12\nspec:\n- a\n- b: 1\n  c:\n  - x # y\n",
            "kind: A\nspec:\n  text: |\n\n    a\n      b: [\n\n  list: [a, \"b\", 'c']\n  empty: {}\n  none:\nlast: --x\n",
            "metadata:\n  annotations: {}\n  labels:\n    kind: x\nkind: B\nitems:\n- |-\n  text\n- metadata:\n    name: inner\n",
            "kind: A\nspec:\n  a: 'it''s\n    open: # '\n  b: \"c\n    \\\"d\\\" e\"  # f\nh: i\n",
            "kind: A\nspec:\n- jsonPath: .status.conditions[?(@.type==\"Active\")].status\n- :8080\n",
            "kind: A\nspec:\n  description: a text of\n    several lines (no key)\n  other: b\nlist:\n- one\n  - two\n- c: d\n   e\n\n\n- f\n",
        ] {
            assert!(agrees(text), "{text}");
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_parser() {
        for text in [
            "a",
            "- a\n",
            "kind: a: b\n",
            "kind: a\n  b: c\n",
            "kind: [\n",
            "kind: true\n",
            "kind: 1\n",
            "Kind: a\n",
            "kind: a\nkind: b\n",
            "kind: &a b\n",
            "kind:\n  a: b\n",
            "metadata:\n- a\n",
            "metadata: a\n",
            "metadata:\n  annotations:\n    a:\n      b: c\n",
            "metadata:\n  annotations:\n    a: []\n",
            "metadata:\n  annotations:\n    helm.sh/hook: |\n      test\n",
            "a: 1\n- b\n",
            "a:\n    b: 1\n  c: 1\n",
            "a: |\n\tb\n",
            "a: \"b\n",
            "a: \"\\q\"\n",
            "a: 'b'c\n",
            "a:\tb\n",
            "null: a\n",
            "<<: a\n",
            "a: .inf\n",
            "a: b\u{85}c\n",
            "a:\n  - b\n  c: d\n",
            "a: b\n  c: d\n",
            "a: b # c\n  d\n",
            "a: b\n\n  c\n",
            "a: b\n  c # d\n",
            "kind: A\n  b\n",
        ] {
            assert!(plain::head(text).is_none(), "{text}");
        }
    }

    #[test]
    fn documents_of_real_charts_read_alike() {
        let Some(dir) = testkit::corpus::data_dir("helm") else {
            return;
        };
        let (mut all, mut plain) = (0, 0);
        for folder in std::fs::read_dir(dir.join("real/golden")).unwrap() {
            for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                if path.extension().is_none_or(|extension| extension != "gz") {
                    continue;
                }
                let mut text = String::new();
                let bytes = std::fs::read(&path).unwrap();
                let mut reader = flate2::read::GzDecoder::new(&bytes[..]);
                reader.read_to_string(&mut text).unwrap();
                for document in crate::manifest::split(&text, Version::V4) {
                    all += 1;
                    plain += usize::from(agrees(&document));
                }
            }
        }
        assert!(plain * 10 > all * 8, "{plain} of {all} documents are plain");
    }

    fn line() -> impl Strategy<Value = String> {
        let word = prop::sample::select(vec![
            "kind",
            "apiVersion",
            "metadata",
            "name",
            "annotations",
            "Kind",
            "a",
            "helm.sh/hook",
            "\"q\"",
            "'s'",
            "true",
            "1",
            "a b",
            "x.y/z",
            "<<",
            "null",
        ]);
        let value = prop::sample::select(vec![
            "",
            "",
            "",
            "a",
            "1",
            "yes",
            "|",
            ">-",
            "|+",
            "[]",
            "{}",
            "[a, b]",
            "[a",
            "{a: b}",
            "\"a\"",
            "\"a\\n\"",
            "'it''s'",
            "'a'b",
            "a: b",
            "a #b",
            "# c",
            "a#b",
            "http://x",
            "- a",
            "--x",
            "-1",
            "&a x",
            "*a",
            "!t x",
            "~",
            ".inf",
            ".spec.a",
            ".NaN",
            ":80",
            ":a b",
            "2001-01-01",
            "a,b",
            "@",
            "%",
            "é",
            "tab\there",
            "a:",
            "\"open",
            "'open",
            "close\"",
            "close'",
            "close\" # c",
            "it''s",
            "null",
        ]);
        (0..5_usize, 0..4_u8, word, value).prop_map(|(indent, form, word, value)| {
            let indent = "  ".repeat(indent);
            match form {
                0 => format!("{indent}- {word}: {value}"),
                1 => format!("{indent}- {value}"),
                2 => format!("{indent} {word} {value}"),
                _ => format!("{indent}{word}: {value}"),
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn lines_at_random_read_alike(lines in prop::collection::vec(line(), 1..8), end in any::<bool>()) {
            let text = lines.join("\n") + if end { "\n" } else { "" };
            agrees(&text);
        }

        #[test]
        fn growing_documents_read_alike(steps in prop::collection::vec((0..4_usize, line()), 1..12)) {
            // Keeps what is plain so far: documents get deep that pure chance would not make.
            let mut text = "kind: A\n".to_owned();
            for (extra, line) in steps {
                let longer = format!("{text}{}{line}\n", "  ".repeat(extra));
                if agrees(&longer) {
                    text = longer;
                }
            }
        }
    }
}
