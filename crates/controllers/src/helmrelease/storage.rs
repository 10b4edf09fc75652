//! Release records in Secrets, as Helm's driver keeps them: the `helm` program reads and writes the same ones.
//!
//! A Secret holds at most 1 MiB. A record beyond that loses, in this order and only as far as needed, what no action of
//! Helm's reads again: the chart's other files, its schema, its templates, its default values; then the notes and at
//! last the user's values. Manifest and hooks are never touched.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cluster::{
    Cluster, DeleteParams, Error, ListParams, Patch, Scope, Target, Validation, WriteParams,
};
use helm::Version;
use helm::release::{Record, SECRET_TYPE, storage_name};
use jiff::Timestamp;
use objects::{Gvk, Object, Value, json};

use super::observation::status;

/// Most bytes of a record's text: what a Secret holds, less room for its metadata.
const TEXT_MAX: usize = (1 << 20) - 4096;

/// What is known of a record without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) version: i64,
    pub(super) status: String,
    /// Version of the Secret, to tell whether it changed.
    pub(super) resource_version: String,
}

/// A record as it was stored.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    pub(super) record: Record,
    /// Whether the user's values had to be left out.
    pub(super) without_config: bool,
}

/// Records in one namespace.
#[derive(Clone)]
pub(super) struct Storage {
    cluster: Arc<dyn Cluster>,
    namespace: String,
}

impl Storage {
    pub(super) fn new(cluster: Arc<dyn Cluster>, namespace: &str) -> Self {
        Self {
            cluster,
            namespace: namespace.to_owned(),
        }
    }

    async fn scope(&self) -> Result<Scope, Error> {
        let gvk = Gvk::new("", "v1", "Secret");
        Ok(Scope {
            resource: self.cluster.resolve(&gvk).await?,
            namespace: self.namespace.clone(),
        })
    }

    async fn target(&self, release: &str, version: i64) -> Result<Target, Error> {
        let scope = self.scope().await?;
        let name = storage_name(release, version);
        Ok(Target::new(&scope.resource, &scope.namespace, &name))
    }

    /// Lists the revisions of a release, oldest first.
    pub(super) async fn heads(&self, release: &str) -> Result<Vec<Head>, Error> {
        let params = ListParams {
            label_selector: format!("name={release},owner=helm"),
            metadata_only: true,
            ..ListParams::default()
        };
        let list = self.cluster.list(&self.scope().await?, &params).await?;
        let mut heads: Vec<Head> = list.items.iter().filter_map(head).collect();
        heads.sort_by_key(|head| head.version);
        Ok(heads)
    }

