//! Request bodies: bytes in JSON, YAML or protobuf become a JSON map of the kind the URL names.

use bytes::Bytes;
use objects::{Map, Value};

use super::Repeated;
use crate::catalog::{Resource, text};
use crate::failure::{Answered, Failure, Named, field};

/// Encoding of a request body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// YAML 1.1 as far as booleans go.
    Yaml,
    /// Protobuf in the Kubernetes envelope.
    Protobuf,
}

/// A request body.
#[derive(Clone, Debug)]
pub enum Body {
    /// Bytes from the wire.
    Raw(Bytes, Format),
    /// An object from inside the process.
    Object(Map),
}

/// What a body has to be.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// `group/version`.
    pub api_version: &'a str,
    /// Kind.
    pub kind: &'a str,
    /// Whether it is a custom kind.
    pub custom: bool,
}

impl<'a> Wanted<'a> {
    /// Asks for objects of a resource.
    pub fn of(resource: &'a Resource) -> Self {
        Self {
            api_version: &resource.api_version,
            kind: resource.kind(),
            custom: resource.custom.is_some(),
        }
    }
}

impl Body {
    /// Decodes into a JSON map with `apiVersion` and `kind`, which a body may leave out.
    pub fn decode(&self, wanted: Wanted<'_>) -> Answered<Map> {
        let mut map = self.to_map(wanted)?;
        if wanted.custom && text(&map, "kind").is_empty() {
            return Err(self.without_kind(wanted));
        }
        if wanted.custom && text(&map, "apiVersion").is_empty() {
            return Err(Failure::bad_request(format!(
                "the API version in the data () does not match the expected API version ({})",
                wanted.api_version
            )));
        }
        if text(&map, "apiVersion").is_empty() {
            map.insert("apiVersion".into(), wanted.api_version.into());
        }
        if text(&map, "kind").is_empty() {
            map.insert("kind".into(), wanted.kind.into());
        }
        Ok(map)
    }

    /// Custom kinds are decoded without a Go type that would say what is missing.
    fn without_kind(&self, wanted: Wanted<'_>) -> Box<Failure> {
        let shown = match self {
            Self::Raw(bytes, Format::Json) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Raw(bytes, _) => yaml_map(bytes)
                .map(|map| Value::Object(map).to_string())
                .unwrap_or_default(),
            Self::Object(map) => Value::Object(map.clone()).to_string(),
        };
        Failure::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): Object 'Kind' is missing in '{shown}' ({})",
            wanted.kind,
            shorten(shown.as_bytes())
        ))
    }

    /// Finds keys that the body has twice.
    pub fn duplicates(&self) -> Repeated {
        match self {
            Self::Raw(bytes, Format::Json) => Repeated {
                paths: super::duplicates::duplicate_keys(bytes),
                text: bytes.clone(),
                ..Repeated::default()
            },
            Self::Raw(bytes, Format::Yaml) => Repeated {
                lines: super::duplicates::repeated_lines(bytes),
                ..Repeated::default()
            },
            _ => Repeated::default(),
        }
    }

    fn to_map(&self, wanted: Wanted<'_>) -> Answered<Map> {
        let (bytes, parsed) = match self {
            Self::Object(map) => return Ok(map.clone()),
            Self::Raw(bytes, Format::Json) => (bytes, parse_json(bytes)),
            Self::Raw(bytes, Format::Yaml) => (bytes, yaml_map(bytes)),
            Self::Raw(bytes, Format::Protobuf) => {
                return crate::proto::decode(bytes).map_err(|why| not_protobuf(wanted, why, bytes));
            }
        };
        let map = parsed.map_err(|why| unrecognised(wanted, &why, bytes))?;
        let broken = ["apiVersion", "kind"].iter().find_map(|key| {
            let kind = go_kind(map.get(*key)?)?;
            Some(format!(
                "json: cannot unmarshal {kind} into Go struct field .{key} of type string"
            ))
        });
        if let Some(why) = broken {
            return Err(unrecognised(wanted, &why, bytes));
        }
        let api_version = text(&map, "apiVersion");
        if api_version.matches('/').count() > 1 {
            let shown = shorten(bytes);
            return Err(Failure::bad_request(format!(
                "the object provided is unrecognized (must be of type {}): unexpected GroupVersion string: {api_version} ({shown})",
                wanted.kind
            )));
        }
        Ok(map)
    }
}

/// Refuses a body of another kind than the URL's, in the words of the codec.
pub fn check_kind(resource: &Resource, wanted: Wanted<'_>, map: &Map) -> Answered<()> {
    let (api_version, kind) = (text(map, "apiVersion"), text(map, "kind"));
    if api_version == wanted.api_version && kind == wanted.kind {
        return Ok(());
    }
    let version = api_version.rsplit('/').next().unwrap_or("");
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let why = if resource.custom.is_some() && api_version == wanted.api_version {
        let why = format!("must be {}", wanted.kind);
        let named = Named {
            group: resource.group(),
            kind,
            name: super::metadata_text(map, "name"),
        };
        let cause = field::invalid("kind", &kind.into(), &why);
        return Err(Failure::invalid(named, vec![cause]));
    } else if resource.custom.is_some() {
        return Err(Failure::bad_request(format!(
            "the API version in the data ({api_version}) does not match the expected API version ({})",
            wanted.api_version
        )));
    } else if group == resource.group() && version != resource.version()
        || kind != wanted.kind && !known(group, version, kind)
    {
        format!(
            "{kind} in version \"{version}\" cannot be handled as a {}: {}",
            wanted.kind,
            unregistered(api_version, kind)
        )
    } else if kind == wanted.kind {
        return Err(Failure::bad_request(format!(
            "the API version in the data ({api_version}) does not match the expected API version ({})",
            wanted.api_version
        )));
    } else {
        let package = |group: &str| match group {
            "" => "core".to_owned(),
            group => group.split('.').next().unwrap_or("").to_owned(),
        };
        format!(
            "{kind} in version \"{version}\" cannot be handled as a {}: converting ({version}.{kind}) to ({}.{}): unknown conversion",
            wanted.kind,
            package(resource.group()),
            wanted.kind
        )
    };
    Err(Failure::bad_request(why))
}

