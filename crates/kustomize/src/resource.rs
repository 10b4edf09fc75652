//! One object on its way through the build: its nodes, and what the build remembers about it.
//!
//! Upstream keeps these notes in annotations of the object. Here they are fields; annotations of the input
//! with upstream's names are taken over, and [`Resource::with_notes`] writes them out for the few steps
//! whose result depends on them.

mod notes;

use kyaml::{Node, NodeValue, Style, Tag, Text};

use crate::error::Result;
use crate::id::{Gvk, ResId, effective_namespace};
use crate::node::lookup::field;
use crate::node::set::{field_or_make, set_field, set_string};
use crate::node::shared::{self, Shared};
use crate::node::{Kind, is_empty, text};
use crate::openapi::Schemas;

pub(crate) use notes::{Behavior, FormerId, Notes};

/// Annotations that never leave the build, beside the notes above.
const DROPPED: [&str; 9] = [
    "internal.config.kubernetes.io/refBy",
    "internal.config.kubernetes.io/path",
    "internal.config.kubernetes.io/index",
    "internal.config.kubernetes.io/seqindent",
    "internal.config.kubernetes.io/id",
    "internal.config.kubernetes.io/annotations-migration-resource-id",
    "config.kubernetes.io/path",
    "config.kubernetes.io/index",
    "config.k8s.io/id",
];

/// Annotation saying where an object came from.
pub(crate) const ORIGIN: &str = "config.kubernetes.io/origin";
/// Annotation listing what changed an object.
pub(crate) const TRANSFORMATIONS: &str = "alpha.config.kubernetes.io/transformations";
/// Annotation keeping an object out of the output.
pub(crate) const LOCAL_CONFIG: &str = "config.kubernetes.io/local-config";

/// One object.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    /// The object; an empty node once a patch has deleted it.
    pub node: Node,
    pub notes: Notes,
    /// Names of the variables that read this object.
    pub variables: Vec<Text>,
    /// Whether the lines of the nodes are kept when the object is packed: they are told of keys that stand
    /// twice.
    pub keeps_marks: bool,
    /// Nodes that stand at several places.
    pub shared: Vec<Shared>,
    /// How many numbers such nodes have been given.
    pub shared_count: u32,
}

fn top<'a>(node: &'a Node, name: &str) -> &'a str {
    node.get(name).map_or("", text)
}

fn metadata(node: &Node) -> Option<&Node> {
    node.get("metadata").filter(|metadata| !is_empty(metadata))
}

fn meta_text<'a>(node: &'a Node, name: &str) -> &'a str {
    let value = metadata(node).and_then(|metadata| metadata.get(name));
    value.filter(|value| !is_empty(value)).map_or("", text)
}

/// Returns the identity as written, without knowing the scope of the kind.
pub(crate) fn literal_id(node: &Node) -> ResId {
    ResId {
        gvk: Gvk::from_api_version(top(node, "apiVersion"), top(node, "kind")),
        name: meta_text(node, "name").into(),
        namespace: meta_text(node, "namespace").into(),
        cluster_scoped: false,
    }
}

impl Resource {
    /// Wraps an object, taking over the notes that its annotations carry.
    pub fn new(node: Node) -> Self {
        let mut resource = Self {
            node,
            notes: Notes::default(),
            variables: Vec::new(),
            keeps_marks: false,
            shared: Vec::new(),
            shared_count: 0,
        };
        resource.absorb_notes();
        resource
    }

    pub fn is_gone(&self) -> bool {
        is_empty(&self.node)
    }

    /// Deletes the object.
    pub fn delete(&mut self) {
        self.node = Node::null();
    }

    pub fn kind(&self) -> &str {
        top(&self.node, "kind")
    }

    pub fn api_version(&self) -> &str {
        top(&self.node, "apiVersion")
    }

    pub fn name(&self) -> &str {
        meta_text(&self.node, "name")
    }

    pub fn namespace(&self) -> &str {
        meta_text(&self.node, "namespace")
    }

    pub fn gvk(&self) -> Gvk {
        Gvk::from_api_version(self.api_version(), self.kind())
    }

    pub fn is_cluster_scoped(&self, schemas: &Schemas) -> bool {
        schemas.is_cluster_scoped(self.api_version(), self.kind())
    }

    /// Returns the identity the object has now.
    pub fn current_id(&self, schemas: &Schemas) -> ResId {
        ResId {
            cluster_scoped: self.is_cluster_scoped(schemas),
            ..literal_id(&self.node)
        }
    }

