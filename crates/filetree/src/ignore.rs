//! Which files of a source enter its artifact: `.sourceignore`, `spec.ignore` and the defaults.
//!
//! Flux matches with go-git's gitignore dialect, not Git's: the last matching pattern wins, `!` re-includes even
//! below an excluded directory, every path is tested on its own, and the default groups apply only while no
//! pattern at all is given. The facts are those of `pkg/sourceignore`.

use crate::{EntryKind, FileTree, TreeError, glob, join};

/// Name of the files that hold patterns.
pub const IGNORE_FILE: &str = ".sourceignore";

const VERSION_CONTROL: [&str; 4] = [".git/", ".gitignore", ".gitmodules", ".gitattributes"];
const DEFAULTS: [&str; 20] = [
    "*.jpg",
    "*.jpeg",
    "*.gif",
    "*.png",
    "*.wmv",
    "*.flv",
    "*.tar.gz",
    "*.zip",
    ".github/",
    ".circleci/",
    ".travis.yml",
    ".gitlab-ci.yml",
    "appveyor.yml",
    ".drone.yml",
    "cloudbuild.yaml",
    "codeship-services.yml",
    "codeship-steps.yml",
    "**/.goreleaser.yml",
    "**/.sops.yaml",
    "**/.flux.yaml",
];
/// Go's line scanner stops at lines longer than this, in bytes.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// Directories nested deeper than this are not searched for pattern files.
const DEPTH_MAX: usize = 256;

/// Patterns of one source, lowest precedence first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignore {
    patterns: Vec<Pattern>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    /// Directory the pattern belongs to.
    domain: Vec<String>,
    /// Components between `/`.
    components: Vec<Component>,
    includes: bool,
    directories_only: bool,
    /// Whether the pattern has a `/` before its end and is anchored to the domain.
    anchored: bool,
}

/// One step of a pattern; most need no general matching.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Component {
    /// Nothing between two slashes, or before the first.
    Empty,
    /// `**`: any number of directories.
    AnyDirectories,
    /// `**` with something beside it, which never matches in an anchored pattern.
    Malformed(String),
    /// A name without special characters.
    Literal(String),
    /// `*` and a text without special characters.
    Suffix(String),
    /// Anything else.
    Glob(String),
}

impl Component {
    fn parse(text: &str) -> Self {
        let plain = |text: &str| !text.contains(['*', '?', '[', '\\']);
        match text {
            "" => Self::Empty,
            "**" => Self::AnyDirectories,
            text if text.contains("**") => Self::Malformed(text.to_owned()),
            text if plain(text) => Self::Literal(text.to_owned()),
            text => match text.strip_prefix('*') {
                Some(suffix) if plain(suffix) => Self::Suffix(suffix.to_owned()),
                _ => Self::Glob(text.to_owned()),
            },
        }
    }

    /// Matches one step of a path as `filepath.Match` does.
    fn matches(&self, name: &str) -> Result<bool, glob::BadPattern> {
        match self {
            Self::Empty => Ok(name.is_empty()),
            Self::Literal(text) => Ok(name == text),
            Self::Suffix(suffix) => Ok(name.ends_with(suffix.as_str())),
            Self::AnyDirectories => Ok(true),
            Self::Glob(pattern) | Self::Malformed(pattern) => glob::matches(pattern, name),
        }
    }
}

impl Ignore {
    /// Reads the rules of a tree: version control files, then the defaults or every `.sourceignore` and `spec.ignore`.
    ///
    /// `extra` is the text of `spec.ignore`, highest in precedence.
    ///
    /// # Errors
    /// Fails where a file of rules cannot be read.
    pub fn load(tree: &dyn FileTree, extra: Option<&str>) -> Result<Self, TreeError> {
        let mut given = Self::default();
        given.load_directory(tree, &mut Vec::new())?;
        given.add(extra.unwrap_or_default(), &[]);
        Ok(given.with_defaults())
    }

    /// Reads patterns from a text, below a directory given by its steps; no defaults are added.
    pub fn add(&mut self, text: &str, domain: &[String]) {
        for line in text.split('\n') {
            if line.len() >= LINE_BYTES_MAX {
                break;
            }
            let line = line.strip_suffix('\r').unwrap_or(line);
            if !line.starts_with('#') && !line.trim().is_empty() {
                self.patterns.push(Pattern::parse(line, domain));
            }
        }
    }

