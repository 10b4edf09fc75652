//! The release record: Helm's JSON model of one revision, and its storage form.
//!
//! Both versions read each other's records; they differ in how absent times are written. Field order is
//! Go's, and text is escaped as Go escapes it, so that records compare byte for byte.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Version;
use crate::chart::{Chart, File};
use crate::convert::to_json;
use crate::kinds::Hook;
use crate::metadata::METADATA_KEYS;

/// Most bytes of a record after decompression; a Secret holds 1 MiB, and text shrinks about tenfold.
const RECORD_BYTES_MAX: u64 = 64 << 20;

/// One revision of a release.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// Name of the release.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Times, status, notes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<Info>,
    /// The chart as it was stored, without the charts inside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chart: Option<StoredChart>,
    /// Values the user gave, nulls kept.
    #[serde(skip_serializing_if = "is_empty")]
    pub config: Option<Map<String, Value>>,
    /// Manifests without hooks and custom resource definitions.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub manifest: String,
    /// Hooks.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<StoredHook>,
    /// Number of the revision, from 1.
    #[serde(skip_serializing_if = "is_zero")]
    pub version: i64,
    /// Namespace of the release.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// `ssa` or `csa`; empty means client-side.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub apply_method: String,
}

/// Times are RFC 3339 with nanoseconds; `None` is Go's zero time.
type Moment = Option<String>;

/// What is known of a revision besides its contents.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Info {
    /// When the first revision was deployed.
    #[serde(deserialize_with = "moment", skip_serializing_if = "Option::is_none")]
    pub first_deployed: Moment,
    /// When this revision was deployed.
    #[serde(deserialize_with = "moment", skip_serializing_if = "Option::is_none")]
    pub last_deployed: Moment,
    /// When the release was uninstalled.
    #[serde(deserialize_with = "moment", skip_serializing_if = "Option::is_none")]
    pub deleted: Moment,
    /// One sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// `deployed`, `superseded`, `pending-install`, …
    #[serde(skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// Rendered notes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub notes: String,
}

/// A chart in a record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredChart {
    /// `Chart.yaml` in JSON.
    #[serde(serialize_with = "metadata_order")]
    pub metadata: Option<Map<String, Value>>,
    /// `Chart.lock`.
    pub lock: Option<Value>,
    /// Templates.
    pub templates: Option<Vec<StoredFile>>,
    /// Default values.
    pub values: Option<Map<String, Value>>,
    /// The schema in base 64.
    pub schema: Option<String>,
    /// When the schema was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schemamodtime: Moment,
    /// Other files.
    pub files: Option<Vec<StoredFile>>,
    /// When the chart was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modtime: Moment,
}

/// A file in a record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredFile {
    /// Path in the chart.
    pub name: String,
    /// Contents in base 64.
    pub data: Option<String>,
    /// When the file was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modtime: Moment,
}

/// A hook in a record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredHook {
    /// Name of the object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Kind of the object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Path of the template.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub manifest: String,
    /// Events it runs at.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// Its last run.
    pub last_run: HookRun,
    /// Weight.
    #[serde(skip_serializing_if = "is_zero")]
    pub weight: i64,
    /// When the object is deleted.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub delete_policies: Vec<String>,
    /// When its logs are shown.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub output_log_policies: Vec<String>,
}

/// The last run of a hook.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HookRun {
    /// When it started.
    #[serde(deserialize_with = "moment", skip_serializing_if = "Option::is_none")]
    pub started_at: Moment,
    /// When it ended.
    #[serde(deserialize_with = "moment", skip_serializing_if = "Option::is_none")]
    pub completed_at: Moment,
    /// Empty, `Unknown`, `Running`, `Succeeded` or `Failed`.
    pub phase: String,
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

fn is_empty(map: &Option<Map<String, Value>>) -> bool {
    map.as_ref().is_none_or(Map::is_empty)
}

