//! What the server serves: built-in kinds from the packed asset, custom kinds from their CRDs.
//!
//! The asset (`assets/catalog.json.gz`, written by `cargo xtask generate apiserver`) holds the discovery facts of
//! Kubernetes 1.35: groups in order, resources with verbs, names and subresources, printer columns, and the
//! objects that a fresh server creates. One [`Catalog`] is an immutable view; a CRD change makes another.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::sync::{Arc, OnceLock};

use cluster::ApiResource;
use flate2::read::GzDecoder;
use objects::{Gvk, Map, Value};
use serde::Deserialize;

use crate::crd::CustomVersion;
use crate::store::TableName;

static ASSET: &[u8] = include_bytes!("../assets/catalog.json.gz");

/// Facts read from the packed asset.
#[derive(Debug, Deserialize)]
pub struct Facts {
    /// Body of `/version`.
    pub version: Map,
    groups: Vec<GroupFacts>,
    resources: Vec<ResourceFacts>,
    /// Objects of a fresh server, by plural resource.
    pub bootstrap: BTreeMap<String, Vec<Map>>,
}

#[derive(Debug, Deserialize)]
struct GroupFacts {
    name: String,
    versions: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceFacts {
    group: String,
    version: String,
    name: String,
    kind: String,
    singular: String,
    namespaced: bool,
    verbs: Vec<String>,
    #[serde(default)]
    short_names: Vec<String>,
    #[serde(default)]
    categories: Vec<String>,
    #[serde(default)]
    hash: String,
    #[serde(default)]
    subresources: Vec<SubFacts>,
    #[serde(default)]
    columns: Vec<(String, String, String, i32)>,
}

#[derive(Debug, Deserialize)]
struct SubFacts {
    name: String,
    kind: String,
    #[serde(default)]
    group: String,
    #[serde(default)]
    version: String,
    verbs: Vec<String>,
}

/// One column of a Table answer.
#[derive(Clone, Debug, Default)]
pub struct Column {
    /// Heading.
    pub name: String,
    /// OpenAPI type: `string`, `integer`, `date`, ….
    pub kind: String,
    /// OpenAPI format; `name` marks the name column.
    pub format: String,
    /// Text for people; may be empty.
    pub description: String,
    /// 0 for columns that are always shown.
    pub priority: i32,
    /// JSON path of a custom kind's column; empty for built-in kinds.
    pub path: String,
}

/// A subresource of a served resource.
#[derive(Clone, Debug)]
pub struct Subresource {
    /// Name, such as `status`.
    pub name: String,
    /// Kind read and written there.
    pub gvk: Gvk,
    /// Whether group and version are named in discovery (they differ from the parent's).
    pub foreign: bool,
    /// Verbs served.
    pub verbs: Vec<String>,
}

/// A resource in one served version.
#[derive(Debug)]
pub struct Resource {
    /// Names and verbs as the `Cluster` port tells them.
    pub api: Arc<ApiResource>,
    /// Kind of the list object.
    pub list_kind: String,
    /// `group/version`, or the version alone in the core group.
    pub api_version: String,
    /// Table in which the objects lie.
    pub table: TableName,
    /// Storage version hash of discovery; may be empty.
    pub hash: String,
    /// Subresources, by name.
    pub subresources: Vec<Subresource>,
    /// Printer columns; empty for kinds that cannot be listed.
    pub columns: Vec<Column>,
    /// The custom kind behind it; absent for built-in kinds.
    pub custom: Option<Arc<CustomVersion>>,
}

impl Resource {
    /// Describes the kind that a subresource is written as.
    pub fn written_as(&self, gvk: &Gvk) -> Self {
        let mut api = (*self.api).clone();
        api.gvk = gvk.clone();
        Self {
            api: Arc::new(api),
            list_kind: String::new(),
            api_version: gvk.api_version(),
            table: self.table.clone(),
            hash: String::new(),
            subresources: Vec::new(),
            columns: Vec::new(),
            custom: None,
        }
    }

    /// Returns group, version and kind.
    pub fn gvk(&self) -> &Gvk {
        &self.api.gvk
    }

    /// Returns the API group; empty for the core group.
    pub fn group(&self) -> &str {
        &self.api.gvk.group
    }

    /// Returns the version.
    pub fn version(&self) -> &str {
        &self.api.gvk.version
    }

    /// Returns the kind.
    pub fn kind(&self) -> &str {
        &self.api.gvk.kind
    }

    /// Returns the plural name.
    pub fn plural(&self) -> &str {
        &self.api.plural
    }

    /// Finds a subresource.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|sub| sub.name == name)
    }

    /// Tells whether a verb is served on the resource itself.
    pub fn serves(&self, verb: &str) -> bool {
        self.api.verbs.iter().any(|v| v == verb)
    }

    /// Tells whether it is `plural` of `group`, in any version.
    pub fn is(&self, group: &str, plural: &str) -> bool {
        self.api.gvk.group == group && self.api.plural == plural
    }
}

/// An API group with its versions, preferred first.
#[derive(Clone, Debug)]
pub struct Group {
    /// Name; empty for the core group.
    pub name: String,
    /// Versions by priority; each is served.
    pub versions: Vec<String>,
}

