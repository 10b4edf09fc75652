//! The `Cluster` port on the engine: no sockets, no encoding of requests.

mod watch;

use std::sync::Arc;

use async_trait::async_trait;
use cluster::{
    Cluster, DeleteParams, Deleted, Discovery, Error, Identity, ListParams, ObjectList, Patch,
    Scope, Target, WatchParams, WatchStream, WriteParams,
};
use http::{HeaderMap, Method};
use http_body_util::BodyExt as _;
use objects::{Map, Object, Value, json};

use crate::auth::{self, Attributes};
use crate::catalog::{Catalog, Resource};
use crate::engine::{
    Body, Context, DeleteOptions, Engine, ListOptions, Listing, PatchBody, Place, Removed, Reply,
    User, WriteOptions,
};
use crate::failure::{Answered, Failure};
use crate::faults::Armed;
use crate::http::{Certificate, Incoming, handle};
use crate::store::Entry;

/// A cluster that is the engine itself, as one user.
#[derive(Clone)]
pub struct InProcess {
    engine: Arc<Engine>,
    user: Arc<User>,
    /// Ends the watches when the server does.
    stop: tokio::sync::watch::Receiver<bool>,
}

impl InProcess {
    /// Acts as a user.
    pub fn new(engine: Arc<Engine>, user: User, stop: tokio::sync::watch::Receiver<bool>) -> Self {
        Self {
            engine,
            user: Arc::new(user),
            stop,
        }
    }

    fn context(&self) -> Context {
        Context::new((*self.user).clone(), "ferroflux")
    }

    fn place(&self, target: &Target) -> Result<Place, Error> {
        let resource = self.resource(&target.resource)?;
        Ok(Place {
            resource,
            namespace: target.namespace.clone(),
            name: target.name.clone(),
            sub: target.subresource.clone(),
        })
    }

    fn collection(&self, scope: &Scope) -> Result<Place, Error> {
        let resource = self.resource(&scope.resource)?;
        Ok(Place::new(&resource, &scope.namespace, ""))
    }

    fn resource(&self, api: &cluster::ApiResource) -> Result<Arc<Resource>, Error> {
        let catalog = self.engine.catalog();
        let found = catalog.find(&api.gvk.group, &api.gvk.version, &api.plural);
        found.cloned().ok_or_else(|| {
            let known = catalog
                .group(&api.gvk.group)
                .is_some_and(|g| g.versions.contains(&api.gvk.version));
            let failure = if known {
                Failure::no_resource()
            } else {
                Failure::no_path()
            };
            Error::from(failure)
        })
    }

    fn authorize(&self, context: &Context, verb: &str, place: &Place) -> Answered<()> {
        let mut wanted = Attributes::at(verb, place);
        if place.resource.is("", "namespaces") && !place.name.is_empty() {
            wanted.namespace = &place.name;
        }
        auth::authorize(&self.engine, context, &wanted)?;
        if !place.sub.is_empty() && place.resource.subresource(&place.sub).is_none() {
            return Err(Failure::no_resource());
        }
        Ok(())
    }

    fn answer(&self, place: &Place, reply: &Reply) -> Object {
        Object(self.engine.reply_map(&place.resource, reply))
    }

    /// Lets a request of this user in, once authorised.
    async fn let_in(&self, verb: &str, place: &Place) -> Result<Armed, Error> {
        Ok(self.engine.let_in(&self.user, verb, place).await?)
    }

    /// Waits until a write is durable.
    async fn flushed(&self, armed: &Armed) -> Result<(), Error> {
        armed.committed(&self.engine)?;
        let flushed = self.engine.store.flushed().await;
        flushed.map_err(|why| Failure::new(507, "InternalError", why))?;
        Ok(armed.durable()?)
    }
}

fn options(params: &WriteParams) -> WriteOptions {
    WriteOptions {
        manager: params.field_manager.clone(),
        dry_run: params.dry_run,
        force: Some(params.force),
        validation: params.validation,
        oddities: crate::engine::Repeated::default(),
    }
}

