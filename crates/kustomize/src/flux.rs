//! What the Kustomization controller does to a directory before it builds it: a missing kustomization file
//! is made from what lies there, and the fields of the Flux object's `spec` are merged into the file.
//!
//! Nothing is written: the result is a layer over the tree.

use std::sync::Arc;

use filetree::{Entry, EntryKind, FileTree, LayeredTree};
use serde_json::Value;

use crate::decode::{Encode as _, decode_lenient};
use crate::error::{BuildError, Fault, Result};
use crate::kustomization::{FILE_NAMES, Image, Kustomization, Patch};

/// Namespace of a generated file that found nothing to build; keeps it from being empty.
const PLACEHOLDER: &str = "_placeholder";
/// Directories below one another, at most.
const DEPTH_MAX: usize = 256;

/// A directory made ready for a build.
pub struct Prepared {
    /// The tree with the kustomization file in its final form.
    pub tree: LayeredTree,
    /// Path of that file from the root of the tree.
    pub file: String,
    /// Its content.
    pub content: String,
    /// Whether there was no such file before.
    pub generated: bool,
}

/// Prepares a directory for the `spec` of a Flux Kustomization.
///
/// Of the spec, `targetNamespace`, `namePrefix`, `nameSuffix`, `patches`, `components`,
/// `ignoreMissingComponents`, `patchesStrategicMerge`, `patchesJson6902`, `images` and `buildMetadata` are
/// read; everything else is ignored.
///
/// # Errors
/// Files that are no Kubernetes objects where a file is generated, an existing file that cannot be read,
/// components that are not local.
pub fn generate(tree: Arc<dyn FileTree>, dir: &str, spec: &Value) -> Result<Prepared> {
    let dir = filetree::clean(dir).ok_or_else(|| {
        BuildError::with(
            Fault::Outside,
            format!("path '{dir}' leads outside of the root"),
        )
    })?;
    let existing = FILE_NAMES.iter().find_map(|name| {
        let path = filetree::join(&dir, name)?;
        let content = tree.read(&path).ok()?;
        Some((path, content))
    });
    let generated = existing.is_none();
    let (file, mut kustomization) = match existing {
        Some((path, content)) => {
            let read = read_leniently(&content).map_err(|error| error.at(&path, None))?;
            (path, read)
        }
        None => {
            let file = filetree::join(&dir, FILE_NAMES[0]).unwrap_or_default();
            (file, generated_file(tree.as_ref(), &dir)?)
        }
    };
    merge_spec(&mut kustomization, spec, tree.as_ref(), &dir, generated)?;
    let value = kustomization.encode().unwrap_or(Value::Null);
    let content = kyaml::emit_sigs(&value).map_err(|e| BuildError::new(e.to_string()))?;
    let mut layered = LayeredTree::new(tree);
    let insert = layered.upper.insert(&file, content.as_bytes());
    insert.map_err(|error| BuildError::new(error.to_string()))?;
    Ok(Prepared {
        tree: layered,
        file,
        content,
        generated,
    })
}

fn empty_file() -> Kustomization {
    Kustomization {
        api_version: "kustomize.config.k8s.io/v1beta1".to_owned(),
        kind: "Kustomization".to_owned(),
        ..Kustomization::default()
    }
}

/// Reads an existing file; unknown fields are dropped.
fn read_leniently(content: &[u8]) -> Result<Kustomization> {
    let mut read: Kustomization = decode_lenient(crate::reading::yaml_to_json(content)?)?;
    let empty = empty_file();
    if read.api_version.is_empty() {
        read.api_version = empty.api_version;
    }
    if read.kind.is_empty() {
        read.kind = empty.kind;
    }
    Ok(read)
}

fn generated_file(tree: &dyn FileTree, dir: &str) -> Result<Kustomization> {
    let mut file = empty_file();
    let mut found = Vec::new();
    walk(tree, dir, 0, &mut found)?;
    let below = |path: &String| {
        let rest = path
            .strip_prefix(dir)
            .unwrap_or(path)
            .trim_start_matches('/');
        format!("./{rest}")
    };
    file.resources = found.iter().map(below).collect();
    if file.resources.is_empty() {
        file.namespace = PLACEHOLDER.to_owned();
    }
    Ok(file)
}

