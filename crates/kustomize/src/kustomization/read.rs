//! Reading a kustomization file: legacy fields are moved to the ones that replace them, and what contradicts itself is refused.

use serde_json::Value;

use super::{COMPONENT_KIND, HelmChart, HelmGlobals, KUSTOMIZATION_KIND, Kustomization};
use crate::decode::decode;
use crate::error::{BuildError, Result};

const KUSTOMIZATION_VERSION: &str = "kustomize.config.k8s.io/v1beta1";

const COMPONENT_VERSION: &str = "kustomize.config.k8s.io/v1alpha1";

/// Fields that upstream warns of, in its order, with those that replace them.
const DEPRECATED: [(&str, &str); 6] = [
    ("bases", "resources"),
    ("commonLabels", "labels"),
    ("imageTags", "images"),
    ("patchesJson6902", "patches"),
    ("patchesStrategicMerge", "patches"),
    ("vars", "replacements"),
];

impl Kustomization {
    /// Reads the content of the file `path` in the directory `root`; deprecated fields are told as warnings,
    /// of files with errors too.
    pub fn read(
        content: &[u8],
        path: &str,
        root: &str,
        warnings: &mut Vec<String>,
    ) -> Result<Self> {
        let invalid = |error: BuildError| error.wrap("invalid Kustomization");
        let document = crate::reading::KustomizationDocument::parse(content)
            .map_err(|error| invalid(error).at(path, None))?;
        let is_empty = is_empty(&document.json);
        let decoded = decode::<Self>(document.json.clone(), true);
        let mut kustomization = decoded.map_err(|error| {
            let line = document.line_of(&error.path);
            invalid(BuildError::new(error.message)).at(path, line)
        })?;
        warnings.extend(deprecations(&document.json));
        kustomization.fix();
        if is_empty {
            return Err(BuildError::new("kustomization.yaml is empty").at(path, None));
        }
        kustomization.check(root).map_err(|e| e.at(path, None))?;
        Ok(kustomization)
    }

    /// Moves what legacy fields say to the fields that replaced them.
    fn fix(&mut self) {
        if self.kind.is_empty() {
            self.kind = KUSTOMIZATION_KIND.into();
        }
        if self.api_version.is_empty() {
            self.api_version = required_version(&self.kind).into();
        }
        self.resources.append(&mut self.bases);
        self.images.append(&mut self.image_tags);
        let generators = self.config_map_generator.iter_mut().map(|args| &mut args.0);
        for generator in generators.chain(&mut self.secret_generator) {
            if !generator.env.is_empty() {
                generator.envs.push(std::mem::take(&mut generator.env));
            }
        }
        self.fix_helm();
    }

    fn fix_helm(&mut self) {
        let mut globals = HelmGlobals::default();
        for old in std::mem::take(&mut self.helm_chart_inflation_generator) {
            if !old.helm_home.is_empty() {
                globals.config_home = old.helm_home;
            }
            if !old.chart_home.is_empty() {
                globals.chart_home = old.chart_home;
            }
            self.helm_charts.push(HelmChart {
                name: old.chart_name,
                version: old.chart_version,
                repo: old.chart_repo_url,
                values_file: old.values,
                values_inline: old.values_local,
                values_merge: old.values_merge,
                release_name: old.release_name,
                ..HelmChart::default()
            });
        }
        if self.helm_globals.is_none() && globals != HelmGlobals::default() {
            self.helm_globals = Some(globals);
        }
    }

    fn check(&self, root: &str) -> Result<()> {
        let mut errors = Vec::new();
        if self.kind != KUSTOMIZATION_KIND && self.kind != COMPONENT_KIND {
            errors.push(format!(
                "kind should be {KUSTOMIZATION_KIND} or {COMPONENT_KIND}"
            ));
        }
        let required = required_version(&self.kind);
        if self.api_version != required {
            errors.push(format!("apiVersion for {} should be {required}", self.kind));
        }
        if errors.is_empty() {
            return Ok(());
        }
        let errors = errors.join("\n");
        Err(BuildError::new(format!(
            "Failed to read kustomization file under {root}:\n{errors}"
        )))
    }

    /// Tells whether the file asks for a kind of notes in the output.
    pub fn builds_metadata(&self, option: &str) -> bool {
        self.build_metadata.iter().any(|asked| asked == option)
    }
}

fn required_version(kind: &str) -> &'static str {
    if kind == COMPONENT_KIND {
        COMPONENT_VERSION
    } else {
        KUSTOMIZATION_VERSION
    }
}

/// Words a warning for every deprecated field that is there, though it may be empty.
fn deprecations(document: &Value) -> Vec<String> {
    let fields = document.as_object();
    let is_there = |name: &str| {
        let mut fields = fields.into_iter().flatten();
        fields.any(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null())
    };
    let present = DEPRECATED.iter().filter(|(old, _)| is_there(old));
    let warning = |(old, new): &(&str, &str)| {
        let experimental = if *old == "vars" {
            " [EXPERIMENTAL]"
        } else {
            ""
        };
        format!(
            "# Warning: '{old}' is deprecated. Please use '{new}' instead.{experimental} Run 'kustomize \
             edit fix' to update your Kustomization automatically."
        )
    };
    present.map(warning).collect()
}

/// Tells whether the file says nothing but what it is.
fn is_empty(document: &Value) -> bool {
    const MOVED: [&str; 3] = ["bases", "imageTags", "helmChartInflationGenerator"];
    let named = |key: &str, name: &str| key.eq_ignore_ascii_case(name);
    let says_nothing = |(key, value): (&String, &Value)| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty() || named(key, "apiVersion") || named(key, "kind"),
        Value::Array(items) => items.is_empty() && MOVED.iter().any(|name| named(key, name)),
        _ => false,
    };
    match document {
        Value::Object(entries) => entries.iter().all(says_nothing),
        other => other.is_null(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Kustomization> {
        Kustomization::read(text.as_bytes(), "kustomization.yaml", "/", &mut Vec::new())
    }

    #[test]
    fn deprecated_fields_are_told() {
        let mut warnings = Vec::new();
        let text = "Vars: []\nbases: [a]\nimageTags: null\n";
        Kustomization::read(text.as_bytes(), "", "/", &mut warnings).unwrap();
        assert_eq!(warnings.len(), 2);
        assert_eq!(
            warnings[0],
            "# Warning: 'bases' is deprecated. Please use 'resources' instead. Run 'kustomize edit fix' to \
             update your Kustomization automatically."
        );
    }

    #[test]
    fn legacy_fields_move() {
        let read =
            read("bases: [a]\nresources: [b]\nimageTags: [{name: x, newTag: '1'}]\n").unwrap();
        assert_eq!(read.resources, ["b", "a"]);
        assert_eq!(read.images.len(), 1);
        assert_eq!(read.kind, "Kustomization");
    }

    #[test]
    fn an_error_knows_its_line() {
        let error = read("resources:\n- a\nfoo: 1\n").unwrap_err();
        assert_eq!(
            error.message(),
            "invalid Kustomization: json: unknown field \"foo\""
        );
        assert_eq!(error.line(), Some(3));
    }

    #[test]
    fn a_file_that_says_nothing_is_an_error() {
        for text in ["kind: Kustomization\n", "namePrefix: ''\n", "bases: []\n"] {
            let error = read(text).unwrap_err();
            assert_eq!(error.message(), "kustomization.yaml is empty", "{text}");
        }
        assert!(read("resources: []\n").is_ok());
    }
}
