//! The client for a real cluster.
//!
//! Connection, TLS and credentials (client certificates, tokens, exec plugins, in-cluster accounts) are the
//! `kube` crate's; requests and answers are ours, since objects stay plain JSON. Nothing is retried and
//! nothing is throttled here.

mod config;
mod discovery;
mod request;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use http::Method;
use objects::{Object, Value, json};

pub use config::ConnectOptions;
use request::{Call, Query, Sender, not_json};

use crate::{
    Cluster, DeleteParams, Deleted, Discovery, Error, Identity, ListParams, ObjectList, Patch,
    Propagation, Scope, Target, TextStream, Validation, WatchParams, WatchStream, WriteParams,
};

/// Connects to a cluster; sends no request yet. Needs a tokio runtime.
///
/// # Errors
/// The configuration cannot be read, is incomplete, or names a credential plugin that fails.
pub async fn connect(options: &ConnectOptions) -> Result<Arc<dyn Cluster>, Error> {
    // An error means that a provider is installed already, which is as good.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let (config, identity) = options.resolve().await?;
    let address = config
        .cluster_url
        .to_string()
        .trim_end_matches('/')
        .to_owned();
    let client =
        kube::Client::try_from(config).map_err(|error| Error::Config(config::chain(&error)))?;
    Ok(Arc::new(KubeClient {
        sender: Sender {
            client,
            address,
            identity,
        },
        discovery: Arc::default(),
        unusable: None,
    }))
}

/// A real cluster, reached over HTTP.
struct KubeClient {
    sender: Sender,
    /// Shared by all identities: what is served does not depend on who asks.
    discovery: Arc<Mutex<Option<Arc<Discovery>>>>,
    /// Why no request can be made, such as an identity that fits into no header.
    unusable: Option<Error>,
}

impl KubeClient {
    fn sender(&self) -> Result<&Sender, Error> {
        match &self.unusable {
            Some(error) => Err(error.clone()),
            None => Ok(&self.sender),
        }
    }

    fn cached(&self) -> Option<Arc<Discovery>> {
        self.discovery
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn write(
        &self,
        method: Method,
        path: String,
        object: &Object,
        params: &WriteParams,
    ) -> Result<Object, Error> {
        let mut call = Call::new(method, path);
        write_query(&mut call.query, params);
        call.body = json_bytes(object);
        self.sender()?.send_for_object(call).await
    }
}

fn json_bytes(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("a JSON value with text keys always serializes")
}

fn object_path(target: &Target) -> String {
    let mut path = target.resource.path(&target.namespace, &target.name);
    if !target.subresource.is_empty() {
        path.push('/');
        path.push_str(&target.subresource);
    }
    path
}

fn write_query(query: &mut Query, params: &WriteParams) {
    query.add("fieldManager", &params.field_manager);
    if params.dry_run {
        query.add("dryRun", "All");
    }
    match params.validation {
        Validation::Default => {}
        Validation::Ignore => query.add("fieldValidation", "Ignore"),
        Validation::Strict => query.add("fieldValidation", "Strict"),
    }
}

fn delete_options(params: &DeleteParams) -> Value {
    let mut options = json!({"apiVersion": "v1", "kind": "DeleteOptions"});
    let policy = match params.propagation {
        Propagation::Default => "",
        Propagation::Background => "Background",
        Propagation::Foreground => "Foreground",
        Propagation::Orphan => "Orphan",
    };
    if !policy.is_empty() {
        options["propagationPolicy"] = policy.into();
    }
    if !params.uid.is_empty() {
        options["preconditions"]["uid"] = params.uid.clone().into();
    }
    if !params.resource_version.is_empty() {
        options["preconditions"]["resourceVersion"] = params.resource_version.clone().into();
    }
    if let Some(seconds) = params.grace_period_seconds {
        options["gracePeriodSeconds"] = seconds.into();
    }
    if params.dry_run {
        options["dryRun"] = json!(["All"]);
    }
    options
}

/// Reads a list; items get the kind asked for, since servers leave it out.
fn object_list(body: &[u8], scope: &Scope) -> Result<ObjectList, Error> {
    #[derive(serde::Deserialize)]
    struct List {
        #[serde(default)]
        metadata: Value,
        #[serde(default)]
        items: Option<Vec<Object>>,
    }
    let mut list: List = serde_json::from_slice(body).map_err(|error| not_json(&error))?;
    let gvk = &scope.resource.gvk;
    let api_version = gvk.api_version();
    let mut items = list.items.take().unwrap_or_default();
    for item in &mut items {
        item.set(&["apiVersion"], api_version.clone());
        item.set(&["kind"], gvk.kind.clone());
    }
    let text = |key: &str| list.metadata[key].as_str().unwrap_or_default().to_owned();
    Ok(ObjectList {
        items,
        resource_version: text("resourceVersion"),
        continue_token: text("continue"),
    })
}

#[async_trait]
impl Cluster for KubeClient {
    async fn discovery(&self) -> Result<Arc<Discovery>, Error> {
        match self.cached() {
            Some(discovery) => Ok(discovery),
            None => self.rediscover().await,
        }
    }

