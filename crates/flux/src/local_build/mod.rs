//! Building a Kustomization from a local directory, as `build` and `diff` do.
//!
//! The Kustomization comes from the cluster, from a file, or from a build above it; the directory is built by the
//! controller's own code, in memory: no file is written next to the user's.

mod files;
mod mask;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use cluster::{Cluster, Target};
use controllers::kustomization::build::{self, BuildFailure, BuildRequest, Variables};
use controllers::kustomization::generate::GenerateError;
use futures::future::{BoxFuture, FutureExt as _};
use objects::{Object, Value};

use crate::error::{CliError, CliResult};
use crate::kinds::{KUSTOMIZATION, builtin};

const GROUP: &str = "kustomize.toolkit.fluxcd.io";
/// Deepest nesting of Kustomizations that `--recursive` follows.
const DEPTH_MAX: usize = 64;

/// What to build, and from what.
#[derive(Clone, Debug)]
pub struct LocalBuild {
    /// Name of the Kustomization.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Directory with the manifests.
    pub path: PathBuf,
    /// File with the Kustomization; wins over the cluster's.
    pub file: Option<PathBuf>,
    /// The Kustomization found in a build above this one.
    pub found: Option<Object>,
    /// Paths to leave out where a kustomization file is generated.
    pub ignore: Vec<String>,
    /// An undefined variable is an error.
    pub strict: bool,
    /// Build the Kustomizations found as well.
    pub recursive: bool,
    /// Directories by `Kind/namespace/name` of the source.
    pub local_sources: BTreeMap<String, String>,
    /// A Kustomization that the cluster does not have is new rather than an error.
    pub ignore_not_found: bool,
}

/// A Kustomization with the objects built for it.
#[derive(Clone, Debug)]
pub struct LocallyBuilt {
    /// The Kustomization, with the status that the cluster has for it.
    pub kustomization: Object,
    /// Its objects, and with `recursive` those of the Kustomizations among them.
    pub objects: Vec<Object>,
}

/// Reads `Kind/namespace/name=path` pairs, separated by commas.
pub fn local_sources(values: &[String]) -> CliResult<BTreeMap<String, String>> {
    values
        .iter()
        .flat_map(|value| value.split(','))
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((key, path)) => Ok((key.to_owned(), path.to_owned())),
            None => Err(CliError::user(format!(
                "invalid argument {pair:?} for \"--local-sources\" flag: {pair} must be formatted as key=value"
            ))),
        })
        .collect()
}

/// Checks what the flags name.
pub fn check_paths(path: &str, file: &str) -> CliResult<(PathBuf, Option<PathBuf>)> {
    let invalid =
        |path: &dyn std::fmt::Debug| CliError::user(format!("invalid resource path {path:?}"));
    if path.is_empty() {
        return Err(invalid(&path));
    }
    let directory = std::path::absolute(path).map_err(|_| invalid(&path))?;
    if !directory.is_dir() {
        return Err(invalid(&directory));
    }
    if file.is_empty() {
        return Ok((directory, None));
    }
    if !Path::new(file).is_file() {
        return Err(CliError::user(format!(
            "invalid kustomization file {file:?}"
        )));
    }
    Ok((directory, Some(PathBuf::from(file))))
}

impl LocalBuild {
    /// Builds; without a cluster nothing but files is read.
    pub async fn run(&self, cluster: Option<&dyn Cluster>) -> CliResult<LocallyBuilt> {
        self.run_nested(cluster, 0).await
    }

