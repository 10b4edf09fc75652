//! One generic engine over dynamic objects: a routed request goes in, a stored object or a failure comes out.
//!
//! HTTP, the in-process port and the controllers inside the server all call the same functions:
//! authorise → decode → default → record field ownership → admit → prepare → validate → store. Per-kind
//! behaviour is in [`crate::kinds`]; nothing here knows a kind by name but for namespaces and CRDs.

mod apply;
mod decode;
mod delete;
mod duplicates;
mod identity;
mod list;
mod options;
mod patch;
pub mod selector;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use objects::{Map, Value};
use parking_lot::{Mutex, RwLock};

use crate::catalog::{Catalog, Resource};
use crate::environment::Environment;
use crate::failure::{Answered, Failure, Named};
use crate::store::{self, Draft, Entry, Expect, Refused, Store};

pub use decode::{Body, Format, Wanted, go_gvk, yaml_map};
pub use delete::{FOREGROUND, ORPHAN};
pub(crate) use duplicates::{Repeated, duplicate_keys, positions};
pub(crate) use identity::check_namespace;
pub(crate) use list::parse_exact_version;
pub use list::{Listing, Watching};
pub use options::{DeleteOptions, ListOptions, Query, WriteOptions, parse_query, percent_decode};
pub(crate) use options::{first, parse_integer};
pub use patch::PatchBody;
pub(crate) use patch::oddities_of_json_patch;
pub(crate) use write::Write;

/// Who sends a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// Name.
    pub name: String,
    /// Uid; may be empty.
    pub uid: String,
    /// Groups.
    pub groups: Vec<String>,
    /// Further attributes.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// The administrator: member of `system:masters`.
    pub fn admin() -> Self {
        Self {
            name: "admin".into(),
            groups: vec!["system:masters".into(), "system:authenticated".into()],
            ..Self::default()
        }
    }

    /// One of the server's own controllers.
    pub fn system() -> Self {
        Self {
            name: "system:apiserver".into(),
            groups: vec!["system:masters".into(), "system:authenticated".into()],
            ..Self::default()
        }
    }

    /// Nobody in particular.
    pub fn anonymous() -> Self {
        Self {
            name: "system:anonymous".into(),
            groups: vec!["system:unauthenticated".into()],
            ..Self::default()
        }
    }
}

/// What goes along with a request: its sender, and the warnings found on the way.
#[derive(Debug, Default)]
pub struct Context {
    /// Sender.
    pub user: User,
    /// `User-Agent`, the field manager of last resort.
    pub user_agent: String,
    /// Texts for `Warning` headers, in order.
    pub warnings: Mutex<Vec<String>>,
}

impl Context {
    /// Builds for a user; warnings start empty.
    pub fn new(user: User, user_agent: &str) -> Self {
        Self {
            user,
            user_agent: user_agent.to_owned(),
            warnings: Mutex::default(),
        }
    }

    /// Adds a warning once.
    pub fn warn(&self, text: impl Into<String>) {
        let text = text.into();
        let mut warnings = self.warnings.lock();
        if !warnings.contains(&text) {
            warnings.push(text);
        }
    }
}

/// What a request is about: a resource, and below it a namespace, a name, a subresource.
#[derive(Clone, Debug)]
pub struct Place {
    /// Resource in the version asked for.
    pub resource: Arc<Resource>,
    /// Namespace; empty for cluster-scoped resources and for all namespaces.
    pub namespace: String,
    /// Name; empty for collections.
    pub name: String,
    /// Subresource; empty for the object itself.
    pub sub: String,
}

impl Place {
    /// Points at an object.
    pub fn new(resource: &Arc<Resource>, namespace: &str, name: &str) -> Self {
        Self {
            resource: resource.clone(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            sub: String::new(),
        }
    }

    /// Names the object as `not found` and `conflict` messages do.
    pub fn named(&self) -> Named<'_> {
        Named {
            group: self.resource.group(),
            kind: self.resource.plural(),
            name: &self.name,
        }
    }

    /// Returns the object's key in its table.
    pub fn key(&self) -> compact_str::CompactString {
        store::key(&self.namespace, &self.name)
    }
}

/// An object that answers a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// As stored.
    Stored(Arc<Entry>),
    /// Made for this answer (dry run, subresources, reviews), with `apiVersion` and `kind`.
    Loose(Box<Map>),
}

/// Answer to a write.
#[derive(Clone, Debug)]
pub struct Written {
    /// The object afterwards.
    pub reply: Reply,
    /// Whether it was created (201).
    pub created: bool,
}

/// Answer to a delete.
#[derive(Clone, Debug)]
pub enum Removed {
    /// Gone.
    Gone {
        /// Uid it had.
        uid: String,
        /// Its last state.
        last: Arc<Entry>,
    },
    /// Still there, marked for deletion.
    Marked(Reply),
}

/// The engine.
pub struct Engine {
    /// Stored objects.
    pub store: Arc<Store>,
    /// Clock and ids.
    pub environment: Environment,
    /// Signing keys and static credentials.
    pub credentials: crate::auth::Credentials,
    /// Compiled bindings.
    pub rbac: crate::auth::rbac::Rbac,
    /// Namespaces whose quotas have to be counted anew.
    pub quotas: crate::admission::quota::Recounts,
    /// Calls of admission webhooks under way.
    pub webhook_calls: crate::admission::webhook::Calls,
    /// Compiled admission policies.
    pub policies: crate::admission::policy::Cache,
    /// Requests from sockets that may be handled at once.
    pub(crate) slots: Arc<tokio::sync::Semaphore>,
    /// Faults of a simulation.
    pub(crate) injector: crate::faults::Injector,
    /// OpenAPI documents built so far.
    pub documents: crate::http::Documents,
    builtin: Catalog,
    catalog: RwLock<(Arc<Catalog>, Arc<cluster::Discovery>)>,
}

