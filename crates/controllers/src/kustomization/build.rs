//! From an artifact to the objects of a Kustomization: generate, build, substitute, parse.
//!
//! Pure: files and values in, objects out. Decryption (between build and substitution) is not here yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{KustomizationSpec, names};
use filetree::FileTree;
use gocompat::envsubst::{self, EnvsubstError};
use kustomize::{BuildError, BuildOptions, RemoteResolver};
use objects::{Map, Object, Value};
use sha2::{Digest as _, Sha256};

use super::generate::{GenerateError, generate, shown_place};

/// What to build; owned, so that it can go to a blocking thread.
pub struct BuildRequest {
    /// Root of the artifact.
    pub tree: Arc<dyn FileTree>,
    /// Spec of the Kustomization.
    pub spec: KustomizationSpec,
    /// Variables of `spec.postBuild`; used only where that is present.
    pub variables: Variables,
}

/// What a build gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Built {
    /// Objects to apply, in the order of the build; Lists are expanded.
    pub objects: Vec<Object>,
    /// The printed build, before Lists are expanded.
    pub yaml: String,
    /// `sha256:` and the digest of the printed build, as `status.history` holds it.
    pub digest: String,
}

/// Variables of the substitution after the build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    /// Values by name; later sources have overridden earlier ones.
    pub values: BTreeMap<String, String>,
    /// An undefined variable is an error (`StrictPostBuildSubstitutions`).
    pub strict: bool,
}