fn nullable<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    reader: D,
) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(reader)?.unwrap_or_default())
}

/// The empty text is Helm 3's zero time.
fn moment<'de, D: serde::Deserializer<'de>>(reader: D) -> Result<Moment, D::Error> {
    Ok(Option::<String>::deserialize(reader)?.filter(|text| !text.is_empty()))
}

const DEPENDENCY_ORDER: [&str; 8] = [
    "name",
    "version",
    "repository",
    "condition",
    "tags",
    "enabled",
    "import-values",
    "alias",
];
const MAINTAINER_ORDER: [&str; 3] = ["name", "email", "url"];

/// A map whose keys are written in a given order.
struct Ordered<'m>(&'m Map<String, Value>, &'static [&'static str]);

impl Serialize for Ordered<'_> {
    fn serialize<S: serde::Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        let present = self
            .1
            .iter()
            .filter_map(|key| Some((key, self.0.get(*key)?)));
        writer.collect_map(present.map(|(key, value)| (key, Part(key, value))))
    }
}

/// A field of the metadata; those that hold structs keep their fields' order.
struct Part<'m>(&'m str, &'m Value);

impl Serialize for Part<'_> {
    fn serialize<S: serde::Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        let order: &'static [&'static str] = match self.0 {
            "dependencies" => &DEPENDENCY_ORDER,
            "maintainers" => &MAINTAINER_ORDER,
            _ => return self.1.serialize(writer),
        };
        let items = self.1.as_array().into_iter().flatten();
        writer.collect_seq(
            items
                .filter_map(Value::as_object)
                .map(|map| Ordered(map, order)),
        )
    }
}

fn metadata_order<S: serde::Serializer>(
    map: &Option<Map<String, Value>>,
    writer: S,
) -> Result<S::Ok, S::Error> {
    match map {
        Some(map) => Ordered(map, &METADATA_KEYS).serialize(writer),
        None => writer.serialize_none(),
    }
}

