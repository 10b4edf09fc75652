//! Changes to rendered manifests: kustomize patches and images, common metadata, origin labels.
//!
//! As Helm 4 does, documents are annotated with the file they came from, sent through as one stream (or hooks and
//! manifests apart), and split back by that annotation. Everything is printed anew, with sorted keys.

use std::collections::BTreeMap;

use api::KustomizeRenderer;
use filetree::MemoryTree;
use gotemplate::Text;
use helm::Version;
use helm::kinds::sort_manifests;
use helm::manifest::split;
use kustomize::BuildOptions;
use objects::{Object, Value, json};

/// Names the file of a document while it is changed.
const FILE: &str = "postrenderer.helm.sh/postrender-filename";

/// Which documents go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strategy {
    /// Manifests and hooks together.
    Combined,
    /// Manifests and hooks in two runs.
    Separate,
    /// Manifests only.
    NoHooks,
}

/// What is changed, in order.
#[derive(Clone, Debug)]
pub(super) struct PostRenderer {
    pub(super) kustomize: Vec<KustomizeRenderer>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) strategy: Strategy,
}

type Files = BTreeMap<String, Text>;

impl PostRenderer {
    /// Changes rendered files.
    pub(super) fn run(&self, files: Files) -> Result<Files, String> {
        if self.strategy == Strategy::Combined {
            return self.run_group(files, "");
        }
        let (hooks, manifests) = sort_manifests(&files, Version::V4, &mut Vec::new())?;
        let hooks = joined(hooks.into_iter().map(|hook| (hook.path, hook.manifest)));
        let manifests = joined(manifests.into_iter().map(|m| (m.path, m.content)));
        let hooks = match self.strategy {
            Strategy::NoHooks => hooks,
            _ => self.run_group(hooks, "hooks")?,
        };
        let manifests = self.run_group(manifests, "manifests")?;
        let parts = hooks.into_iter().chain(manifests);
        Ok(joined(
            parts.map(|(path, text)| (path, text.to_str().into_owned())),
        ))
    }

    fn run_group(&self, files: Files, prefix: &str) -> Result<Files, String> {
        let mut objects = Vec::new();
        for (path, text) in &files {
            let is_partial = path.rsplit('/').next().is_some_and(|n| n.starts_with('_'));
            if is_partial || text.to_str().trim().is_empty() {
                continue;
            }
            for mut object in read(path, &text.to_str())? {
                object.set_annotation(FILE, path);
                objects.push(object);
            }
        }
        for renderer in &self.kustomize {
            objects = kustomized(objects, renderer)?;
        }
        let mut out: BTreeMap<String, String> = BTreeMap::new();
        for (index, mut object) in objects.into_iter().enumerate() {
            let path = match object.annotation(FILE) {
                Some(path) => path.to_owned(),
                None if prefix.is_empty() => format!("generated-by-postrender-{index}.yaml"),
                None => format!("generated-by-postrender-{prefix}-{index}.yaml"),
            };
            self.mark(&mut object);
            let text = kyaml::emit_sigs(&object.into_value()).map_err(|e| e.to_string())?;
            let file = out.entry(path).or_default();
            if !file.is_empty() {
                file.push_str("---\n");
            }
            file.push_str(&text);
        }
        Ok(out
            .into_iter()
            .map(|(k, v)| (k, Text::from(v.as_str())))
            .collect())
    }

    fn mark(&self, object: &mut Object) {
        object.remove(&["metadata", "annotations", FILE]);
        let empty = object.get(&["metadata", "annotations"]);
        if empty
            .and_then(Value::as_object)
            .is_some_and(|map| map.is_empty())
        {
            object.remove(&["metadata", "annotations"]);
        }
        for (key, value) in &self.labels {
            object.set_label(key, value);
        }
        for (key, value) in &self.annotations {
            object.set_annotation(key, value);
        }
    }
}

fn joined(parts: impl Iterator<Item = (String, String)>) -> Files {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for (path, text) in parts {
        let file = files.entry(path).or_default();
        if !file.is_empty() {
            file.push_str("\n---\n");
        }
        file.push_str(&text);
    }
    files
        .into_iter()
        .map(|(k, v)| (k, Text::from(v.as_str())))
        .collect()
}