/// One immutable view of everything served.
#[derive(Debug)]
pub struct Catalog {
    /// Groups in discovery order, the core group first.
    pub groups: Vec<Group>,
    /// Resources in discovery order.
    pub resources: Vec<Arc<Resource>>,
    by_gvr: HashMap<(String, String, String), Arc<Resource>>,
}

/// Returns the facts of the asset, unpacked at first use.
pub fn facts() -> &'static Facts {
    static FACTS: OnceLock<Facts> = OnceLock::new();
    FACTS.get_or_init(|| {
        let mut text = Vec::new();
        GzDecoder::new(ASSET)
            .read_to_end(&mut text)
            .expect("the committed asset is gzip");
        serde_json::from_slice(&text).expect("the committed asset has this shape")
    })
}

impl Catalog {
    /// Lists the built-in kinds.
    pub fn builtin() -> Self {
        let facts = facts();
        let groups = facts
            .groups
            .iter()
            .map(|group| Group {
                name: group.name.clone(),
                versions: group.versions.clone(),
            })
            .collect();
        let resources = facts.resources.iter().map(|r| Arc::new(builtin(r)));
        Self::index(groups, resources.collect())
    }

    /// Adds custom kinds: `(group, versions by priority)` and their resources.
    pub fn with_custom(&self, custom: Vec<Group>, resources: Vec<Arc<Resource>>) -> Self {
        let mut groups = self.groups.clone();
        for group in custom {
            match groups.iter_mut().find(|g| g.name == group.name) {
                Some(known) => {
                    for version in group.versions {
                        if !known.versions.contains(&version) {
                            known.versions.push(version);
                        }
                    }
                }
                None => groups.push(group),
            }
        }
        let mut all = self.resources.clone();
        all.extend(resources);
        Self::index(groups, all)
    }

    fn index(groups: Vec<Group>, resources: Vec<Arc<Resource>>) -> Self {
        let mut by_gvr = HashMap::with_capacity(resources.len());
        for resource in &resources {
            let gvk = resource.gvk();
            let key = (
                gvk.group.clone(),
                gvk.version.clone(),
                resource.api.plural.clone(),
            );
            by_gvr.entry(key).or_insert_with(|| resource.clone());
        }
        Self {
            groups,
            resources,
            by_gvr,
        }
    }

    /// Finds a resource by its URL parts.
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.by_gvr
            .get(&(group.to_owned(), version.to_owned(), plural.to_owned()))
    }

    /// Finds a resource in whichever version comes first.
    pub fn any_version(&self, group: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.resources.iter().find(|r| r.is(group, plural))
    }

    /// Finds the resource of a kind in exactly this version.
    pub fn by_gvk(&self, gvk: &Gvk) -> Option<&Arc<Resource>> {
        self.resources.iter().find(|r| r.gvk() == gvk)
    }

    /// Finds a group.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// Lists the resources of one group and version, in order.
    pub fn of_version<'a>(
        &'a self,
        group: &'a str,
        version: &'a str,
    ) -> impl Iterator<Item = &'a Arc<Resource>> {
        self.resources
            .iter()
            .filter(move |r| r.group() == group && r.version() == version)
    }

    /// Picks one resource for each table: the version in which a controller reads it.
    pub fn stored(&self) -> BTreeMap<TableName, Arc<Resource>> {
        let mut stored = BTreeMap::new();
        for resource in self.resources.iter().filter(|r| r.serves("list")) {
            stored
                .entry(resource.table.clone())
                .or_insert_with(|| resource.clone());
        }
        stored
    }
}

fn builtin(facts: &ResourceFacts) -> Resource {
    let gvk = Gvk::new(&facts.group, &facts.version, &facts.kind);
    let subresources: Vec<Subresource> = facts
        .subresources
        .iter()
        .map(|sub| Subresource {
            name: sub.name.clone(),
            foreign: !sub.version.is_empty(),
            gvk: if sub.version.is_empty() {
                Gvk::new(&facts.group, &facts.version, &sub.kind)
            } else {
                Gvk::new(&sub.group, &sub.version, &sub.kind)
            },
            verbs: sub.verbs.clone(),
        })
        .collect();
    let columns = facts
        .columns
        .iter()
        .map(|(name, kind, format, priority)| Column {
            name: name.clone(),
            kind: kind.clone(),
            format: format.clone(),
            priority: *priority,
            ..Column::default()
        });
    Resource {
        list_kind: format!("{}List", facts.kind),
        api_version: gvk.api_version(),
        table: table_name(&facts.group, &facts.name),
        hash: facts.hash.clone(),
        columns: columns.collect(),
        custom: None,
        api: Arc::new(ApiResource {
            plural: facts.name.clone(),
            singular: facts.singular.clone(),
            short_names: facts.short_names.clone(),
            categories: facts.categories.clone(),
            verbs: facts.verbs.clone(),
            subresources: subresources.iter().map(|sub| sub.name.clone()).collect(),
            namespaced: facts.namespaced,
            gvk,
        }),
        subresources,
    }
}

/// Names the table of a resource; both event resources share one.
pub fn table_name(group: &str, plural: &str) -> TableName {
    match (group, plural) {
        ("events.k8s.io", "events") => TableName::from("/events"),
        _ => TableName::from(format!("{group}/{plural}")),
    }
}

/// Reads a text member of a JSON map, or "".
pub(crate) fn text<'a>(map: &'a Map, key: &str) -> &'a str {
    map.get(key).and_then(Value::as_str).unwrap_or("")
}