    /// Returns the identities the object had, oldest first.
    pub fn former_ids(&self) -> impl Iterator<Item = ResId> + '_ {
        let (group, version) = crate::id::split_api_version(self.api_version());
        self.notes.former.iter().map(move |former| ResId {
            gvk: Gvk::new(group, version, &former.kind),
            name: former.name.clone(),
            namespace: former.namespace.clone(),
            cluster_scoped: false,
        })
    }

    /// Returns the oldest identity.
    pub fn original_id(&self, schemas: &Schemas) -> ResId {
        let oldest = self.former_ids().next();
        oldest.unwrap_or_else(|| self.current_id(schemas))
    }

    /// Returns the kind of the oldest identity.
    pub fn original_gvk(&self) -> Gvk {
        let kind = self.notes.former.first().map_or(self.kind(), |f| &f.kind);
        Gvk::from_api_version(self.api_version(), kind)
    }

    /// Remembers the present identity before it changes.
    pub fn store_id(&mut self, schemas: &Schemas) {
        let scoped = self.is_cluster_scoped(schemas);
        self.notes.former.push(FormerId {
            namespace: effective_namespace(self.namespace(), scoped).into(),
            name: self.name().into(),
            kind: self.kind().into(),
        });
    }

    pub fn add_prefix(&mut self, prefix: &str) {
        if !prefix.is_empty() {
            self.notes.prefixes.push(prefix.into());
        }
    }

    pub fn add_suffix(&mut self, suffix: &str) {
        if !suffix.is_empty() {
            self.notes.suffixes.push(suffix.into());
        }
    }

    pub fn set_kind(&mut self, kind: &str) -> Result<()> {
        set_field(&mut self.node, "kind", Node::plain(kind))
    }

    pub fn set_api_version(&mut self, api_version: &str) -> Result<()> {
        set_field(&mut self.node, "apiVersion", Node::plain(api_version))
    }

    pub fn set_name(&mut self, name: &str) -> Result<()> {
        match field_or_make(&mut self.node, "metadata", Kind::Mapping)? {
            Some(metadata) => set_field(metadata, "name", Node::plain(name)),
            None => Ok(()),
        }
    }

    /// Sets the namespace; an empty one removes the field.
    pub fn set_namespace(&mut self, namespace: &str) -> Result<()> {
        if namespace.is_empty() {
            if let Some(metadata) = self.node.get_mut("metadata") {
                metadata.remove("namespace");
            }
            return Ok(());
        }
        match field_or_make(&mut self.node, "metadata", Kind::Mapping)? {
            Some(metadata) => set_field(metadata, "namespace", Node::plain(namespace)),
            None => Ok(()),
        }
    }

    /// Returns the entries of a map below `metadata` as texts; a key given twice keeps its last value.
    pub fn meta_map(&self, name: &str) -> Vec<(&str, &str)> {
        let map = metadata(&self.node).and_then(|metadata| metadata.get(name));
        let entries = map.and_then(Node::entries).unwrap_or_default();
        entries.iter().map(|(k, v)| (text(k), text(v))).collect()
    }

    pub fn annotation(&self, key: &str) -> Option<&str> {
        let annotations = metadata(&self.node)?.get("annotations")?;
        annotations.get(key).map(text)
    }

    /// Rewrites a map below `metadata` as strings, sorted; an empty one is removed.
    pub fn set_meta_map(&mut self, name: &str, entries: Vec<(String, String)>) -> Result<()> {
        let Some(metadata) = field_or_make(&mut self.node, "metadata", Kind::Mapping)? else {
            return Ok(());
        };
        metadata.remove(name);
        if entries.is_empty() {
            return Ok(());
        }
        let sorted: std::collections::BTreeMap<String, String> = entries.into_iter().collect();
        let mut map = Node::mapping();
        for (key, value) in sorted {
            set_string(&mut map, &key, &value)?;
        }
        set_field(metadata, name, map)
    }

    /// Sets one annotation, rewriting the others as strings.
    pub fn set_annotation(&mut self, key: &str, value: Option<&str>) -> Result<()> {
        let mut entries = self.owned_annotations();
        entries.retain(|(k, _)| k != key);
        entries.extend(value.map(|value| (key.to_owned(), value.to_owned())));
        self.set_meta_map("annotations", entries)
    }

    fn owned_annotations(&self) -> Vec<(String, String)> {
        let own = self.meta_map("annotations");
        own.iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    /// Shows at all places of a node what was written at one of them; to be called after every step.
    pub fn settle(&mut self) {
        if !self.shared.is_empty() {
            shared::settle(&mut self.node, &mut self.shared);
        }
    }

    /// Removes bookkeeping annotations of the input; all other annotations become strings.
    pub fn remove_build_annotations(&mut self) -> Result<()> {
        let Some(metadata) = self.node.get_mut("metadata") else {
            return Ok(());
        };
        let Some(annotations) = metadata.get_mut("annotations") else {
            return Ok(());
        };
        let Some(entries) = annotations.entries_mut() else {
            // Annotations are always written anew, and there are none.
            if matches!(
                annotations.as_str(),
                Some("" | "~" | "null" | "Null" | "NULL")
            ) {
                metadata.remove("annotations");
            }
            return Ok(());
        };
        entries.retain(|(key, _)| !DROPPED.contains(&text(key)));
        for (key, value) in entries.iter_mut() {
            stringify(key, value);
        }
        dedup_keys(entries);
        if entries.is_empty() {
            metadata.remove("annotations");
        }
        Ok(())
    }

    /// Removes annotations that say nothing, as upstream's rewriting of them does.
    pub fn drop_empty_annotations(&mut self) {
        let Some(metadata) = self.node.get_mut("metadata") else {
            return;
        };
        let annotations = metadata.get("annotations");
        let says_something = |map: &Node| map.entries().is_some_and(|entries| !entries.is_empty());
        if annotations.is_some_and(|annotations| !says_something(annotations)) {
            metadata.remove("annotations");
        }
    }

    /// Returns the value at a path of plain names, if every step is there.
    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter()
            .try_fold(&self.node, |node, step| field(node, step).ok().flatten())
    }
}

fn stringify(key: &mut Node, value: &mut Node) {
    *key = Node::plain(text(key));
    if !matches!(value.value, NodeValue::Scalar(_)) {
        *value = Node::string("");
    }
    value.tag = Tag::Str;
    value.style = if text(value).contains('\n') {
        Style::Literal
    } else {
        Style::Plain
    };
    value.set_anchor(None);
}

/// Of entries with the same key, the last value stays, as in a Go map.
fn dedup_keys(entries: &mut Vec<(Node, Node)>) {
    let mut last = std::collections::HashMap::new();
    for (index, (key, _)) in entries.iter().enumerate() {
        last.insert(text(key).to_owned(), index);
    }
    if last.len() == entries.len() {
        return;
    }
    let mut index = 0;
    entries.retain(|(key, _)| {
        index += 1;
        last.get(text(key)) == Some(&(index - 1))
    });
}
