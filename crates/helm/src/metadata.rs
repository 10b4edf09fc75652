//! `Chart.yaml`: reading with Go's conversions and messages, validation in Helm's order.

use gocompat::quote::quote;
use gocompat::unicode::is_print;
use serde_json::{Map, Value};

/// Keys of the metadata in JSON, in the order in which Go writes them.
pub(crate) const METADATA_KEYS: [&str; 17] = [
    "name",
    "home",
    "sources",
    "version",
    "description",
    "keywords",
    "maintainers",
    "icon",
    "apiVersion",
    "condition",
    "tags",
    "appVersion",
    "deprecated",
    "annotations",
    "kubeVersion",
    "dependencies",
    "type",
];

/// The contents of `Chart.yaml`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// Name of the chart, or the alias it goes by.
    pub name: String,
    /// Home page.
    pub home: String,
    /// Addresses of sources.
    pub sources: Vec<String>,
    /// Version of the chart.
    pub version: String,
    /// One sentence.
    pub description: String,
    /// Keywords.
    pub keywords: Vec<String>,
    /// Who maintains the chart.
    pub maintainers: Vec<Maintainer>,
    /// Address of an icon.
    pub icon: String,
    /// `v1`, `v2` or `v3`.
    pub api_version: String,
    /// Condition of old charts.
    pub condition: String,
    /// Tags of old charts.
    pub tags: String,
    /// Version of the application.
    pub app_version: String,
    /// Whether the chart is deprecated.
    pub deprecated: bool,
    /// Annotations; `None` where there are none.
    pub annotations: Option<Vec<(String, String)>>,
    /// Range of Kubernetes versions.
    pub kube_version: String,
    /// Declared dependencies; `None` where there are none.
    pub dependencies: Option<Vec<Dependency>>,
    /// Empty, `application` or `library`.
    pub chart_type: String,
    /// Entries before the first one that is null.
    null_maintainer: Option<usize>,
    null_dependency: bool,
}

/// A maintainer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Maintainer {
    /// Name.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// Address.
    pub url: String,
}

/// A declared dependency.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dependency {
    /// Name of the chart; after processing the alias, where there is one.
    pub name: String,
    /// Range of versions.
    pub version: String,
    /// Repository.
    pub repository: String,
    /// Paths of values that switch it, comma-separated.
    pub condition: String,
    /// Tags that switch it.
    pub tags: Vec<String>,
    /// Whether it is switched on.
    pub enabled: bool,
    /// Values to import: names or child/parent pairs.
    pub import_values: Vec<Value>,
    /// Name to go by.
    pub alias: String,
}

/// Reads objects field by field as Go's decoder does: names match without regard to case, the first
/// mismatch is the error, the rest is still read.
pub(crate) struct Reader {
    /// The first thing that is wrong.
    pub(crate) error: Option<String>,
    /// Unknown fields are wrong.
    strict: bool,
    /// Go package of the types that messages name.
    package: &'static str,
}

impl Reader {
    pub(crate) fn new(strict: bool) -> Self {
        Self {
            error: None,
            strict,
            package: "v2",
        }
    }

    fn in_package(mut self, package: &'static str) -> Self {
        self.package = package;
        self
    }

    pub(crate) fn fail(&mut self, error: String) {
        self.error.get_or_insert(error);
    }

    pub(crate) fn unknown(&mut self, key: &str) {
        if self.strict {
            self.fail(format!("json: unknown field {}", quote(key.as_bytes())));
        }
    }

    pub(crate) fn mismatch(&mut self, value: &Value, field: &str, wanted: &str) {
        let found = kyaml::json_kind(value);
        self.error.get_or_insert_with(|| {
            format!("json: cannot unmarshal {found} into Go struct field {field} of type {wanted}")
        });
    }

    /// Text; numbers and booleans become text, as sigs.k8s.io/yaml has it for text fields.
    pub(crate) fn text(&mut self, value: &Value, field: &str, into: &mut String) {
        match value {
            Value::Null => {}
            Value::String(text) => text.clone_into(into),
            Value::Bool(flag) => *into = flag.to_string(),
            Value::Number(number) => *into = number_text(number),
            other => self.mismatch(other, field, "string"),
        }
    }

