//! The objects of a template's context: `.Chart`, `.Files`, `.Capabilities`, `.Release`.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gotemplate::{
    Bytes, CallError, Contents, Element, Kind, List, Map, MapKind, Object, Signature, Text, Tree,
    Type, Value,
};

use crate::Version;
use crate::capabilities::{Capabilities, KubeVersion};
use crate::chart::File;
use crate::content::Content;
use crate::convert::from_json;
use crate::functions::yaml;
use crate::glob::Glob;
use crate::metadata::{Dependency, METADATA_KEYS, Maintainer, Metadata};

/// Name of the release and what is done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Number of the revision; 0 where nothing is installed, as in a lint.
    pub revision: i64,
    /// Whether this is an upgrade rather than an installation.
    pub is_upgrade: bool,
}

impl Release {
    /// The map that templates see.
    pub(crate) fn value(&self) -> Value {
        Value::map([
            ("Name", Value::text(self.name.as_str())),
            ("Namespace", Value::text(self.namespace.as_str())),
            ("Revision", Value::Int(self.revision)),
            // Without a revision, as in a lint, it is neither.
            (
                "IsInstall",
                Value::Bool(!self.is_upgrade && self.revision > 0),
            ),
            ("IsUpgrade", Value::Bool(self.is_upgrade)),
            ("Service", Value::text("Helm")),
        ])
    }
}

/// `.Chart`: a map of Go's field names in Helm 4, a struct in Helm 3.
pub(crate) fn chart_value(metadata: &Metadata, is_root: bool, version: Version) -> Value {
    match version {
        Version::V4 => {
            let mut tree: Tree = metadata_fields(metadata, version)
                .into_iter()
                .map(|(k, v)| (k.into(), v))
                .collect();
            tree.insert("IsRoot".into(), Value::Bool(is_root));
            Value::Map(Map::new(tree))
        }
        Version::V3 => {
            let fields = metadata_fields(metadata, version);
            let named = METADATA_KEYS.iter().zip(&fields);
            let present = named.filter(|(_, (_, value))| value.truth());
            let mut json: Vec<_> = present
                .map(|(key, (_, value))| (*key, value.clone()))
                .collect();
            let inner = Value::object(Struct {
                name: "chart.Metadata",
                pointer: false,
                embeds: false,
                fields,
                json: json.clone(),
            });
            json.push(("IsRoot", Value::Bool(is_root)));
            Value::object(Struct {
                name: "struct { chart.Metadata; IsRoot bool }",
                pointer: false,
                embeds: true,
                fields: vec![("Metadata", inner), ("IsRoot", Value::Bool(is_root))],
                json,
            })
        }
    }
}

fn texts(items: &[String], version: Version) -> Value {
    let items = items.iter().map(String::as_str);
    match version {
        Version::V3 if items.len() == 0 => List::nil(Element::Text).into(),
        Version::V4 => Value::list(items.map(Value::from).collect()),
        Version::V3 => List::texts(items).into(),
    }
}

fn metadata_fields(m: &Metadata, version: Version) -> Vec<(&'static str, Value)> {
    let text = |text: &String| Value::text(text.as_str());
    let annotations = match &m.annotations {
        None => Value::Map(Map::nil().as_kind(MapKind::Text)),
        Some(entries) => {
            let tree = entries
                .iter()
                .map(|(k, v)| (k.as_str().into(), Value::text(v.as_str())));
            Value::Map(Map::of(MapKind::Text, tree.collect()))
        }
    };
    let maintainers = m
        .maintainers
        .iter()
        .map(|one| maintainer(one, version))
        .collect();
    let dependencies = m
        .dependencies
        .iter()
        .flatten()
        .map(|one| dependency(one, version))
        .collect();
    vec![
        ("Name", text(&m.name)),
        ("Home", text(&m.home)),
        ("Sources", texts(&m.sources, version)),
        ("Version", text(&m.version)),
        ("Description", text(&m.description)),
        ("Keywords", texts(&m.keywords, version)),
        (
            "Maintainers",
            pointers("[]*chart.Maintainer", maintainers, version),
        ),
        ("Icon", text(&m.icon)),
        ("APIVersion", text(&m.api_version)),
        ("Condition", text(&m.condition)),
        ("Tags", text(&m.tags)),
        ("AppVersion", text(&m.app_version)),
        ("Deprecated", Value::Bool(m.deprecated)),
        ("Annotations", annotations),
        ("KubeVersion", text(&m.kube_version)),
        (
            "Dependencies",
            pointers("[]*chart.Dependency", dependencies, version),
        ),
        ("Type", text(&m.chart_type)),
    ]
}

