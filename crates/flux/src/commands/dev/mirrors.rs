//! Mirrors of `flux dev`: Helm repositories and registries that are taken from directories or other URLs.
//!
//! Named by `--mirror PREFIX=PLACE` and by the file `.flux-dev.yaml` at the root of the followed directory, whose places
//! stay inside of that directory. Directories are served on the loopback interface (`controllers::shelf`).

use std::path::{Path, PathBuf};

use controllers::shelf::{self, Shelf, ShelfError};
use objects::Value;
use remote::{Mirror, MirrorError};
use tokio::net::TcpListener;

/// Name of the file in the followed directory.
pub const FILE: &str = ".flux-dev.yaml";
/// Largest file that is read, in bytes: some thousands of mirrors.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why a mirror cannot be used: the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// `--mirror` without a prefix or a place.
    #[error(
        "--mirror {0}: give a URL and a place, as in https://charts.example.com=./charts or oci://registry.example.com/charts=./charts"
    )]
    Shape(String),
    /// A mirror that cannot be used.
    #[error("mirror of {prefix}: {reason}")]
    Mirror {
        /// The URL.
        prefix: String,
        /// What is wrong.
        reason: String,
    },
    /// The file cannot be read or has another shape.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The loopback interface gives no port.
    #[error("cannot serve mirrors: {0}")]
    Listen(std::io::Error),
}

/// A URL, and from where it is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    prefix: String,
    /// URL, or path as it was given.
    place: String,
    /// The directory where `place` is a path.
    directory: Option<PathBuf>,
}

/// All mirrors of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirrors(Vec<Wanted>);

/// Reads `--mirror` flags, and the file of the followed directory; of two for one URL, the flag counts.
///
/// # Errors
/// The file or a flag cannot be read, or a directory is not there.
pub fn read(given: &[String], followed: Option<&Path>) -> Result<Mirrors, Problem> {
    let mut all = Vec::new();
    for value in given {
        let (prefix, place) = value
            // URLs of mirrors may hold an equals sign, places seldom do.
            .rsplit_once('=')
            .filter(|(prefix, place)| !prefix.is_empty() && !place.is_empty())
            .ok_or_else(|| Problem::Shape(value.clone()))?;
        let directory = (!is_url(place)).then(|| PathBuf::from(place));
        add(&mut all, prefix, place, directory)?;
    }
    for (prefix, place) in followed.map(in_file).transpose()?.unwrap_or_default() {
        if all
            .iter()
            .any(|wanted: &Wanted| same(&wanted.prefix, &prefix))
        {
            continue;
        }
        let root = followed.filter(|_| !is_url(&place));
        let directory = root.map(|root| inside(root, &prefix, &place)).transpose()?;
        add(&mut all, &prefix, &place, directory)?;
    }
    Ok(Mirrors(all))
}

fn is_url(place: &str) -> bool {
    place.contains("://")
}

/// Tells whether two prefixes are the same URL.
fn same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

fn failed(prefix: &str) -> impl Fn(String) -> Problem {
    move |reason| Problem::Mirror {
        prefix: prefix.to_owned(),
        reason,
    }
}

fn add(
    all: &mut Vec<Wanted>,
    prefix: &str,
    place: &str,
    directory: Option<PathBuf>,
) -> Result<(), Problem> {
    let failed = failed(prefix);
    if all.iter().any(|wanted| same(&wanted.prefix, prefix)) {
        return Err(failed("it is named twice".to_owned()));
    }
    let wrong = |error: MirrorError| failed(error.to_string());
    Mirror::is_registry(prefix).map_err(wrong)?;
    if let Some(directory) = &directory
        && !directory.is_dir()
    {
        let what = if directory.exists() {
            "is not a directory"
        } else {
            "does not exist"
        };
        return Err(failed(format!("{place} {what}")));
    }
    if directory.is_none() {
        Mirror::new(prefix, place, place).map_err(wrong)?;
    }
    all.push(Wanted {
        prefix: prefix.to_owned(),
        place: place.to_owned(),
        directory,
    });
    Ok(())
}

/// Finds a directory of the followed one; a cloned repository must not choose others.
fn inside(root: &Path, prefix: &str, place: &str) -> Result<PathBuf, Problem> {
    let failed = failed(prefix);
    let directory = root.join(place);
    let real = directory
        .canonicalize()
        .map_err(|error| failed(format!("{FILE} names {place}: {error}")))?;
    if real.starts_with(root) {
        return Ok(real);
    }
    let message = format!(
        "{FILE} names {place}, which lies outside of the repository: use --mirror {prefix}={place} if you trust it"
    );
    Err(failed(message))
}

/// Reads `mirrors: {URL: place}`.
fn in_file(root: &Path) -> Result<Vec<(String, String)>, Problem> {
    let path = root.join(FILE);
    let wrong = |reason: String| Problem::File {
        path: path.display().to_string(),
        reason,
    };
    let size = match path.metadata() {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(wrong(error.to_string())),
    };
    if size > FILE_BYTES_MAX {
        return Err(wrong(format!("larger than {FILE_BYTES_MAX} bytes")));
    }
    let text = std::fs::read(&path).map_err(|error| wrong(error.to_string()))?;
    let documents = kyaml::parse(&text, &kyaml::ReadOptions::v11());
    let documents = documents.map_err(|error| wrong(error.to_string()))?;
    let Some(node) = documents.first() else {
        return Ok(Vec::new());
    };
    let value = kyaml::to_json(node, kyaml::Dialect::V11);
    shape(&value.map_err(|error| wrong(error.to_string()))?).map_err(wrong)
}