    pub(crate) fn texts(&mut self, value: &Value, field: &str, into: &mut Vec<String>) {
        match value {
            Value::Null => into.clear(),
            Value::Array(items) => {
                *into = items
                    .iter()
                    .map(|item| {
                        let mut text = String::new();
                        self.text(item, field, &mut text);
                        text
                    })
                    .collect();
            }
            other => self.mismatch(other, field, "[]string"),
        }
    }

    pub(crate) fn flag(&mut self, value: &Value, field: &str, into: &mut bool) {
        match value {
            Value::Null => {}
            Value::Bool(flag) => *into = *flag,
            other => self.mismatch(other, field, "bool"),
        }
    }

    pub(crate) fn annotations(
        &mut self,
        value: &Value,
        field: &str,
        into: &mut Option<Vec<(String, String)>>,
    ) {
        match value {
            Value::Null => *into = None,
            Value::Object(map) => {
                let entries = map.iter().map(|(key, item)| {
                    let mut text = String::new();
                    self.text(item, field, &mut text);
                    (key.clone(), text)
                });
                *into = Some(entries.collect());
            }
            other => self.mismatch(other, field, "map[string]string"),
        }
    }
}

/// Go's shortest form of a number.
pub(crate) fn number_text(number: &serde_json::Number) -> String {
    if number.is_f64() {
        return gocompat::number::format_float(number.as_f64().unwrap_or_default(), 'g', None, 64);
    }
    number.to_string()
}

/// The API version alone; empty where there is none.
///
/// # Errors
/// Not YAML, not a map, or a version that is no scalar.
pub(crate) fn api_version(text: &[u8]) -> Result<String, String> {
    const PREFIX: &str = "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal";
    let value = kyaml::yaml_to_json(text).map_err(|error| error.to_string())?;
    let found = kyaml::json_kind(&value);
    let map = match &value {
        Value::Null => return Ok(String::new()),
        Value::Object(map) => map,
        _ => {
            return Err(format!(
                "{PREFIX} {found} into Go value of type loader.chartBase"
            ));
        }
    };
    let entry = map
        .iter()
        .rfind(|(key, _)| key.eq_ignore_ascii_case("apiVersion"));
    match entry.map(|(_, value)| value) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Bool(flag)) => Ok(flag.to_string()),
        Some(Value::Number(number)) => Ok(number_text(number)),
        Some(other) => {
            let found = kyaml::json_kind(other);
            Err(format!(
                "{PREFIX} {found} into Go struct field chartBase.apiVersion of type string"
            ))
        }
    }
}

/// Refuses keys that stand twice and keys that nobody knows, in the words of Go's strict decoder.
///
/// # Errors
/// The first such key.
pub(crate) fn check_strict(text: &[u8]) -> Result<(), String> {
    const PREFIX: &str = "error unmarshaling JSON: while decoding JSON: ";
    let root = kyaml::parse_first(text, &kyaml::ReadOptions::v11())
        .map_err(|error| format!("error converting YAML to JSON: {error}"))?;
    let repeated = root.as_ref().map(kyaml::duplicate_keys).unwrap_or_default();
    if !repeated.is_empty() {
        let lines = repeated.iter().map(|duplicate| {
            let key = quote(duplicate.key.as_bytes());
            format!("\n  line {}: key {key} already set in map", duplicate.line)
        });
        let lines: String = lines.collect();
        return Err(format!(
            "error converting YAML to JSON: yaml: unmarshal errors:{lines}"
        ));
    }
    let value = kyaml::yaml_to_json(text).map_err(|error| error.to_string())?;
    let Value::Object(map) = &value else {
        return Ok(());
    };
    let mut reader = Reader::new(true);
    Metadata::default().read(&mut reader, map);
    reader
        .error
        .map_or(Ok(()), |error| Err(format!("{PREFIX}{error}")))
}

