//! What Helm logs while it works: warnings of values and dependencies, of templates in lint mode, of files.
//!
//! Helm 4 writes pairs with a level, Helm 3 lines that begin with the place in its own source. Values that
//! are left out there are left out here: they may be secret.

use gocompat::quote::quote;

use crate::Version;
use crate::chart::Chart;

/// Something that is told, but stops nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The globals of an inner chart are no table.
    GlobalTarget,
    /// The globals of an outer chart are no table.
    GlobalSource,
    /// A global table meets one that is none; by its key.
    GlobalConflict(String),
    /// A global that is no table meets one; by its key.
    GlobalTable(String),
    /// A default that is no table where the values have one; by its path.
    NotTable(String),
    /// A table of defaults where the values have none; by its path.
    NotOverwritten(String),
    /// A default that is no table inside a table; by its path.
    Ignored(String),
    /// A condition that is no truth value, and the chart it is for.
    Condition(String, String),
    /// A tag that is no truth value, and the chart it is for.
    Tag(String, String),
    /// Imported values that are not there: the chart where it is named, and the part of the path that is no table.
    Import(Option<String>, String),
    /// A document is left out because its hook is unknown.
    UnknownHook(String),
    /// `requirements.yaml` in a chart that should not have it.
    Requirements,
    /// `requirements.lock` in a chart that should not have it.
    RequirementsLock,
    /// A link, and where it leads.
    Link(String, String),
    /// A reference in a schema that nobody resolves.
    Urn(String),
    /// A title and named values, for debugging; Helm 3 has none of these.
    Debug(&'static str, Vec<(&'static str, String)>),
    /// A required value that is not there.
    MissingValue(String),
    /// A required value that is empty.
    EmptyValue(String),
    /// A template that is in the way.
    Failure(String),
}

/// One note in the forms of both versions.
struct Forms {
    /// Where Helm 3 says it, and what.
    place: &'static str,
    old: String,
    /// The level of Helm 4, its title, and more with names.
    level: &'static str,
    title: String,
    fields: Vec<(&'static str, String)>,
}

impl Note {
    /// Notes files of the first API version in a loaded chart of a later one, and in the charts inside it.
    pub fn of_files(chart: &Chart, notes: &mut Vec<Self>) {
        if chart.metadata.api_version == "v2" {
            for file in &chart.raw {
                match file.name.as_str() {
                    "requirements.lock" => notes.push(Self::RequirementsLock),
                    "requirements.yaml" => notes.push(Self::Requirements),
                    _ => {}
                }
            }
        }
        for inner in &chart.dependencies {
            Self::of_files(inner, notes);
        }
    }

    /// The line on stderr, without its end.
    pub fn line(&self, version: Version) -> String {
        let forms = self.forms();
        if version == Version::V3 {
            return format!("{} {}", forms.place, forms.old);
        }
        let mut line = format!("level={} msg={}", forms.level, log_text(&forms.title));
        for (name, value) in &forms.fields {
            line.push_str(&format!(" {name}={}", log_text(value)));
        }
        line
    }

    fn forms(&self) -> Forms {
        const LOCK: &str = "Warning: Dependency locking is handled in Chart.lock since apiVersion \"v2\". We recommend migrating to Chart.lock.";
        const YAML: &str = "Warning: Dependencies are handled in Chart.yaml since apiVersion \"v2\". We recommend migrating dependencies to Chart.yaml.";
        let plain = |place: &'static str, text: String| Forms {
            place,
            old: text.clone(),
            level: "INFO",
            title: text,
            fields: Vec::new(),
        };
        let globals =
            |what: &str| format!("warning: skipping globals because {what} global is not a table.");
        match self {
            Self::GlobalTarget => plain("coalesce.go:138:", globals("destination")),
            Self::GlobalSource => plain("coalesce.go:145:", globals("source")),
            Self::GlobalConflict(key) => {
                let key = quote(key.as_bytes());
                let text = format!("Conflict: cannot merge map onto non-map for {key}. Skipping.");
                plain("coalesce.go:161:", text)
            }
            Self::GlobalTable(key) => {
                plain("coalesce.go:175:", format!("key {key} is table. Skipping"))
            }
            Self::NotTable(path) => {
                let text = format!("warning: skipped value for {path}: Not a table.");
                plain("coalesce.go:237:", text)
            }
            Self::NotOverwritten(path) => {
                let text = format!("warning: cannot overwrite table with non table for {path}");
                plain("coalesce.go:316:", text)
            }
            Self::Ignored(path) => {
                let text =
                    format!("warning: destination for {path} is a table. Ignoring non-table value");
                plain("coalesce.go:319:", text)
            }
            Self::Requirements => plain("load.go:120:", YAML.to_owned()),
            Self::RequirementsLock => plain("load.go:138:", LOCK.to_owned()),
            _ => self.forms_of_fields(),
        }
    }

