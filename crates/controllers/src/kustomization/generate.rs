//! The `kustomization.yaml` that a Kustomization is built from: the one in the repository, or a generated one,
//! with what `spec` adds merged in.
//!
//! Follows fluxcd/pkg `kustomize` generator: an existing file is decoded leniently and rewritten under its own name;
//! a missing one lists every manifest below the path.

use std::sync::Arc;

use api::{Image, KustomizationSpec};
use filetree::{EntryKind, FileTree, LayeredTree, TreeError, join};
use kustomize::{FIELD_NAMES, FILE_NAMES};
use objects::{Map, Value, json};

use crate::artifact::confine;

/// Deepest directory that is searched for manifests.
const DEPTH_MAX: usize = 64;

/// Beginnings of component paths that lead out of the artifact.
const REMOTE_PREFIXES: &[&str] = &[
    "git::",
    "gh:",
    "ssh://",
    "https://",
    "http://",
    "git@",
    "github.com:",
    "github.com/",
    "file://",
];

/// Why no kustomization could be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenerateError {
    /// `spec.path` does not exist; reported with reason `ArtifactFailed`.
    #[error("kustomization path not found: stat {path}: no such file or directory")]
    PathNotFound {
        /// The path, relative to the artifact.
        path: String,
    },
    /// `spec.path` leads out of the artifact or is a file.
    #[error("kustomization path invalid: {reason}")]
    Path {
        /// What is wrong.
        reason: String,
    },
    /// A file could not be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The kustomization file is no YAML map.
    #[error("{reason}{excerpt}")]
    Kustomization {
        /// The file.
        file: String,
        /// Reader's words.
        reason: String,
        /// The place and its line with a marker; empty where it is unknown.
        excerpt: String,
    },
    /// A manifest that was found is none.
    #[error("failed to decode Kubernetes YAML from {file}: {reason}{excerpt}")]
    Manifest {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
        /// The place and its line with a marker; empty where it is unknown.
        excerpt: String,
    },
    /// A component leads out of the artifact.
    #[error("component path '{path}' must be local and relative")]
    Component {
        /// The path.
        path: String,
    },
}

/// Files to build from, and where.
pub struct Generated {
    /// The artifact with the kustomization file put over it.
    pub tree: LayeredTree,
    /// Directory to build, cleaned.
    pub directory: String,
}

/// Makes the tree that a Kustomization is built from.
///
/// # Errors
/// The path or a component is none, a file cannot be read, or a manifest is no YAML; the error shows the line.
pub fn generate(
    tree: Arc<dyn FileTree>,
    spec: &KustomizationSpec,
) -> Result<Generated, GenerateError> {
    let directory = build_directory(tree.as_ref(), &spec.path)?;
    let existing = FILE_NAMES
        .iter()
        .map(|name| join(&directory, name).unwrap_or_default())
        .find(|path| tree.kind(path) == Ok(EntryKind::File));
    let (file, mut kustomization) = match existing {
        Some(file) => {
            let content = tree.read(&file)?;
            let kustomization = decode(&file, &content)?;
            (file, kustomization)
        }
        None => {
            let file = join(&directory, FILE_NAMES[0]).unwrap_or_default();
            (file, list_manifests(tree.as_ref(), &directory)?)
        }
    };
    merge(&mut kustomization, spec, tree.as_ref(), &directory)?;
    let text = Value::Object(kustomization).to_string();
    let mut layered = LayeredTree::new(tree);
    layered.upper.insert(&file, text.into_bytes())?;
    Ok(Generated {
        tree: layered,
        directory,
    })
}

/// Joins `spec.path` inside the artifact; `..` stops at its root, as upstream's secure join does.
fn build_directory(tree: &dyn FileTree, path: &str) -> Result<String, GenerateError> {
    let directory = confine(path);
    match tree.kind(&directory) {
        Ok(EntryKind::Directory) => Ok(directory),
        Ok(EntryKind::File) => Err(GenerateError::Path {
            reason: format!("{directory} is not a directory"),
        }),
        Err(TreeError::NotFound { .. }) => Err(GenerateError::PathNotFound { path: directory }),
        Err(error) => Err(GenerateError::Path {
            reason: error.to_string(),
        }),
    }
}