/// A record that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The text is not base 64.
    #[error("illegal base64 data: {0}")]
    Base64(#[from] base64::DecodeError),
    /// The data is not gzip, or too large.
    #[error("cannot decompress the release: {0}")]
    Gzip(#[from] std::io::Error),
    /// The data is not a record.
    #[error("cannot decode the release: {0}")]
    Json(#[from] serde_json::Error),
    /// The record exceeds its bound.
    #[error("the release is larger than {RECORD_BYTES_MAX} bytes")]
    TooLarge,
}

impl StoredChart {
    /// A chart as it is stored.
    pub fn of(chart: &Chart) -> Self {
        let files = |files: &[File]| {
            let stored = files.iter().map(|file| StoredFile {
                name: file.name.clone(),
                data: Some(STANDARD.encode(&file.data)),
                modtime: None,
            });
            (!files.is_empty()).then(|| stored.collect())
        };
        let object = |value: Value| match value {
            Value::Object(map) => Some(map),
            _ => None,
        };
        Self {
            metadata: object(chart.metadata.to_json()),
            lock: chart.lock.clone(),
            templates: files(&chart.templates),
            values: to_json(&gotemplate::Value::Map(chart.values.clone()))
                .ok()
                .and_then(object),
            schema: chart.schema.as_ref().map(|schema| STANDARD.encode(schema)),
            schemamodtime: None,
            files: files(&chart.files),
            modtime: None,
        }
    }
}

impl StoredHook {
    /// A hook that has not run.
    pub fn of(hook: &Hook) -> Self {
        Self {
            name: hook.name.clone(),
            kind: hook.kind.clone(),
            path: hook.path.clone(),
            manifest: hook.manifest.clone(),
            events: hook.events.clone(),
            last_run: HookRun::default(),
            weight: hook.weight,
            delete_policies: hook.delete_policies.clone(),
            output_log_policies: hook.output_log_policies.clone(),
        }
    }
}

impl Record {
    /// The JSON text as that version writes it.
    ///
    /// # Errors
    /// The record cannot be written, which plain data never causes.
    pub fn to_json(&self, version: Version) -> Result<String, RecordError> {
        let text = match version {
            Version::V4 => serde_json::to_string(self)?,
            Version::V3 => serde_json::to_string(&v3::record(self))?,
        };
        Ok(escape_html(&text))
    }

    /// The JSON that Flux digests to recognise a release, without the closing brace: everything but the chart's
    /// contents and the test hooks, in the field order of helm-controller's `Observation`.
    ///
    /// # Errors
    /// As [`Record::to_json`].
    pub fn observation(&self) -> Result<String, RecordError> {
        let info = Info::default();
        let chart = self.chart.as_ref().and_then(|c| c.metadata.as_ref());
        let none = Map::new();
        let hooks: Vec<&StoredHook> = self
            .hooks
            .iter()
            .filter(|hook| !hook.events.iter().any(|event| event == "test"))
            .collect();
        let observation = Observation {
            name: &self.name,
            version: self.version,
            info: self.info.as_ref().unwrap_or(&info),
            chart_metadata: Ordered(chart.unwrap_or(&none), &METADATA_KEYS),
            config: self.config.as_ref().filter(|config| !config.is_empty()),
            manifest: &self.manifest,
            hooks: (!hooks.is_empty()).then_some(hooks),
            namespace: &self.namespace,
        };
        let mut text = escape_html(&serde_json::to_string(&observation)?);
        text.pop();
        Ok(text)
    }

    /// The storage form: JSON, gzip, base 64.
    ///
    /// # Errors
    /// As [`Record::to_json`].
    pub fn encode(&self, version: Version) -> Result<String, RecordError> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(self.to_json(version)?.as_bytes())?;
        Ok(STANDARD.encode(encoder.finish()?))
    }

    /// Reads the storage form; records that are not compressed are read too.
    ///
    /// # Errors
    /// The text is no record, or too large.
    pub fn decode(text: &str) -> Result<Self, RecordError> {
        let bytes = STANDARD.decode(text.trim_end())?;
        if !bytes.starts_with(&[0x1f, 0x8b, 0x08]) {
            return Ok(serde_json::from_slice(&bytes)?);
        }
        let mut json = Vec::new();
        GzDecoder::new(&bytes[..])
            .take(RECORD_BYTES_MAX + 1)
            .read_to_end(&mut json)?;
        if json.len() as u64 > RECORD_BYTES_MAX {
            return Err(RecordError::TooLarge);
        }
        Ok(serde_json::from_slice(&json)?)
    }

    /// Name of the Secret or ConfigMap that holds the record.
    pub fn storage_name(&self) -> String {
        storage_name(&self.name, self.version)
    }

    /// Labels of the storage object but for its times.
    pub fn labels(&self) -> Vec<(&'static str, String)> {
        let status = self
            .info
            .as_ref()
            .map(|info| info.status.clone())
            .unwrap_or_default();
        vec![
            ("name", self.name.clone()),
            ("owner", "helm".to_owned()),
            ("status", status),
            ("version", self.version.to_string()),
        ]
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Observation<'r> {
    name: &'r str,
    version: i64,
    info: &'r Info,
    chart_metadata: Ordered<'r>,
    config: Option<&'r Map<String, Value>>,
    manifest: &'r str,
    hooks: Option<Vec<&'r StoredHook>>,
    namespace: &'r str,
}

/// Type of the Secrets that hold records.
pub const SECRET_TYPE: &str = "helm.sh/release.v1";

/// Name of the object that holds a revision.
pub fn storage_name(release: &str, revision: i64) -> String {
    format!("sh.helm.release.v1.{release}.v{revision}")
}

/// Escapes what Go's encoder escapes inside texts; it stands nowhere else.
fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", c as u32))
            }
            c => out.push(c),
        }
    }
    out
}

/// Helm 3's form: absent times are empty texts, the method of applying is not written.
mod v3 {
    use serde::Serialize;
    use serde_json::{Map, Value};

