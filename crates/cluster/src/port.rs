//! The port itself: requests as plain data, one method per verb of the Kubernetes API.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use objects::{Gvk, Gvr, Object, Value};

use crate::Error;

/// A resource that a cluster serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ApiResource {
    /// Kind with group and version.
    pub gvk: Gvk,
    /// Plural name as in URLs, such as `deployments`.
    pub plural: String,
    /// Singular name, such as `deployment`; may be empty.
    pub singular: String,
    /// Short names such as `deploy`; may be empty.
    pub short_names: Vec<String>,
    /// Categories such as `all`; may be empty.
    pub categories: Vec<String>,
    /// Verbs served, such as `list`.
    pub verbs: Vec<String>,
    /// Subresources served, such as `status`.
    pub subresources: Vec<String>,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
}

impl ApiResource {
    /// Returns group, version and plural name.
    pub fn gvr(&self) -> Gvr {
        Gvr::new(&self.gvk.group, &self.gvk.version, &self.plural)
    }

    /// Returns the URL path of a collection or, with a name, of an object.
    ///
    /// An empty namespace means all namespaces (or a cluster-scoped resource).
    pub fn path(&self, namespace: &str, name: &str) -> String {
        let Gvk { group, version, .. } = &self.gvk;
        let mut path = if group.is_empty() {
            format!("/api/{version}")
        } else {
            format!("/apis/{group}/{version}")
        };
        if self.namespaced && !namespace.is_empty() {
            path.push_str("/namespaces/");
            path.push_str(namespace);
        }
        path.push('/');
        path.push_str(&self.plural);
        if !name.is_empty() {
            path.push('/');
            path.push_str(name);
        }
        path
    }
}

/// Everything a cluster serves at one moment.
#[derive(Clone, Debug, Default)]
pub struct Discovery {
    /// Resources in the server's order: groups by preference, versions by priority.
    pub resources: Vec<Arc<ApiResource>>,
    by_gvk: HashMap<Gvk, usize>,
}

impl Discovery {
    /// Indexes a list of resources; the first one of a kind wins.
    pub fn new(resources: Vec<Arc<ApiResource>>) -> Self {
        let mut by_gvk = HashMap::with_capacity(resources.len());
        for (index, resource) in resources.iter().enumerate() {
            by_gvk.entry(resource.gvk.clone()).or_insert(index);
        }
        Self { resources, by_gvk }
    }

    /// Finds the resource of a kind in exactly this version.
    pub fn by_gvk(&self, gvk: &Gvk) -> Option<&Arc<ApiResource>> {
        self.by_gvk.get(gvk).map(|index| &self.resources[*index])
    }

    /// Finds the preferred version of a kind.
    pub fn by_group_kind(&self, group: &str, kind: &str) -> Option<&Arc<ApiResource>> {
        self.resources
            .iter()
            .find(|r| r.gvk.group == group && r.gvk.kind == kind)
    }
}

/// A collection: all objects of a resource, in one namespace or everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// Resource.
    pub resource: Arc<ApiResource>,
    /// Namespace; empty means all namespaces (or a cluster-scoped resource).
    pub namespace: String,
}

/// One object, or one of its subresources.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// Resource.
    pub resource: Arc<ApiResource>,
    /// Namespace; empty for cluster-scoped resources.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Subresource such as `status`; empty for the object itself.
    pub subresource: String,
}

impl Target {
    /// Points at an object itself.
    pub fn new(resource: &Arc<ApiResource>, namespace: &str, name: &str) -> Self {
        Self {
            resource: resource.clone(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            subresource: String::new(),
        }
    }

    /// Points at a subresource of the same object.
    pub fn subresource(mut self, subresource: &str) -> Self {
        self.subresource = subresource.to_owned();
        self
    }
}

/// Which objects a list returns, and from when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListParams {
    /// Label selector in Kubernetes syntax; empty selects all.
    pub label_selector: String,
    /// Field selector in Kubernetes syntax; empty selects all.
    pub field_selector: String,
    /// Most objects to return; 0 means all.
    pub limit: u32,
    /// Where a limited list goes on; empty at its start.
    pub continue_token: String,
    /// `resourceVersion`; empty reads the newest, `0` accepts any.
    pub resource_version: String,
    /// `PartialObjectMetadata` instead of whole objects.
    pub metadata_only: bool,
}

/// One page of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectList {
    /// Objects with `apiVersion` and `kind` filled in, in key order.
    pub items: Vec<Object>,
    /// Version from which a watch goes on without a gap.
    pub resource_version: String,
    /// Where the next page starts; empty at the end.
    pub continue_token: String,
}

/// Which changes a watch reports, and from when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchParams {
    /// Label selector in Kubernetes syntax; empty selects all.
    pub label_selector: String,
    /// Field selector in Kubernetes syntax; empty selects all.
    pub field_selector: String,
    /// Report everything after this version; empty starts with `Added` for all present objects.
    pub resource_version: String,
    /// `PartialObjectMetadata` instead of whole objects.
    pub metadata_only: bool,
}

