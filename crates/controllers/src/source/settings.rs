//! Flags of the source controller, with upstream's defaults; only indexes may be larger, as they are read as streams.

use std::time::Duration;

use remote::oci::Retry;

/// Settings of the sources.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// Objects of one kind worked on at once (`--concurrent`).
    pub concurrency: usize,
    /// Wait for a source without artifact (`--requeue-dependency`).
    pub requeue_dependency: Duration,
    /// Largest index of a Helm repository in bytes (`--helm-index-max-size`).
    pub index_bytes_max: u64,
    /// Largest chart archive in bytes (`--helm-chart-max-size`).
    pub chart_bytes_max: u64,
    /// Largest layer of an OCI artifact in bytes; upstream has no bound.
    pub layer_bytes_max: u64,
    /// Label selector over Secrets that are watched; empty watches all.
    pub configs_label_selector: String,
    /// How failed requests to registries are tried again within one pass.
    pub retry: Retry,
}

impl Default for SourceSettings {
    fn default() -> Self {
        Self {
            concurrency: 2,
            requeue_dependency: Duration::from_secs(30),
            index_bytes_max: 512 << 20,
            chart_bytes_max: 10 << 20,
            layer_bytes_max: 1 << 30,
            configs_label_selector: "reconcile.fluxcd.io/watch=Enabled".to_owned(),
            retry: Retry::default(),
        }
    }
}
