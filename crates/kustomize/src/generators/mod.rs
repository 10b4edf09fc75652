//! The generators: ConfigMaps and Secrets from literals and files, and IAM policies.

mod pairs;

use std::collections::BTreeMap;

use kyaml::{Node, Style, Tag};

use crate::error::{BuildError, Result, fail};
use crate::kustomization::{GeneratorArgs, GeneratorOptions};
use crate::loader::Loader;
use crate::node::set::{field_or_make, set_field, set_string};
use crate::node::{Kind, text, value_text};
use crate::resource::{Behavior, Resource};

/// What is generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generated {
    ConfigMap,
    Secret,
}

/// Base64 of at least this many characters is cut into lines of as many.
const LINE: usize = 70;

/// Lets the options of one generator win over those of all.
pub(crate) fn merged_options(
    local: Option<&GeneratorOptions>,
    global: Option<&GeneratorOptions>,
) -> Option<GeneratorOptions> {
    let Some(global) = global else {
        return local.cloned();
    };
    let mut merged = local.cloned().unwrap_or_default();
    for (mine, all) in [
        (&mut merged.labels, &global.labels),
        (&mut merged.annotations, &global.annotations),
    ] {
        for (key, value) in all {
            mine.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    merged.disable_name_suffix_hash |= global.disable_name_suffix_hash;
    merged.immutable |= global.immutable;
    Some(merged)
}

/// Makes a ConfigMap or Secret.
pub(crate) fn make(
    kind: Generated,
    args: &GeneratorArgs,
    options: Option<&GeneratorOptions>,
    loader: &Loader,
) -> Result<Resource> {
    let meta = args.metadata.clone().unwrap_or_default();
    let or = |own: &str, meta: &str| {
        if own.is_empty() {
            meta.to_owned()
        } else {
            own.to_owned()
        }
    };
    let (name, namespace) = (
        or(&args.name, &meta.name),
        or(&args.namespace, &meta.namespace),
    );
    let mut node = base(kind, &name, &namespace)?;
    if kind == Generated::Secret {
        let secret_type = or(&args.secret_type, "Opaque");
        set_string(&mut node, "type", &secret_type)?;
        node.set("data", Node::mapping());
    }
    for (key, value) in pairs::load(args, &name, loader)? {
        add_data(kind, &mut node, &key, &value)?;
    }
    if let Some(options) = options {
        set_metadata(&mut node, "labels", &options.labels)?;
        set_metadata(&mut node, "annotations", &options.annotations)?;
        if options.immutable {
            let mut flag = Node::plain("true");
            flag.tag = Tag::Bool;
            set_field(&mut node, "immutable", flag)?;
        }
    }
    let mut resource = Resource::new(node);
    resource.notes.needs_hash = !options.is_some_and(|o| o.disable_name_suffix_hash);
    resource.notes.behavior = Behavior::parse(&args.behavior);
    Ok(resource)
}

fn base(kind: Generated, name: &str, namespace: &str) -> Result<Node> {
    let kind = match kind {
        Generated::ConfigMap => "ConfigMap",
        Generated::Secret => "Secret",
    };
    if name.is_empty() {
        fail!("a configmap must have a name");
    }
    let mut metadata = Node::mapping();
    set_string(&mut metadata, "name", name)?;
    if !namespace.is_empty() {
        set_string(&mut metadata, "namespace", namespace)?;
    }
    let mut node = Node::mapping();
    set_string(&mut node, "apiVersion", "v1")?;
    set_string(&mut node, "kind", kind)?;
    node.set("metadata", metadata);
    Ok(node)
}

fn set_metadata(node: &mut Node, name: &str, entries: &BTreeMap<String, String>) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let Some(metadata) = field_or_make(node, "metadata", Kind::Mapping)? else {
        return Ok(());
    };
    if let Some(map) = field_or_make(metadata, name, Kind::Mapping)? {
        for (key, value) in entries {
            set_field(map, key, quoted(value))?;
        }
    }
    Ok(())
}

fn quoted(value: &str) -> Node {
    let mut node = Node::string(value);
    node.style = Style::SingleQuoted;
    node
}

fn add_data(kind: Generated, node: &mut Node, key: &str, value: &[u8]) -> Result<()> {
    match std::str::from_utf8(value) {
        Ok(text) if kind == Generated::ConfigMap => set_data(node, "data", key, text),
        _ => {
            let field = if kind == Generated::ConfigMap {
                "binaryData"
            } else {
                "data"
            };
            set_data(node, field, key, &base64_lines(value))
        }
    }
}

/// Sets an entry of a data map.
pub(crate) fn set_data(node: &mut Node, field: &str, key: &str, value: &str) -> Result<()> {
    match field_or_make(node, field, Kind::Mapping)? {
        Some(map) => set_string(map, key, value),
        None => Ok(()),
    }
}

/// Returns the entries of a data map as texts, sorted.
pub(crate) fn data_map(node: &Node, field: &str) -> BTreeMap<String, String> {
    let entries = node.get(field).and_then(Node::entries).unwrap_or_default();
    let texts = entries.iter().map(|(k, v)| {
        let value = value_text(Some(v)).to_owned();
        (text(k).to_owned(), value)
    });
    texts.collect()
}

/// Encodes; longer results are cut into lines, each with a line break.
fn base64_lines(value: &[u8]) -> String {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(value);
    if encoded.len() < LINE {
        return encoded;
    }
    let mut lines = String::with_capacity(encoded.len() + encoded.len() / LINE + 1);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, behind) = rest.split_at(LINE.min(rest.len()));
        lines.push_str(line);
        lines.push('\n');
        rest = behind;
    }
    lines
}

/// Makes the service account of an IAMPolicyGenerator; the outer error is one of its configuration.
pub(crate) fn iam_policy(config: serde_json::Value) -> Result<Result<Vec<Resource>>> {
    use crate::decode::{decode_lenient, json_struct};
    json_struct! {
        struct Account: "ServiceAccount" {
            name: String = "name",
            namespace: String = "namespace",
            project: String = "projectId",
        }
    }
    json_struct! {
        struct Config: "IAMPolicyGeneratorArgs" {
            cloud: String = "cloud",
            kubernetes: Account = "kubernetesService",
            service_account: Account = "serviceAccount",
        }
    }
    let config: Config = decode_lenient(config)?;
    if config.cloud != "gke" {
        let message = format!("cloud provider {} not supported yet", config.cloud);
        return Ok(Err(BuildError::new(message)));
    }
    let (account, project) = (
        &config.service_account.name,
        &config.service_account.project,
    );
    let mut annotations = BTreeMap::new();
    annotations.insert(
        "iam.gke.io/gcp-service-account".to_owned(),
        format!("{account}@{project}.iam.gserviceaccount.com"),
    );
    let mut metadata = Node::mapping();
    metadata.set("name", Node::plain(config.kubernetes.name.as_str()));
    if !config.kubernetes.namespace.is_empty() {
        let namespace = config.kubernetes.namespace.as_str();
        metadata.set("namespace", Node::plain(namespace));
    }
    let mut node = Node::mapping();
    node.set("apiVersion", Node::string("v1"));
    node.set("kind", Node::string("ServiceAccount"));
    node.set("metadata", metadata);
    set_metadata(&mut node, "annotations", &annotations)?;
    Ok(Ok(vec![Resource::new(node)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_base64_is_cut_into_lines() {
        assert_eq!(base64_lines(b"abc"), "YWJj");
        let lines = base64_lines(&[0; 60]);
        assert_eq!(lines.len(), 82);
        assert_eq!(lines.find('\n'), Some(70));
        assert!(lines.ends_with('\n'));
    }
}