/// Says that a version has no such kind.
pub(super) fn unregistered(api_version: &str, kind: &str) -> String {
    format!(
        "no kind \"{kind}\" is registered for version \"{api_version}\" in scheme \"k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30\""
    )
}

fn known(group: &str, version: &str, kind: &str) -> bool {
    let gvk = objects::Gvk::new(group, version, kind);
    crate::catalog::Catalog::builtin().by_gvk(&gvk).is_some()
}

/// Writes `group/version, Kind=kind` as Go does.
pub fn go_gvk(api_version: &str, kind: &str) -> String {
    let slash = if api_version.contains('/') { "" } else { "/" };
    format!("{slash}{api_version}, Kind={kind}")
}

fn unrecognised(wanted: Wanted<'_>, why: &str, bytes: &[u8]) -> Box<Failure> {
    let shown = shorten(bytes);
    // A text that is no YAML is refused before anybody looks for its kind.
    let (prefix, why) = match why.strip_prefix("error converting YAML to JSON: ") {
        Some(why) => ("", why),
        None => ("couldn't get version/kind; json parse error: ", why),
    };
    Failure::bad_request(format!(
        "the object provided is unrecognized (must be of type {}): {prefix}{why} ({shown})",
        wanted.kind
    ))
}

/// Most bytes of a body that a failure shows.
const SHOWN_BYTES_MAX: usize = 30;

/// Refuses a protobuf body; one without the prefix is shown as far as Go shows it.
fn not_protobuf(wanted: Wanted<'_>, why: String, bytes: &[u8]) -> Box<Failure> {
    if !why.contains("expected prefix") {
        return Failure::bad_request(why);
    }
    let shown = shorten(bytes);
    Failure::bad_request(format!(
        "the object provided is unrecognized (must be of type {}): {why} ({shown})",
        wanted.kind
    ))
}

fn shorten(bytes: &[u8]) -> String {
    let head = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
    let more = if head.len() < bytes.len() { " ..." } else { "" };
    match head.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(head)),
        Some(_) => format!("{}{more}", hex::encode(head)),
    }
}

/// The Go type into which a body's kind is read.
pub(super) const TYPE_META: &str = "struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }";

/// Parses JSON into a map; errors in Go's words where they are simple.
pub fn parse_json(bytes: &[u8]) -> Result<Map, String> {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(other) => Err(not_a_map(&other)),
        Err(error) => Err(go_error(bytes, &error)),
    }
}

/// Says in Go's words why a text is no JSON.
pub(super) fn go_error(bytes: &[u8], error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".into();
    }
    go_syntax_error(bytes, error)
}

pub(super) fn go_syntax_error(bytes: &[u8], error: &serde_json::Error) -> String {
    let line_start: usize = bytes
        .split_inclusive(|b| *b == b'\n')
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    let at = line_start + error.column().saturating_sub(1);
    let trailing = error.to_string().starts_with("trailing characters");
    match bytes.get(at) {
        Some(byte) if trailing => format!(
            "invalid character '{}' after top-level value",
            char::from(*byte)
        ),
        Some(byte) => format!(
            "invalid character '{}' looking for beginning of value",
            char::from(*byte)
        ),
        None => "unexpected end of JSON input".into(),
    }
}

/// Parses one YAML document into a map.
pub fn yaml_map(bytes: &[u8]) -> Result<Map, String> {
    match yaml_value(bytes)? {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        other => Err(not_a_map(&other)),
    }
}

/// Names what Go's decoder finds in place of a text.
pub(super) fn go_kind(value: &Value) -> Option<&'static str> {
    match value {
        Value::Array(_) => Some("array"),
        Value::Number(_) => Some("number"),
        Value::Bool(_) => Some("bool"),
        Value::Object(_) => Some("object"),
        Value::String(_) | Value::Null => None,
    }
}

/// Says in Go's words that a document is no map.
fn not_a_map(value: &Value) -> String {
    let kind = go_kind(value).unwrap_or("string");
    format!("json: cannot unmarshal {kind} into Go value of type {TYPE_META}")
}

/// Parses one YAML document into a JSON value.
pub fn yaml_value(bytes: &[u8]) -> Result<Value, String> {
    if bytes
        .iter()
        .find(|b| !b.is_ascii_whitespace())
        .is_some_and(|b| *b == b'{')
        && let Ok(value) = serde_json::from_slice(bytes)
    {
        return Ok(value);
    }
    crate::yaml::to_json(bytes)
}