/// Reads the existing file: known fields only, whatever their case.
fn decode(file: &str, content: &[u8]) -> Result<Map, GenerateError> {
    let failed = |reason: String, excerpt: String| GenerateError::Kustomization {
        file: file.to_owned(),
        reason,
        excerpt,
    };
    let value = kyaml::yaml_to_json(content).map_err(|error| {
        let excerpt = match &error {
            kyaml::SigsError::Read(read) => shown_place(file, read.mark, content),
            _ => String::new(),
        };
        failed(error.to_string(), excerpt)
    })?;
    let fields = match value {
        Value::Object(fields) => fields,
        Value::Null => Map::new(),
        other => {
            let kind = kyaml::json_kind(&other);
            let reason = format!(
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {kind} into Go value of type types.Kustomization"
            );
            return Err(failed(reason, format!("\n  at {file}")));
        }
    };
    // Other fields are dropped when the file is rewritten, as upstream does.
    let known = |key: &str| {
        FIELD_NAMES
            .iter()
            .find(|known| known.eq_ignore_ascii_case(key))
    };
    let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
    Ok(fields
        .filter_map(|(key, value)| Some(((*known(&key)?).to_owned(), value)))
        .collect())
}

/// Renders a place in a file as `file:line:column` and the line with a marker, on lines of their own; empty where it is
/// unknown.
pub(super) fn shown_place(file: &str, mark: kyaml::Mark, content: &[u8]) -> String {
    if mark.line == 0 {
        return String::new();
    }
    let column = match mark.column {
        0 => String::new(),
        column => format!(":{column}"),
    };
    let excerpt: String = mark
        .excerpt(&String::from_utf8_lossy(content))
        .lines()
        // Without a column there is nothing to mark.
        .take(if mark.column == 0 { 1 } else { 2 })
        .map(|line| format!("\n  {line}"))
        .collect();
    format!("\n  at {file}:{}{column}{excerpt}", mark.line)
}

/// Generates a kustomization that lists every manifest below a directory.
fn list_manifests(tree: &dyn FileTree, directory: &str) -> Result<Map, GenerateError> {
    let mut resources = Vec::new();
    collect(tree, directory, ".", 0, &mut resources)?;
    let mut kustomization = Map::new();
    kustomization.insert(
        "apiVersion".into(),
        "kustomize.config.k8s.io/v1beta1".into(),
    );
    kustomization.insert("kind".into(), "Kustomization".into());
    if resources.is_empty() {
        // A valid build of nothing: everything applied before is pruned.
        kustomization.insert("namespace".into(), "_placeholder".into());
    } else {
        kustomization.insert("resources".into(), resources.into());
    }
    Ok(kustomization)
}

fn collect(
    tree: &dyn FileTree,
    directory: &str,
    shown: &str,
    depth: usize,
    resources: &mut Vec<String>,
) -> Result<(), GenerateError> {
    if depth > DEPTH_MAX {
        let reason = format!("{shown}: directories are nested more than {DEPTH_MAX} deep");
        return Err(GenerateError::Path { reason });
    }
    for entry in tree.list(directory)? {
        let path = join(directory, &entry.name).unwrap_or_default();
        let shown = format!("{shown}/{}", entry.name);
        if entry.kind == EntryKind::Directory {
            let is_kustomization = FILE_NAMES.iter().any(|name| {
                join(&path, name).is_some_and(|file| tree.kind(&file) == Ok(EntryKind::File))
            });
            if is_kustomization {
                resources.push(shown);
            } else {
                collect(tree, &path, &shown, depth + 1, resources)?;
            }
        } else if entry.name.ends_with(".yaml") || entry.name.ends_with(".yml") {
            check_manifest(&path, &tree.read(&path)?)?;
            resources.push(shown);
        }
    }
    Ok(())
}

/// Checks that every document of a collected file is a Kubernetes object.
fn check_manifest(file: &str, content: &[u8]) -> Result<(), GenerateError> {
    kustomize::check_resources(content).map_err(|error| GenerateError::Manifest {
        file: file.to_owned(),
        reason: error.to_string(),
        excerpt: shown_place(file, error.mark().unwrap_or_default(), content),
    })
}

