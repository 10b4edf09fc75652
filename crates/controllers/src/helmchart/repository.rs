//! Repositories as charts are found and downloaded from them: by an index over HTTP, or by tags in a registry.

use std::sync::Arc;

use api::{Artifact, HelmRepositorySpec};
use bytes::Bytes;
use helm::index::Entry;
use reconcile::helmchart::{BuildFailure, Candidate, choose_tag, choose_version};
use reconcile::ocirepository::parse_version;
use remote::Clients;
use remote::helm::{FetchError, RepositoryOptions, fetch_bytes, normalize_url, resolve_url};
use remote::oci::{
    Manifest, Reference, Registry, RegistryError, RegistryOptions, Repository, media_type,
};

use crate::artifact::ArtifactStore;
use crate::helm_access::Access;
use crate::helm_index::{IndexCache, fetch_index, versions};
use crate::source::{SourceSettings, blocking};

/// Finds a version of a chart in a repository (`https://…` or `oci://…`) and downloads its archive, logged in as nobody.
///
/// # Errors
/// The repository cannot be reached, or has no such chart; in Helm's words.
pub async fn download_chart(
    clients: &Clients,
    url: &str,
    name: &str,
    version: &str,
) -> Result<Bytes, String> {
    let settings = SourceSettings::default();
    let spec = HelmRepositorySpec {
        url: url.to_owned(),
        ..HelmRepositorySpec::default()
    };
    let repository = ChartRepository::new(clients, &settings, &spec, &Access::default(), None)
        .map_err(|error| format!("{url}: {error}"))?;
    let found = repository.find(name, version).await;
    let found = found.map_err(|(_, error)| error)?;
    repository.download(&found).await
}

/// A repository with what it takes to use it.
pub(super) struct ChartRepository<'a> {
    clients: &'a Clients,
    settings: &'a SourceSettings,
    /// Normalised URL.
    url: String,
    kind: Kind,
}

enum Kind {
    /// With an index: the stored one, or else fetched.
    Index(RepositoryOptions, Option<StoredIndex>),
    /// In a registry.
    Registry(RegistryOptions),
}

/// The index of a HelmRepository in the artifact store.
pub(super) struct StoredIndex {
    pub store: Arc<ArtifactStore>,
    pub cache: Arc<IndexCache>,
    pub artifact: Artifact,
}

/// A version of a chart, found.
pub(super) struct Found {
    pub name: String,
    pub version: String,
    /// Where the archive is.
    url: String,
}

/// Why a version was not found: the reference is wrong, or the repository.
pub(super) type NotFound = (BuildFailure, String);

impl<'a> ChartRepository<'a> {
    /// Describes a repository; nothing is sent yet.
    pub fn new(
        clients: &'a Clients,
        settings: &'a SourceSettings,
        spec: &HelmRepositorySpec,
        access: &Access,
        index: Option<StoredIndex>,
    ) -> Result<Self, url::ParseError> {
        let url = normalize_url(&spec.url)?;
        let kind = if url.starts_with("oci://") {
            Kind::Registry(access.in_registry(spec, settings.retry))
        } else {
            let options = RepositoryOptions {
                url: url.clone(),
                ..access.over_http(spec)
            };
            Kind::Index(options, index)
        };
        Ok(Self {
            clients,
            settings,
            url,
            kind,
        })
    }

    /// Finds a version: exactly the text, else the highest in the range.
    pub async fn find(&self, name: &str, wanted: &str) -> Result<Found, NotFound> {
        match &self.kind {
            Kind::Index(options, stored) => {
                let entries = self.entries(options, stored.as_ref(), name).await;
                let entries = entries.map_err(|error| (BuildFailure::Pull, error))?;
                let found = self.choose(entries.as_deref(), name, wanted);
                found.map_err(|error| (BuildFailure::Reference, error))
            }
            Kind::Registry(options) => {
                let found = self.find_tag(options, name, wanted).await;
                found.map_err(|error| (BuildFailure::Pull, error))
            }
        }
    }

    async fn entries(
        &self,
        options: &RepositoryOptions,
        stored: Option<&StoredIndex>,
        name: &str,
    ) -> Result<Option<Arc<Vec<Entry>>>, String> {
        let chart = name.to_owned();
        if let Some(stored) = stored {
            let (store, cache) = (stored.store.clone(), stored.cache.clone());
            let artifact = stored.artifact.clone();
            let read = blocking(move || cache.versions(&store, &artifact, &chart)).await;
            return read.unwrap_or_else(Err);
        }
        let bytes_max = self.settings.index_bytes_max;
        let fetched = fetch_index(self.clients, options, bytes_max).await;
        let fetched = fetched.map_err(|error| format!("failed to cache index: {error}"))?;
        let read = blocking(move || versions(fetched.file, &chart)).await;
        let read = read.unwrap_or_else(Err);
        let read = read.map_err(|error| format!("failed to load index: {error}"));
        Ok(read?.map(Arc::new))
    }