impl Metadata {
    /// Reads YAML over what is there already, as `requirements.yaml` is read over `Chart.yaml`.
    ///
    /// Messages name the Go package that upstream's types are in: `chart` in Helm 3, `v2` or `v3` in Helm 4.
    ///
    /// # Errors
    /// Not YAML, or a field of the wrong type, in Go's words.
    pub fn read_yaml(&mut self, text: &[u8], package: &'static str) -> Result<(), String> {
        const PREFIX: &str = "error unmarshaling JSON: while decoding JSON: ";
        let value = kyaml::yaml_to_json(text).map_err(|error| error.to_string())?;
        let mut reader = Reader::new(false).in_package(package);
        match &value {
            Value::Null => {}
            Value::Object(map) => self.read(&mut reader, map),
            other => {
                let found = kyaml::json_kind(other);
                return Err(format!(
                    "{PREFIX}json: cannot unmarshal {found} into Go value of type {package}.Metadata"
                ));
            }
        }
        reader
            .error
            .map_or(Ok(()), |error| Err(format!("{PREFIX}{error}")))
    }

    /// Reads the JSON form, as release records hold it.
    ///
    /// # Errors
    /// A field of the wrong type.
    pub fn from_json(map: &Map<String, Value>) -> Result<Self, String> {
        let mut metadata = Self::default();
        let mut reader = Reader::new(false);
        metadata.read(&mut reader, map);
        reader.error.map_or(Ok(metadata), Err)
    }

    fn read(&mut self, r: &mut Reader, map: &Map<String, Value>) {
        for (key, value) in map {
            self.read_field(r, key, value);
        }
    }

    /// Reads one field.
    pub(crate) fn read_field(&mut self, r: &mut Reader, key: &str, value: &Value) {
        match key.to_ascii_lowercase().as_str() {
            "name" => r.text(value, "Metadata.name", &mut self.name),
            "home" => r.text(value, "Metadata.home", &mut self.home),
            "sources" => r.texts(value, "Metadata.sources", &mut self.sources),
            "version" => r.text(value, "Metadata.version", &mut self.version),
            "description" => r.text(value, "Metadata.description", &mut self.description),
            "keywords" => r.texts(value, "Metadata.keywords", &mut self.keywords),
            "maintainers" => self.read_maintainers(r, value),
            "icon" => r.text(value, "Metadata.icon", &mut self.icon),
            "apiversion" => r.text(value, "Metadata.apiVersion", &mut self.api_version),
            "condition" => r.text(value, "Metadata.condition", &mut self.condition),
            "tags" => r.text(value, "Metadata.tags", &mut self.tags),
            "appversion" => r.text(value, "Metadata.appVersion", &mut self.app_version),
            "deprecated" => r.flag(value, "Metadata.deprecated", &mut self.deprecated),
            "annotations" => r.annotations(value, "Metadata.annotations", &mut self.annotations),
            "kubeversion" => r.text(value, "Metadata.kubeVersion", &mut self.kube_version),
            "dependencies" => self.read_dependencies(r, value),
            "type" => r.text(value, "Metadata.type", &mut self.chart_type),
            _ => r.unknown(key),
        }
    }

    fn read_maintainers(&mut self, r: &mut Reader, value: &Value) {
        let Value::Array(items) = value else {
            if !value.is_null() {
                r.mismatch(
                    value,
                    "Metadata.maintainers",
                    &format!("[]*{}.Maintainer", r.package),
                );
            }
            return;
        };
        self.maintainers.clear();
        for item in items {
            match item {
                Value::Null => {
                    self.null_maintainer.get_or_insert(self.maintainers.len());
                }
                Value::Object(map) => {
                    let mut maintainer = Maintainer::default();
                    for (key, value) in map {
                        match key.to_ascii_lowercase().as_str() {
                            "name" => {
                                r.text(value, "Maintainer.maintainers.name", &mut maintainer.name)
                            }
                            "email" => {
                                r.text(value, "Maintainer.maintainers.email", &mut maintainer.email)
                            }
                            "url" => {
                                r.text(value, "Maintainer.maintainers.url", &mut maintainer.url)
                            }
                            _ => r.unknown(key),
                        }
                    }
                    self.maintainers.push(maintainer);
                }
                other => r.mismatch(
                    other,
                    "Metadata.maintainers",
                    &format!("{}.Maintainer", r.package),
                ),
            }
        }
    }