/// A slice of what [`nested`] makes.
fn pointers(name: &'static str, items: Vec<Value>, version: Version) -> Value {
    match version {
        Version::V4 => Value::list(items),
        Version::V3 => Value::object(Pointers { name, items }),
    }
}

/// A Go slice of pointers to structs.
#[derive(Debug)]
struct Pointers {
    name: &'static str,
    items: Vec<Value>,
}

impl Object for Pointers {
    fn type_name(&self) -> Cow<'static, str> {
        self.name.into()
    }

    fn kind(&self) -> Kind {
        Kind::Slice
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn elements(&self) -> Option<Vec<Value>> {
        Some(self.items.clone())
    }

    fn json(&self) -> Value {
        match self.items.as_slice() {
            [] => Value::Nil,
            items => Value::list(items.to_vec()),
        }
    }
}

fn nested(
    fields: Vec<(&'static str, Value)>,
    json: Vec<(&'static str, Value)>,
    name: &'static str,
    version: Version,
) -> Value {
    match version {
        Version::V4 => Value::map(fields),
        Version::V3 => Value::object(Struct {
            name,
            pointer: true,
            embeds: false,
            fields,
            json,
        }),
    }
}

fn maintainer(m: &Maintainer, version: Version) -> Value {
    let text = |text: &String| Value::text(text.as_str());
    let all = [
        ("Name", "name", &m.name),
        ("Email", "email", &m.email),
        ("URL", "url", &m.url),
    ];
    let fields = all
        .iter()
        .map(|(go, _, value)| (*go, text(value)))
        .collect();
    let present = all.iter().filter(|(_, _, value)| !value.is_empty());
    let json = present.map(|(_, key, value)| (*key, text(value))).collect();
    nested(fields, json, "*chart.Maintainer", version)
}

fn dependency(d: &Dependency, version: Version) -> Value {
    let text = |text: &String| Value::text(text.as_str());
    let imports = Value::list(d.import_values.iter().map(from_json).collect());
    let fields = vec![
        ("Name", text(&d.name)),
        ("Version", text(&d.version)),
        ("Repository", text(&d.repository)),
        ("Condition", text(&d.condition)),
        ("Tags", texts(&d.tags, version)),
        ("Enabled", Value::Bool(d.enabled)),
        ("ImportValues", imports.clone()),
        ("Alias", text(&d.alias)),
    ];
    let mut json = vec![
        ("name", text(&d.name)),
        ("version", text(&d.version)),
        ("repository", text(&d.repository)),
        ("condition", text(&d.condition)),
        ("tags", texts(&d.tags, version)),
        ("enabled", Value::Bool(d.enabled)),
        ("import-values", imports),
        ("alias", text(&d.alias)),
    ];
    json.retain(|(key, value)| matches!(*key, "name" | "repository") || value.truth());
    nested(fields, json, "*chart.Dependency", version)
}

/// A Go struct or a pointer to one.
#[derive(Debug)]
struct Struct {
    name: &'static str,
    pointer: bool,
    /// Whether the fields of the first one are fields of this one too.
    embeds: bool,
    fields: Vec<(&'static str, Value)>,
    /// What JSON has, in order.
    json: Vec<(&'static str, Value)>,
}

impl Object for Struct {
    fn type_name(&self) -> Cow<'static, str> {
        self.name.into()
    }

    fn kind(&self) -> Kind {
        if self.pointer {
            Kind::Ptr
        } else {
            Kind::Struct
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn field(&self, name: &str) -> Option<Value> {
        let own = self.fields.iter().find(|(field, _)| *field == name);
        match (own, self.fields.first()) {
            (Some((_, value)), _) => Some(value.clone()),
            (None, Some((_, Value::Object(inner)))) if self.embeds => inner.field(name),
            _ => None,
        }
    }

    fn fields(&self) -> Vec<(String, Value)> {
        self.fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }

    fn json(&self) -> Value {
        Value::map(self.json.clone())
    }

    fn json_fields(&self) -> Option<Vec<(String, Value)>> {
        let fields = self.json.iter();
        Some(
            fields
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
        )
    }
}

const fn signature(params: &'static [Type], result: Type) -> Signature {
    Signature {
        params,
        variadic: false,
        result,
    }
}

static NO_ARGUMENTS: Signature = signature(&[], Type::Concrete);
static ONE_TEXT: Signature = signature(&[Type::Text], Type::Concrete);

/// `.Capabilities`.
pub(crate) fn capabilities_value(capabilities: &Capabilities) -> Value {
    let package = match capabilities.helm {
        Version::V3 => "*chartutil.Capabilities",
        Version::V4 => "*common.Capabilities",
    };
    let fields = vec![
        (
            "KubeVersion",
            Value::object(Kube {
                kube: capabilities.kube_version.clone(),
                helm: capabilities.helm,
                in_place: true,
            }),
        ),
        (
            "APIVersions",
            Value::object(VersionSet(
                Arc::new(capabilities.api_versions.clone()),
                capabilities.helm,
            )),
        ),
        ("HelmVersion", helm_version(capabilities.helm)),
    ];
    let json = fields.clone();
    Value::object(Struct {
        name: package,
        pointer: true,
        embeds: false,
        fields,
        json,
    })
}

fn helm_version(version: Version) -> Value {
    let text = |text: &'static str| Value::text(text);
    let mut fields = vec![
        (
            "Version",
            text(if version == Version::V4 {
                "v4.2"
            } else {
                "v3.21"
            }),
        ),
        ("GitCommit", text("")),
        ("GitTreeState", text("")),
        ("GoVersion", text("go1.26.0")),
    ];
    let mut json = vec![
        ("version", fields[0].1.clone()),
        ("go_version", fields[3].1.clone()),
    ];
    if version == Version::V4 {
        fields.push(("KubeClientVersion", text("v1.36")));
        json.push(("kube_client_version", text("v1.36")));
    }
    Value::object(Struct {
        name: "version.BuildInfo",
        pointer: false,
        embeds: false,
        fields,
        json,
    })
}

/// `.Capabilities.KubeVersion`.
#[derive(Debug)]
struct Kube {
    kube: KubeVersion,
    helm: Version,
    /// Whether it is a field of `.Capabilities` rather than a copy of that.
    in_place: bool,
}

impl Object for Kube {
    fn type_name(&self) -> Cow<'static, str> {
        match self.helm {
            Version::V3 => "chartutil.KubeVersion".into(),
            Version::V4 => "common.KubeVersion".into(),
        }
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn field(&self, name: &str) -> Option<Value> {
        let text = match name {
            "Version" => &self.kube.version,
            "Major" => &self.kube.major,
            "Minor" => &self.kube.minor,
            _ => return None,
        };
        Some(Value::text(text.as_str()))
    }

    fn fields(&self) -> Vec<(String, Value)> {
        let text = |text: &String| Value::text(text.as_str());
        let mut fields = vec![
            ("Version".to_owned(), text(&self.kube.version)),
            ("Major".to_owned(), text(&self.kube.major)),
            ("Minor".to_owned(), text(&self.kube.minor)),
        ];
        if self.helm == Version::V4 {
            fields.insert(
                1,
                ("normalizedVersion".to_owned(), text(&self.kube.normalized)),
            );
        }
        fields
    }

    fn json(&self) -> Value {
        Value::map(self.json_fields().unwrap_or_default())
    }

    /// What is not exported is printed, but no part of JSON.
    fn json_fields(&self) -> Option<Vec<(String, Value)>> {
        let mut fields = self.fields();
        fields.retain(|(name, _)| name != "normalizedVersion");
        Some(fields)
    }

    fn address_string(&self) -> Option<Vec<u8>> {
        let text = || self.kube.normalized.clone().into_bytes();
        self.in_place.then(text)
    }

    fn detached(&self) -> Option<Value> {
        let copy = || Self {
            kube: self.kube.clone(),
            helm: self.helm,
            in_place: false,
        };
        self.in_place.then(|| Value::object(copy()))
    }

    fn method(&self, name: &str) -> Option<&'static Signature> {
        matches!(name, "String" | "GitVersion").then_some(&NO_ARGUMENTS)
    }

    fn call(&self, name: &str, _args: &[Value]) -> Result<Value, CallError> {
        Ok(Value::text(match name {
            "String" => self.kube.normalized.as_str(),
            _ => self.kube.version.as_str(),
        }))
    }
}

/// `.Capabilities.APIVersions`.
#[derive(Debug)]
struct VersionSet(Arc<Vec<String>>, Version);

impl Object for VersionSet {
    fn type_name(&self) -> Cow<'static, str> {
        match self.1 {
            Version::V3 => "chartutil.VersionSet".into(),
            Version::V4 => "common.VersionSet".into(),
        }
    }

    fn kind(&self) -> Kind {
        Kind::Slice
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn elements(&self) -> Option<Vec<Value>> {
        Some(
            self.0
                .iter()
                .map(|text| Value::text(text.as_str()))
                .collect(),
        )
    }

    fn method(&self, name: &str) -> Option<&'static Signature> {
        (name == "Has").then_some(&ONE_TEXT)
    }

    fn call(&self, _name: &str, args: &[Value]) -> Result<Value, CallError> {
        let wanted = text_argument(args);
        Ok(Value::Bool(
            self.0
                .iter()
                .any(|version| version.as_bytes() == &wanted[..]),
        ))
    }
}

fn text_argument(args: &[Value]) -> Text {
    match args.first() {
        Some(Value::Text(text)) => text.clone(),
        _ => Text::default(),
    }
}

/// `.Files`: a map of paths to bytes, with methods.
#[derive(Debug)]
pub(crate) struct Files {
    entries: Vec<File>,
    version: Version,
}

impl Files {
    /// The files of a chart.
    pub(crate) fn new(files: &[File], version: Version) -> Self {
        let mut entries = files.to_vec();
        // A later file of the same path replaces an earlier one.
        entries.reverse();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries.dedup_by(|a, b| a.name == b.name);
        Self { entries, version }
    }

    fn find(&self, name: &[u8]) -> Option<&File> {
        let at = self
            .entries
            .binary_search_by(|file| file.name.as_bytes().cmp(name));
        at.ok().map(|at| &self.entries[at])
    }

    fn get(&self, name: &[u8]) -> Option<Text> {
        self.find(name).map(text)
    }

    /// Base names with contents, later paths replacing earlier ones.
    fn by_base_name(&self, encode: impl Fn(Text) -> Text) -> Value {
        Value::map(self.entries.iter().map(|file| {
            (
                file.name.rsplit('/').next().unwrap_or(&file.name),
                Value::Text(encode(text(file))),
            )
        }))
    }

    fn lines(&self, name: &Text) -> Result<Value, CallError> {
        let Some(data) = self.get(name) else {
            return Ok(List::texts::<Text>([]).into());
        };
        if data.is_empty() {
            return match self.version {
                Version::V4 => Err(CallError::text("runtime error: index out of range [-1]")),
                Version::V3 => Ok(List::texts::<Text>([]).into()),
            };
        }
        let body = data.strip_suffix(b"\n").unwrap_or(&data);
        Ok(List::texts(body.split(|&b| b == b'\n')).into())
    }
}

impl Contents for Content {
    fn bytes(&self) -> &[u8] {
        self
    }
}

fn bytes(file: &File) -> Bytes {
    Bytes::new(Arc::new(file.data.clone()))
}

fn text(file: &File) -> Text {
    Text::from(file.data.bytes().clone())
}

impl Object for Files {
    fn type_name(&self) -> Cow<'static, str> {
        "engine.files".into()
    }

    fn kind(&self) -> Kind {
        Kind::Map
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn entries(&self) -> Option<Tree> {
        let entries = self.entries.iter();
        Some(
            entries
                .map(|file| (file.name.as_str().into(), Value::Bytes(bytes(file))))
                .collect(),
        )
    }

    fn method(&self, name: &str) -> Option<&'static Signature> {
        match name {
            "Get" | "GetBytes" | "Lines" | "Glob" => Some(&ONE_TEXT),
            "AsConfig" | "AsSecrets" => Some(&NO_ARGUMENTS),
            _ => None,
        }
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, CallError> {
        let argument = text_argument(args);
        Ok(match name {
            "Get" => Value::Text(self.get(&argument).unwrap_or_default()),
            "GetBytes" => Value::Bytes(self.find(&argument).map(bytes).unwrap_or_default()),
            "Lines" => self.lines(&argument)?,
            "Glob" => {
                let glob = Glob::new(&argument.to_str());
                let entries = self.entries.iter().filter(|file| glob.matches(&file.name));
                Value::object(Self {
                    entries: entries.cloned().collect(),
                    version: self.version,
                })
            }
            "AsConfig" => yaml(&self.by_base_name(|data| data))
                .unwrap_or_default()
                .into(),
            _ => {
                let encoded = self.by_base_name(|data| STANDARD.encode(data.as_bytes()).into());
                yaml(&encoded).unwrap_or_default().into()
            }
        })
    }
}