/// Merges `spec` into the file, in upstream's order.
fn merge(
    file: &mut Map,
    spec: &KustomizationSpec,
    tree: &dyn FileTree,
    directory: &str,
) -> Result<(), GenerateError> {
    let has_resources = file
        .get("resources")
        .and_then(Value::as_array)
        .is_some_and(|r| !r.is_empty());
    if !has_resources && file.get("namespace") != Some(&json!("_placeholder")) {
        // Keeps kustomize from calling the file empty.
        file.insert("buildMetadata".into(), json!(["originAnnotations"]));
    }
    let texts = [
        ("namespace", &spec.target_namespace),
        ("namePrefix", &spec.name_prefix),
        ("nameSuffix", &spec.name_suffix),
    ];
    for (field, text) in texts {
        if !text.is_empty() {
            file.insert(field.into(), text.clone().into());
        }
    }
    append(
        file,
        "patches",
        spec.patches.iter().map(|patch| json!(patch)),
    );
    let components = components(spec, tree, directory)?;
    append(
        file,
        "components",
        components.into_iter().map(Value::String),
    );
    let strategic = spec
        .patches_strategic_merge
        .iter()
        .map(|patch| patch.to_string().into());
    append(file, "patchesStrategicMerge", strategic);
    append(
        file,
        "patchesJson6902",
        spec.patches_json6902.iter().map(json_patch),
    );
    merge_images(file, &spec.images);
    if !spec.build_metadata.is_empty() {
        file.insert("buildMetadata".into(), json!(spec.build_metadata));
    }
    Ok(())
}

fn append(file: &mut Map, field: &str, items: impl Iterator<Item = Value>) {
    let items: Vec<Value> = items.collect();
    if items.is_empty() {
        return;
    }
    // Of a field that is no list the build will say what is wrong.
    if let Value::Array(list) = file.entry(field).or_insert_with(|| json!([])) {
        list.extend(items);
    }
}

/// `{patch: [operations], target}` of v1beta2 with the operations as text, as the file has it.
fn json_patch(patch: &Value) -> Value {
    let mut patch = patch.clone();
    if let Some(operations) = patch.get_mut("patch").filter(|p| p.is_array()) {
        *operations = operations.to_string().into();
    }
    patch
}

fn components(
    spec: &KustomizationSpec,
    tree: &dyn FileTree,
    directory: &str,
) -> Result<Vec<String>, GenerateError> {
    let mut present = Vec::new();
    for path in &spec.components {
        let lower = path.to_lowercase();
        if path.starts_with('/')
            || REMOTE_PREFIXES
                .iter()
                .any(|prefix| lower.starts_with(prefix))
        {
            return Err(GenerateError::Component { path: path.clone() });
        }
        let exists = join(directory, path).is_some_and(|path| tree.kind(&path).is_ok());
        if exists || !spec.ignore_missing_components {
            present.push(path.clone());
        }
    }
    Ok(present)
}