fn read(path: &str, text: &str) -> Result<Vec<Object>, String> {
    let mut objects = Vec::new();
    for document in split(text, Version::V4) {
        let value = kyaml::yaml_to_json(document.as_bytes());
        let value = value.map_err(|error| format!("parsing {path}: {error}"))?;
        match value {
            Value::Null => {}
            Value::Object(map) if map.is_empty() => {}
            Value::Object(map) => objects.push(Object(map)),
            _ => return Err(format!("annotating {path}: a document is no map")),
        }
    }
    Ok(objects)
}

/// Runs objects through one kustomization.
fn kustomized(objects: Vec<Object>, renderer: &KustomizeRenderer) -> Result<Vec<Object>, String> {
    let mut text = String::new();
    for object in objects {
        text.push_str("---\n");
        kyaml::write_sigs(&mut text, &object.into_value()).map_err(|e| e.to_string())?;
    }
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["helm-output.yaml"],
        "patches": renderer.patches,
        "images": renderer.images,
    });
    let kustomization = kyaml::emit_sigs(&kustomization).map_err(|e| e.to_string())?;
    let mut tree = MemoryTree::new();
    for (name, content) in [
        ("helm-output.yaml", text),
        ("kustomization.yaml", kustomization),
    ] {
        tree.insert(name, content.into_bytes())
            .map_err(|error| error.to_string())?;
    }
    let output = kustomize::build(&tree, "", &BuildOptions::controller());
    let output = output.and_then(|output| output.objects());
    output.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::{Image, Patch};

    fn renderer(strategy: Strategy, kustomize: Vec<KustomizeRenderer>) -> PostRenderer {
        PostRenderer {
            kustomize,
            labels: [("owner".to_owned(), "me".to_owned())].into(),
            annotations: BTreeMap::new(),
            strategy,
        }
    }

    fn files() -> Files {
        [
            (
                "c/templates/a.yaml",
                "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: x, image: nginx:1}]}\n",
            ),
            (
                "c/templates/h.yaml",
                "kind: Job\napiVersion: batch/v1\nmetadata:\n  name: h\n  annotations: {helm.sh/hook: test}\n",
            ),
        ]
        .into_iter()
        .map(|(k, v)| (k.to_owned(), Text::from(v)))
        .collect()
    }

    #[test]
    fn strategies_choose_what_goes_through() {
        for (strategy, hook_marked) in [
            (Strategy::Combined, true),
            (Strategy::Separate, true),
            (Strategy::NoHooks, false),
        ] {
            let out = renderer(strategy, Vec::new()).run(files()).unwrap();
            assert_eq!(out.len(), 2);
            let text = |path: &str| out[path].to_str().into_owned();
            assert!(text("c/templates/a.yaml").contains("owner: me"));
            let hook = text("c/templates/h.yaml");
            assert_eq!(hook.contains("owner: me"), hook_marked, "{strategy:?}");
            assert!(hook.contains("helm.sh/hook: test") && !hook.contains(FILE));
        }
    }

    #[test]
    fn patches_and_images_apply_and_bad_ones_fail() {
        let patch = Patch {
            patch: "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {nodeName: node}".into(),
            target: None,
        };
        let image = Image {
            name: "nginx".into(),
            new_tag: "2".into(),
            ..Image::default()
        };
        let change = KustomizeRenderer {
            patches: vec![patch.clone()],
            images: vec![image],
        };
        let out = renderer(Strategy::Combined, vec![change])
            .run(files())
            .unwrap();
        let pod = out["c/templates/a.yaml"].to_str().into_owned();
        assert!(
            pod.contains("image: nginx:2") && pod.contains("nodeName: node"),
            "{pod}"
        );
        let missing = Patch {
            patch: patch.patch.replace("name: a", "name: b"),
            target: None,
        };
        let change = KustomizeRenderer {
            patches: vec![missing],
            images: Vec::new(),
        };
        let error = renderer(Strategy::Combined, vec![change]).run(files());
        assert!(error.unwrap_err().contains("no matches for Id"));
    }
}
