//! Files on disk packed as upstream's command packs them, and layers put back on disk.

use std::collections::HashSet;
use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use filetree::{EntryKind, GoArchive, Ignore, UnpackLimits, unpack_tar_gz};

use crate::error::{CliError, CliResult};
use crate::flags::string_slice;

/// What `--ignore-paths` is where it is not given.
pub const IGNORED: &str = ".git/,.gitignore,.gitmodules,.gitattributes,*.jpg,*.jpeg,*.gif,*.png,*.wmv,*.flv,*.tar.gz,*.zip";
/// Directories nested deeper than this are not followed.
const DEPTH_MAX: usize = 256;
/// Mode of a temporary directory, in which upstream stages single files and resolved trees.
const STAGED: u32 = 0o700;

/// What goes into an artifact.
#[derive(clap::Args, Debug)]
pub struct Contents {
    /// Paths to leave out, in the format of .gitignore, separated by commas.
    #[arg(long, value_name = "LIST", default_value = IGNORED)]
    ignore_paths: Vec<String>,
    /// Copy what symbolic links lead to; they are left out otherwise.
    #[arg(long)]
    resolve_symlinks: bool,
}

/// The paths of an artifact that is only compared.
#[derive(clap::Args, Debug)]
pub struct Compared {
    /// Paths to leave out, in the format of .gitignore, separated by commas.
    #[arg(long, value_name = "LIST", default_value = IGNORED)]
    ignore_paths: Vec<String>,
}

/// A directory or file to pack; what stdin gave is removed again when dropped.
pub struct Input {
    path: PathBuf,
    _stdin: Option<tempfile::NamedTempFile>,
}

impl Input {
    /// Takes a path, or stdin for `-`.
    pub fn open(path: &str) -> CliResult<Self> {
        if path.is_empty() {
            return Err(CliError::user("invalid path \"\""));
        }
        if path != "-" {
            let path = PathBuf::from(path);
            return Ok(Self { path, _stdin: None });
        }
        let failed = |error: std::io::Error| {
            CliError::configuration(format!("error writing stdin to file: {error}"))
        };
        let mut text = Vec::new();
        std::io::stdin().read_to_end(&mut text).map_err(failed)?;
        let end = text.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
        text.truncate(end.map_or(0, |end| end + 1));
        let mut file = tempfile::Builder::new()
            .prefix("")
            .suffix(".yaml")
            .tempfile()
            .map_err(failed)?;
        file.write_all(&text).map_err(failed)?;
        Ok(Self {
            path: file.path().to_owned(),
            _stdin: Some(file),
        })
    }

    /// Fails where there is nothing at the path; returns the cause as Go says it.
    pub fn missing(&self) -> Option<String> {
        let error = fs::metadata(&self.path).err()?;
        Some(format!("stat {}: {}", self.path.display(), go_says(&error)))
    }

    /// The path, for people.
    pub fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

/// An error of the file system in Go's words.
pub fn go_says(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file or directory".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::IsADirectory => "is a directory".to_owned(),
        _ => error.to_string(),
    }
}

impl Contents {
    /// Looks for links that lead nowhere, where links are followed.
    pub fn check(&self, input: &Input) -> CliResult {
        if !self.resolve_symlinks {
            return Ok(());
        }
        match broken_link(&input.path, 0) {
            Some((link, target)) => Err(CliError::user(format!(
                "resolving symlinks failed: resolving symlink {}: lstat {}: no such file or directory",
                absolute(&link),
                absolute(&target)
            ))),
            None => Ok(()),
        }
    }

    /// Packs a path.
    pub fn pack(&self, input: &Input) -> CliResult<Vec<u8>> {
        pack(&input.path, &self.ignore_paths, self.resolve_symlinks)
    }
}

impl Compared {
    /// Packs a path.
    pub fn pack(&self, path: &str) -> CliResult<Vec<u8>> {
        pack(Path::new(path), &self.ignore_paths, false)
    }
}

fn pack(path: &Path, ignored: &[String], resolve: bool) -> CliResult<Vec<u8>> {
    let mut ignore = Ignore::default();
    ignore.add(&string_slice(ignored).join("\n"), &[]);
    let mut walk = Walk {
        archive: GoArchive::default(),
        ignore,
        resolve,
        inside: HashSet::new(),
    };
    let packed = walk.root(path);
    packed.map_err(|(path, error)| {
        let message = format!("open {}: {}", path.display(), go_says(&error));
        CliError::user(message)
    })?;
    Ok(walk.archive.finish())
}

/// Finds the first link below a path that leads nowhere; returns it and its target.
fn broken_link(path: &Path, depth: usize) -> Option<(PathBuf, PathBuf)> {
    let metadata = fs::symlink_metadata(path).ok()?;
    if metadata.is_symlink() {
        let gone = fs::metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
        let target = fs::read_link(path).ok().filter(|_| gone)?;
        let from = path.parent().unwrap_or(Path::new(""));
        return Some((path.to_owned(), from.join(target)));
    }
    if !metadata.is_dir() || depth > DEPTH_MAX {
        return None;
    }
    let entries = fs::read_dir(path).ok()?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    paths.sort();
    paths.iter().find_map(|path| broken_link(path, depth + 1))
}

