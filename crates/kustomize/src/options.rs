//! What a build may do, and who does for it what an engine cannot.

use std::sync::Arc;

use filetree::FileTree;
use serde_json::Value;

use crate::repository::RepositoryUrl;

/// Which files a kustomization may name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadRestrictor {
    /// Files in or below its own directory; directories anywhere in the tree.
    #[default]
    RootOnly,
    /// Any file of the tree.
    None,
}

/// Order of the output, where the kustomization does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reorder {
    /// By kind and name, as the command line does.
    #[default]
    Legacy,
    /// As accumulated, as the controllers do.
    None,
}

/// A remote base that was fetched.
pub struct RemoteBase {
    /// Everything that came with it; the base cannot leave it.
    pub tree: Arc<dyn FileTree>,
    /// Directory of the kustomization in it.
    pub dir: String,
}

/// Fetches what kustomizations name by URL. The engine itself never does.
pub trait RemoteResolver: Send + Sync {
    /// Fetches the repository of a base.
    fn directory(&self, url: &RepositoryUrl) -> Result<RemoteBase, FetchError>;

    /// Fetches a single file over http(s).
    fn file(&self, url: &str) -> Result<Arc<[u8]>, FetchError>;
}

/// Why something remote could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The server answered with a status that is no success.
    #[error("HTTP Error: status code {code} ({reason})")]
    Status {
        /// The status.
        code: u16,
        /// Its standard name.
        reason: String,
    },
    /// Anything else, as a sentence.
    #[error("{0}")]
    Other(String),
}

/// A chart to render, as a kustomization describes it.
pub struct ChartRequest<'a> {
    /// Files of the build.
    pub tree: &'a dyn FileTree,
    /// Directory of the kustomization.
    pub dir: &'a str,
    /// Reads a file as this kustomization may: relative to its directory, within the load restrictor.
    pub load: &'a dyn Fn(&str) -> Result<Arc<[u8]>, String>,
    /// Fields of the `helmCharts` entry and of `helmGlobals`, by their names in the file.
    pub fields: Value,
}

/// Renders charts for `helmCharts`.
pub trait ChartRenderer: Send + Sync {
    /// Renders a chart into YAML documents; the error is a sentence.
    fn render(&self, request: &ChartRequest<'_>) -> Result<String, String>;
}

/// Settings of one build.
#[derive(Clone, Copy)]
pub struct BuildOptions<'a> {
    /// Which files a kustomization may name.
    pub load_restrictor: LoadRestrictor,
    /// Order of the output.
    pub reorder: Reorder,
    /// Whether charts may be rendered.
    pub enable_helm: bool,
    /// Whether every object gets the label `app.kubernetes.io/managed-by`.
    pub add_managedby_label: bool,
    /// Version in that label.
    pub version: &'a str,
    /// Fetches remote bases and files; without it they are errors.
    pub remote: Option<&'a dyn RemoteResolver>,
    /// Renders charts; without it they are errors.
    pub charts: Option<&'a dyn ChartRenderer>,
}

impl BuildOptions<'_> {
    /// The release whose output is reproduced.
    pub const VERSION: &'static str = "v5.8.1";

    /// What `kustomize build` does without flags.
    pub const fn command_line() -> Self {
        Self {
            load_restrictor: LoadRestrictor::RootOnly,
            reorder: Reorder::Legacy,
            enable_helm: false,
            add_managedby_label: false,
            version: Self::VERSION,
            remote: None,
            charts: None,
        }
    }

    /// What the kustomize controller does: any file of the tree, order as accumulated.
    pub const fn controller() -> Self {
        Self {
            load_restrictor: LoadRestrictor::None,
            reorder: Reorder::None,
            ..Self::command_line()
        }
    }
}
