//! The JSON form of an index, as Go marshals Helm's structs with an indentation of two spaces.

use std::io::Write;

use gocompat::semver::Version;
use serde_json::{Map, Value};

use super::entry::{Entry, OLD};
use super::{IndexError, Sink, Summary};

/// Bytes of one chart's versions that are held back for sorting.
const HELD_BYTES_MAX: usize = 16 << 20;
/// A time that was never set.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// Writes the entries as they come.
pub(super) struct Writer<'o, O> {
    out: &'o mut O,
    charts: usize,
    /// Versions of the present chart that are not written yet.
    held: Vec<(Option<Version>, String)>,
    held_bytes: usize,
    written: usize,
}

impl<'o, O: Write> Writer<'o, O> {
    pub fn new(out: &'o mut O, head: &Summary) -> Result<Self, IndexError> {
        let mut text = Json::default();
        text.open('{');
        if !head.server_info.is_empty() {
            text.key("serverInfo");
            text.value(&Value::Object(head.server_info.clone()));
        }
        text.field("apiVersion", &head.api_version);
        text.field("generated", or_never(&head.generated));
        text.key("entries");
        out.write_all(text.out.as_bytes())?;
        out.write_all(b"{")?;
        Ok(Self {
            out,
            charts: 0,
            held: Vec::new(),
            held_bytes: 0,
            written: 0,
        })
    }

    fn flush(&mut self) -> Result<(), IndexError> {
        let in_order = self.held.is_sorted_by(|a, b| a.0 >= b.0);
        if !in_order {
            self.held.sort_by(|a, b| b.0.cmp(&a.0));
        }
        for (_, text) in self.held.drain(..) {
            let before = if self.written > 0 { ",\n" } else { "[\n" };
            self.out.write_all(before.as_bytes())?;
            self.out.write_all(text.as_bytes())?;
            self.written += 1;
        }
        self.held_bytes = 0;
        Ok(())
    }

    fn end_chart(&mut self) -> Result<(), IndexError> {
        if self.charts == 0 {
            return Ok(());
        }
        self.flush()?;
        let end = if self.written > 0 { "\n    ]" } else { "[]" };
        self.out.write_all(end.as_bytes())?;
        self.written = 0;
        Ok(())
    }

    /// Closes what is open.
    pub fn finish(mut self, summary: &Summary) -> Result<(), IndexError> {
        self.end_chart()?;
        let end = if self.charts > 0 { "\n  }" } else { "}" };
        let mut text = Json {
            out: end.to_owned(),
            depth: 1,
            fresh: false,
        };
        if !summary.public_keys.is_empty() {
            text.key("publicKeys");
            text.texts(&summary.public_keys);
        }
        if !summary.annotations.is_empty() {
            text.key("annotations");
            text.pairs(&summary.annotations);
        }
        text.close('}');
        self.out.write_all(text.out.as_bytes())?;
        self.out.flush()?;
        Ok(())
    }
}

impl<O: Write> Sink for Writer<'_, O> {
    fn chart(&mut self, name: &str) -> Result<(), IndexError> {
        self.end_chart()?;
        let before = if self.charts > 0 { ",\n    " } else { "\n    " };
        self.charts += 1;
        let mut text = String::from(before);
        write_text(&mut text, name);
        text.push_str(": ");
        self.out.write_all(text.as_bytes())?;
        Ok(())
    }

    fn wants(&self) -> bool {
        true
    }

    fn version(&mut self, entry: Entry) -> Result<(), IndexError> {
        let mut text = Json {
            out: "      ".to_owned(),
            depth: 3,
            fresh: false,
        };
        write_entry(&mut text, &entry);
        self.held_bytes += text.out.len();
        self.held
            .push((Version::parse(entry.version()).ok(), text.out));
        if self.held_bytes > HELD_BYTES_MAX {
            self.flush()?;
        }
        Ok(())
    }
}

fn or_never(time: &str) -> &str {
    if time.is_empty() { NEVER } else { time }
}

fn write_entry(out: &mut Json, entry: &Entry) {
    let m = &entry.metadata;
    out.open('{');
    out.field("name", &m.name);
    out.field("home", &m.home);
    out.list("sources", &m.sources);
    out.field("version", &m.version);
    out.field("description", &m.description);
    out.list("keywords", &m.keywords);
    if !m.maintainers.is_empty() {
        out.key("maintainers");
        out.open('[');
        for maintainer in &m.maintainers {
            out.item();
            out.open('{');
            out.field("name", &maintainer.name);
            out.field("email", &maintainer.email);
            out.field("url", &maintainer.url);
            out.close('}');
        }
        out.close(']');
    }
    out.field("icon", &m.icon);
    out.field("apiVersion", &m.api_version);
    out.field("condition", &m.condition);
    out.field("tags", &m.tags);
    out.field("appVersion", &m.app_version);
    out.flag("deprecated", m.deprecated);
    if let Some(annotations) = m.annotations.as_ref().filter(|a| !a.is_empty()) {
        out.key("annotations");
        out.pairs(annotations);
    }
    out.field("kubeVersion", &m.kube_version);
    write_dependencies(out, entry);
    out.field("type", &m.chart_type);
    out.key("urls");
    if entry.urls.is_empty() {
        out.out.push_str("null");
    } else {
        out.texts(&entry.urls);
    }
    out.key("created");
    write_text(&mut out.out, or_never(&entry.created));
    out.flag("removed", entry.removed);
    out.field("digest", &entry.digest);
    for (name, text) in OLD.iter().zip(&entry.old) {
        out.field(name, text);
    }
    out.close('}');
}