impl Engine {
    /// Builds an engine over a store.
    pub fn new(
        store: Arc<Store>,
        environment: Environment,
        credentials: crate::auth::Credentials,
    ) -> Self {
        let builtin = Catalog::builtin();
        let catalog = Catalog::builtin();
        let discovery = Arc::new(crate::port::discovery(&catalog));
        Self {
            store,
            environment,
            credentials,
            rbac: crate::auth::rbac::Rbac::default(),
            quotas: crate::admission::quota::Recounts::default(),
            webhook_calls: crate::admission::webhook::Calls::default(),
            policies: crate::admission::policy::Cache::default(),
            slots: Arc::new(tokio::sync::Semaphore::new(crate::http::REQUESTS_MAX)),
            injector: crate::faults::Injector::default(),
            documents: crate::http::Documents::default(),
            builtin,
            catalog: RwLock::new((Arc::new(catalog), discovery)),
        }
    }

    /// Returns what is served at this moment.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.read().0.clone()
    }

    /// Returns the same as the `Cluster` port tells it.
    pub fn discovery(&self) -> Arc<cluster::Discovery> {
        self.catalog.read().1.clone()
    }

    /// Serves the kinds of the stored CRDs from now on.
    pub fn refresh_catalog(&self) {
        let mut slot = self.catalog.write();
        let (_, crds) = self
            .store
            .list("apiextensions.k8s.io/customresourcedefinitions", "");
        let catalog = crate::crd::extend(&self.builtin, &crds);
        let discovery = Arc::new(crate::port::discovery(&catalog));
        *slot = (Arc::new(catalog), discovery);
    }

    /// Finds a built-in resource that is known to be there.
    pub fn builtin(&self, group: &str, version: &str, plural: &str) -> Arc<Resource> {
        self.builtin
            .find(group, version, plural)
            .cloned()
            .expect("a constant names a built-in resource")
    }

    /// Reads the stored object of a place, or says that it is not there.
    pub fn entry(&self, place: &Place) -> Answered<Arc<Entry>> {
        self.store
            .get(&place.resource.table, &place.key())
            .ok_or_else(|| Failure::not_found(place.named()))
    }

    /// Decodes a stored object into the version of a resource.
    pub fn decode_entry(&self, resource: &Resource, entry: &Entry) -> Map {
        let mut map = entry.decode(&resource.api_version, resource.kind());
        crate::kinds::convert::from_stored(resource, &entry.meta.version, &mut map);
        map
    }

    /// Reads a reply as a map.
    pub fn reply_map(&self, resource: &Resource, reply: &Reply) -> Map {
        match reply {
            Reply::Stored(entry) => self.decode_entry(resource, entry),
            Reply::Loose(map) => (**map).clone(),
        }
    }

    /// Encodes an object for its table.
    pub(crate) fn draft(&self, resource: &Resource, object: &Map) -> Draft {
        let fields = selector::field_values(resource, object);
        Draft::new(object, fields)
    }

    /// Stores an object; `Ok(None)` when someone else was faster.
    pub(crate) fn commit(
        &self,
        place: &Place,
        expect: Expect,
        object: &Map,
    ) -> Answered<Option<Arc<Entry>>> {
        let mut stored = object.clone();
        crate::kinds::convert::to_stored(&place.resource, &mut stored);
        let draft = self.draft(&place.resource, &stored);
        match self
            .store
            .put(&place.resource.table, &place.key(), expect, draft)
        {
            Ok(entry) => {
                self.after_write(&place.resource, &entry);
                if place.resource.is("", "pods") {
                    self.quotas.touch(&self.store, &place.namespace);
                }
                Ok(Some(entry))
            }
            Err(Refused::Changed) => Ok(None),
            Err(Refused::Unwritable(why)) => Err(unwritable(&why)),
        }
    }

    /// Removes an object; `Ok(None)` when it changed meanwhile.
    pub(crate) fn commit_removal(
        &self,
        place: &Place,
        revision: u64,
    ) -> Answered<Option<Arc<Entry>>> {
        match self
            .store
            .remove(&place.resource.table, &place.key(), revision)
        {
            Ok(entry) => {
                self.after_write(&place.resource, &entry);
                self.quotas.touch(&self.store, &place.namespace);
                Ok(Some(entry))
            }
            Err(Refused::Changed) => Ok(None),
            Err(Refused::Unwritable(why)) => Err(unwritable(&why)),
        }
    }

    fn after_write(&self, resource: &Resource, _entry: &Entry) {
        match resource.group() {
            "apiextensions.k8s.io" => self.refresh_catalog(),
            "rbac.authorization.k8s.io" => self.rbac.invalidate(),
            _ => {}
        }
    }
}

fn unwritable(why: &str) -> Box<Failure> {
    Failure::new(
        507,
        "InternalError",
        format!("the change was not stored: {why}"),
    )
}

/// Returns `metadata` of an object, made where absent.
pub fn metadata_mut(object: &mut Map) -> &mut Map {
    let slot = object.entry("metadata").or_insert(Value::Null);
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    slot.as_object_mut().expect("made a map just above")
}

/// Returns a text in `metadata`, or "".
pub fn metadata_text<'a>(object: &'a Map, key: &str) -> &'a str {
    object
        .get("metadata")
        .and_then(|m| m.get(key))
        .and_then(Value::as_str)
        .unwrap_or("")
}
