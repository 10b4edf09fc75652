//! What the Kubernetes API says about kinds: which lists merge by which keys, and which kinds have no
//! namespace.
//!
//! The built-in facts are tables made at development time. A kustomization can bring its own OpenAPI
//! document (`openapi.path`); it replaces the built-in facts for merges unless these were asked for before,
//! as upstream's lazily parsed global schema does.

mod custom;
mod inline;
mod scopes;
mod table;

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::OnceLock;

use crate::error::{Result, fail};
use custom::CustomSchema;

/// No type.
const NONE: u16 = u16::MAX;
/// The OpenAPI version that is built in.
const BUILT_IN_VERSION: &str = "v1.21.2";

/// Shape of one built-in type, as far as merges go.
enum Type {
    /// Fields that hold maps or merging lists, sorted as in the API; type of all other fields.
    Map(&'static [(&'static str, u16)], u16),
    /// A list that merges.
    List(Merge),
}

struct Merge {
    items: u16,
    keys: &'static [&'static str],
}

/// The facts in force for one build. Set once by the first kustomization that names a schema.
#[derive(Default)]
pub(crate) struct Schemas {
    custom: OnceLock<CustomSchema>,
    version_set: OnceLock<()>,
    built_in_asked: OnceLock<()>,
}

/// A type found in the facts.
#[derive(Clone)]
pub(crate) enum Schema<'a> {
    BuiltIn(u16),
    Custom(&'a CustomSchema, &'a serde_json::Value),
    /// Written in a comment of the object itself.
    Inline(Rc<serde_json::Value>),
}

/// How a list merges.
pub(crate) struct ListMerge<'a> {
    /// Merge keys; empty for lists of plain values.
    pub keys: Vec<Cow<'a, str>>,
    /// Type of the elements.
    pub items: Option<Schema<'a>>,
}

impl Schemas {
    /// Takes over the `openapi` field of a kustomization; only the first that says something counts.
    pub fn set(&self, version: Option<&str>, document: Option<&[u8]>) -> Result<()> {
        if self.custom.get().is_some() || self.version_set.get().is_some() {
            return Ok(());
        }
        if let Some(document) = document {
            if version.is_some() {
                fail!("builtin version and custom schema provided, cannot use both");
            }
            // The cell is empty: this is the only place that fills it, and it was checked above.
            let with_built_in = self.built_in_asked.get().is_some();
            let _ = self
                .custom
                .set(CustomSchema::parse(document, with_built_in)?);
            return Ok(());
        }
        match version {
            None | Some("") => Ok(()),
            Some(BUILT_IN_VERSION) => {
                let _ = self.version_set.set(());
                Ok(())
            }
            Some(_) => fail!("the specified OpenAPI version is not built in"),
        }
    }

    /// Tells whether a kind is known to have no namespace.
    pub fn is_cluster_scoped(&self, api_version: &str, kind: &str) -> bool {
        let built_in = scopes::CLUSTER_SCOPED
            .binary_search_by(|row| row.0.cmp(api_version).then(row.1.cmp(kind)))
            .is_ok();
        if built_in {
            return true;
        }
        match self.custom.get() {
            Some(custom) => custom.is_cluster_scoped(api_version, kind),
            None => {
                if built_in_row(api_version, kind).is_none() {
                    self.built_in_asked.get_or_init(|| ());
                }
                false
            }
        }
    }

    /// Finds the type of a kind.
    pub fn of_kind(&self, api_version: &str, kind: &str) -> Option<Schema<'_>> {
        if let Some(custom) = self.custom.get() {
            if let Some(definition) = custom.of_kind(api_version, kind) {
                return Some(Schema::Custom(custom, definition));
            }
            self.built_in_asked.get()?;
        }
        self.built_in_asked.get_or_init(|| ());
        built_in_row(api_version, kind).map(Schema::BuiltIn)
    }
}

/// Finds a built-in definition by its name.
fn definition(name: &str) -> Option<Schema<'static>> {
    let row = table::DEFINITIONS
        .binary_search_by(|row| row.0.cmp(name))
        .ok()?;
    built_in(table::DEFINITIONS[row].1)
}

fn built_in_row(api_version: &str, kind: &str) -> Option<u16> {
    let row = table::KINDS
        .binary_search_by(|row| row.0.cmp(api_version).then(row.1.cmp(kind)))
        .ok()?;
    Some(table::KINDS[row].2)
}

fn built_in(index: u16) -> Option<Schema<'static>> {
    (index != NONE).then_some(Schema::BuiltIn(index))
}

impl<'a> Schema<'a> {
    /// Reads the type that a comment on a node states as JSON, such as `# {"type":"array",…}`.
    pub fn of_comments(comments: &kyaml::Comments) -> Option<Schema<'static>> {
        inline::of_comments(comments)
    }

    /// Returns the type of a field.
    pub fn field(&self, name: &str) -> Option<Schema<'a>> {
        match self {
            Schema::BuiltIn(index) => match &table::TYPES[usize::from(*index)] {
                Type::Map(fields, others) => {
                    let own = fields.iter().find(|field| field.0 == name);
                    built_in(own.map_or(*others, |field| field.1))
                }
                Type::List(_) => None,
            },
            Schema::Custom(custom, definition) => custom.field(definition, name),
            Schema::Inline(definition) => inline::field(definition, name),
        }
    }

    /// Tells how a list of this type merges; lists that are replaced have nothing.
    pub fn list_merge(&self) -> Option<ListMerge<'a>> {
        match self {
            Schema::BuiltIn(index) => match &table::TYPES[usize::from(*index)] {
                Type::List(merge) => Some(ListMerge {
                    keys: merge.keys.iter().map(|key| Cow::Borrowed(*key)).collect(),
                    items: built_in(merge.items),
                }),
                Type::Map(..) => None,
            },
            Schema::Custom(custom, definition) => custom.list_merge(definition),
            Schema::Inline(definition) => inline::list_merge(definition),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merge_keys_follow_the_api() {
        let schemas = Schemas::default();
        let pod = schemas.of_kind("apps/v1", "Deployment").unwrap();
        let path = ["spec", "template", "spec", "containers"];
        let containers = path.iter().try_fold(pod, |s, f| s.field(f)).unwrap();
        let merge = containers.list_merge().unwrap();
        assert_eq!(merge.keys, ["name"]);
        let ports = merge.items.unwrap().field("ports").unwrap();
        assert_eq!(
            ports.list_merge().unwrap().keys,
            ["containerPort", "protocol"]
        );
        assert!(schemas.of_kind("apps/v2", "Deployment").is_none());
    }

    #[test]
    fn unknown_kinds_are_namespaced() {
        let schemas = Schemas::default();
        assert!(schemas.is_cluster_scoped("v1", "Namespace"));
        assert!(!schemas.is_cluster_scoped("v2", "Namespace"));
        assert!(!schemas.is_cluster_scoped("example.com/v1", "Thing"));
    }

    #[test]
    fn only_the_built_in_version_is_known() {
        assert!(Schemas::default().set(Some("v1.20.0"), None).is_err());
        assert!(Schemas::default().set(Some("v1.21.2"), None).is_ok());
    }
}