    /// Reads a revision; `None` where it does not exist.
    pub(super) async fn get(&self, release: &str, version: i64) -> Result<Option<Record>, String> {
        let target = self.target(release, version).await;
        let target = target.map_err(|error| error.to_string())?;
        let secret = match self.cluster.get(&target).await {
            Ok(secret) => secret,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        decode(&secret).map(Some)
    }

    /// Reads the newest revision that can be read; others are passed over, as Helm does.
    pub(super) async fn last(&self, release: &str) -> Result<Option<Record>, Error> {
        for head in self.heads(release).await?.iter().rev() {
            let target = self.target(release, head.version).await?;
            let secret = match self.cluster.get(&target).await {
                Ok(secret) => secret,
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(error),
            };
            match decode(&secret) {
                Ok(record) => return Ok(Some(record)),
                Err(error) => tracing::warn!(%error, secret = %target.name, "unreadable release"),
            }
        }
        Ok(None)
    }

    /// Reads a revision that must exist.
    pub(super) async fn read(&self, release: &str, version: i64) -> Result<Record, String> {
        let found = self.get(release, version).await?;
        found.ok_or_else(|| "release: not found".to_owned())
    }

    /// Stores a new revision.
    pub(super) async fn create(&self, record: &Record, now: Timestamp) -> Result<Saved, String> {
        let (saved, text) = fit(record)?;
        let mut secret = Object::new(
            &Gvk::new("", "v1", "Secret"),
            &self.namespace,
            &record.storage_name(),
        );
        for (key, value) in saved.record.labels() {
            secret.set_label(key, &value);
        }
        secret.set_label("createdAt", &now.as_second().to_string());
        secret.set(&["type"], SECRET_TYPE);
        secret.set(&["data", "release"], STANDARD.encode(text));
        let target = self.target(&record.name, record.version).await;
        let target = target.map_err(|error| error.to_string())?;
        match self.cluster.create(&target, &secret, &params()).await {
            Ok(_) => Ok(saved),
            Err(error) if error.is_already_exists() => Err("release: already exists".to_owned()),
            Err(error) => Err(format!("create: failed to create: {error}")),
        }
    }

    /// Stores a revision again; labels of others stay.
    pub(super) async fn update(&self, record: &Record, now: Timestamp) -> Result<Saved, String> {
        let (saved, text) = fit(record)?;
        let patch = json!({
            "metadata": {"labels": {
                "status": status(record),
                "createdAt": null,
                "modifiedAt": now.as_second().to_string(),
            }},
            "data": {"release": STANDARD.encode(text)},
        });
        let target = self.target(&record.name, record.version).await;
        let target = target.map_err(|error| error.to_string())?;
        let patch = Patch::Merge(patch);
        match self.cluster.patch(&target, &patch, &params()).await {
            Ok(_) => Ok(saved),
            Err(error) if error.is_not_found() => Err("release: not found".to_owned()),
            Err(error) => Err(format!("update: failed to update: {error}")),
        }
    }

    /// Deletes a revision; one that is gone is no error.
    pub(super) async fn delete(&self, release: &str, version: i64) -> Result<(), String> {
        let target = self.target(release, version).await;
        let target = target.map_err(|error| error.to_string())?;
        let deleted = self.cluster.delete(&target, &DeleteParams::default()).await;
        match deleted {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Makes room for one more revision: deletes the oldest, but never the last deployed one. 0 keeps all.
    pub(super) async fn prune(&self, release: &str, max: i64) -> Result<(), String> {
        if max <= 0 {
            return Ok(());
        }
        let heads = self.heads(release).await.map_err(|e| e.to_string())?;
        let keep = usize::try_from(max - 1).unwrap_or(0);
        let deployed = heads.iter().rev().find(|head| head.status == "deployed");
        let deployed = deployed.map(|head| head.version);
        let mut surplus = heads.len().saturating_sub(keep);
        for head in &heads {
            if surplus == 0 {
                break;
            }
            if Some(head.version) != deployed {
                self.delete(release, head.version).await?;
                surplus -= 1;
            }
        }
        Ok(())
    }
}

fn params() -> WriteParams {
    WriteParams {
        field_manager: api::names::HELM_CONTROLLER.to_owned(),
        validation: Validation::Default,
        ..WriteParams::default()
    }
}

fn head(secret: &Object) -> Option<Head> {
    Some(Head {
        version: secret.label("version")?.parse().ok()?,
        status: secret.label("status")?.to_owned(),
        resource_version: secret.resource_version().to_owned(),
    })
}

fn decode(secret: &Object) -> Result<Record, String> {
    let data = secret.get(&["data", "release"]).and_then(Value::as_str);
    let data = data.ok_or("the Secret has no key \"release\"")?;
    let text = STANDARD.decode(data).map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&text);
    Record::decode(&text).map_err(|error| error.to_string())
}

/// One thing less in a record.
type Drop = fn(&mut Record) -> bool;

/// What records beyond the limit lose, in order.
const DROPS: [Drop; 6] = [
    |r| r.chart.as_mut().is_some_and(|c| c.files.take().is_some()),
    |r| r.chart.as_mut().is_some_and(|c| c.schema.take().is_some()),
    |r| {
        r.chart
            .as_mut()
            .is_some_and(|c| c.templates.take().is_some())
    },
    |r| r.chart.as_mut().is_some_and(|c| c.values.take().is_some()),
    |r| {
        r.info
            .as_mut()
            .is_some_and(|i| !std::mem::take(&mut i.notes).is_empty())
    },
    |r| r.config.take().is_some(),
];

/// Writes a record so that it fits into a Secret.
fn fit(record: &Record) -> Result<(Saved, String), String> {
    let encode = |record: &Record| record.encode(Version::V4).map_err(|e| e.to_string());
    let mut text = encode(record)?;
    let mut record = record.clone();
    for drop in DROPS {
        if text.len() <= TEXT_MAX {
            break;
        }
        if drop(&mut record) {
            text = encode(&record)?;
        }
    }
    if text.len() > TEXT_MAX {
        return Err(format!(
            "the release record takes {} bytes where a Secret holds {TEXT_MAX}, with manifest and hooks alone",
            text.len()
        ));
    }
    let saved = Saved {
        without_config: record.config.is_none(),
        record,
    };
    Ok((saved, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use helm::release::{StoredChart, StoredFile};

    /// Text that does not compress.
    fn noise(bytes: usize) -> String {
        let mut state = 1u64;
        let mut next = || {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            char::from(b'!' + ((state >> 33) % 90) as u8)
        };
        (0..bytes).map(|_| next()).collect()
    }

    fn record(file: usize, manifest: usize, config: usize) -> Record {
        let mut values = serde_json::Map::new();
        values.insert("a".into(), noise(config).into());
        Record {
            name: "r".into(),
            manifest: noise(manifest),
            config: Some(values),
            chart: Some(StoredChart {
                files: Some(vec![StoredFile {
                    name: "f".into(),
                    data: Some(noise(file)),
                    modtime: None,
                }]),
                values: Some(serde_json::Map::new()),
                ..StoredChart::default()
            }),
            ..Record::default()
        }
    }

    #[test]
    fn records_lose_what_nobody_reads_before_what_counts() {
        for (name, record, files, config) in [
            ("small ones lose nothing", record(10, 10, 10), true, true),
            ("files go first", record(1_500_000, 10, 10), false, true),
            ("values go last", record(10, 10, 1_500_000), false, false),
        ] {
            let (saved, text) = fit(&record).unwrap();
            let chart = saved.record.chart.as_ref().unwrap();
            assert_eq!(chart.files.is_some(), files, "{name}");
            assert_eq!(saved.record.config.is_some(), config, "{name}");
            assert_eq!(saved.record.manifest, record.manifest);
            assert_eq!(Record::decode(&text).unwrap().manifest, record.manifest);
        }
        let error = fit(&record(10, 1_500_000, 10)).unwrap_err();
        assert!(error.contains("with manifest and hooks alone"), "{error}");
    }
}