/// Images of the same name: a new name overrides alone, tag and digest as a unit.
fn merge_images(file: &mut Map, images: &[Image]) {
    if images.is_empty() {
        return;
    }
    let Value::Array(list) = file.entry("images").or_insert_with(|| json!([])) else {
        return;
    };
    for image in images {
        let known = list
            .iter_mut()
            .filter_map(Value::as_object_mut)
            .find(|known| known.get("name").and_then(Value::as_str) == Some(&image.name));
        let Some(known) = known else {
            list.push(json!(image));
            continue;
        };
        if !image.new_name.is_empty() {
            known.insert("newName".into(), image.new_name.clone().into());
        }
        if !image.new_tag.is_empty() || !image.digest.is_empty() {
            known.insert("newTag".into(), image.new_tag.clone().into());
            known.insert("digest".into(), image.digest.clone().into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use filetree::MemoryTree;

    fn tree(files: &[(&str, &str)]) -> Arc<dyn FileTree> {
        let mut tree = MemoryTree::new();
        for (path, text) in files {
            tree.insert(path, text.as_bytes().to_vec()).unwrap();
        }
        Arc::new(tree)
    }

    fn file(files: &[(&str, &str)], spec: Value) -> Result<Value, String> {
        let spec: KustomizationSpec = serde_json::from_value(spec).unwrap();
        let generated = generate(tree(files), &spec).map_err(|error| error.to_string())?;
        let path = join(&generated.directory, "kustomization.yaml").unwrap();
        Ok(serde_json::from_slice(&generated.tree.read(&path).unwrap()).unwrap())
    }

    const OBJECT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";

    #[test]
    fn a_missing_file_lists_manifests_and_nested_kustomizations() {
        let files = [
            ("app/b.yml", OBJECT),
            ("app/a.yaml", OBJECT),
            ("app/notes.md", "no manifest"),
            ("app/sub/c.yaml", OBJECT),
            ("app/nested/kustomization.yaml", "resources: [x.yaml]"),
            ("app/nested/x.yaml", OBJECT),
        ];
        let file = file(&files, json!({"path": "./app"})).unwrap();
        let expected = json!(["./a.yaml", "./b.yml", "./nested", "./sub/c.yaml"]);
        assert_eq!(file["resources"], expected);
    }

    #[test]
    fn an_empty_directory_is_a_build_of_nothing() {
        let files = [("app/readme.md", "")];
        assert_eq!(
            file(&files, json!({"path": "app"})).unwrap()["namespace"],
            "_placeholder"
        );
    }

    #[test]
    fn a_broken_manifest_is_named_with_its_line() {
        let error = file(&[("a.yaml", "kind: X\nmetadata: [")], json!({})).unwrap_err();
        assert!(
            error.starts_with(
                "failed to decode Kubernetes YAML from a.yaml: MalformedYAMLError: yaml: line"
            ),
            "{error}"
        );
        let error = file(&[("a.yaml", "\nkind: X\n")], json!({})).unwrap_err();
        assert!(
            error.ends_with("missing metadata.name in object {{ X} {{ } map[] map[]}}\n  at a.yaml:2:1\n  2 | kind: X\n    | ^"),
            "{error}"
        );
    }

    #[test]
    fn spec_is_merged_into_the_existing_file() {
        let existing = "RESOURCES: [a.yaml]\nunknown: 1\nnamePrefix: old-\n\
            images: [{name: x, newTag: '1'}, {name: v, digest: 'sha256:a'}]\n";
        let spec = json!({
            "targetNamespace": "apps",
            "namePrefix": "new-",
            "patches": [{"patch": "p", "target": {"kind": "Deployment"}}],
            "patchesJson6902": [{"patch": [{"op": "remove", "path": "/a"}], "target": {"kind": "X"}}],
            "images": [{"name": "x", "newName": "z"}, {"name": "v", "newTag": "2"}, {"name": "n", "newTag": "3"}],
        });
        let file = file(&[("kustomization.yaml", existing)], spec).unwrap();
        assert_eq!(
            file,
            json!({
                "resources": ["a.yaml"],
                "namespace": "apps",
                "namePrefix": "new-",
                "patches": [{"patch": "p", "target": {"kind": "Deployment"}}],
                "patchesJson6902": [{"patch": "[{\"op\":\"remove\",\"path\":\"/a\"}]", "target": {"kind": "X"}}],
                "images": [
                    {"name": "x", "newName": "z", "newTag": "1"},
                    {"name": "v", "newTag": "2", "digest": ""},
                    {"name": "n", "newTag": "3"},
                ],
            })
        );
    }

    #[test]
    fn components_stay_inside() {
        for path in ["https://x/y", "/abs", "GitHub.com/a/b"] {
            let error = file(&[("kustomization.yaml", "")], json!({"components": [path]}));
            assert_eq!(
                error.unwrap_err(),
                format!("component path '{path}' must be local and relative")
            );
        }
        let spec = json!({"components": ["../gone"], "ignoreMissingComponents": true, "path": "a"});
        let file = file(&[("a/kustomization.yaml", "resources: [x]")], spec).unwrap();
        assert_eq!(file.get("components"), None);
    }

    #[test]
    fn a_path_that_is_not_there_is_named() {
        let error = file(&[("a/x.yaml", OBJECT)], json!({"path": "./b"})).unwrap_err();
        assert_eq!(
            error,
            "kustomization path not found: stat b: no such file or directory"
        );
    }
}