    fn read_dependencies(&mut self, r: &mut Reader, value: &Value) {
        let Value::Array(items) = value else {
            if !value.is_null() {
                r.mismatch(
                    value,
                    "Metadata.dependencies",
                    &format!("[]*{}.Dependency", r.package),
                );
            }
            return;
        };
        let mut dependencies = Vec::new();
        for item in items {
            match item {
                Value::Null => self.null_dependency = true,
                Value::Object(map) => dependencies.push(Dependency::read(r, map)),
                other => r.mismatch(
                    other,
                    "Metadata.dependencies",
                    &format!("{}.Dependency", r.package),
                ),
            }
        }
        self.dependencies = Some(dependencies);
    }

    /// Maintainers in order; a null entry is `None` and ends the list.
    pub(crate) fn maintainer_entries(&self) -> impl Iterator<Item = Option<&Maintainer>> {
        let count = self.null_maintainer.unwrap_or(self.maintainers.len());
        let null = self.null_maintainer.map(|_| None);
        self.maintainers.iter().take(count).map(Some).chain(null)
    }

    /// Cleans texts and checks what Helm checks, in its order.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&mut self) -> Result<(), String> {
        self.sanitize();
        let fail = |message: String| Err(format!("validation: {message}"));
        if self.api_version.is_empty() {
            return fail("chart.metadata.apiVersion is required".to_owned());
        }
        if self.name.is_empty() {
            return fail("chart.metadata.name is required".to_owned());
        }
        let name = quote(self.name.as_bytes());
        if self.name == "." || self.name == ".." {
            return fail(format!("chart.metadata.name {name} is not allowed"));
        }
        if self.name.contains('/') {
            return fail(format!("chart.metadata.name {name} is invalid"));
        }
        if self.version.is_empty() {
            return fail("chart.metadata.version is required".to_owned());
        }
        if gocompat::semver::Version::parse(&self.version).is_err() {
            let version = quote(self.version.as_bytes());
            return fail(format!("chart.metadata.version {version} is invalid"));
        }
        if !matches!(self.chart_type.as_str(), "" | "application" | "library") {
            return fail("chart.metadata.type must be application or library".to_owned());
        }
        if self.null_maintainer.is_some() {
            return fail("maintainers must not contain empty or null nodes".to_owned());
        }
        self.validate_dependencies().or_else(fail)
    }

    fn validate_dependencies(&self) -> Result<(), String> {
        if self.null_dependency {
            return Err("dependencies must not contain empty or null nodes".to_owned());
        }
        let mut seen = std::collections::BTreeSet::new();
        for dependency in self.dependencies.iter().flatten() {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
            if !dependency.alias.bytes().all(plain) {
                let name = quote(dependency.name.as_bytes());
                return Err(format!(
                    "dependency {name} has disallowed characters in the alias"
                ));
            }
            let key = dependency.known_as();
            if !seen.insert(key) {
                let key = quote(key.as_bytes());
                return Err(format!("more than one dependency with name or alias {key}"));
            }
        }
        Ok(())
    }

    fn sanitize(&mut self) {
        for text in [
            &mut self.name,
            &mut self.description,
            &mut self.home,
            &mut self.icon,
            &mut self.condition,
            &mut self.tags,
            &mut self.app_version,
            &mut self.kube_version,
        ] {
            *text = sanitize(text);
        }
        for text in self.sources.iter_mut().chain(&mut self.keywords) {
            *text = sanitize(text);
        }
        for m in &mut self.maintainers {
            for text in [&mut m.name, &mut m.email, &mut m.url] {
                *text = sanitize(text);
            }
        }
        for d in self.dependencies.iter_mut().flatten() {
            for text in [
                &mut d.name,
                &mut d.version,
                &mut d.repository,
                &mut d.condition,
            ] {
                *text = sanitize(text);
            }
            d.tags.iter_mut().for_each(|tag| *tag = sanitize(tag));
        }
    }

    /// The JSON form with empty fields left out.
    pub fn to_json(&self) -> Value {
        let mut map = Map::new();
        let mut put = |key: &str, text: &str| {
            if !text.is_empty() {
                map.insert(key.to_owned(), text.into());
            }
        };
        put("name", &self.name);
        put("home", &self.home);
        put("version", &self.version);
        put("description", &self.description);
        put("icon", &self.icon);
        put("apiVersion", &self.api_version);
        put("condition", &self.condition);
        put("tags", &self.tags);
        put("appVersion", &self.app_version);
        put("kubeVersion", &self.kube_version);
        put("type", &self.chart_type);
        let mut list = |key: &str, items: Vec<Value>| {
            if !items.is_empty() {
                map.insert(key.to_owned(), Value::Array(items));
            }
        };
        list(
            "sources",
            self.sources.iter().map(|s| s.as_str().into()).collect(),
        );
        list(
            "keywords",
            self.keywords.iter().map(|s| s.as_str().into()).collect(),
        );
        list(
            "maintainers",
            self.maintainers.iter().map(Maintainer::to_json).collect(),
        );
        list(
            "dependencies",
            self.dependencies
                .iter()
                .flatten()
                .map(Dependency::to_json)
                .collect(),
        );
        if self.deprecated {
            map.insert("deprecated".to_owned(), true.into());
        }
        if let Some(annotations) = self.annotations.as_ref().filter(|a| !a.is_empty()) {
            let entries = annotations
                .iter()
                .map(|(k, v)| (k.clone(), v.as_str().into()));
            map.insert("annotations".to_owned(), Value::Object(entries.collect()));
        }
        Value::Object(map)
    }
}