/// Why nothing was built.
#[derive(Debug, thiserror::Error)]
pub enum BuildFailure {
    /// No kustomization to build.
    #[error("{0}")]
    Generate(#[from] GenerateError),
    /// The build failed.
    #[error("kustomize build failed: {source}{place}")]
    Build {
        /// Kustomize's words.
        source: BuildError,
        /// File, line and the text that stands there, on lines of their own; empty where the place is unknown.
        place: String,
    },
    /// A name that no variable may have.
    #[error("'{0}' var name is invalid, must match '^[_[:alpha:]][_[:alpha:][:digit:]]*$'")]
    VariableName(String),
    /// An object could not be substituted.
    #[error("post build failed for '{object}': {source}")]
    Substitute {
        /// `Kind.version.group/name.namespace` of the object.
        object: String,
        /// What is wrong.
        source: SubstituteError,
    },
    /// An object could not be printed.
    #[error("failed to print {object}: {reason}")]
    Print {
        /// The object.
        object: String,
        /// What is wrong.
        reason: String,
    },
}

/// Why one object could not be substituted.
#[derive(Debug, thiserror::Error)]
pub enum SubstituteError {
    /// The object cannot be printed.
    #[error("{0}")]
    Print(#[from] kyaml::ConvertError),
    /// An expression is wrong, or a variable is missing.
    #[error("envsubst error: variable substitution failed: {0}")]
    Expression(#[from] EnvsubstError),
    /// The text is no YAML any more.
    #[error("envsubst error: YAMLToJSON: {}", without_prefix(.0))]
    Yaml(#[from] kyaml::SigsError),
    /// The text is no object any more.
    #[error("UnmarshalJSON: the substituted text is no object")]
    NoObject,
}

/// Drops what the reader's words say a second time.
fn without_prefix(error: &kyaml::SigsError) -> String {
    let text = error.to_string();
    let bare = text.strip_prefix("error converting YAML to JSON: ");
    bare.map(str::to_owned).unwrap_or(text)
}

/// Builds the objects of a Kustomization from its artifact.
///
/// `remote` fetches remote bases; without it they are refused.
///
/// # Errors
/// Fails on a path that is not there, a build that fails, variables and keys that cannot be resolved; the failure has the reason of its condition.
pub fn build(
    request: &BuildRequest,
    remote: Option<&dyn RemoteResolver>,
) -> Result<Built, BuildFailure> {
    let BuildRequest {
        tree,
        spec,
        variables,
    } = request;
    let generated = generate(tree.clone(), spec)?;
    let options = BuildOptions {
        remote,
        ..BuildOptions::controller()
    };
    let failed = |source: BuildError| {
        let place = place_of(&source, &generated.tree);
        BuildFailure::Build { source, place }
    };
    let output =
        kustomize::build(&generated.tree, &generated.directory, &options).map_err(failed)?;
    let mut objects = output.objects().map_err(failed)?;
    if let Some(post_build) = &spec.post_build {
        let always = post_build.substitute_strategy.as_deref() == Some("Always");
        check_names(variables)?;
        if always || !variables.values.is_empty() {
            substitute_all(&mut objects, variables)?;
        }
    }
    let yaml = print(&objects)?;
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(&yaml)));
    let mut objects: Vec<Object> = objects.into_iter().flat_map(expand).collect();
    objects.retain(is_applicable);
    Ok(Built {
        objects,
        yaml,
        digest,
    })
}

/// Shows the line that an error is about, and the kustomizations that led there.
fn place_of(error: &BuildError, tree: &dyn FileTree) -> String {
    let (Some(file), Some(mark)) = (error.file(), error.mark()) else {
        return String::new();
    };
    let content = tree.read(file).unwrap_or_default();
    let place = shown_place(file, mark, &content);
    let chain: String = error
        .chain()
        .iter()
        .map(|file| format!("\n  from {file}"))
        .collect();
    format!("{place}{chain}")
}

fn check_names(variables: &Variables) -> Result<(), BuildFailure> {
    let is_letter = |c: u8| c == b'_' || c.is_ascii_alphabetic();
    let is_valid = |name: &str| {
        name.bytes().next().is_some_and(is_letter)
            && name.bytes().all(|c| is_letter(c) || c.is_ascii_digit())
    };
    match variables.values.keys().find(|name| !is_valid(name)) {
        Some(name) => Err(BuildFailure::VariableName(name.clone())),
        None => Ok(()),
    }
}

fn substitute_all(objects: &mut [Object], variables: &Variables) -> Result<(), BuildFailure> {
    for object in objects {
        let disabled = |value: Option<&str>| value == Some(names::DISABLED);
        if disabled(object.label(names::SUBSTITUTE))
            || disabled(object.annotation(names::SUBSTITUTE))
        {
            continue;
        }
        if let Some(substituted) =
            substitute(object, variables).map_err(|source| BuildFailure::Substitute {
                object: describe(object),
                source,
            })?
        {
            *object = substituted;
        }
    }
    Ok(())
}

/// Substitutes in the printed form of an object; `None` where there is nothing to substitute.
fn substitute(object: &Object, variables: &Variables) -> Result<Option<Object>, SubstituteError> {
    let text = kyaml::emit_sigs(&Value::Object(object.0.clone()))?;
    if !text.contains('$') {
        return Ok(None);
    }
    let values = |name: &str| match variables.values.get(name) {
        // Line breaks would change the structure of the text.
        Some(value) => Some(value.replace('\n', "")),
        None if variables.strict => None,
        None => Some(String::new()),
    };
    let text = envsubst::eval(&text, &values)?;
    match kyaml::yaml_to_json(text.as_bytes())? {
        Value::Object(map) => Ok(Some(Object(map))),
        _ => Err(SubstituteError::NoObject),
    }
}

/// Names an object as kustomize does: `Kind.version.group/name.namespace`, with its placeholders.
fn describe(object: &Object) -> String {
    let gvk = object.gvk();
    let or = |text: &str, placeholder: &str| {
        if text.is_empty() {
            placeholder.to_owned()
        } else {
            text.to_owned()
        }
    };
    format!(
        "{}.{}.{}/{}.{}",
        gvk.kind,
        or(&gvk.version, "[noVer]"),
        or(&gvk.group, "[noGrp]"),
        object.name(),
        or(object.namespace(), "[noNs]")
    )
}

fn print(objects: &[Object]) -> Result<String, BuildFailure> {
    let mut yaml = String::new();
    for (index, object) in objects.iter().enumerate() {
        if index > 0 {
            yaml.push_str("---\n");
        }
        let text = kyaml::emit_sigs(&Value::Object(object.0.clone())).map_err(|error| {
            BuildFailure::Print {
                object: describe(object),
                reason: error.to_string(),
            }
        })?;
        yaml.push_str(&text);
    }
    Ok(yaml)
}

/// Replaces a List by its items.
fn expand(object: Object) -> Vec<Object> {
    let is_list =
        object.kind().ends_with("List") && object.0.get("items").is_some_and(Value::is_array);
    if !is_list {
        return vec![object];
    }
    let mut map: Map = object.0;
    match map.remove("items") {
        Some(Value::Array(items)) => items
            .into_iter()
            .filter_map(|item| Object::from_value(item).ok())
            .collect(),
        _ => Vec::new(),
    }
}

/// Tells whether an object can be applied: typed, named, and no configuration of kustomize itself.
fn is_applicable(object: &Object) -> bool {
    let is_kustomization =
        object.kind() == "Kustomization" && object.gvk().group == "kustomize.config.k8s.io";
    !object.kind().is_empty()
        && !object.api_version().is_empty()
        && !object.name().is_empty()
        && !is_kustomization
}

#[cfg(test)]
mod tests {
    use super::*;
    use filetree::MemoryTree;
    use objects::json;