fn write_dependencies(out: &mut Json, entry: &Entry) {
    let Some(dependencies) = entry
        .metadata
        .dependencies
        .as_ref()
        .filter(|d| !d.is_empty())
    else {
        return;
    };
    out.key("dependencies");
    out.open('[');
    for dependency in dependencies {
        out.item();
        out.open('{');
        out.key("name");
        write_text(&mut out.out, &dependency.name);
        out.field("version", &dependency.version);
        out.key("repository");
        write_text(&mut out.out, &dependency.repository);
        out.field("condition", &dependency.condition);
        out.list("tags", &dependency.tags);
        out.flag("enabled", dependency.enabled);
        if !dependency.import_values.is_empty() {
            out.key("import-values");
            out.value(&Value::Array(dependency.import_values.clone()));
        }
        out.field("alias", &dependency.alias);
        out.close('}');
    }
    out.close(']');
}

/// Indented JSON under construction.
#[derive(Default)]
struct Json {
    out: String,
    depth: usize,
    /// Nothing stands in the present object or list yet.
    fresh: bool,
}

impl Json {
    fn open(&mut self, mark: char) {
        self.out.push(mark);
        self.depth += 1;
        self.fresh = true;
    }

    fn close(&mut self, mark: char) {
        self.depth -= 1;
        if !std::mem::replace(&mut self.fresh, false) {
            self.line();
        }
        self.out.push(mark);
    }

    fn line(&mut self) {
        self.out.push('\n');
        for _ in 0..self.depth {
            self.out.push_str("  ");
        }
    }

    fn item(&mut self) {
        if !std::mem::replace(&mut self.fresh, false) {
            self.out.push(',');
        }
        self.line();
    }

    fn key(&mut self, key: &str) {
        self.item();
        write_text(&mut self.out, key);
        self.out.push_str(": ");
    }

    fn field(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.key(key);
            write_text(&mut self.out, text);
        }
    }

    fn flag(&mut self, key: &str, flag: bool) {
        if flag {
            self.key(key);
            self.out.push_str("true");
        }
    }

    fn list(&mut self, key: &str, texts: &[String]) {
        if !texts.is_empty() {
            self.key(key);
            self.texts(texts);
        }
    }

    fn texts(&mut self, texts: &[String]) {
        self.open('[');
        for text in texts {
            self.item();
            write_text(&mut self.out, text);
        }
        self.close(']');
    }

    fn pairs(&mut self, pairs: &[(String, String)]) {
        self.open('{');
        for (key, text) in pairs {
            self.key(key);
            write_text(&mut self.out, text);
        }
        self.close('}');
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Object(map) => self.object(map),
            Value::Array(items) => {
                self.open('[');
                for item in items {
                    self.item();
                    self.value(item);
                }
                self.close(']');
            }
            Value::String(text) => write_text(&mut self.out, text),
            Value::Number(number) if number.is_f64() => {
                let number = number.as_f64().unwrap_or_default();
                let text = gocompat::number::json_float(number);
                self.out
                    .push_str(&text.unwrap_or_else(|| "null".to_owned()));
            }
            other => self.out.push_str(&other.to_string()),
        }
    }

    fn object(&mut self, map: &Map<String, Value>) {
        self.open('{');
        for (key, value) in map {
            self.key(key);
            self.value(value);
        }
        self.close('}');
    }
}

/// Writes a text in quotes, with what HTML and JavaScript stumble over escaped.
fn write_text(out: &mut String, text: &str) {
    out.push('"');
    let mut plain = 0;
    for (at, c) in text.char_indices() {
        let escaped = match c {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '<' => "\\u003c",
            '>' => "\\u003e",
            '&' => "\\u0026",
            '\u{2028}' => "\\u2028",
            '\u{2029}' => "\\u2029",
            c if c < ' ' => "",
            _ => continue,
        };
        out.push_str(&text[plain..at]);
        if escaped.is_empty() {
            out.push_str(&format!("\\u{:04x}", c as u32));
        } else {
            out.push_str(escaped);
        }
        plain = at + c.len_utf8();
    }
    out.push_str(&text[plain..]);
    out.push('"');
}