    /// Notes that Helm 4 writes with named fields.
    fn forms_of_fields(&self) -> Forms {
        const NO_FLAG: &str = "returned non-bool value";
        let forms = |place, old, level, title: &str, fields| Forms {
            place,
            old,
            level,
            title: title.to_owned(),
            fields,
        };
        match self {
            Self::Condition(path, chart) => forms(
                "dependencies.go:64:",
                format!("Warning: Condition path '{path}' for chart {chart} {NO_FLAG}"),
                "WARN",
                NO_FLAG,
                vec![("path", path.clone()), ("chart", chart.clone())],
            ),
            Self::Tag(tag, chart) => forms(
                "dependencies.go:95:",
                format!("Warning: Tag '{tag}' for chart {chart} {NO_FLAG}"),
                "WARN",
                NO_FLAG,
                vec![("tag", tag.clone()), ("chart", chart.clone())],
            ),
            Self::Import(chart, part) => {
                let error = format!("{} is not a table", quote(part.as_bytes()));
                match chart {
                    Some(chart) => forms(
                        "dependencies.go:270:",
                        format!("Warning: ImportValues missing table from chart {chart}: {error}"),
                        "WARN",
                        "ImportValues missing table from chart",
                        vec![("chart", chart.clone()), ("error", error)],
                    ),
                    None => forms(
                        "dependencies.go:287:",
                        format!("Warning: ImportValues missing table: {error}"),
                        "WARN",
                        "ImportValues missing table",
                        vec![("error", error)],
                    ),
                }
            }
            Self::UnknownHook(events) => forms(
                "manifest_sorter.go:199:",
                format!("info: skipping unknown hook: {}", quote(events.as_bytes())),
                "INFO",
                "skipping unknown hooks",
                vec![("hookTypes", events.clone())],
            ),
            Self::Link(path, resolved) => forms(
                "walk.go:75:",
                format!(
                    "found symbolic link in path: {path} resolves to {resolved}. Contents of linked file included and used"
                ),
                "INFO",
                "found symbolic link in path. Contents of linked file included and used",
                vec![("path", path.clone()), ("resolved", resolved.clone())],
            ),
            Self::Urn(urn) => forms(
                "jsonschema.go:192:",
                format!(
                    "WARNING: unresolved URN reference ignored; using permissive schema: {urn}"
                ),
                "WARN",
                "unresolved URN reference ignored; using permissive schema",
                vec![("urn", urn.clone())],
            ),
            Self::Debug(title, fields) => forms("", String::new(), "DEBUG", title, fields.clone()),
            Self::MissingValue(message) => forms(
                "engine.go:206:",
                format!("[INFO] Missing required value: {message}"),
                "WARN",
                "missing required value",
                vec![("message", message.clone())],
            ),
            Self::EmptyValue(message) => forms(
                "engine.go:214:",
                format!("[INFO] Missing required value: {message}"),
                "WARN",
                "missing required values",
                vec![("message", message.clone())],
            ),
            Self::Failure(message) => forms(
                "engine.go:227:",
                format!("[INFO] Fail: {message}"),
                "INFO",
                "funcMap fail",
                vec![("message", message.clone())],
            ),
            _ => forms("", String::new(), "INFO", "", Vec::new()),
        }
    }
}

/// A value of a log line: quoted where it has more than plain characters.
pub fn log_text(text: &str) -> String {
    let plain = |b: u8| b > b' ' && b != b'"' && b != b'=' && b < 0x7f;
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    quote(text.as_bytes())
}
