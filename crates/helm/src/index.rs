//! Repository indexes: which versions of which charts a repository has, and where they lie.
//!
//! An index flows in as a stream and is never held whole: [`read_index`] hands out the versions of one chart,
//! [`convert_index`] writes the JSON form that source-controller stores, and both give a [`Summary`] with the
//! digest of what was read. YAML is strict about keys as Helm is, JSON is not. Invalid versions are left out.
//! One version and everything beside the entries have to fit 8 MiB each.

mod entry;
mod json;
mod lines;
mod simple;
mod write;
mod yaml;

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};

use gocompat::semver::{Range, Version};
use serde_json::{Map, Value};

pub use entry::Entry;

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 128 << 10;

/// What an index holds beside its entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Version of the format; never empty.
    pub api_version: String,
    /// When the index was made, in RFC 3339; empty where it does not say.
    pub generated: String,
    /// What chartmuseum says of itself.
    pub server_info: Map<String, Value>,
    /// Public keys.
    pub public_keys: Vec<String>,
    /// Annotations.
    pub annotations: Vec<(String, String)>,
    /// Number of charts, those without a valid version included.
    pub charts: usize,
    /// Number of valid versions.
    pub versions: usize,
    /// The first versions that were left out, each with the reason; at most 100 are listed.
    pub skipped: Vec<String>,
    /// Number of versions that were left out.
    pub skipped_count: usize,
    /// Bytes read.
    pub size: u64,
    /// SHA-256 of the bytes read, in hexadecimal.
    pub sha256: String,
}

/// An index that cannot be used, or a chart that is not in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// The text is neither JSON nor YAML of the right shape.
    #[error("{0}")]
    Malformed(String),
    /// The text cannot be read, or the JSON cannot be written.
    #[error("{0}")]
    Io(String),
    /// There is no text.
    #[error("empty index.yaml file")]
    Empty,
    /// The index does not say which format it has.
    #[error("no API version specified")]
    NoApiVersion,
    /// No chart of that name.
    #[error("no chart name found")]
    NoChart,
    /// The wanted version is no range.
    #[error("improper constraint: {0}")]
    BadRange(String),
    /// No version fits.
    #[error("no chart version found for {0}-{1}")]
    NoVersion(String, String),
}

impl From<std::io::Error> for IndexError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

/// What is done with the entries of an index as they come.
pub(crate) trait Sink {
    /// A chart begins.
    fn chart(&mut self, name: &str) -> Result<(), IndexError>;

    /// Whether the versions of the present chart are looked at; JSON skips the others unread.
    fn wants(&self) -> bool;

    /// A valid version of the present chart.
    fn version(&mut self, entry: Entry) -> Result<(), IndexError>;
}

/// Reads an index from a stream: checks all of it, keeps the versions of one chart, newest first.
///
/// Without a wanted chart no versions are kept.
///
/// # Errors
/// The stream fails, or holds no index that Helm would read.
pub fn read_index(
    reader: impl Read,
    wanted: Option<&str>,
) -> Result<(Summary, Vec<Entry>), IndexError> {
    let mut sink = Keep {
        wanted,
        here: false,
        entries: Vec::new(),
    };
    let summary = stream(reader, &mut sink)?;
    let mut entries = sink.entries;
    sort(&mut entries);
    Ok((summary, entries))
}

/// Reads an index twice and writes it as JSON in the form of Helm's structs: indented by two spaces, fields in
/// Helm's order, charts in the order of the stream, versions newest first.
///
/// The versions of a chart that take more than 16 MiB keep the order of the stream; every reader sorts anyway.
///
/// # Errors
/// As [`read_index`], or the output cannot be written.
pub fn convert_index(
    mut reader: impl Read + Seek,
    out: &mut impl Write,
) -> Result<Summary, IndexError> {
    let start = reader.stream_position()?;
    let head = head(&mut reader)?;
    reader.seek(SeekFrom::Start(start))?;
    let mut writer = write::Writer::new(out, &head)?;
    let summary = stream(reader, &mut writer)?;
    writer.finish(&summary)?;
    Ok(summary)
}

