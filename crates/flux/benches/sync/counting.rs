//! A cluster that counts the requests made to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use cluster::{
    Cluster, DeleteParams, Deleted, Discovery, Error, Identity, ListParams, ObjectList, Patch,
    Scope, Target, WatchParams, WatchStream, WriteParams,
};
use objects::Object;

/// Numbers of requests since the start.
#[derive(Debug, Default)]
pub struct Counts {
    pub reads: AtomicU64,
    pub writes: AtomicU64,
}

impl Counts {
    pub fn both(&self) -> (u64, u64) {
        (
            self.reads.load(Ordering::Relaxed),
            self.writes.load(Ordering::Relaxed),
        )
    }
}

/// Counts, then passes on. A watch counts once, when it is opened.
pub struct Counting {
    pub inner: Arc<dyn Cluster>,
    pub counts: Arc<Counts>,
}

impl Counting {
    fn read(&self) -> &dyn Cluster {
        self.counts.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.as_ref()
    }

    fn write(&self) -> &dyn Cluster {
        self.counts.writes.fetch_add(1, Ordering::Relaxed);
        self.inner.as_ref()
    }
}

#[async_trait]
impl Cluster for Counting {
    async fn discovery(&self) -> Result<Arc<Discovery>, Error> {
        // Answered from memory by every implementation.
        self.inner.discovery().await
    }

    async fn rediscover(&self) -> Result<Arc<Discovery>, Error> {
        self.read().rediscover().await
    }

    async fn get(&self, target: &Target) -> Result<Object, Error> {
        self.read().get(target).await
    }

    async fn list(&self, scope: &Scope, params: &ListParams) -> Result<ObjectList, Error> {
        self.read().list(scope, params).await
    }

    async fn watch(&self, scope: &Scope, params: &WatchParams) -> Result<WatchStream, Error> {
        self.read().watch(scope, params).await
    }

    async fn create(
        &self,
        target: &Target,
        object: &Object,
        params: &WriteParams,
    ) -> Result<Object, Error> {
        self.write().create(target, object, params).await
    }

    async fn update(
        &self,
        target: &Target,
        object: &Object,
        params: &WriteParams,
    ) -> Result<Object, Error> {
        self.write().update(target, object, params).await
    }

    async fn patch(
        &self,
        target: &Target,
        patch: &Patch,
        params: &WriteParams,
    ) -> Result<Object, Error> {
        // A dry run asks what a write would do.
        let inner = if params.dry_run {
            self.read()
        } else {
            self.write()
        };
        inner.patch(target, patch, params).await
    }

    async fn delete(&self, target: &Target, params: &DeleteParams) -> Result<Deleted, Error> {
        self.write().delete(target, params).await
    }

    async fn get_text(&self, path: &str) -> Result<String, Error> {
        self.read().get_text(path).await
    }

    fn impersonate(&self, identity: &Identity) -> Arc<dyn Cluster> {
        let inner = self.inner.impersonate(identity);
        Arc::new(Self {
            inner,
            counts: self.counts.clone(),
        })
    }
}