    async fn rediscover(&self) -> Result<Arc<Discovery>, Error> {
        let fresh = Arc::new(discovery::read(self.sender()?).await?);
        *self
            .discovery
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(fresh.clone());
        Ok(fresh)
    }

    async fn get(&self, target: &Target) -> Result<Object, Error> {
        let call = Call::new(Method::GET, object_path(target));
        self.sender()?.send_for_object(call).await
    }

    async fn list(&self, scope: &Scope, params: &ListParams) -> Result<ObjectList, Error> {
        let mut call = Call::new(Method::GET, scope.resource.path(&scope.namespace, ""));
        if params.metadata_only {
            call.accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
        }
        call.query.add("labelSelector", &params.label_selector);
        call.query.add("fieldSelector", &params.field_selector);
        call.query.add("continue", &params.continue_token);
        if params.limit > 0 {
            call.query.add("limit", &params.limit.to_string());
        }
        // A page that goes on carries its version in the token.
        if params.continue_token.is_empty() {
            call.query.add("resourceVersion", &params.resource_version);
        }
        object_list(&self.sender()?.send(call).await?, scope)
    }

    async fn watch(&self, scope: &Scope, params: &WatchParams) -> Result<WatchStream, Error> {
        let mut call = Call::new(Method::GET, scope.resource.path(&scope.namespace, ""));
        if params.metadata_only {
            call.accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
        }
        call.query.add("watch", "true");
        call.query.add("allowWatchBookmarks", "true");
        call.query.add("labelSelector", &params.label_selector);
        call.query.add("fieldSelector", &params.field_selector);
        call.query.add("resourceVersion", &params.resource_version);
        let response = self.sender()?.open(call).await?;
        Ok(watch::events(
            response.into_body(),
            scope.resource.gvk.clone(),
        ))
    }

    async fn create(
        &self,
        target: &Target,
        object: &Object,
        params: &WriteParams,
    ) -> Result<Object, Error> {
        let path = if target.subresource.is_empty() {
            target.resource.path(&target.namespace, "")
        } else {
            object_path(target)
        };
        self.write(Method::POST, path, object, params).await
    }

    async fn update(
        &self,
        target: &Target,
        object: &Object,
        params: &WriteParams,
    ) -> Result<Object, Error> {
        self.write(Method::PUT, object_path(target), object, params)
            .await
    }

    async fn patch(
        &self,
        target: &Target,
        patch: &Patch,
        params: &WriteParams,
    ) -> Result<Object, Error> {
        let mut call = Call::new(Method::PATCH, object_path(target));
        write_query(&mut call.query, params);
        (call.content_type, call.body) = match patch {
            Patch::Apply(object) => ("application/apply-patch+yaml", json_bytes(object)),
            Patch::Merge(value) => ("application/merge-patch+json", json_bytes(value)),
            Patch::Json(value) => ("application/json-patch+json", json_bytes(value)),
            Patch::Strategic(value) => {
                ("application/strategic-merge-patch+json", json_bytes(value))
            }
        };
        if params.force && matches!(patch, Patch::Apply(_)) {
            call.query.add("force", "true");
        }
        self.sender()?.send_for_object(call).await
    }

    async fn delete(&self, target: &Target, params: &DeleteParams) -> Result<Deleted, Error> {
        let mut call = Call::new(Method::DELETE, object_path(target));
        call.body = json_bytes(&delete_options(params));
        let answer = self.sender()?.send_for_object(call).await?;
        // A kind that goes at once is answered with a `Status`, one that waits with the object.
        if answer.kind() != "Status" && answer.is_deleting() {
            return Ok(Deleted::Pending(Box::new(answer)));
        }
        Ok(Deleted::Gone)
    }

    async fn get_text(&self, path: &str) -> Result<String, Error> {
        let mut call = Call::new(Method::GET, path);
        call.accept = "*/*";
        let body = self.sender()?.send(call).await?;
        String::from_utf8(body.into())
            .map_err(|_| Error::Decode(format!("the answer to {path} is not UTF-8")))
    }

    async fn stream_text(&self, path: &str) -> Result<TextStream, Error> {
        let mut call = Call::new(Method::GET, path);
        call.accept = "*/*";
        let response = self.sender()?.open(call).await?;
        Ok(watch::chunks(response.into_body()))
    }

    fn impersonate(&self, identity: &Identity) -> Arc<dyn Cluster> {
        let mut sender = self.sender.clone();
        let mut unusable = self.unusable.clone();
        match config::identity_headers(identity) {
            Ok(headers) => sender.identity = headers,
            Err(error) => unusable = Some(error),
        }
        Arc::new(Self {
            sender,
            discovery: self.discovery.clone(),
            unusable,
        })
    }
}