/// One change. Versions of one stream never go backwards.
#[derive(Clone, Debug, PartialEq)]
pub enum WatchEvent {
    /// The object appeared, or entered the selection.
    Added(Object),
    /// The object changed.
    Modified(Object),
    /// The object went, or left the selection; its last state.
    Deleted(Object),
    /// Nothing happened up to this resource version.
    Bookmark(String),
}

/// Changes until the server ends the stream; an error is the last item.
pub type WatchStream = BoxStream<'static, Result<WatchEvent, Error>>;

/// Pieces of a text, in order, cut anywhere; an error is the last item.
pub type TextStream = BoxStream<'static, Result<bytes::Bytes, Error>>;

/// How strictly unknown and duplicate fields are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validation {
    /// The server's default (`Warn`).
    #[default]
    Default,
    /// Unknown fields are dropped silently.
    Ignore,
    /// Unknown fields are an error.
    Strict,
}

/// How a write is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteParams {
    /// Owner of the written fields in `managedFields`.
    pub field_manager: String,
    /// Do everything but the write.
    pub dry_run: bool,
    /// Take fields over from other managers (apply only).
    pub force: bool,
    /// Treatment of unknown fields.
    pub validation: Validation,
}

/// A change to one object.
#[derive(Clone, Debug, PartialEq)]
pub enum Patch {
    /// Server-side apply of a partial object; creates it where absent.
    Apply(Object),
    /// RFC 7396.
    Merge(Value),
    /// RFC 6902: a list of operations.
    Json(Value),
    /// Strategic merge; built-in kinds only.
    Strategic(Value),
}

/// What happens to dependents of a deleted object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// The kind's default.
    #[default]
    Default,
    /// The garbage collector deletes dependents afterwards.
    Background,
    /// The object goes after its dependents.
    Foreground,
    /// Dependents stay.
    Orphan,
}

/// How an object is deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteParams {
    /// Treatment of dependents.
    pub propagation: Propagation,
    /// Delete only the object with this uid; empty deletes any.
    pub uid: String,
    /// Delete only this version; empty deletes any.
    pub resource_version: String,
    /// Seconds until a pod is killed; `None` is the kind's default.
    pub grace_period_seconds: Option<u32>,
    /// Do everything but the write.
    pub dry_run: bool,
}

/// Answer to a delete.
#[derive(Clone, Debug, PartialEq)]
pub enum Deleted {
    /// The object is gone.
    Gone,
    /// The object waits for finalizers, dependents or its grace period; its state.
    Pending(Box<Object>),
}

/// A user to act as.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Identity {
    /// User name, such as `system:serviceaccount:apps:deployer`.
    pub user: String,
    /// Groups; may be empty.
    pub groups: Vec<String>,
}

/// A Kubernetes cluster, as everything but its adapters sees it.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// Returns what the cluster serves; may be cached until [`Cluster::rediscover`].
    async fn discovery(&self) -> Result<Arc<Discovery>, Error>;

    /// Reads discovery anew and returns it.
    async fn rediscover(&self) -> Result<Arc<Discovery>, Error>;

    /// Reads one object or subresource.
    async fn get(&self, target: &Target) -> Result<Object, Error>;

    /// Reads one page of a collection.
    async fn list(&self, scope: &Scope, params: &ListParams) -> Result<ObjectList, Error>;

    /// Follows the changes of a collection.
    async fn watch(&self, scope: &Scope, params: &WatchParams) -> Result<WatchStream, Error>;

    /// Creates an object, or posts to a subresource such as `token`; returns the answer.
    async fn create(
        &self,
        target: &Target,
        object: &Object,
        params: &WriteParams,
    ) -> Result<Object, Error>;

    /// Replaces an object; its `resourceVersion`, if any, is a precondition.
    async fn update(
        &self,
        target: &Target,
        object: &Object,
        params: &WriteParams,
    ) -> Result<Object, Error>;

    /// Changes an object; returns its state afterwards.
    async fn patch(
        &self,
        target: &Target,
        patch: &Patch,
        params: &WriteParams,
    ) -> Result<Object, Error>;

    /// Deletes an object.
    async fn delete(&self, target: &Target, params: &DeleteParams) -> Result<Deleted, Error>;

    /// Reads a path that answers text, such as `/version` or a pod's `log`.
    async fn get_text(&self, path: &str) -> Result<String, Error>;

    /// Reads a path that answers text as it comes, such as a pod's `log` that is followed.
    async fn stream_text(&self, path: &str) -> Result<TextStream, Error> {
        let text = self.get_text(path).await?;
        Ok(Box::pin(futures::stream::once(async { Ok(text.into()) })))
    }

    /// Returns the same cluster, acting as another user.
    fn impersonate(&self, identity: &Identity) -> Arc<dyn Cluster>;

    /// Resolves a kind; asks for discovery anew once where it is unknown.
    async fn resolve(&self, gvk: &Gvk) -> Result<Arc<ApiResource>, Error> {
        if let Some(resource) = self.discovery().await?.by_gvk(gvk) {
            return Ok(resource.clone());
        }
        let fresh = self.rediscover().await?;
        fresh.by_gvk(gvk).cloned().ok_or_else(|| Error::NoMatch {
            api_version: gvk.api_version(),
            kind: gvk.kind.clone(),
        })
    }
}