/// Lists what a catalog serves as the port tells it; groups in discovery order.
pub fn discovery(catalog: &Catalog) -> Discovery {
    Discovery::new(catalog.resources.iter().map(|r| r.api.clone()).collect())
}

#[async_trait]
impl Cluster for InProcess {
    async fn discovery(&self) -> Result<Arc<Discovery>, Error> {
        Ok(self.engine.discovery())
    }

    async fn rediscover(&self) -> Result<Arc<Discovery>, Error> {
        Ok(self.engine.discovery())
    }

    async fn get(&self, target: &Target) -> Result<Object, Error> {
        let place = self.place(target)?;
        self.authorize(&self.context(), "get", &place)?;
        let armed = self.let_in("get", &place).await?;
        if place.sub == "scale" {
            return Ok(Object(crate::kinds::scale::get(&self.engine, &place)?));
        }
        // This port has no reads of any version: a get sees the newest one, whatever the rules say.
        let _ = armed;
        let entry = self.engine.get(&place)?;
        Ok(self.answer(&place, &Reply::Stored(entry)))
    }

    async fn list(&self, scope: &Scope, params: &ListParams) -> Result<ObjectList, Error> {
        let place = self.collection(scope)?;
        self.authorize(&self.context(), "list", &place)?;
        let armed = self.let_in("list", &place).await?;
        let mut options = ListOptions {
            labels: params.label_selector.clone(),
            fields: params.field_selector.clone(),
            limit: usize::try_from(params.limit).unwrap_or(0),
            continue_token: params.continue_token.clone(),
            resource_version: params.resource_version.clone(),
            ..ListOptions::default()
        };
        self.engine.age(&mut options, armed.stale_versions());
        self.engine.await_version(&options).await?;
        let listing: Listing = self.engine.list(&place, &options)?;
        let items = listing
            .entries
            .iter()
            .map(|entry| shown(&self.engine, &place.resource, entry, params.metadata_only))
            .collect();
        Ok(ObjectList {
            items,
            resource_version: listing.revision.to_string(),
            continue_token: listing.continue_token,
        })
    }

    async fn watch(&self, scope: &Scope, params: &WatchParams) -> Result<WatchStream, Error> {
        let place = self.collection(scope)?;
        self.authorize(&self.context(), "watch", &place)?;
        self.let_in("watch", &place).await?;
        let options = ListOptions {
            labels: params.label_selector.clone(),
            fields: params.field_selector.clone(),
            resource_version: params.resource_version.clone(),
            watch: true,
            ..ListOptions::default()
        };
        let watching = self.engine.watch(&place, &options)?;
        Ok(watch::follow(self, place, watching, params.metadata_only))
    }

    async fn create(
        &self,
        target: &Target,
        object: &Object,
        params: &WriteParams,
    ) -> Result<Object, Error> {
        let mut place = self.place(target)?;
        let context = self.context();
        let body = Body::Object(object.0.clone());
        let options = options(params);
        if place.sub.is_empty() {
            place.name.clear();
            self.authorize(&context, "create", &place)?;
            let armed = self.let_in("create", &place).await?;
            let written = self.engine.create(&context, &place, &body, &options)?;
            self.flushed(&armed).await?;
            return Ok(self.answer(&place, &written.reply));
        }
        self.authorize(&context, "create", &place)?;
        let armed = self.let_in("create", &place).await?;
        let write = self.engine.write(&context, &place, &options);
        let reply = crate::kinds::posts::create(&write, &body)?;
        self.flushed(&armed).await?;
        Ok(self.answer(&place, &reply))
    }

    async fn update(
        &self,
        target: &Target,
        object: &Object,
        params: &WriteParams,
    ) -> Result<Object, Error> {
        let place = self.place(target)?;
        let context = self.context();
        self.authorize(&context, "update", &place)?;
        let armed = self.let_in("update", &place).await?;
        let body = Body::Object(object.0.clone());
        let written = self
            .engine
            .update(&context, &place, &body, &options(params))?;
        self.flushed(&armed).await?;
        Ok(self.answer(&place, &written.reply))
    }