fn absolute(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.display().to_string()
}

type Failure = (PathBuf, std::io::Error);

struct Walk {
    archive: GoArchive,
    ignore: Ignore,
    /// Whether links are followed.
    resolve: bool,
    /// Real directories that are being walked: a link back to one ends there.
    inside: HashSet<PathBuf>,
}

impl Walk {
    fn root(&mut self, path: &Path) -> Result<(), Failure> {
        let metadata = fs::metadata(path).map_err(|error| (path.to_owned(), error))?;
        let is_directory = metadata.is_dir();
        let staged = self.resolve || !is_directory;
        let root_mode = if staged { STAGED } else { mode(&metadata) };
        self.archive.directory(".", root_mode);
        if is_directory {
            return self.directory(path, "", 0);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.file(path, &name, &metadata)
    }

    fn directory(&mut self, path: &Path, below: &str, depth: usize) -> Result<(), Failure> {
        let failed = |error| (path.to_owned(), error);
        let real = fs::canonicalize(path).map_err(failed)?;
        if depth > DEPTH_MAX || !self.inside.insert(real.clone()) {
            return Ok(());
        }
        let mut names: Vec<String> = fs::read_dir(path)
            .map_err(failed)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<std::io::Result<_>>()
            .map_err(failed)?;
        names.sort();
        for name in names {
            let relative = match below {
                "" => name.clone(),
                below => format!("{below}/{name}"),
            };
            self.entry(&path.join(name), &relative, depth)?;
        }
        self.inside.remove(&real);
        Ok(())
    }

    fn entry(&mut self, path: &Path, relative: &str, depth: usize) -> Result<(), Failure> {
        let found = if self.resolve {
            fs::metadata(path)
        } else {
            fs::symlink_metadata(path)
        };
        let metadata = found.map_err(|error| (path.to_owned(), error))?;
        if metadata.is_dir() {
            if !self.ignore.excludes(relative, EntryKind::Directory) {
                self.archive
                    .directory(relative, self.staged_mode(&metadata));
            }
            // As upstream: what is in a directory that is left out is looked at all the same.
            return self.directory(path, relative, depth + 1);
        }
        if !metadata.is_file() || self.ignore.excludes(relative, EntryKind::File) {
            return Ok(());
        }
        self.file(path, relative, &metadata)
    }

    fn file(&mut self, path: &Path, name: &str, metadata: &fs::Metadata) -> Result<(), Failure> {
        let content = fs::read(path).map_err(|error| (path.to_owned(), error))?;
        self.archive
            .file(name, self.staged_mode(metadata), &content);
        Ok(())
    }

    /// Copies lose what the usual umask takes.
    fn staged_mode(&self, metadata: &fs::Metadata) -> u32 {
        let mode = mode(metadata);
        if self.resolve { mode & !0o022 } else { mode }
    }
}

#[cfg(unix)]
fn mode(metadata: &fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o7777
}

#[cfg(not(unix))]
fn mode(metadata: &fs::Metadata) -> u32 {
    if metadata.is_dir() { 0o755 } else { 0o644 }
}

/// Writes an artifact to a file, whole or not at all.
pub fn write(path: &str, archive: &[u8]) -> CliResult {
    let failed = |error: std::io::Error| {
        CliError::user(format!(
            "building artifact failed, error: open {path}: {}",
            go_says(&error)
        ))
    };
    let target = Path::new(path);
    let directory = target
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o640));
    }
    let mut file = builder
        .tempfile_in(directory.unwrap_or(Path::new(".")))
        .map_err(failed)?;
    file.write_all(archive).map_err(failed)?;
    file.persist(target).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Puts a layer on disk: an archive is unpacked into a directory, anything else is written to the path.
pub fn extract(layer: &[u8], path: &str) -> CliResult {
    if !layer.starts_with(&[0x1f, 0x8b]) {
        return fs::write(path, layer)
            .map_err(|error| CliError::user(format!("open {path}: {}", go_says(&error))));
    }
    let tree = unpack_tar_gz(layer, UnpackLimits::ARTIFACT)
        .map_err(|error| CliError::user(error.to_string()))?;
    let root = Path::new(path);
    let written = tree
        .directories()
        .try_for_each(|directory| fs::create_dir_all(root.join(directory)))
        .and_then(|()| {
            tree.files().try_for_each(|(name, content)| {
                write_file(&root.join(name), content, tree.is_executable(name))
            })
        });
    written.map_err(|error| CliError::user(go_says(&error)))
}

fn write_file(path: &Path, content: &[u8], executable: bool) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = fs::File::create(path)?;
    file.write_all(content)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = if executable { 0o755 } else { 0o644 };
        file.set_permissions(fs::Permissions::from_mode(mode))?;
    }
    #[cfg(not(unix))]
    let _ = executable;
    // Archives of artifacts carry no times.
    file.set_modified(std::time::UNIX_EPOCH)
}