    fn run(files: &[(&str, &str)], spec: Value, variables: &Variables) -> Result<Built, String> {
        let mut tree = MemoryTree::new();
        for (path, text) in files {
            tree.insert(path, text.as_bytes().to_vec()).unwrap();
        }
        let request = BuildRequest {
            tree: Arc::new(tree),
            spec: serde_json::from_value(spec).unwrap(),
            variables: variables.clone(),
        };
        build(&request, None).map_err(|error| error.to_string())
    }

    fn variables(values: &[(&str, &str)]) -> Variables {
        let values = values
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Variables {
            values,
            strict: true,
        }
    }

    const CONFIG: &str =
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  k: ${v}\n  n: ${n:=1}\n";

    #[test]
    fn variables_are_substituted_and_retyped() {
        let spec = json!({"postBuild": {}});
        let built = run(&[("a.yaml", CONFIG)], spec, &variables(&[("v", "x\ny")])).unwrap();
        let object = &built.objects[0];
        assert_eq!(object.get(&["data"]), Some(&json!({"k": "xy", "n": 1})));
        assert!(built.digest.starts_with("sha256:"));
    }

    #[test]
    fn undefined_variables_are_errors_in_strict_mode_only() {
        let spec = json!({"postBuild": {}});
        let error = run(
            &[("a.yaml", CONFIG)],
            spec.clone(),
            &variables(&[("w", "x")]),
        )
        .unwrap_err();
        assert_eq!(
            error,
            "post build failed for 'ConfigMap.v1.[noGrp]/a.[noNs]': envsubst error: variable substitution failed: \
             variable not set (strict mode): \"v\""
        );
        let lenient = Variables {
            strict: false,
            ..variables(&[("w", "x")])
        };
        assert!(run(&[("a.yaml", CONFIG)], spec, &lenient).is_ok());
    }

    #[test]
    fn nothing_is_substituted_without_variables_or_where_disabled() {
        let built = run(
            &[("a.yaml", CONFIG)],
            json!({"postBuild": {}}),
            &variables(&[]),
        )
        .unwrap();
        assert_eq!(built.objects[0].str_at(&["data", "k"]), "${v}");
        let labelled = CONFIG.replace(
            "  name: a\n",
            "  name: a\n  annotations:\n    kustomize.toolkit.fluxcd.io/substitute: disabled\n",
        );
        let values = variables(&[("v", "x")]);
        let built = run(&[("a.yaml", &labelled)], json!({"postBuild": {}}), &values).unwrap();
        assert_eq!(built.objects[0].str_at(&["data", "k"]), "${v}");
    }

    #[test]
    fn a_broken_file_is_shown_with_its_line() {
        let files = [
            ("kustomization.yaml", "resources: [base]\n"),
            ("base/kustomization.yaml", "resources: [a.yaml]\n"),
            ("base/a.yaml", "kind: A\nmetadata:\n  name: x\n bad: 1\n"),
        ];
        let error = run(&files, json!({}), &variables(&[])).unwrap_err();
        assert!(error.contains("\n  at base/a.yaml:"), "{error}");
        assert!(error.contains(" |  bad: 1"), "{error}");
    }

    #[test]
    fn a_bad_variable_name_is_refused() {
        let error = run(
            &[("a.yaml", CONFIG)],
            json!({"postBuild": {}}),
            &variables(&[("a-b", "")]),
        );
        assert!(error.unwrap_err().starts_with("'a-b' var name is invalid"));
    }
}