    /// Puts the built-in patterns below the given ones: all of them if there are none, version control alone otherwise.
    pub fn with_defaults(self) -> Self {
        let mut patterns: Vec<_> = VERSION_CONTROL.iter().map(built_in).collect();
        if self.patterns.is_empty() {
            patterns.extend(DEFAULTS.iter().map(built_in));
        }
        patterns.extend(self.patterns);
        Self { patterns }
    }

    /// Tells whether a path is left out. The root never is.
    pub fn excludes(&self, path: &str, kind: EntryKind) -> bool {
        if path.is_empty() {
            return false;
        }
        let steps: Vec<&str> = path.split('/').collect();
        let directory = kind == EntryKind::Directory;
        self.patterns
            .iter()
            .rev()
            .find(|pattern| pattern.matches(&steps, directory))
            .is_some_and(|pattern| !pattern.includes)
    }

    fn load_directory(
        &mut self,
        tree: &dyn FileTree,
        steps: &mut Vec<String>,
    ) -> Result<(), TreeError> {
        let directory = steps.join("/");
        let entries = tree.list(&directory)?;
        let file = EntryKind::File;
        if entries
            .iter()
            .any(|e| e.name == IGNORE_FILE && e.kind == file)
        {
            let path = join(&directory, IGNORE_FILE).expect("a name does not lead upwards");
            let text = tree.read(&path)?;
            self.add(&String::from_utf8_lossy(&text), steps);
        }
        if steps.len() >= DEPTH_MAX {
            return Ok(());
        }
        for entry in entries {
            if entry.kind == EntryKind::Directory && entry.name != ".git" {
                steps.push(entry.name);
                self.load_directory(tree, steps)?;
                steps.pop();
            }
        }
        Ok(())
    }
}

fn built_in(text: &&str) -> Pattern {
    Pattern::parse(text, &[])
}

impl Pattern {
    fn parse(text: &str, domain: &[String]) -> Self {
        let (includes, text) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let text = if text.ends_with("\\ ") {
            text
        } else {
            text.trim_end_matches(' ')
        };
        let (directories_only, text) = match text.strip_suffix('/') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        Self {
            domain: domain.to_vec(),
            components: text.split('/').map(Component::parse).collect(),
            includes,
            directories_only,
            anchored: text.contains('/'),
        }
    }

    fn matches(&self, path: &[&str], directory: bool) -> bool {
        if path.len() <= self.domain.len() || !self.domain.iter().zip(path).all(|(d, p)| d == p) {
            return false;
        }
        let path = &path[self.domain.len()..];
        if self.anchored {
            self.matches_anchored(path, directory)
        } else {
            self.matches_component(path, directory)
        }
    }

    /// A pattern without `/` matches any component of the path.
    fn matches_component(&self, path: &[&str], directory: bool) -> bool {
        for (index, name) in path.iter().enumerate() {
            match self.components[0].matches(name) {
                Err(_) => return false,
                Ok(false) => {}
                Ok(true) => {
                    return !(self.directories_only && !directory && index == path.len() - 1);
                }
            }
        }
        false
    }

    /// Walks pattern and path component by component; `**` stands for any number of directories.
    ///
    /// Components left over in the path match too: a pattern matches everything below what it names.
    fn matches_anchored(&self, mut path: &[&str], directory: bool) -> bool {
        let mut matched = false;
        let mut may_skip = false;
        for (index, component) in self.components.iter().enumerate() {
            match component {
                Component::Empty => {
                    may_skip = false;
                    continue;
                }
                Component::AnyDirectories if index == self.components.len() - 1 => break,
                Component::AnyDirectories => {
                    may_skip = true;
                    continue;
                }
                Component::Malformed(_) => return false,
                _ if path.is_empty() => return false,
                _ => {}
            }
            if may_skip {
                may_skip = false;
                match skip_to(component, &mut path) {
                    Some(found) => matched = found,
                    None => return false,
                }
            } else {
                if component.matches(path[0]) != Ok(true) {
                    return false;
                }
                matched = true;
                path = &path[1..];
            }
        }
        matched && !(self.directories_only && !directory && path.is_empty())
    }
}

/// Drops path components up to and with the first that matches; `None` for a malformed pattern.
fn skip_to(component: &Component, path: &mut &[&str]) -> Option<bool> {
    while let Some((first, rest)) = path.split_first() {
        *path = rest;
        if component.matches(first).ok()? {
            return Some(true);
        }
    }
    Some(false)
}
