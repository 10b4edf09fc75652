//! `flux helm lint`: what `helm lint` prints, with its flags.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use filetree::disk::DirectoryTree;
use filetree::{FileTree, MemoryTree};
use helm::capabilities::KubeVersion;
use helm::lint::{Input, Message, Report, Severity, lint};
use helm::load::archive_files;
use helm::metadata::Metadata;
use helm::{Values, Version};

use super::chart::{ValueFlags, clean, helm_version, io_text, read_text, tell_all, world};
use super::fetch::Fetcher;
use crate::context::Context;

/// Arguments of `flux helm lint`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The charts' directories or archives.
    #[arg(value_name = "PATH")]
    charts: Vec<String>,
    #[command(flatten)]
    values: ValueFlags,
    /// Fail on warnings, too.
    #[arg(long)]
    strict: bool,
    /// Check the charts inside the charts, too.
    #[arg(long)]
    with_subcharts: bool,
    /// Print only warnings and errors.
    #[arg(long)]
    quiet: bool,
    /// Do not check values against schemas.
    #[arg(long)]
    skip_schema_validation: bool,
    /// Kubernetes version that templates see, and whose deprecations count.
    #[arg(long, value_name = "VERSION")]
    kube_version: Option<String>,
    /// Tell what is being done.
    #[arg(long)]
    debug: bool,
    /// Version of Helm to follow: 3 or 4.
    #[arg(long, value_name = "VERSION", default_value_t = 4, value_parser = clap::value_parser!(u8).range(3..=4))]
    helm_version: u8,
}

/// Checks every chart and counts.
pub fn run(ctx: &Context, args: &Args) -> Result<(), String> {
    let version = helm_version(args.helm_version);
    let mut paths = args.charts.clone();
    if paths.is_empty() && version == Version::V3 {
        paths.push(".".to_owned());
    }
    if paths.is_empty() {
        return Err(
            "\"helm lint\" requires at least 1 argument\n\nUsage:  helm lint PATH [flags]"
                .to_owned(),
        );
    }
    let kube_version = super::chart::kube_version(args.kube_version.as_deref(), version)?;
    if args.with_subcharts {
        let inner: Vec<String> = paths.iter().flat_map(|path| charts_inside(path)).collect();
        paths.extend(inner);
    }
    let values = args.values.read(version)?.merge(version, &read_text)?;
    let run = Run {
        ctx,
        args,
        version,
        kube_version,
        values,
    };
    run.all(&paths)
}

/// Charts below `charts/` of a directory, in the order of a walk.
fn charts_inside(path: &str) -> Vec<String> {
    let mut found = Vec::new();
    walk(&clean(&Path::new(path).join("charts")), &mut found);
    found
}

fn walk(path: &Path, found: &mut Vec<String>) {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return;
    };
    let shown = path.to_string_lossy();
    if path.file_name().is_some_and(|name| name == "Chart.yaml") {
        let directory = path.parent().map(Path::to_string_lossy).unwrap_or_default();
        found.push(directory.into_owned());
    } else if shown.ends_with(".tgz") || shown.ends_with(".tar.gz") {
        found.push(shown.into_owned());
    }
    if !metadata.is_dir() {
        return;
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut inner: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    inner.sort();
    inner.iter().for_each(|path| walk(path, found));
}

struct Run<'r> {
    ctx: &'r Context,
    args: &'r Args,
    version: Version,
    kube_version: Option<KubeVersion>,
    values: Values,
}

