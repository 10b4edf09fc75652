//! Rendered texts read as objects, the way the decoder of Kubernetes' API machinery reads a stream.

use serde_json::Value;

use crate::Version;
use crate::documents::documents;

/// What the rules look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: String,
}

/// The objects of a stream in order, `None` for documents without content; an error ends it.
pub(super) fn read(text: &[u8], version: Version) -> Vec<Result<Option<Head>, String>> {
    if text.trim_ascii_start().starts_with(b"{")
        && let Some(heads) = read_json(text, version)
    {
        return heads;
    }
    let mut heads = Vec::new();
    for document in documents(text) {
        let head = document.and_then(|document| {
            let value = kyaml::yaml_to_json(&document).map_err(|error| error.to_string())?;
            head(&value, version)
                .map_err(|error| format!("error unmarshaling JSON: while decoding JSON: {error}"))
        });
        let failed = head.is_err();
        heads.push(head);
        if failed {
            break;
        }
    }
    heads
}

/// A stream of JSON values; `None` where it is YAML after all.
fn read_json(text: &[u8], version: Version) -> Option<Vec<Result<Option<Head>, String>>> {
    let stream = serde_json::Deserializer::from_slice(text).into_iter::<Value>();
    let values: Vec<Value> = stream.collect::<Result<_, _>>().ok()?;
    values
        .iter()
        .map(|value| head(value, version).ok().map(Ok))
        .collect()
}

fn head(value: &Value, version: Version) -> Result<Option<Head>, String> {
    let root = match version {
        Version::V3 => "K8sYamlStruct",
        Version::V4 => "k8sYamlStruct",
    };
    let map = match value {
        Value::Null => return Ok(None),
        Value::Object(map) => map,
        other => {
            let found = kyaml::json_kind(other);
            return Err(format!(
                "json: cannot unmarshal {found} into Go value of type rules.{root}"
            ));
        }
    };
    let mut reader = Reader::default();
    let mut head = Head::default();
    for (key, value) in map {
        match key.to_ascii_lowercase().as_str() {
            "apiversion" => reader.text(value, root, "apiVersion", &mut head.api_version),
            "kind" => reader.text(value, root, "Kind", &mut head.kind),
            "metadata" => reader.metadata(value, root, &mut head),
            _ => {}
        }
    }
    reader.error.map_or(Ok(Some(head)), Err)
}

/// Keeps the first mismatch, as Go's decoder does.
#[derive(Default)]
struct Reader {
    error: Option<String>,
}

impl Reader {
    fn mismatch(&mut self, value: &Value, place: &str, wanted: &str) {
        let found = kyaml::json_kind(value);
        self.error.get_or_insert_with(|| {
            format!("json: cannot unmarshal {found} into Go struct field {place} of type {wanted}")
        });
    }

    fn text(&mut self, value: &Value, root: &str, field: &str, into: &mut String) {
        match value {
            Value::Null => {}
            Value::String(text) => text.clone_into(into),
            Value::Bool(flag) => *into = flag.to_string(),
            Value::Number(number) => *into = crate::metadata::number_text(number),
            other => self.mismatch(other, &format!("{root}.{field}"), "string"),
        }
    }

    fn metadata(&mut self, value: &Value, root: &str, head: &mut Head) {
        let inner = "k8sYamlMetadata";
        let Value::Object(map) = value else {
            if !value.is_null() {
                let wanted = format!("rules.{inner}");
                self.mismatch(value, &format!("{root}.Metadata"), &wanted);
            }
            return;
        };
        let mut ignored = String::new();
        for (key, value) in map {
            match key.to_ascii_lowercase().as_str() {
                "namespace" => self.text(value, inner, "Metadata.Namespace", &mut ignored),
                "name" => self.text(value, inner, "Metadata.Name", &mut head.name),
                _ => {}
            }
        }
    }
}

/// Whether some item of a `List` carries the annotation that keeps objects.
pub(super) fn keeps_items(text: &[u8]) -> Result<bool, String> {
    const PREFIX: &str = "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal";
    let value = kyaml::yaml_to_json(text).map_err(|error| error.to_string())?;
    let items = match value.get("items") {
        Some(Value::Array(items)) => items,
        None | Some(Value::Null) => return Ok(false),
        Some(other) => {
            let found = kyaml::json_kind(other);
            return Err(format!(
                "{PREFIX} {found} into Go struct field .Items of type []struct {{ Metadata struct {{ Annotations map[string]string }} }}"
            ));
        }
    };
    Ok(items.iter().any(|item| {
        item.pointer("/metadata/annotations/helm.sh~1resource-policy")
            .is_some()
    }))
}
