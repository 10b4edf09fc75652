//! Artifacts of other repositories copied into this one (`spec.include`).

use std::sync::Arc;
use std::time::Duration;

use api::names::{self, reason};
use api::{Artifact, GitRepository, GitRepositoryInclude, GitRepositorySpec};
use controller_runtime::{Change, Key, Run};
use filetree::{EntryKind, FileTree, MemoryTree};
use objects::{Object, Value};
use reconcile::source::{Class, Problem};

use crate::artifact::{ArtifactStore, confine};

/// Indexes a repository under the keys of those that it includes.
pub(super) fn index(object: &Object) -> Vec<String> {
    let includes = object.get(&["spec", "include"]).and_then(Value::as_array);
    let name = |include: &Value| Some(include["repository"]["name"].as_str()?.to_owned());
    includes
        .into_iter()
        .flatten()
        .filter_map(name)
        .map(|name| Key::new(object.namespace(), &name).to_string())
        .collect()
}

/// Tells whether a repository's artifact appeared, changed or went.
pub(super) fn artifact_changed(change: &Change) -> bool {
    let artifact = |object: &Option<Arc<Object>>| {
        let artifact = object.as_ref()?.get(&["status", "artifact"])?;
        Some((artifact["revision"].clone(), artifact["digest"].clone()))
    };
    artifact(&change.old) != artifact(&change.new)
}

/// Looks the included repositories up; all must have an artifact.
pub(super) fn gather(
    run: &Run,
    spec: &GitRepositorySpec,
    requeue: Duration,
) -> Result<Vec<Artifact>, Problem> {
    let unavailable = |reason: &'static str, message: String| {
        Problem::new(
            Class::Waiting(requeue),
            names::INCLUDE_UNAVAILABLE,
            reason,
            message,
        )
    };
    let mut artifacts = Vec::new();
    for include in &spec.include {
        let name = &include.repository.name;
        let object = run.store.get(&Key::new(&run.key.namespace, name));
        let object = object.ok_or_else(|| {
            let message = format!(
                "could not get resource for include '{name}': GitRepository.source.toolkit.fluxcd.io \"{name}\" not found"
            );
            unavailable(reason::NOT_FOUND, message)
        })?;
        let repository = GitRepository::from_object(&object).map_err(|error| {
            let message = format!("could not get resource for include '{name}': {error}");
            unavailable(reason::NOT_FOUND, message)
        })?;
        artifacts.push(repository.status.artifact.ok_or_else(|| {
            let message = format!("no artifact available for include '{name}'");
            unavailable(reason::NO_ARTIFACT, message)
        })?);
    }
    Ok(artifacts)
}

/// Copies the artifacts' files into a tree, in order.
pub(super) fn copy(
    store: &ArtifactStore,
    includes: &[GitRepositoryInclude],
    artifacts: &[Artifact],
    tree: &mut MemoryTree,
) -> Result<(), Problem> {
    for (include, artifact) in includes.iter().zip(artifacts) {
        let from = confine(&include.from_path);
        let to = confine(include.to_path());
        store
            .tree(artifact)
            .map_err(|error| error.to_string())
            .and_then(|source| copy_below(&source, &from, tree, &to))
            .map_err(|error| {
                let message = format!(
                    "failed to copy '{}' include from {} to {}: {error}",
                    include.repository.name,
                    include.from_path,
                    include.to_path()
                );
                Problem::storage(reason::COPY_FAILURE, message)
            })?;
    }
    Ok(())
}

fn copy_below(
    source: &MemoryTree,
    from: &str,
    tree: &mut MemoryTree,
    to: &str,
) -> Result<(), String> {
    let failed = |error: filetree::TreeError| error.to_string();
    if tree.list(to).is_ok_and(|entries| !entries.is_empty()) {
        return Err(format!("rename {from} {to}: file exists"));
    }
    if source.kind(from).map_err(failed)? == EntryKind::File {
        let content = source.read(from).map_err(failed)?;
        tree.insert(to, content).map_err(failed)?;
        tree.set_executable(to, source.is_executable(from));
        return Ok(());
    }
    let prefix = if from.is_empty() {
        String::new()
    } else {
        format!("{from}/")
    };
    tree.insert_directory(to).map_err(failed)?;
    for directory in source.directories() {
        if let Some(rest) = directory.strip_prefix(&prefix) {
            tree.insert_directory(&format!("{to}/{rest}"))
                .map_err(failed)?;
        }
    }
    for (path, content) in source.files() {
        if let Some(rest) = path.strip_prefix(&prefix) {
            let target = format!("{to}/{rest}");
            tree.insert(&target, content.clone()).map_err(failed)?;
            let target = confine(&target);
            tree.set_executable(&target, source.is_executable(path));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_copied_below_a_fresh_path() {
        let mut source = MemoryTree::new();
        source.insert("a/b/run.sh", *b"x").unwrap();
        source.set_executable("a/b/run.sh", true);
        source.insert("c.yaml", *b"y").unwrap();
        let mut tree = MemoryTree::new();
        tree.insert("taken/file", *b"z").unwrap();
        copy_below(&source, "a", &mut tree, "one").unwrap();
        copy_below(&source, "", &mut tree, "all").unwrap();
        copy_below(&source, "c.yaml", &mut tree, "two/d.yaml").unwrap();
        assert!(tree.is_executable("one/b/run.sh") && tree.is_executable("all/a/b/run.sh"));
        assert!(tree.read("two/d.yaml").is_ok());
        assert!(copy_below(&source, "a", &mut tree, "taken").is_err());
        assert!(copy_below(&source, "nope", &mut tree, "x").is_err());
        assert_eq!(confine("../../x/./y/../z"), "x/z");
    }
}
