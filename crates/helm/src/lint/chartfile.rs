//! Rules about `Chart.yaml`.

use filetree::EntryKind;
use gocompat::quote::quote;
use gocompat::semver;
use serde_json::Value;

use super::Severity::{Error, Info, Warning};
use super::{Linter, web};
use crate::Version;
use crate::metadata::{self, Metadata};

const FILE: &str = "Chart.yaml";

impl Linter<'_> {
    pub(super) fn chartfile(&mut self) {
        let shown = format!("{}/{FILE}", self.input.shown);
        if self.kind(FILE) == Some(EntryKind::Directory) {
            let text = "should be a file, not a directory".to_owned();
            self.rule(Error, FILE, Err(text));
            let text = format!("unable to parse YAML\n\tread {shown}: is a directory");
            self.rule(Error, FILE, Err(text));
            return;
        }
        let text = self.input.tree.read(&self.path(FILE));
        let read = text.map_err(|_| format!("open {shown}: no such file or directory"));
        let package = match self.input.version {
            Version::V3 => "chart",
            Version::V4 => "v2",
        };
        let read = read.and_then(|text| {
            let mut metadata = Metadata::default();
            metadata
                .read_yaml(&text, package)
                .map(|()| (metadata, text))
        });
        let (metadata, text) = match read {
            Ok(read) => read,
            Err(error) => {
                self.rule(Error, FILE, Err(format!("unable to parse YAML\n\t{error}")));
                return;
            }
        };
        if self.input.version == Version::V4 {
            let strict = metadata::check_strict(&text).map_err(|error| {
                format!("failed to strictly parse chart metadata file\n\t{error}")
            });
            self.rule(Warning, FILE, strict);
        }
        let untyped = kyaml::yaml_to_json(&text).unwrap_or_default();
        self.rules(&metadata, &untyped);
    }

    fn rules(&mut self, m: &Metadata, untyped: &Value) {
        self.rule(Error, FILE, name(m));
        self.rule(Error, FILE, api_version(m));
        self.rule(Error, FILE, is_text(untyped, "version"));
        self.rule(Error, FILE, version(m));
        self.rule(Error, FILE, is_text(untyped, "appVersion"));
        self.rule(Error, FILE, maintainers(m));
        self.rule(Error, FILE, sources(m));
        let icon = if m.icon.is_empty() {
            Err("icon is recommended".to_owned())
        } else {
            Ok(())
        };
        self.rule(Info, FILE, icon);
        let url = match m.icon.as_str() {
            "" => Ok(()),
            icon if web::is_request_url(icon) => Ok(()),
            icon => Err(format!("invalid icon URL '{icon}'")),
        };
        self.rule(Error, FILE, url);
        self.rule(Error, FILE, only_in_v2(m));
        self.rule(Error, FILE, dependencies(m));
        if self.input.version == Version::V4 {
            let strict = semver::Version::parse_strict(&m.version)
                .map(drop)
                .map_err(|_| format!("version '{}' is not a valid SemVerV2", m.version));
            self.rule(Warning, FILE, strict);
        }
    }
}

fn name(m: &Metadata) -> Result<(), String> {
    if m.name.is_empty() {
        return Err("name is required".to_owned());
    }
    let trimmed = m.name.trim_end_matches('/');
    if m.name.contains('/') && (trimmed.is_empty() || trimmed != m.name || trimmed.contains('/')) {
        return Err(format!(
            "chart name {} is invalid",
            quote(m.name.as_bytes())
        ));
    }
    Ok(())
}

fn api_version(m: &Metadata) -> Result<(), String> {
    const WANTED: &str = "The value must be either \"v1\" or \"v2\"";
    match m.api_version.as_str() {
        "" => Err(format!("apiVersion is required. {WANTED}")),
        "v1" | "v2" => Ok(()),
        other => Err(format!("apiVersion '{other}' is not valid. {WANTED}")),
    }
}

fn is_text(untyped: &Value, key: &str) -> Result<(), String> {
    let found = match untyped.get(key) {
        None | Some(Value::String(_)) => return Ok(()),
        Some(Value::Null) => "<nil>",
        Some(Value::Bool(_)) => "bool",
        Some(Value::Number(_)) => "float64",
        Some(Value::Array(_)) => "[]interface {}",
        Some(Value::Object(_)) => "map[string]interface {}",
    };
    Err(format!(
        "{key} should be of type string but it's of type {found}"
    ))
}

fn version(m: &Metadata) -> Result<(), String> {
    if m.version.is_empty() {
        return Err("version is required".to_owned());
    }
    let Ok(version) = semver::Version::parse(&m.version) else {
        return Err(format!("version '{}' is not a valid SemVer", m.version));
    };
    let range = semver::Range::parse(">0.0.0-0").expect("the range is a constant");
    if range.matches(&version) {
        return Ok(());
    }
    let shown = quote(m.version.as_bytes());
    Err(format!(
        "version {shown} is less than or equal to \"0.0.0-0\""
    ))
}

fn maintainers(m: &Metadata) -> Result<(), String> {
    for maintainer in m.maintainer_entries() {
        let Some(one) = maintainer else {
            return Err("a maintainer entry is empty".to_owned());
        };
        let name = &one.name;
        if name.is_empty() {
            return Err("each maintainer requires a name".to_owned());
        }
        if !one.email.is_empty() && !web::is_email(&one.email) {
            return Err(format!(
                "invalid email '{}' for maintainer '{name}'",
                one.email
            ));
        }
        if !one.url.is_empty() && !web::is_url(&one.url) {
            return Err(format!("invalid url '{}' for maintainer '{name}'", one.url));
        }
    }
    Ok(())
}

fn sources(m: &Metadata) -> Result<(), String> {
    let wrong = m.sources.iter().find(|source| !web::is_request_url(source));
    wrong.map_or(Ok(()), |source| {
        Err(format!("invalid source URL '{source}'"))
    })
}

fn only_in_v2(m: &Metadata) -> Result<(), String> {
    if m.chart_type.is_empty() || m.api_version == "v2" {
        return Ok(());
    }
    Err(format!(
        "chart type is not valid in apiVersion '{}'. It is valid in apiVersion 'v2'",
        m.api_version
    ))
}

fn dependencies(m: &Metadata) -> Result<(), String> {
    if m.dependencies.iter().flatten().next().is_none() || m.api_version == "v2" {
        return Ok(());
    }
    Err(format!(
        "dependencies are not valid in the Chart file with apiVersion '{}'. They are valid in apiVersion 'v2'",
        m.api_version
    ))
}
