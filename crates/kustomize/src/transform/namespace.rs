//! `namespace`: moves every object that has a namespace.
//!
//! `metadata.namespace` is set on everything not known to be cluster-scoped; subjects of role bindings by
//! their own rule; `metadata.name` only of core Namespace objects; other fields by specification.

use kyaml::{Node, Tag};

use super::Transformer;
use crate::config::FieldSpec;
use crate::error::{BuildError, Result, fail};
use crate::id::Gvk;
use crate::node::fieldspec::{Create, Spec};
use crate::node::lookup::field;
use crate::node::set::{field_or_make, set_scalar};
use crate::node::{Kind, is_null, text, value_text};
use crate::openapi::Schemas;
use crate::resmap::{ObjectStep, ResMap};
use crate::resource::Resource;

/// Which subjects of role bindings are moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Subjects {
    /// Those named `default`.
    #[default]
    Default,
    /// All service accounts.
    ServiceAccounts,
    /// None.
    None,
}

impl Subjects {
    pub fn parse(word: &str) -> Result<Self> {
        Ok(match word {
            "" | "defaultOnly" => Self::Default,
            "allServiceAccounts" => Self::ServiceAccounts,
            "none" => Self::None,
            other => fail!(
                "invalid value {other:?} for setRoleBindingSubjects: must be one of \
                 \"defaultOnly\", \"none\" or \"allServiceAccounts\""
            ),
        })
    }
}

/// Sets a namespace.
pub(crate) struct Namespace {
    namespace: String,
    specs: Vec<Spec>,
    unset_only: bool,
    subjects: Subjects,
}

impl Namespace {
    pub fn new(namespace: &str, specs: &[FieldSpec], unset_only: bool, subjects: Subjects) -> Self {
        Self {
            namespace: namespace.to_owned(),
            specs: Spec::all(specs),
            unset_only,
            subjects,
        }
    }

    fn set(&self, node: &mut Node) -> Result<()> {
        if self.unset_only && !value_text(Some(node)).is_empty() {
            return Ok(());
        }
        set_scalar(node, Node::string(self.namespace.as_str()))
    }

    /// Sets the namespace in one object.
    pub fn set_in(&self, resource: &mut Resource, schemas: &Schemas) -> Result<()> {
        let gvk = resource.gvk();
        if !resource.is_cluster_scoped(schemas) {
            self.metadata(&mut resource.node, &gvk)?;
        }
        let is_binding = is_role_binding(&gvk.kind);
        if is_binding {
            self.bindings(&mut resource.node)?;
        }
        let is_core = resource.api_version() == "v1";
        for spec in &self.specs {
            let path = spec.spec.path.as_str();
            let elsewhere = path == "metadata/namespace"
                || (path == "metadata/name" && !is_core)
                || (is_binding && is_role_binding(&spec.spec.kind) && path == "subjects/namespace");
            if !elsewhere {
                self.visit(spec, &mut resource.node, &gvk, || Tag::Str)
                    .map_err(reworded)?;
            }
        }
        Ok(())
    }

    fn visit(&self, spec: &Spec, node: &mut Node, gvk: &Gvk, tag: fn() -> Tag) -> Result<()> {
        let create = Create {
            kind: Kind::Scalar,
            tag,
        };
        spec.visit(node, gvk, Some(create), &mut |node| self.set(node))
    }

    fn metadata(&self, node: &mut Node, gvk: &Gvk) -> Result<()> {
        let spec = Spec::new(&FieldSpec::everywhere("metadata/namespace", true));
        self.visit(&spec, node, gvk, || Tag::Implicit)
    }

    fn bindings(&self, node: &mut Node) -> Result<()> {
        if self.subjects == Subjects::None {
            return Ok(());
        }
        let Some(subjects) = field(node, "subjects")?.filter(|subjects| !is_null(subjects)) else {
            return Ok(());
        };
        let wrap =
            |error: BuildError| error.wrap("setting namespace on (cluster)role binding subjects");
        crate::node::lookup::ensure(subjects, Kind::Sequence).map_err(wrap)?;
        let items = node.get_mut("subjects").and_then(Node::items_mut);
        for subject in items.into_iter().flatten() {
            self.subject(subject).map_err(wrap)?;
        }
        Ok(())
    }

    fn subject(&self, subject: &mut Node) -> Result<()> {
        let (key, wanted) = match self.subjects {
            Subjects::ServiceAccounts => ("kind", "ServiceAccount"),
            _ => ("name", "default"),
        };
        let value = field(subject, key)?.filter(|value| !is_null(value));
        if value.is_none_or(|value| text(value) != wanted) {
            return Ok(());
        }
        match field_or_make(subject, "namespace", Kind::Scalar)? {
            Some(namespace) => self.set(namespace),
            None => Ok(()),
        }
    }
}

fn is_role_binding(kind: &str) -> bool {
    matches!(kind, "RoleBinding" | "ClusterRoleBinding")
}

fn reworded(error: BuildError) -> BuildError {
    let message = error.message();
    let not_scalar = message.contains("wrong node kind: expected ScalarNode")
        && !message.contains("but got ScalarNode");
    error.wrap(if not_scalar {
        "namespace field specs must target scalar nodes"
    } else {
        "namespace transformation failed"
    })
}

impl ObjectStep for Namespace {
    fn apply(&self, resource: &mut Resource, schemas: &Schemas) -> Result<()> {
        let by_helm = resource.notes.helm_generated.as_deref() == Some("true");
        if resource.is_gone() || by_helm {
            return Ok(());
        }
        resource.store_id(schemas);
        self.set_in(resource, schemas)
    }
}

impl Transformer for Namespace {
    fn transform(&self, objects: &mut ResMap, schemas: &Schemas) -> Result<()> {
        if self.namespace.is_empty() {
            return Ok(());
        }
        objects.each(&[self], schemas)?;
        objects.check_unique(schemas).map_err(|(first, second)| {
            let text = |index: usize| {
                let mut shown = objects.get(index);
                // Notes that cannot be written out are left out of the message.
                let _ = shown.show_notes();
                crate::emission::to_json_text(&shown.node)
            };
            let (first, second) = (text(first), text(second));
            BuildError::new(format!(
                "namespace transformation produces ID conflict: [{first} {second}]"
            ))
        })
    }
}
