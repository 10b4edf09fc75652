//! Which fields the built-in transformers visit: the built-in tables, extended by `configurations` files
//! and by `crds`.
//!
//! Merging keeps the first of two specifications of the same field; two that disagree about creating it
//! are an error.

mod crds;
mod table;

use std::sync::{Arc, OnceLock};

use kyaml::Text;

use crate::decode::json_struct;
use crate::error::{BuildError, Result};
use crate::id::Gvk;

pub(crate) use crds::load_crds;

/// One row of the built-in tables.
struct Row {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    path: &'static str,
    create: bool,
}

/// Rows that refer to one kind by name.
struct TargetRow {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    referrers: &'static [Row],
}

json_struct! {
    /// A field of some kinds.
    pub(crate) struct FieldSpec: "FieldSpec" {
        group: Text = "group" in "Gvk",
        version: Text = "version" in "Gvk",
        kind: Text = "kind" in "Gvk",
        path: Text = "path",
        create: bool = "create",
    }
}

json_struct! {
    /// The fields that hold the name of objects of one kind.
    pub(crate) struct NameBackReference: "NameBackReferences" {
        group: Text = "group" in "Gvk",
        version: Text = "version" in "Gvk",
        kind: Text = "kind" in "Gvk",
        referrers: Vec<FieldSpec> = "fieldSpecs",
    }
}

json_struct! {
    /// All field specifications.
    pub(crate) struct Config: "TransformerConfig" {
        name_prefix: Vec<FieldSpec> = "namePrefix",
        name_suffix: Vec<FieldSpec> = "nameSuffix",
        namespace: Vec<FieldSpec> = "namespace",
        common_labels: Vec<FieldSpec> = "commonLabels",
        labels: Vec<FieldSpec> = "labels",
        template_labels: Vec<FieldSpec> = "templateLabels",
        common_annotations: Vec<FieldSpec> = "commonAnnotations",
        name_reference: Vec<NameBackReference> = "nameReference",
        var_reference: Vec<FieldSpec> = "varReference",
        images: Vec<FieldSpec> = "images",
        replicas: Vec<FieldSpec> = "replicas",
    }
}

impl FieldSpec {
    /// Makes a specification for every kind.
    pub fn everywhere(path: &str, create: bool) -> Self {
        Self {
            path: path.into(),
            create,
            ..Self::default()
        }
    }

    pub fn gvk(&self) -> Gvk {
        Gvk {
            group: self.group.clone(),
            version: self.version.clone(),
            kind: self.kind.clone(),
        }
    }

    /// Tells whether the specification is meant for this kind; empty parts match anything.
    pub fn matches(&self, gvk: &Gvk) -> bool {
        let agrees = |want: &str, have: &str| want.is_empty() || want == have;
        agrees(&self.kind, &gvk.kind)
            && agrees(&self.group, &gvk.group)
            && agrees(&self.version, &gvk.version)
    }

    fn covers(&self, other: &FieldSpec) -> bool {
        self.path == other.path && self.gvk().is_selected(&other.gvk())
    }
}

impl NameBackReference {
    pub fn gvk(&self) -> Gvk {
        Gvk {
            group: self.group.clone(),
            version: self.version.clone(),
            kind: self.kind.clone(),
        }
    }
}

/// Adds one specification, unless it is there.
pub(crate) fn merge_one(into: &mut Vec<FieldSpec>, spec: FieldSpec) -> Result<()> {
    match into.iter().find(|known| known.covers(&spec)) {
        Some(known) if known.create != spec.create => {
            Err(BuildError::new("conflicting fieldspecs"))
        }
        Some(_) => Ok(()),
        None => {
            into.push(spec);
            Ok(())
        }
    }
}

/// Adds all specifications that are not there yet.
pub(crate) fn merge_all(into: &mut Vec<FieldSpec>, specs: &[FieldSpec]) -> Result<()> {
    specs
        .iter()
        .try_for_each(|spec| merge_one(into, spec.clone()))
}

fn merge_references(into: &mut Vec<NameBackReference>, others: &[NameBackReference]) -> Result<()> {
    for other in others {
        match into.iter_mut().find(|known| known.gvk() == other.gvk()) {
            Some(known) => merge_all(&mut known.referrers, &other.referrers)?,
            None => into.push(other.clone()),
        }
    }
    Ok(())
}

