//! `flux kustomize build`: what `kustomize build` does, with its flags, its output and its messages.
//!
//! Functions (containers, executables) and external plugins are never run; their flags are accepted so that
//! scripts keep working, and the build refuses a kustomization that needs them.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;

use filetree::disk::DirectoryTree;
use kustomize::{BuildOptions, LoadRestrictor, Output, Reorder};

use super::charts::Charts;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::remote_bases::OnDemand;

/// Arguments of `flux kustomize build`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Directory with a kustomization file; the current one by default.
    #[arg(value_name = "DIR")]
    directories: Vec<String>,
    /// Write to this file, or a file per object into this directory.
    #[arg(
        short,
        long,
        value_name = "PATH",
        default_value = "",
        hide_default_value = true
    )]
    output: String,
    /// LoadRestrictionsNone lets kustomizations load files from outside their directory.
    #[arg(long, value_name = "NAME", default_value = "LoadRestrictionsRootOnly")]
    load_restrictor: String,
    /// Order of the objects: legacy (by kind) or none (as accumulated).
    #[arg(
        long,
        value_name = "ORDER",
        default_value = "",
        hide_default_value = true
    )]
    reorder: String,
    /// Render Helm charts.
    #[arg(long)]
    enable_helm: bool,
    /// Label every object with the program that built it.
    #[arg(long)]
    enable_managedby_label: bool,
    /// Accepted for compatibility: charts are rendered without the helm program.
    #[arg(
        long,
        value_name = "COMMAND",
        default_value = "helm",
        hide_default_value = true
    )]
    helm_command: String,
    /// API versions that charts see, besides the built-in ones.
    #[arg(long, value_name = "VERSION")]
    helm_api_versions: Vec<String>,
    /// Kubernetes version that charts see.
    #[arg(
        long,
        value_name = "VERSION",
        default_value = "",
        hide_default_value = true
    )]
    helm_kube_version: String,
    /// Accepted for compatibility.
    #[arg(long)]
    helm_debug: bool,
    /// Accepted for compatibility: the built-in plugins are always there, others are never run.
    #[arg(long)]
    enable_alpha_plugins: bool,
    /// Accepted for compatibility: executables are never run.
    #[arg(long)]
    enable_exec: bool,
    /// Accepted for compatibility: containers are never run.
    #[arg(long)]
    as_current_user: bool,
    /// Accepted for compatibility: functions are never run.
    #[arg(short, long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Accepted for compatibility: functions are never run.
    #[arg(long, value_name = "MOUNT")]
    mount: Vec<String>,
    /// Accepted for compatibility: functions are never run.
    #[arg(long)]
    network: bool,
    /// Accepted for compatibility: functions are never run.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "bridge",
        hide_default_value = true
    )]
    network_name: String,
    /// Accepted for compatibility.
    #[arg(long)]
    stack_trace: bool,
}

/// Prints the built objects, or writes them where `--output` says.
///
/// Nothing is written when anything fails. Errors are printed as kustomize prints them, with file, line and
/// chain of kustomizations on lines of their own.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    build(ctx, &args).map_err(|message| {
        ctx.out.note(&format!("Error: {message}"));
        CliError::silent(1)
    })
}

fn build(ctx: &Context, args: &Args) -> Result<(), String> {
    warn_of_deprecated_flags(ctx, args);
    let remote = OnDemand::default();
    let charts = Charts {
        api_versions: args.helm_api_versions.clone(),
        kube_version: args.helm_kube_version.clone(),
        ..Charts::default()
    };
    let options = BuildOptions {
        remote: Some(&remote),
        charts: Some(&charts),
        ..options(args)?
    };
    let dir = match args.directories.as_slice() {
        [] => Path::new("."),
        [dir] => Path::new(dir),
        _ => return Err("specify one path to kustomization.yaml".to_owned()),
    };
    let path = locate(dir)?;
    // The tree is the whole file system: bases may stand anywhere, and messages show absolute paths.
    let tree = DirectoryTree::open(Path::new("/")).map_err(|error| error.to_string())?;
    let outcome = kustomize::build(&tree, &path, &options);
    let warnings = match &outcome {
        Ok(output) => output.warnings(),
        Err(error) => error.warnings(),
    };
    warnings.iter().for_each(|warning| ctx.out.note(warning));
    let output = outcome.map_err(|error| format!("{error:#}"))?;
    write(ctx, &output, Path::new(&args.output))
}