/// Selects a version among those of a chart, newest first: exactly the text, else the newest in the range; no
/// text means the newest stable one.
///
/// # Errors
/// The list is empty, no version fits, or the text is no range.
pub fn select<'e>(
    versions: &'e [Entry],
    name: &str,
    wanted: &str,
) -> Result<&'e Entry, IndexError> {
    if versions.is_empty() {
        return Err(IndexError::NoChart);
    }
    let exact = |entry: &&Entry| !wanted.is_empty() && entry.version() == wanted;
    if let Some(exact) = versions.iter().find(exact) {
        return Ok(exact);
    }
    let text = if wanted.is_empty() { "*" } else { wanted };
    let range = Range::parse(text).map_err(|_| IndexError::BadRange(wanted.to_owned()))?;
    let fits = |entry: &&Entry| {
        Version::parse(entry.version()).is_ok_and(|version| range.matches(&version))
    };
    let found = versions.iter().find(fits);
    found.ok_or_else(|| IndexError::NoVersion(name.to_owned(), wanted.to_owned()))
}

/// Newest first; equal versions keep their order.
fn sort(entries: &mut Vec<Entry>) {
    let parsed = |entry: Entry| (Version::parse(entry.version()).ok(), entry);
    let mut keyed: Vec<_> = std::mem::take(entries).into_iter().map(parsed).collect();
    keyed.sort_by(|a, b| b.0.cmp(&a.0));
    entries.extend(keyed.into_iter().map(|(_, entry)| entry));
}

struct Keep<'w> {
    wanted: Option<&'w str>,
    here: bool,
    entries: Vec<Entry>,
}

impl Sink for Keep<'_> {
    fn chart(&mut self, name: &str) -> Result<(), IndexError> {
        self.here = self.wanted == Some(name);
        if self.here {
            // JSON may name a chart twice; the last one counts.
            self.entries.clear();
        }
        Ok(())
    }

    fn wants(&self) -> bool {
        self.here
    }

    fn version(&mut self, entry: Entry) -> Result<(), IndexError> {
        if self.here {
            self.entries.push(entry);
        }
        Ok(())
    }
}

/// What is gathered while an index is read.
#[derive(Default)]
struct Gathered {
    head: Map<String, Value>,
    summary: Summary,
    chart: String,
    names: HashSet<String>,
}

/// Most reasons that a summary lists.
const SKIPPED_MAX: usize = 100;

impl Gathered {
    fn begin(&mut self, name: &str, sink: &mut dyn Sink) -> Result<bool, IndexError> {
        self.summary.charts += 1;
        name.clone_into(&mut self.chart);
        sink.chart(name)?;
        Ok(self.names.insert(name.to_owned()))
    }

    /// Checks one version and hands it on.
    fn version(
        &mut self,
        value: Value,
        strict: bool,
        sink: &mut dyn Sink,
    ) -> Result<(), IndexError> {
        let mut entry = match value {
            Value::Null => return self.skip("empty entry"),
            Value::Object(map) => Entry::read(&map, strict).map_err(IndexError::Malformed)?,
            other => {
                let found = kyaml::json_kind(&other);
                return Err(IndexError::Malformed(format!(
                    "json: cannot unmarshal {found} into Go value of type repo.ChartVersion"
                )));
            }
        };
        match entry.validate() {
            Ok(()) => {
                self.summary.versions += 1;
                sink.version(entry)
            }
            Err(reason) => self.skip(&reason),
        }
    }

    fn skip(&mut self, reason: &str) -> Result<(), IndexError> {
        self.summary.skipped_count += 1;
        if self.summary.skipped.len() < SKIPPED_MAX {
            let reason = format!("chart {:?}: {reason}", self.chart);
            self.summary.skipped.push(reason);
        }
        Ok(())
    }

    /// Types what stands beside the entries.
    fn head(&mut self, strict: bool) -> Result<(), IndexError> {
        let head = std::mem::take(&mut self.head);
        entry::read_head(head, strict, &mut self.summary).map_err(IndexError::Malformed)
    }
}