    async fn patch(
        &self,
        target: &Target,
        patch: &Patch,
        params: &WriteParams,
    ) -> Result<Object, Error> {
        let place = self.place(target)?;
        let context = self.context();
        self.authorize(&context, "patch", &place)?;
        let armed = self.let_in("patch", &place).await?;
        let patch = match patch {
            Patch::Apply(object) => PatchBody::Apply(Body::Object(object.0.clone())),
            Patch::Merge(value) => PatchBody::Merge(value.clone()),
            Patch::Json(value) => PatchBody::Json(value.clone()),
            Patch::Strategic(value) => PatchBody::Strategic(value.clone()),
        };
        let written = self
            .engine
            .patch(&context, &place, &patch, &options(params))?;
        self.flushed(&armed).await?;
        Ok(self.answer(&place, &written.reply))
    }

    async fn delete(&self, target: &Target, params: &DeleteParams) -> Result<Deleted, Error> {
        let place = self.place(target)?;
        let context = self.context();
        self.authorize(&context, "delete", &place)?;
        let armed = self.let_in("delete", &place).await?;
        let options = DeleteOptions {
            propagation: params.propagation,
            uid: params.uid.clone(),
            resource_version: params.resource_version.clone(),
            grace_seconds: params.grace_period_seconds.map(i64::from),
            dry_run: params.dry_run,
        };
        let removed = self.engine.delete(&context, &place, &options)?;
        self.flushed(&armed).await?;
        Ok(match removed {
            Removed::Gone { .. } => Deleted::Gone,
            Removed::Marked(reply) => Deleted::Pending(Box::new(self.answer(&place, &reply))),
        })
    }

    async fn get_text(&self, path: &str) -> Result<String, Error> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut headers = HeaderMap::new();
        headers.insert("accept", http::HeaderValue::from_static("*/*"));
        let incoming = Incoming {
            method: Method::GET,
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: bytes::Bytes::new(),
            certificate: Some(Certificate::Of((*self.user).clone())),
        };
        let response = handle(self.engine.clone(), self.stop.clone(), incoming).await;
        let code = response.status().as_u16();
        let body = response.into_body().collect().await;
        let bytes = body.map(|b| b.to_bytes()).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if code < 400 {
            return Ok(text);
        }
        let status: Value = serde_json::from_str(&text).unwrap_or_else(|_| json!({}));
        let reason = status["reason"].as_str().unwrap_or("");
        let message = status["message"].as_str().unwrap_or(&text);
        Err(Error::status(code, reason, message))
    }

    fn impersonate(&self, identity: &Identity) -> Arc<dyn Cluster> {
        let mut user = User {
            name: identity.user.clone(),
            groups: identity.groups.clone(),
            ..User::default()
        };
        let account = identity
            .user
            .strip_prefix("system:serviceaccount:")
            .and_then(|rest| rest.split_once(':'));
        if let Some((namespace, name)) = account
            && user.groups.is_empty()
        {
            user.groups = auth::authn::service_account(namespace, name).groups;
        }
        user.groups.push("system:authenticated".into());
        Arc::new(Self {
            user: Arc::new(user),
            ..self.clone()
        })
    }
}

fn shown(engine: &Engine, resource: &Resource, entry: &Entry, metadata_only: bool) -> Object {
    let map = engine.decode_entry(resource, entry);
    if !metadata_only {
        return Object(map);
    }
    let mut partial = Map::new();
    partial.insert("apiVersion".into(), "meta.k8s.io/v1".into());
    partial.insert("kind".into(), "PartialObjectMetadata".into());
    if let Some(metadata) = map.get("metadata") {
        partial.insert("metadata".into(), metadata.clone());
    }
    Object(partial)
}