/// Collects manifests, and directories that have a kustomization file of their own.
fn walk(tree: &dyn FileTree, dir: &str, depth: usize, found: &mut Vec<String>) -> Result<()> {
    if depth > DEPTH_MAX {
        let message = format!("directories are nested more than {DEPTH_MAX} deep");
        return Err(BuildError::with(Fault::Cycle, message));
    }
    let listed = tree.list(dir);
    let entries = listed.map_err(|e| BuildError::with(Fault::Missing, e.to_string()))?;
    for Entry { name, kind } in entries {
        let Some(path) = filetree::join(dir, &name) else {
            continue;
        };
        match kind {
            EntryKind::Directory if has_file(tree, &path) => found.push(path),
            EntryKind::Directory => walk(tree, &path, depth + 1, found)?,
            EntryKind::File if name.ends_with(".yaml") || name.ends_with(".yml") => {
                check(tree, &path)?;
                found.push(path);
            }
            EntryKind::File => {}
        }
    }
    Ok(())
}

fn has_file(tree: &dyn FileTree, dir: &str) -> bool {
    FILE_NAMES.iter().any(|name| {
        let path = filetree::join(dir, name);
        path.is_some_and(|path| tree.kind(&path) == Ok(EntryKind::File))
    })
}

fn check(tree: &dyn FileTree, path: &str) -> Result<()> {
    let read = tree.read(path);
    let content = read.map_err(|e| BuildError::with(Fault::Missing, e.to_string()))?;
    let resources = crate::reading::read_resources(&content);
    resources.map(|_| ()).map_err(|error| {
        error
            .at(path, None)
            .wrap(format!("failed to decode Kubernetes YAML from {path}"))
    })
}

fn merge_spec(
    file: &mut Kustomization,
    spec: &Value,
    tree: &dyn FileTree,
    dir: &str,
    generated: bool,
) -> Result<()> {
    if !generated && file.resources.is_empty() {
        // Keeps kustomize from calling the file empty.
        file.build_metadata = vec!["originAnnotations".to_owned()];
    }
    let text = |name: &str| spec.get(name).and_then(Value::as_str).unwrap_or("");
    for (field, name) in [
        (&mut file.namespace, "targetNamespace"),
        (&mut file.name_prefix, "namePrefix"),
        (&mut file.name_suffix, "nameSuffix"),
    ] {
        if !text(name).is_empty() {
            text(name).clone_into(field);
        }
    }
    let list = |name: &str| spec.get(name).cloned().unwrap_or(Value::Null);
    let patches: Vec<Patch> = decode_lenient(list("patches"))?;
    file.patches.extend(patches);
    add_components(file, spec, tree, dir)?;
    for patch in list("patchesStrategicMerge")
        .as_array()
        .into_iter()
        .flatten()
    {
        file.patches_strategic_merge
            .push(crate::emission::go_json(patch));
    }
    for patch in list("patchesJson6902").as_array().into_iter().flatten() {
        let target = patch.get("target").cloned().unwrap_or(Value::Null);
        let operations = patch.get("patch").cloned().unwrap_or(Value::Null);
        file.patches_json6902.push(Patch {
            patch: crate::emission::go_json(&operations),
            target: decode_lenient(target)?,
            ..Patch::default()
        });
    }
    let images: Vec<Image> = decode_lenient(list("images"))?;
    images
        .into_iter()
        .for_each(|image| merge_image(file, image));
    let build_metadata: Vec<String> = decode_lenient(list("buildMetadata"))?;
    if !build_metadata.is_empty() {
        file.build_metadata = build_metadata;
    }
    Ok(())
}

/// A new name overrides alone; tag and digest are replaced as a unit.
fn merge_image(file: &mut Kustomization, image: Image) {
    let Some(known) = file
        .images
        .iter_mut()
        .find(|known| known.name == image.name)
    else {
        file.images.push(image);
        return;
    };
    if !image.new_name.is_empty() {
        known.new_name = image.new_name;
    }
    if !image.new_tag.is_empty() || !image.digest.is_empty() {
        known.new_tag = image.new_tag;
        known.digest = image.digest;
    }
}