    use super::{HookRun, Info, Moment, Record, StoredChart, StoredHook, is_empty, is_zero};

    #[derive(Serialize)]
    pub(super) struct RecordV3 {
        #[serde(skip_serializing_if = "String::is_empty")]
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        info: Option<InfoV3>,
        #[serde(skip_serializing_if = "Option::is_none")]
        chart: Option<StoredChart>,
        #[serde(skip_serializing_if = "is_empty")]
        config: Option<Map<String, Value>>,
        #[serde(skip_serializing_if = "String::is_empty")]
        manifest: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        hooks: Vec<HookV3>,
        #[serde(skip_serializing_if = "is_zero")]
        version: i64,
        #[serde(skip_serializing_if = "String::is_empty")]
        namespace: String,
    }

    #[derive(Serialize)]
    struct InfoV3 {
        first_deployed: String,
        last_deployed: String,
        deleted: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        description: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        status: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        notes: String,
    }

    #[derive(Serialize)]
    struct HookV3 {
        #[serde(skip_serializing_if = "String::is_empty")]
        name: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        kind: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        path: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        manifest: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        events: Vec<String>,
        last_run: RunV3,
        #[serde(skip_serializing_if = "is_zero")]
        weight: i64,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        delete_policies: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        output_log_policies: Vec<String>,
    }

    #[derive(Serialize)]
    struct RunV3 {
        started_at: String,
        completed_at: String,
        phase: String,
    }

    fn time(moment: &Moment) -> String {
        moment.clone().unwrap_or_default()
    }

    fn info(info: &Info) -> InfoV3 {
        InfoV3 {
            first_deployed: time(&info.first_deployed),
            last_deployed: time(&info.last_deployed),
            deleted: time(&info.deleted),
            description: info.description.clone(),
            status: info.status.clone(),
            notes: info.notes.clone(),
        }
    }

    fn run(run: &HookRun) -> RunV3 {
        RunV3 {
            started_at: time(&run.started_at),
            completed_at: time(&run.completed_at),
            phase: run.phase.clone(),
        }
    }

    fn hook(hook: &StoredHook) -> HookV3 {
        HookV3 {
            name: hook.name.clone(),
            kind: hook.kind.clone(),
            path: hook.path.clone(),
            manifest: hook.manifest.clone(),
            events: hook.events.clone(),
            last_run: run(&hook.last_run),
            weight: hook.weight,
            delete_policies: hook.delete_policies.clone(),
            output_log_policies: hook.output_log_policies.clone(),
        }
    }

    pub(super) fn record(record: &Record) -> RecordV3 {
        let mut chart = record.chart.clone();
        if let Some(chart) = &mut chart {
            chart.modtime = None;
            chart.schemamodtime = None;
            let files = chart.templates.iter_mut().chain(&mut chart.files);
            files.flatten().for_each(|file| file.modtime = None);
        }
        RecordV3 {
            name: record.name.clone(),
            info: record.info.as_ref().map(info),
            chart,
            config: record.config.clone(),
            manifest: record.manifest.clone(),
            hooks: record.hooks.iter().map(hook).collect(),
            version: record.version,
            namespace: record.namespace.clone(),
        }
    }
}
/// Most bytes of a release's name.
const NAME_BYTES_MAX: usize = 53;

/// Checks the name of a release.
///
/// # Errors
/// The name is not a DNS name of at most 53 bytes, in Helm's words.
pub fn check_name(name: &str) -> Result<(), String> {
    const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label) {
        return Ok(());
    }
    if name.is_empty() {
        return Err("release name \"\": no name provided".to_owned());
    }
    let shown = gocompat::quote::quote(name.as_bytes());
    Err(format!(
        "release name {shown}: invalid release name, must match regex ^{LABEL}(\\.{LABEL})*$ and the length must not be longer than {NAME_BYTES_MAX}"
    ))
}