fn warn_of_deprecated_flags(ctx: &Context, args: &Args) {
    if !args.reorder.is_empty() {
        ctx.out.note(
            "Flag --reorder has been deprecated, use the new 'sortOptions' field in kustomization.yaml instead.",
        );
    }
    if args.enable_managedby_label {
        ctx.out.note(
            "Flag --enable-managedby-label has been deprecated, The flag `enable-managedby-label` has been \
             deprecated. Use the `managedByLabel` option in the `buildMetadata` field instead.",
        );
    }
}

fn options(args: &Args) -> Result<BuildOptions<'static>, String> {
    let load_restrictor = match args.load_restrictor.as_str() {
        "LoadRestrictionsRootOnly" => LoadRestrictor::RootOnly,
        "LoadRestrictionsNone" => LoadRestrictor::None,
        other => {
            let legal = "[LoadRestrictionsRootOnly LoadRestrictionsNone]";
            return Err(illegal("load-restrictor", other, legal));
        }
    };
    let reorder = match args.reorder.as_str() {
        "" | "legacy" => Reorder::Legacy,
        "none" => Reorder::None,
        other => return Err(illegal("reorder", other, "[legacy none]")),
    };
    Ok(BuildOptions {
        load_restrictor,
        reorder,
        enable_helm: args.enable_helm,
        add_managedby_label: args.enable_managedby_label,
        ..BuildOptions::command_line()
    })
}

fn illegal(flag: &str, value: &str, legal: &str) -> String {
    format!("illegal flag value --{flag} {value}; legal values: {legal}")
}

/// Finds the directory's absolute path, without the leading slash.
fn locate(dir: &Path) -> Result<String, String> {
    let shown = dir.display();
    let absolute = std::path::absolute(dir).map_err(|error| error.to_string())?;
    let real = fs::canonicalize(dir).map_err(|_| {
        let absolute = absolute.display();
        format!(
            "must build at directory: not a valid directory: evalsymlink failure on '{shown}' : \
             lstat {absolute}: no such file or directory"
        )
    })?;
    if !real.is_dir() {
        return Err(format!(
            "must build at directory: '{shown}': file is not directory"
        ));
    }
    let text = real
        .to_str()
        .ok_or_else(|| format!("must build at directory: '{shown}': the path is no UTF-8"))?;
    Ok(text.trim_start_matches('/').to_owned())
}

fn write(ctx: &Context, output: &Output, path: &Path) -> Result<(), String> {
    if path.as_os_str().is_empty() {
        let mut stdout = ctx.out.data_writer();
        let written = output.write_yaml(&mut stdout);
        let _closed_pipe = written.map_err(|error| format!("{error:#}"))?;
        let _closed_pipe = stdout.flush();
        return Ok(());
    }
    if !path.is_dir() {
        return write_one(output, path);
    }
    let files = output.files().map_err(|error| format!("{error:#}"))?;
    files
        .iter()
        .try_for_each(|(name, text)| write_file(&path.join(name), text))
}

fn write_one(output: &Output, path: &Path) -> Result<(), String> {
    let mut sink = LateFile { path, file: None };
    let written = output.write_yaml(&mut sink);
    let written = written.map_err(|error| format!("{error:#}"))?;
    // Flushing makes the file where there was nothing to write.
    let flushed = written.and_then(|()| sink.flush());
    flushed.map_err(|error| not_written(path, &error))
}

/// A file that is made with the first byte, so that a failed build leaves an older one as it is.
struct LateFile<'a> {
    path: &'a Path,
    file: Option<BufWriter<fs::File>>,
}

impl LateFile<'_> {
    fn file(&mut self) -> std::io::Result<&mut BufWriter<fs::File>> {
        match &mut self.file {
            Some(file) => Ok(file),
            none => Ok(none.insert(BufWriter::new(fs::File::create(self.path)?))),
        }
    }
}

impl Write for LateFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file()?.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file()?.flush()
    }
}

fn write_file(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| not_written(path, &error))
}

fn not_written(path: &Path, error: &std::io::Error) -> String {
    let reason = match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        std::io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    format!("open {}: {reason}", path.display())
}