impl Run<'_> {
    fn all(&self, paths: &[String]) -> Result<(), String> {
        let tolerated = if self.args.strict {
            Severity::Info
        } else {
            Severity::Warning
        };
        let quiet = self.args.quiet;
        let (mut failed, mut faulty, mut out) = (0, 0, String::new());
        for path in paths {
            let result = self.one(path);
            let (messages, error) = match result {
                Ok(messages) => (messages, None),
                Err(error) => (Vec::new(), Some(error)),
            };
            let bad = error.is_some() || messages.iter().any(|m| m.severity > Severity::Info);
            faulty += usize::from(bad);
            if quiet && !bad {
                continue;
            }
            out.push_str(&format!("==> Linting {path}\n"));
            if let Some(error) = &error {
                out.push_str(&format!("Error {error}\n"));
            }
            for message in &messages {
                if !quiet || message.severity > Severity::Info {
                    out.push_str(&format!("{message}\n"));
                }
            }
            let fails = error.is_some() || messages.iter().any(|m| m.severity > tolerated);
            failed += usize::from(fails);
            out.push('\n');
        }
        self.ctx.out.data(&out);
        let summary = format!("{} chart(s) linted, {failed} chart(s) failed", paths.len());
        if failed > 0 {
            return Err(summary);
        }
        if !quiet || faulty > 0 {
            self.ctx.out.data(&format!("{summary}\n"));
        }
        Ok(())
    }

    /// Checks one chart; an error means that it cannot be looked at.
    fn one(&self, path: &str) -> Result<Vec<Message>, String> {
        if path.ends_with(".tgz") || path.ends_with(".tar.gz") {
            let bytes = fs::read(path).map_err(|error| {
                format!("unable to open tarball: open {path}: {}", io_text(&error))
            })?;
            let tree =
                unpack(&bytes).map_err(|error| format!("unable to extract tarball: {error}"))?;
            return Ok(self.lint(&tree, "", path));
        }
        let file = clean(&Path::new(path).join("Chart.yaml"));
        fs::metadata(&file).map_err(|error| {
            format!(
                "unable to check Chart.yaml file in chart: stat {}: {}",
                file.display(),
                io_text(&error)
            )
        })?;
        let absolute = std::path::absolute(path).map_err(|error| error.to_string())?;
        let real = fs::canonicalize(path).map_err(|error| error.to_string())?;
        let tree = DirectoryTree::open(Path::new("/")).map_err(|error| error.to_string())?;
        let inside = real.to_string_lossy();
        let shown = clean(&absolute);
        Ok(self.lint(
            &tree,
            inside.trim_start_matches('/'),
            &shown.to_string_lossy(),
        ))
    }

    fn lint(&self, tree: &dyn FileTree, directory: &str, shown: &str) -> Vec<Message> {
        let mut world = world();
        world.lint = true;
        world.debug = self.args.debug;
        world.schemas = Some(Arc::<Fetcher>::default());
        let namespace = self.ctx.settings.namespace_flag.as_deref();
        let namespace = namespace.filter(|namespace| !namespace.is_empty());
        let Report { messages } = lint(&Input {
            tree,
            directory,
            shown,
            values: &self.values,
            namespace: namespace.unwrap_or("default"),
            kube_version: self.kube_version.as_ref(),
            skip_schema: self.args.skip_schema_validation,
            version: self.version,
            world: &world,
        });
        tell_all(self.ctx, self.version, &world);
        messages
    }
}

/// The files of an archive as a tree.
fn unpack(bytes: &[u8]) -> Result<MemoryTree, String> {
    let files = archive_files(bytes).map_err(|error| match bytes.len() {
        0 => "EOF".to_owned(),
        // Shorter than the head of any.
        1..10 => "unexpected EOF".to_owned(),
        _ => error.to_string(),
    })?;
    let mut name = String::new();
    for file in files.iter().filter(|file| file.name == "Chart.yaml") {
        let mut metadata = Metadata::default();
        let read = metadata.read_yaml(&file.data, "v2");
        read.map_err(|error| format!("cannot load Chart.yaml: {error}"))?;
        name = metadata.name;
    }
    if name.is_empty() {
        return Err("chart name not specified".to_owned());
    }
    let shown = gocompat::quote::quote(name.as_bytes());
    if name == "." || name == ".." {
        return Err(format!("chart name {shown} is not allowed"));
    }
    if name.contains('/') {
        return Err(format!(
            "chart name {shown} must not contain path separators"
        ));
    }
    let mut tree = MemoryTree::new();
    for file in files {
        tree.insert(&file.name, file.data.bytes().clone())
            .map_err(|error| error.to_string())?;
    }
    Ok(tree)
}