/// Reads the whole stream through a sink.
fn stream(reader: impl Read, sink: &mut dyn Sink) -> Result<Summary, IndexError> {
    let mut input = BufReader::with_capacity(BUFFER_BYTES, lines::Digesting::new(reader));
    let mut gathered = Gathered::default();
    let strict = match first_byte(&mut input)? {
        None => return Err(IndexError::Empty),
        Some(b'{') => {
            json::read(&mut input, &mut gathered, sink)?;
            false
        }
        Some(_) => {
            yaml::read(&mut input, &mut gathered, sink).map_err(decoding)?;
            true
        }
    };
    gathered
        .head(strict)
        .map_err(|error| if strict { decoding(error) } else { error })?;
    let mut summary = gathered.summary;
    (summary.size, summary.sha256) = input.into_inner().finish()?;
    if summary.api_version.is_empty() {
        return Err(IndexError::NoApiVersion);
    }
    Ok(summary)
}

/// Puts before a decoder's words what sigs.k8s.io/yaml puts there.
fn decoding(error: IndexError) -> IndexError {
    match error {
        IndexError::Malformed(text)
            if text.starts_with("json: ") || text.starts_with("parsing ") =>
        {
            IndexError::Malformed(format!(
                "error unmarshaling JSON: while decoding JSON: {text}"
            ))
        }
        other => other,
    }
}

/// Reads what stands beside the entries; the entries are passed over.
fn head(reader: impl Read) -> Result<Summary, IndexError> {
    let mut input = BufReader::with_capacity(BUFFER_BYTES, reader);
    let mut gathered = Gathered::default();
    match first_byte(&mut input)? {
        None => return Err(IndexError::Empty),
        Some(b'{') => json::read_head(&mut input, &mut gathered)?,
        Some(_) => yaml::read_head(&mut input, &mut gathered)?,
    }
    gathered.head(false)?;
    Ok(gathered.summary)
}

/// The first byte that is no space, left unread; spaces before it are consumed with their lines unfinished.
fn first_byte(input: &mut impl BufRead) -> Result<Option<u8>, IndexError> {
    let buffer = input.fill_buf()?;
    let first = buffer.iter().find(|b| !b.is_ascii_whitespace());
    if first.is_some() || buffer.is_empty() {
        return Ok(first.copied());
    }
    // A buffer of nothing but space begins no index that anybody writes.
    Ok(Some(b' '))
}