impl Config {
    /// Merges two sets. The built-in one merged with nothing or with itself stays as it is.
    pub fn merge(left: &Option<Arc<Config>>, right: &Arc<Config>) -> Result<Arc<Config>> {
        match left {
            None if Arc::ptr_eq(right, &Self::built_in()) => Ok(right.clone()),
            None => {
                // Even alone, a set is merged: a specification for all kinds goes where one for some kinds
                // stands before it.
                let mut merged = Config::default();
                merged.absorb(right)?;
                Ok(Arc::new(merged))
            }
            Some(left) if Arc::ptr_eq(left, right) => Ok(left.clone()),
            Some(left) => {
                let mut merged = Config::clone(left);
                merged.absorb(right)?;
                Ok(Arc::new(merged))
            }
        }
    }

    fn absorb(&mut self, other: &Config) -> Result<()> {
        let pairs: [(&mut Vec<FieldSpec>, &[FieldSpec], &str); 10] = [
            (&mut self.name_prefix, &other.name_prefix, "NamePrefix"),
            (&mut self.name_suffix, &other.name_suffix, "NameSuffix"),
            (&mut self.namespace, &other.namespace, "NameSpace"),
            (
                &mut self.common_annotations,
                &other.common_annotations,
                "CommonAnnotations",
            ),
            (
                &mut self.common_labels,
                &other.common_labels,
                "CommonLabels",
            ),
            (&mut self.labels, &other.labels, "Labels"),
            (
                &mut self.template_labels,
                &other.template_labels,
                "TemplateLabels",
            ),
            (
                &mut self.var_reference,
                &other.var_reference,
                "VarReference",
            ),
            (&mut self.images, &other.images, "Images"),
            (&mut self.replicas, &other.replicas, "Replicas"),
        ];
        for (mine, theirs, name) in pairs {
            merge_all(mine, theirs)
                .map_err(|e| e.wrap(format!("failed to merge {name} fieldSpec")))?;
        }
        merge_references(&mut self.name_reference, &other.name_reference)
            .map_err(|e| e.wrap("failed to merge NameReference fieldSpec"))?;
        self.sort();
        Ok(())
    }

    /// Brings all lists into upstream's order: by rank of the kind, then by group, version, kind.
    pub fn sort(&mut self) {
        let lists = [
            &mut self.name_prefix,
            &mut self.name_suffix,
            &mut self.namespace,
            &mut self.common_labels,
            &mut self.labels,
            &mut self.template_labels,
            &mut self.common_annotations,
            &mut self.var_reference,
            &mut self.images,
            &mut self.replicas,
        ];
        for list in lists {
            list.sort_by_cached_key(|spec| crate::transform::sort::stable_key(&spec.gvk()));
        }
        self.name_reference
            .sort_by_cached_key(|target| crate::transform::sort::stable_key(&target.gvk()));
    }

    /// Returns the built-in set, shared.
    pub fn built_in() -> Arc<Config> {
        static BUILT_IN: OnceLock<Arc<Config>> = OnceLock::new();
        BUILT_IN.get_or_init(|| Arc::new(from_tables())).clone()
    }
}

fn specs(rows: &[Row]) -> Vec<FieldSpec> {
    let spec = |row: &Row| FieldSpec {
        group: Text::const_new(row.group),
        version: Text::const_new(row.version),
        kind: Text::const_new(row.kind),
        path: Text::const_new(row.path),
        create: row.create,
    };
    rows.iter().map(spec).collect()
}

fn from_tables() -> Config {
    let reference = |row: &TargetRow| NameBackReference {
        group: Text::const_new(row.group),
        version: Text::const_new(row.version),
        kind: Text::const_new(row.kind),
        referrers: specs(row.referrers),
    };
    Config {
        name_prefix: specs(table::NAME_PREFIX),
        name_suffix: specs(table::NAME_SUFFIX),
        namespace: specs(table::NAMESPACE),
        common_labels: specs(table::COMMON_LABELS),
        labels: Vec::new(),
        template_labels: specs(table::TEMPLATE_LABELS),
        common_annotations: specs(table::COMMON_ANNOTATIONS),
        name_reference: table::NAME_REFERENCE.iter().map(reference).collect(),
        var_reference: specs(table::VAR_REFERENCE),
        images: specs(table::IMAGES),
        replicas: specs(table::REPLICAS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_in_order() {
        let built_in = Config::built_in();
        let mut sorted = Config::clone(&built_in);
        sorted.sort();
        let paths = |c: &Config| {
            let fields = c.common_labels.iter().map(|s| s.path.clone());
            fields.collect::<Vec<_>>()
        };
        assert_eq!(paths(&built_in), paths(&sorted));
    }

    #[test]
    fn a_disagreement_about_creating_is_an_error() {
        let mut list = vec![FieldSpec::everywhere("a/b", true)];
        merge_one(&mut list, FieldSpec::everywhere("a/b", true)).unwrap();
        assert_eq!(list.len(), 1);
        assert!(merge_one(&mut list, FieldSpec::everywhere("a/b", false)).is_err());
    }
}