fn shape(value: &Value) -> Result<Vec<(String, String)>, String> {
    if value.is_null() {
        return Ok(Vec::new());
    }
    let map = value.as_object().ok_or("it has to be a map")?;
    if let Some(other) = map.keys().find(|key| *key != "mirrors") {
        return Err(format!("unknown field {other:?}, known is \"mirrors\""));
    }
    let Some(mirrors) = map.get("mirrors").filter(|mirrors| !mirrors.is_null()) else {
        return Ok(Vec::new());
    };
    let mirrors = mirrors
        .as_object()
        .ok_or("mirrors has to map URLs to places")?;
    let place = |(prefix, place): (&String, &Value)| {
        let place = place.as_str().filter(|place| !place.is_empty());
        let place = place.ok_or_else(|| format!("mirrors: {prefix} needs a path or a URL"))?;
        Ok((prefix.clone(), place.to_owned()))
    };
    mirrors.iter().map(place).collect()
}

impl Mirrors {
    /// Starts serving the directories; says of each mirror what it is.
    ///
    /// # Errors
    /// A chart of a directory is broken, or there is no port.
    pub async fn start(self, mut tell: impl FnMut(&str)) -> Result<Vec<Mirror>, Problem> {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.map_err(Problem::Listen)?;
        let address = listener.local_addr().map_err(Problem::Listen)?;
        let mut shelves = Vec::new();
        let mut mirrors = Vec::new();
        for wanted in self.0 {
            let failed = failed(&wanted.prefix);
            let mut told = format!("► {} is taken from {}", wanted.prefix, wanted.place);
            let target = match wanted.directory {
                None => wanted.place.clone(),
                Some(directory) => {
                    let name = format!("mirror{}", shelves.len());
                    let is_registry = wanted.prefix.starts_with("oci://");
                    let scheme = if is_registry { "oci" } else { "http" };
                    let target = format!("{scheme}://{address}/{name}");
                    let shelf = Shelf { name, directory };
                    let found = survey(&shelf).await;
                    let found = found.map_err(|error| {
                        failed(format!("{}/{error}", wanted.place.trim_end_matches('/')))
                    })?;
                    told.push_str(&described(&found));
                    shelves.push(shelf);
                    target
                }
            };
            let mirror = Mirror::new(&wanted.prefix, &target, &wanted.place);
            mirrors.push(mirror.map_err(|error| failed(error.to_string()))?);
            tell(&told);
        }
        if !shelves.is_empty() {
            tokio::spawn(shelf::serve(shelves, listener));
        }
        Ok(mirrors)
    }
}

async fn survey(shelf: &Shelf) -> Result<Vec<(String, String)>, ShelfError> {
    let shelf = shelf.clone();
    let work = tokio::task::spawn_blocking(move || shelf::survey(&shelf));
    work.await.unwrap_or_else(|_| Ok(Vec::new()))
}

/// The names of some charts.
fn described(charts: &[(String, String)]) -> String {
    /// Charts named at most.
    const NAMED: usize = 5;
    let names: Vec<String> = charts
        .iter()
        .take(NAMED)
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    match charts.len() {
        0 => String::new(),
        count if count > NAMED => format!(": {} and {} more", names.join(", "), count - NAMED),
        _ => format!(": {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(given: &[&str], file: Option<&str>) -> String {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("charts")).unwrap();
        if let Some(text) = file {
            std::fs::write(root.join(FILE), text).unwrap();
        }
        let given: Vec<String> = given.iter().map(|text| (*text).to_owned()).collect();
        match read(&given, Some(&root)) {
            Ok(mirrors) => format!("{} mirrors", mirrors.0.len()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn mirrors_are_read_or_refused() {
        let file = |text: &'static str| (&[] as &[&str], Some(text));
        let flag = |text: &'static [&'static str]| (text, None);
        for ((given, text), expected) in [
            (
                file("mirrors:\n  https://a.io: charts\n  oci://b.io/x: ./charts\n"),
                "2 mirrors",
            ),
            (
                file("mirrors:\n  oci://b.io/x: oci://127.0.0.1:5000/x\n"),
                "1 mirrors",
            ),
            (file(""), "0 mirrors"),
            (
                file("mirrors: {https://a.io: ../..}\n"),
                "lies outside of the repository",
            ),
            (
                file("mirrors: {https://a.io: nowhere}\n"),
                ".flux-dev.yaml names nowhere: No such file",
            ),
            (file("mirrors: [x]\n"), "mirrors has to map URLs to places"),
            (
                file("mirrors: {https://a.io: {}}\n"),
                "https://a.io needs a path or a URL",
            ),
            (file("mirror: {}\n"), "unknown field \"mirror\""),
            (file("mirrors: {"), ".flux-dev.yaml: "),
            (flag(&["https://a.io"]), "give a URL and a place"),
            (flag(&["=x"]), "give a URL and a place"),
            (
                flag(&["https://a.io=/nowhere"]),
                "mirror of https://a.io: /nowhere does not exist",
            ),
            (flag(&["https://a.io=oci://b.io/x"]), "cannot stand in for"),
            (
                flag(&["ftp://a.io=oci://b.io/x"]),
                "only http://, https:// and oci://",
            ),
            (
                flag(&["https://a.io=http://b.io", "https://a.io/=http://c.io"]),
                "named twice",
            ),
        ] {
            let got = refused(given, text);
            assert!(got.contains(expected), "{got}");
        }
        let both = refused(
            &["https://a.io=http://b.io"],
            Some("mirrors: {https://a.io/: nowhere}\n"),
        );
        assert_eq!(both, "1 mirrors", "a flag counts before the file");
    }
}
