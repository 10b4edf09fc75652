//! Kustomization builds, byte for byte as kustomize 5.8.1 prints them.
//!
//! A [`filetree::FileTree`] and a directory in it go in, objects come out. The engine reads nothing but the
//! tree: remote bases and charts are had through what [`BuildOptions`] hands it.
//!
//! ```
//! use filetree::MemoryTree;
//! use kustomize::{BuildOptions, build};
//!
//! let mut tree = MemoryTree::new();
//! tree.insert("kustomization.yaml", *b"namePrefix: my-\nresources: [a.yaml]\n")?;
//! tree.insert("a.yaml", *b"kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n")?;
//! let output = build(&tree, "", &BuildOptions::controller())?;
//! assert_eq!(output.objects()?[0].name(), "my-a");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod build;
mod config;
mod decode;
mod emission;
mod error;
mod folded;
mod generators;
mod id;
mod kustomization;
mod loader;
mod name_reference;
mod node;
mod openapi;
mod options;
mod origin;
mod packed;
mod places;
mod plugins;
mod reading;
mod repository;
mod resmap;
mod resource;
mod selector;
mod target;
mod transform;
mod variables;

pub use build::{Output, build};
pub use error::{BuildError, Fault};
pub use kustomization::{FIELD_NAMES, FILE_NAMES};
pub use options::{
    BuildOptions, ChartRenderer, ChartRequest, FetchError, LoadRestrictor, RemoteBase,
    RemoteResolver, Reorder,
};
pub use reading::check_resources;
pub use repository::RepositoryUrl;
