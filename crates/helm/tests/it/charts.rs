//! What the chart corpora share: arguments of `helm template`, charts from tables, one run.

use filetree::{FileTree, MemoryTree};
use std::sync::Arc;

use helm::action::{ActionError, Options, PrintOptions, Rendered, print, render_release};
use helm::capabilities::{Capabilities, KubeVersion};
use helm::chart::Chart;
use helm::functions::World;
use helm::load::load_path;
use helm::schema::SchemaLoader;
use helm::values::UserValues;
use helm::{Release, Version};
use serde_json::Value;

/// Arguments of one run.
#[derive(Default)]
pub struct Args {
    pub chart: String,
    pub name: Option<String>,
    pub namespace: Option<String>,
    pub user: UserValues,
    pub print: PrintOptions,
    pub include_crds: bool,
    pub skip_schema: bool,
    pub notes: bool,
    pub kube_version: Option<String>,
    pub api_versions: Vec<String>,
    pub is_upgrade: bool,
    pub name_template: Option<String>,
    pub debug: bool,
}

impl Args {
    /// Reads arguments; values files come from `read`.
    pub fn parse(args: &[String], read: &dyn Fn(&str) -> Vec<u8>) -> Self {
        let mut parsed = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let (flag, inline) = match arg.split_once('=') {
                Some((flag, value)) if flag.starts_with("--") => (flag, Some(value.to_owned())),
                _ => (arg.as_str(), None),
            };
            let mut value = || {
                inline
                    .clone()
                    .unwrap_or_else(|| args.next().cloned().unwrap())
            };
            match flag {
                "-f" | "--values" => {
                    for name in value().split(',') {
                        parsed.user.files.push((name.to_owned(), read(name)));
                    }
                }
                "--set" => parsed.user.set.push(value()),
                "--set-string" => parsed.user.set_string.push(value()),
                "--set-json" => parsed.user.set_json.push(value()),
                "--set-file" => parsed.user.set_file.push(value()),
                "--set-literal" => parsed.user.set_literal.push(value()),
                "--name" => parsed.name = Some(value()),
                "--namespace" | "-n" => parsed.namespace = Some(value()),
                "--name-template" => parsed.name_template = Some(value()),
                "--show-only" | "-s" => parsed.print.show_only.push(value()),
                "--kube-version" => parsed.kube_version = Some(value()),
                "--api-versions" | "-a" => {
                    parsed
                        .api_versions
                        .extend(value().split(',').map(str::to_owned));
                }
                "--include-crds" => parsed.include_crds = true,
                "--skip-tests" => parsed.print.skip_tests = true,
                "--no-hooks" => parsed.print.no_hooks = true,
                "--skip-schema-validation" => parsed.skip_schema = true,
                "--notes" => parsed.notes = true,
                "--is-upgrade" => parsed.is_upgrade = true,
                "--debug" => parsed.debug = true,
                other => parsed.chart = other.to_owned(),
            }
        }
        parsed
    }
}

/// Repeatable bytes that differ from call to call; key generation needs that.
pub fn pseudo_random(buffer: &mut [u8]) {
    use std::sync::atomic::{AtomicU64, Ordering};
    static STATE: AtomicU64 = AtomicU64::new(1);
    for byte in buffer {
        let state = STATE.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let mixed = (state ^ (state >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        *byte = (mixed >> 37) as u8;
    }
}

pub fn world() -> World {
    let mut world = World::offline(1_795_219_200, 0, pseudo_random);
    world.schemas = Some(Arc::new(NoNetwork));
    world
}

/// The network of the machine where outcomes were recorded: there was none.
struct NoNetwork;

impl SchemaLoader for NoNetwork {
    fn load(&self, url: &str) -> Result<Vec<u8>, String> {
        let host = url.split('/').nth(2).unwrap_or_default();
        Err(format!(
            "HTTP request failed for {url}: Get \"{url}\": dial tcp: lookup {host} on 10.255.255.53:53: no such host"
        ))
    }
}

/// The files of a case as a tree.
pub fn tree(files: &Value) -> MemoryTree {
    let mut tree = MemoryTree::new();
    for (path, text) in files.as_object().unwrap() {
        tree.insert(path, text.as_str().unwrap().as_bytes().to_vec())
            .unwrap();
    }
    tree
}

/// Renders and prints one run.
pub fn run(
    tree: &dyn FileTree,
    path: &str,
    args: &Args,
    version: Version,
) -> Result<String, ActionError> {
    let failed = |text: String| ActionError::Failed(text);
    let mut capabilities = Capabilities::offline(version);
    if let Some(text) = &args.kube_version {
        capabilities.kube_version = KubeVersion::parse(text, version)
            .map_err(|error| failed(format!("invalid kube version '{text}': {error}")))?;
    }
    capabilities.api_versions.extend(args.api_versions.clone());
    let read = |_: &str| Err("no files".to_owned());
    let user = args.user.merge(version, &read).map_err(failed)?;
    let chart: Chart = load_path(tree, path, version).map_err(|error| failed(error.to_string()))?;
    let name = match &args.name_template {
        Some(text) => helm::template::render_name(text, version, &world()).map_err(failed)?,
        None => args
            .name
            .clone()
            .unwrap_or_else(|| "release-name".to_owned()),
    };
    let options = Options {
        release: Release {
            name,
            namespace: args
                .namespace
                .clone()
                .unwrap_or_else(|| "default".to_owned()),
            revision: 1,
            is_upgrade: args.is_upgrade,
        },
        capabilities,
        include_crds: args.include_crds,
        skip_schema: args.skip_schema,
        sub_notes: false,
        strict: false,
    };
    let rendered: Rendered = render_release(chart, &user, &options, &world())?;
    if args.notes {
        return Ok(rendered.notes);
    }
    print(&rendered, &args.print, version).map_err(failed)
}