    fn choose(
        &self,
        entries: Option<&Vec<Entry>>,
        name: &str,
        wanted: &str,
    ) -> Result<Found, String> {
        let entries = entries.ok_or_else(|| "no chart name found".to_owned())?;
        let candidates: Vec<Candidate<'_>> = entries
            .iter()
            .map(|entry| Candidate {
                version: entry.version(),
                created: entry.created.parse().ok(),
            })
            .collect();
        let chosen = &entries[choose_version(name, &candidates, wanted)?];
        let address = chosen.urls.first();
        Ok(Found {
            name: chosen.name().to_owned(),
            version: chosen.version().to_owned(),
            url: address.cloned().unwrap_or_default(),
        })
    }

    async fn find_tag(
        &self,
        options: &RegistryOptions,
        name: &str,
        wanted: &str,
    ) -> Result<Found, String> {
        let url = format!("{}/{name}", self.url);
        let version = if parse_version(wanted).is_some() {
            wanted.to_owned()
        } else {
            let tags = self.tags(options, &url).await;
            let tags = tags.map_err(|error| {
                format!(
                    "could not get tags for \"{name}\": could not fetch tags for \"{url}\": {error}"
                )
            })?;
            if tags.is_empty() {
                return Err(format!(
                    "could not get tags for \"{name}\": unable to locate any tags in provided repository: {url}"
                ));
            }
            choose_tag(&tags, wanted)?
        };
        Ok(Found {
            name: name.to_owned(),
            url: format!("{url}:{}", version.replace('+', "_")),
            version,
        })
    }

    /// Versions by tag: `_` stands for `+`, which tags cannot have.
    async fn tags(&self, options: &RegistryOptions, url: &str) -> Result<Vec<String>, String> {
        let name = url.trim_start_matches("oci://");
        let repository = Repository::parse(name).map_err(|error| error.to_string())?;
        let registry = Registry::open(self.clients, repository, options);
        let tags = registry.map_err(|error| error.to_string())?.tags().await;
        let tags = tags.map_err(|error| error.in_helms_words())?;
        let versions = tags.into_iter().map(|tag| tag.replace('_', "+"));
        Ok(versions
            .filter(|version| parse_version(version).is_some())
            .collect())
    }

    /// Downloads an archive.
    ///
    /// # Errors
    /// The server cannot be reached or refuses, or the archive is larger than allowed.
    pub async fn download(&self, found: &Found) -> Result<Bytes, String> {
        let bytes_max = self.settings.chart_bytes_max;
        let too_large = || {
            let (name, version) = (&found.name, &found.version);
            format!("size of chart '{name}-{version}.tgz' exceeds '{bytes_max}' bytes limit")
        };
        match &self.kind {
            Kind::Index(options, _) => {
                if found.url.is_empty() {
                    return Err(format!("chart '{}' has no downloadable URLs", found.name));
                }
                let url = resolve_url(&self.url, &found.url).map_err(|error| error.to_string())?;
                let fetched = fetch_bytes(self.clients, options, &url, bytes_max).await;
                fetched.map(Bytes::from).map_err(|error| match error {
                    FetchError::TooLarge { .. } => too_large(),
                    error => error.to_string(),
                })
            }
            Kind::Registry(options) => {
                let pulled = self.pull(options, &found.url).await;
                pulled.map_err(|error| match error {
                    RegistryError::TooLarge { .. } => too_large(),
                    error => format!("failed to get '{}': {}", found.url, error.in_helms_words()),
                })
            }
        }
    }

    async fn pull(&self, options: &RegistryOptions, url: &str) -> Result<Bytes, RegistryError> {
        let name = url.trim_start_matches("oci://");
        let reference =
            Reference::parse(name).map_err(|error| RegistryError::Malformed(error.to_string()))?;
        let repository = reference.repository.clone();
        let registry = Registry::open(self.clients, repository, options)?;
        let (_, manifest) = registry.manifest(&reference).await?;
        check_is_chart(&manifest)?;
        let is_chart = |media_type: &str| {
            media_type == media_type::HELM_CONTENT || media_type == media_type::HELM_CONTENT_LEGACY
        };
        let layer = manifest
            .layers
            .iter()
            .find(|layer| is_chart(&layer.media_type));
        let none = || {
            let wanted = media_type::HELM_CONTENT;
            let message = format!("manifest does not contain a layer with mediatype {wanted}");
            RegistryError::Malformed(message)
        };
        let bytes_max = self.settings.chart_bytes_max;
        registry.blob(layer.ok_or_else(none)?, bytes_max).await
    }
}

fn check_is_chart(manifest: &Manifest) -> Result<(), RegistryError> {
    let config = manifest.config.as_ref();
    if config.is_some_and(|config| config.media_type == media_type::HELM_CONFIG) {
        return Ok(());
    }
    let wanted = media_type::HELM_CONFIG;
    let message = format!("could not load config with mediatype {wanted}");
    Err(RegistryError::Malformed(message))
}