    /// Boxed, since Kustomizations nest.
    fn run_nested<'a>(
        &'a self,
        cluster: Option<&'a dyn Cluster>,
        depth: usize,
    ) -> BoxFuture<'a, CliResult<LocallyBuilt>> {
        async move {
            let kustomization = self
                .resolve(cluster)
                .await
                .map_err(|error| error.context("failed to get kustomization object"))?;
            let mut objects = self.build(cluster, &kustomization).await?;
            if self.recursive && depth < DEPTH_MAX {
                let mut below = Vec::new();
                for child in objects.iter().filter(|object| is_kustomization(object)) {
                    if child.key() != kustomization.key() {
                        let nested = self.nested(child)?;
                        below.extend(nested.run_nested(cluster, depth + 1).await?.objects);
                    }
                }
                objects.extend(below);
            }
            Ok(LocallyBuilt {
                kustomization,
                objects,
            })
        }
        .boxed()
    }

    /// Returns the build of a Kustomization found among the objects.
    pub fn nested(&self, child: &Object) -> CliResult<Self> {
        let text = |key: &str| child.str_at(&["spec", "sourceRef", key]);
        let namespace = match text("namespace") {
            "" => child.namespace(),
            namespace => namespace,
        };
        let source = match namespace {
            "" => format!("{}/{}", text("kind"), text("name")),
            namespace => format!("{}/{namespace}/{}", text("kind"), text("name")),
        };
        let directory = self.local_sources.get(&source).ok_or_else(|| {
            CliError::user(format!(
                "cannot get local path for {source} of kustomization {}",
                child.name()
            ))
        })?;
        let below = child
            .str_at(&["spec", "path"])
            .trim_start_matches(['.', '/']);
        let path = std::path::absolute(Path::new(directory).join(below));
        Ok(Self {
            name: child.name().to_owned(),
            namespace: child.namespace().to_owned(),
            path: path.map_err(|error| CliError::user(error.to_string()))?,
            file: None,
            found: Some(child.clone()),
            ..self.clone()
        })
    }

    async fn resolve(&self, cluster: Option<&dyn Cluster>) -> CliResult<Object> {
        let live = match cluster {
            None => None,
            Some(cluster) => {
                let target = KUSTOMIZATION.target(&self.namespace, &self.name);
                match cluster.get(&target).await {
                    Ok(live) => Some(live),
                    Err(error)
                        if error.is_not_found()
                            && (self.found.is_some() || self.ignore_not_found) =>
                    {
                        None
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        };
        if let Some(file) = &self.file {
            let mut local = files::find_kustomization(file, &self.name, &self.namespace)?;
            let has_inventory = |live: &Object| live.get(&["status", "inventory"]).is_some();
            if let Some(live) = live.filter(has_inventory) {
                local.set(
                    &["status"],
                    live.get(&["status"]).cloned().unwrap_or_default(),
                );
            }
            return Ok(local);
        }
        live.or_else(|| self.found.clone())
            .ok_or_else(|| CliError::user("kustomization file is required for dry-run"))
    }

    async fn build(
        &self,
        cluster: Option<&dyn Cluster>,
        kustomization: &Object,
    ) -> CliResult<Vec<Object>> {
        let mut spec: api::KustomizationSpec =
            serde_json::from_value(kustomization.get(&["spec"]).cloned().unwrap_or_default())
                .map_err(|error| {
                    CliError::user(format!("failed to read the Kustomization's spec: {error}"))
                })?;
        spec.path = self.path.to_string_lossy().into_owned();
        let variables = match &spec.post_build {
            Some(_) => Variables {
                values: variables(cluster, kustomization).await?,
                strict: self.strict,
            },
            None => Variables::default(),
        };
        let request = BuildRequest {
            tree: Arc::new(files::IgnoringTree::open(&self.path, &self.ignore)?),
            spec,
            variables,
        };
        let remote = crate::remote_bases::on_this_runtime();
        let task = tokio::task::spawn_blocking(move || build::build(&request, Some(&remote)));
        let built = task
            .await
            .map_err(|error| CliError::user(format!("the build did not end: {error}")))?
            .map_err(|failure| explain(&failure))?;
        let mut objects = built.objects;
        for object in &mut objects {
            object.set_label(&format!("{GROUP}/name"), kustomization.name());
            object.set_label(&format!("{GROUP}/namespace"), kustomization.namespace());
            mask::mask(object)?;
            add_common_metadata(object, kustomization);
        }
        Ok(objects)
    }
}

fn explain(failure: &BuildFailure) -> CliError {
    match failure {
        BuildFailure::Generate(error) => {
            // Files are named from the root of the file system here.
            let text = match error {
                GenerateError::Manifest { file, .. } => error
                    .to_string()
                    .replace(file.as_str(), &format!("/{file}")),
                error => error.to_string(),
            };
            CliError::user(format!("failed to generate kustomization.yaml: {text}"))
        }
        BuildFailure::Substitute { object, source } => {
            let name = object.rsplit('/').next().unwrap_or(object);
            let name = name.rsplit_once('.').map_or(name, |(name, _)| name);
            CliError::user(format!("var substitution failed for '{name}': {source}"))
        }
        other => CliError::user(other.to_string()),
    }
}

/// Tells whether an object is a Flux Kustomization of any version.
pub fn is_kustomization(object: &Object) -> bool {
    object.kind() == KUSTOMIZATION.kind && object.gvk().group == GROUP
}

fn add_common_metadata(object: &mut Object, kustomization: &Object) {
    let common = |key: &str| {
        kustomization
            .get(&["spec", "commonMetadata", key])
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
    };
    for (key, value) in common("labels") {
        object.set_label(&key, &value);
    }
    for (key, value) in common("annotations") {
        object.set_annotation(&key, &value);
    }
}

/// Reads the variables of `spec.postBuild`; those of ConfigMaps and Secrets only with a cluster.
pub async fn variables(
    cluster: Option<&dyn Cluster>,
    kustomization: &Object,
) -> CliResult<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    let references = kustomization
        .get(&["spec", "postBuild", "substituteFrom"])
        .and_then(Value::as_array);
    if let Some(cluster) = cluster {
        for reference in references.into_iter().flatten() {
            values.extend(referenced(cluster, kustomization.namespace(), reference).await?);
        }
    }
    let inline = kustomization
        .get(&["spec", "postBuild", "substitute"])
        .and_then(Value::as_object);
    for (key, value) in inline.into_iter().flatten() {
        values.insert(
            key.clone(),
            value.as_str().unwrap_or_default().replace('\n', ""),
        );
    }
    Ok(values)
}

async fn referenced(
    cluster: &dyn Cluster,
    namespace: &str,
    reference: &Value,
) -> CliResult<BTreeMap<String, String>> {
    let text = |key: &str| reference[key].as_str().unwrap_or_default();
    let (kind, name) = (text("kind"), text("name"));
    let plural = format!("{}s", kind.to_lowercase());
    let target = Target::new(&builtin("", kind, &plural, true), namespace, name);
    let found = match cluster.get(&target).await {
        Ok(found) => found,
        Err(error) if error.is_not_found() && reference["optional"] == true => {
            return Ok(BTreeMap::new());
        }
        Err(error) => {
            return Err(CliError::from(error)
                .context(format_args!("substitute from '{kind}/{name}' error")));
        }
    };
    let data = found.get(&["data"]).and_then(Value::as_object);
    let decoded = |value: &str| match kind {
        "Secret" => base64::engine::general_purpose::STANDARD
            .decode(value)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default(),
        _ => value.to_owned(),
    };
    Ok(data
        .into_iter()
        .flatten()
        .map(|(key, value)| {
            (
                key.clone(),
                decoded(value.as_str().unwrap_or_default()).replace('\n', ""),
            )
        })
        .collect())
}