/// Names that JSON fields of the index have, in Go's decoder without regard to case.
fn is_entries(key: &str) -> bool {
    key.eq_ignore_ascii_case("entries")
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    const INDEX: &str = "apiVersion: v1\nentries:\n  a:\n  - {name: a, version: 1.2.0, urls: [a-1.2.0.tgz]}\n  - name: a\n    version: 2.0.0-rc.1\n    urls:\n    - x\n  - {name: a, version: 1.10.0, urls: [a-1.10.0.tgz]}\n  - {name: a, version: bad}\n  -\n  b: []\ngenerated: \"2020-01-02T03:04:05.100Z\"\n";

    fn versions(text: &str, chart: &str) -> Vec<String> {
        let (_, entries) = read_index(text.as_bytes(), Some(chart)).unwrap();
        entries.iter().map(|e| e.version().to_owned()).collect()
    }

    fn check_selected(wanted: &str, expected: &str) {
        let (_, entries) = read_index(INDEX.as_bytes(), Some("a")).unwrap();
        let selected = select(&entries, "a", wanted).unwrap();
        assert_eq!(selected.version(), expected, "{wanted}");
    }

    #[test]
    fn versions_are_selected() {
        check_selected("", "1.10.0");
        check_selected("1.2.x", "1.2.0");
        check_selected("2.0.0-rc.1", "2.0.0-rc.1");
        check_selected(">=2.0.0-0", "2.0.0-rc.1");
        assert_eq!(select(&[], "a", "").unwrap_err(), IndexError::NoChart);
    }

    #[test]
    fn a_summary_tells_what_was_read() {
        let (summary, entries) = read_index(INDEX.as_bytes(), None).unwrap();
        assert!(entries.is_empty());
        let counts = (summary.charts, summary.versions, summary.skipped_count);
        assert_eq!(counts, (2, 3, 2));
        assert_eq!(summary.size, INDEX.len() as u64);
        assert_eq!(summary.sha256.len(), 64);
        assert_eq!(summary.generated, "2020-01-02T03:04:05.1Z");
    }

    fn check_error(text: &str, expected: &str) {
        let error = read_index(text.as_bytes(), None).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
        let mut out = Vec::new();
        assert!(
            convert_index(Cursor::new(text), &mut out).is_err(),
            "{text}"
        );
    }

    #[test]
    fn malformed_indexes_are_errors() {
        check_error("", "empty index.yaml file");
        check_error("{}", "no API version specified");
        check_error("entries: {}\n", "no API version specified");
        check_error("apiVersion: v1\nbad: 1\n", "json: unknown field \"bad\"");
        check_error(
            "apiVersion: v1\nentries:\n  a:\n  - bad: x\n",
            "json: unknown field \"bad\"",
        );
        check_error(
            "apiVersion: v1\nentries:\n  a:\n  - name: [x\n",
            "yaml: line ",
        );
        check_error(
            "apiVersion: v1\nentries:\n  a:\n  - name: [x]\n",
            "cannot unmarshal array",
        );
        check_error(
            "apiVersion: v1\nentries:\n  a: []\n  a: []\n",
            "key \"a\" already set in map",
        );
        check_error("apiVersion: v1\nentries:\n- a\n", "cannot unmarshal array");
        check_error("{\"apiVersion\": \"v1\", \"entries\": {\"a\": [1]}", "");
    }

    #[test]
    fn unusual_layouts_are_read() {
        let same = [
            "entries: {a: [{name: a, version: 1.0.0}]}\napiVersion: v1\n",
            "---\n# c\nentries:\n    a:\n        - name: a\n          version: 1.0.0\napiVersion: v1\n---\nx: [\n",
            "\"entries\":\n  \"a\":\n  - name: a\n    version: 1.0.0\napiVersion: v1\n",
            "apiVersion: v1\r\nentries:\r\n  a:\r\n  - name: a\r\n    version: 1.0.0\r\n",
            "apiVersion: v1\nentries:\n  a:\n  - name: a\n    description: \"x\ny\n  z\"\n    version: 1.0.0\n",
            "apiVersion: v1\nentries:\n  a:\n\n  # c\n  - name: a\n    description: |\n      - x\n\n      y: z\n    version: 1.0.0\n...\n",
            "{\"apiVersion\": \"v1\", \"unknown\": 1, \"entries\": {\"a\": [{\"name\": \"a\", \"version\": \"1.0.0\", \"x\": 1}], \"b\": null}}",
        ];
        for text in same {
            assert_eq!(versions(text, "a"), ["1.0.0"], "{text}");
        }
    }

    #[test]
    fn the_json_form_is_that_of_helms_structs() {
        let mut out = Vec::new();
        convert_index(Cursor::new(INDEX), &mut out).unwrap();
        let expected = r#"{
  "apiVersion": "v1",
  "generated": "2020-01-02T03:04:05.1Z",
  "entries": {
    "a": [
      {
        "name": "a",
        "version": "2.0.0-rc.1",
        "apiVersion": "v1",
        "urls": [
          "x"
        ],
        "created": "0001-01-01T00:00:00Z"
      },
      {
        "name": "a",
        "version": "1.10.0",
        "apiVersion": "v1",
        "urls": [
          "a-1.10.0.tgz"
        ],
        "created": "0001-01-01T00:00:00Z"
      },
      {
        "name": "a",
        "version": "1.2.0",
        "apiVersion": "v1",
        "urls": [
          "a-1.2.0.tgz"
        ],
        "created": "0001-01-01T00:00:00Z"
      }
    ],
    "b": []
  }
}"#;
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, expected);
        assert_eq!(versions(&text, "a"), ["2.0.0-rc.1", "1.10.0", "1.2.0"]);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = read_index(&bytes[..], Some("a"));
        }

        #[test]
        fn no_text_panics(text in "(apiVersion: v1\n)?entries:\n(( |  |    |)(- )?(a|b|\"a|'|#|---|\\.\\.\\.|\\{|\\[|&x|\\*x|\\||>)(:| |)( a|)\n){0,12}") {
            let _ = read_index(text.as_bytes(), Some("a"));
            let _ = convert_index(Cursor::new(&text), &mut Vec::new());
        }
    }
}