impl Maintainer {
    fn to_json(&self) -> Value {
        let fields = [
            ("name", &self.name),
            ("email", &self.email),
            ("url", &self.url),
        ];
        let fields = fields.into_iter().filter(|(_, text)| !text.is_empty());
        Value::Object(
            fields
                .map(|(key, text)| (key.to_owned(), text.as_str().into()))
                .collect(),
        )
    }
}

impl Dependency {
    fn read(r: &mut Reader, map: &Map<String, Value>) -> Self {
        let mut d = Self::default();
        for (key, value) in map {
            match key.to_ascii_lowercase().as_str() {
                "name" => r.text(value, "Dependency.dependencies.name", &mut d.name),
                "version" => r.text(value, "Dependency.dependencies.version", &mut d.version),
                "repository" => r.text(
                    value,
                    "Dependency.dependencies.repository",
                    &mut d.repository,
                ),
                "condition" => r.text(value, "Dependency.dependencies.condition", &mut d.condition),
                "tags" => r.texts(value, "Dependency.dependencies.tags", &mut d.tags),
                "enabled" => r.flag(value, "Dependency.dependencies.enabled", &mut d.enabled),
                "alias" => r.text(value, "Dependency.dependencies.alias", &mut d.alias),
                "import-values" => match value {
                    Value::Null => {}
                    Value::Array(items) => d.import_values.clone_from(items),
                    other => r.mismatch(
                        other,
                        "Dependency.dependencies.import-values",
                        "[]interface {}",
                    ),
                },
                _ => r.unknown(key),
            }
        }
        d
    }

    /// The alias, or the name where there is none.
    pub fn known_as(&self) -> &str {
        if self.alias.is_empty() {
            &self.name
        } else {
            &self.alias
        }
    }

    fn to_json(&self) -> Value {
        let mut map = Map::new();
        map.insert("name".to_owned(), self.name.as_str().into());
        map.insert("repository".to_owned(), self.repository.as_str().into());
        for (key, text) in [
            ("version", &self.version),
            ("condition", &self.condition),
            ("alias", &self.alias),
        ] {
            if !text.is_empty() {
                map.insert(key.to_owned(), text.as_str().into());
            }
        }
        if !self.tags.is_empty() {
            map.insert("tags".to_owned(), self.tags.clone().into());
        }
        if self.enabled {
            map.insert("enabled".to_owned(), true.into());
        }
        if !self.import_values.is_empty() {
            map.insert(
                "import-values".to_owned(),
                Value::Array(self.import_values.clone()),
            );
        }
        Value::Object(map)
    }
}

/// Spaces become plain ones, what does not print is dropped.
fn sanitize(text: &str) -> String {
    let space = |c: char| c.is_whitespace();
    text.chars()
        .filter_map(|c| {
            if space(c) {
                Some(' ')
            } else {
                is_print(c).then_some(c)
            }
        })
        .collect()
}