fn add_components(
    file: &mut Kustomization,
    spec: &Value,
    tree: &dyn FileTree,
    dir: &str,
) -> Result<()> {
    let components: Vec<String> =
        decode_lenient(spec.get("components").cloned().unwrap_or(Value::Null))?;
    let skips_missing = spec.get("ignoreMissingComponents").and_then(Value::as_bool);
    for component in components {
        if !is_local(&component) {
            let message = format!("component path '{component}' must be local and relative");
            return Err(BuildError::with(Fault::Outside, message));
        }
        let there = filetree::join(dir, &component).is_some_and(|path| tree.kind(&path).is_ok());
        if there || skips_missing != Some(true) {
            file.components.push(component);
        }
    }
    Ok(())
}

fn is_local(path: &str) -> bool {
    const REMOTE: [&str; 9] = [
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
    let lower = path.to_ascii_lowercase();
    !path.starts_with('/') && !REMOTE.iter().any(|prefix| lower.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use filetree::MemoryTree;
    use serde_json::json;

    fn tree(files: &[(&str, &str)]) -> Arc<dyn FileTree> {
        let mut tree = MemoryTree::new();
        for (path, content) in files {
            tree.insert(path, content.as_bytes()).unwrap();
        }
        tree.insert_directory("empty").unwrap();
        Arc::new(tree)
    }

    const OBJECT: &str = "kind: A\nmetadata: {name: a}\n";

    #[test]
    fn a_missing_file_lists_what_lies_there() {
        let files = [
            ("app/b.yaml", OBJECT),
            ("app/a/x.yml", OBJECT),
            ("app/base/kustomization.yaml", "x"),
            ("app/base/not-an-object.yaml", "x: ["),
            ("app/readme.md", "x"),
        ];
        let prepared = generate(tree(&files), "app", &json!({"namePrefix": "p-"})).unwrap();
        assert!(prepared.generated);
        assert_eq!(
            prepared.content,
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamePrefix: p-\n\
             resources:\n- ./a/x.yml\n- ./b.yaml\n- ./base\n"
        );
        let nothing = generate(tree(&files), "empty", &json!({})).unwrap();
        assert!(nothing.content.contains("namespace: _placeholder"));
    }

    #[test]
    fn the_spec_is_merged_into_the_file() {
        let file = "# note\nresources: [a.yaml]\nunknown: 1\nimages:\n- {name: x, digest: d}\n";
        let files = [("kustomization.yml", file), ("a.yaml", OBJECT)];
        let spec = json!({
            "targetNamespace": "web",
            "images": [{"name": "x", "newTag": "2"}, {"name": "y", "newName": "z"}],
            "components": ["missing"], "ignoreMissingComponents": true,
            "patchesJson6902": [{"target": {"name": "a"}, "patch": [{"op": "remove", "path": "/x"}]}],
        });
        let prepared = generate(tree(&files), ".", &spec).unwrap();
        assert_eq!(prepared.file, "kustomization.yml");
        let read: Value = crate::reading::yaml_to_json(prepared.content.as_bytes()).unwrap();
        assert_eq!(
            read["images"],
            json!([{"name": "x", "newTag": "2"}, {"name": "y", "newName": "z"}])
        );
        assert_eq!(read["namespace"], "web");
        assert!(read.get("components").is_none() && read.get("unknown").is_none());
        assert_eq!(
            read["patchesJson6902"][0]["patch"],
            "[{\"op\":\"remove\",\"path\":\"/x\"}]"
        );
    }

    #[test]
    fn remote_components_are_refused() {
        let error = generate(
            tree(&[]),
            "empty",
            &json!({"components": ["GIT::https://x"]}),
        );
        let error = error.err().unwrap();
        assert_eq!(
            error.message(),
            "component path 'GIT::https://x' must be local and relative"
        );
    }
}
