//! Violations as a tree, and the lines that show them.

use serde_json::Value;

/// One violation with those that caused it.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    path: Vec<String>,
    kind: Kind,
    pub(super) causes: Vec<Fault>,
    /// Parts of the value that are at fault, where it is not the whole.
    names: Vec<String>,
    /// Path of the key that is at fault.
    key: Option<Vec<String>>,
}

#[derive(Clone, Debug)]
enum Kind {
    Text(String),
    Group,
    Reference,
}

impl Fault {
    pub(super) fn text(path: &[String], text: impl Into<String>) -> Self {
        Self::with_causes(path, text, Vec::new())
    }

    pub(super) fn with_causes(path: &[String], text: impl Into<String>, causes: Vec<Self>) -> Self {
        Self {
            path: path.to_vec(),
            kind: Kind::Text(text.into()),
            causes,
            names: Vec::new(),
            key: None,
        }
    }

    /// Several violations of one schema.
    pub(super) fn group(path: &[String], causes: Vec<Self>) -> Self {
        Self {
            path: path.to_vec(),
            kind: Kind::Group,
            causes,
            names: Vec::new(),
            key: None,
        }
    }

    /// Violations of a schema that was referred to.
    pub(super) fn reference(path: &[String], fault: Self) -> Self {
        Self {
            path: path.to_vec(),
            kind: Kind::Reference,
            causes: fault.parts(),
            names: Vec::new(),
            key: None,
        }
    }

    /// Says which parts of the value are at fault.
    pub(super) fn about(mut self, names: &[&str]) -> Self {
        self.names = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    pub(super) fn is_group(&self) -> bool {
        matches!(self.kind, Kind::Group)
    }

    /// Writes the lines; a reference with one cause has no line of its own.
    pub(super) fn write(&self, depth: usize, out: &mut String) {
        let skip = matches!(self.kind, Kind::Reference) && self.causes.len() == 1;
        if !skip {
            let text = match &self.kind {
                Kind::Text(text) => text,
                Kind::Group | Kind::Reference => "validation failed",
            };
            let pointer = quoted(&self.pointer());
            out.push_str(&format!("{}- at {pointer}: {text}\n", "  ".repeat(depth)));
        }
        let depth = depth + usize::from(!skip);
        self.causes.iter().for_each(|cause| cause.write(depth, out));
    }

    /// The faults of a group, or the fault itself.
    pub(super) fn parts(self) -> Vec<Self> {
        if self.is_group() {
            self.causes
        } else {
            vec![self]
        }
    }

    /// Says that a key of the value at a path is at fault, whatever path the message shows.
    pub(super) fn for_key(mut self, path: &[String], name: &str) -> Self {
        let mut whole = path.to_vec();
        whole.push(name.to_owned());
        self.key = Some(whole);
        self
    }

    /// All lines.
    pub(super) fn lines(self) -> String {
        let mut out = String::new();
        for cause in self.parts() {
            cause.write(0, &mut out);
        }
        out
    }

    /// Collects the paths of the values at fault.
    pub(super) fn leaves(&self, out: &mut Vec<Vec<String>>) {
        if let Some(key) = &self.key {
            return out.push(key.clone());
        }
        if self.causes.is_empty() && self.names.is_empty() {
            out.push(self.path.clone());
        }
        for name in &self.names {
            let mut path = self.path.clone();
            path.push(name.clone());
            out.push(path);
        }
        self.causes.iter().for_each(|cause| cause.leaves(out));
    }

    fn pointer(&self) -> String {
        let parts = self.path.iter();
        parts
            .map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1")))
            .collect()
    }
}

/// Text in single quotes, escaped as Go does inside double ones.
pub(super) fn quoted(text: &str) -> String {
    let literal = gocompat::quote::quote(text.as_bytes());
    let inner = literal[1..literal.len() - 1]
        .replace("\\\"", "\"")
        .replace('\'', "\\'");
    format!("'{inner}'")
}

/// Quoted texts with commas.
pub(super) fn listed<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    texts.into_iter().map(quoted).collect::<Vec<_>>().join(", ")
}

/// A value as messages show it.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(_) | Value::Object(_) => "value".to_owned(),
        Value::Null => "<nil>".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
    }
}

/// A count with its thousands separated, as the English printer writes it.
pub(super) fn grouped(count: usize) -> String {
    thousands(&count.to_string())
}

fn thousands(digits: &str) -> String {
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number as the English printer writes floats: thousands separated, powers of ten raised.
pub(super) fn float(number: f64) -> String {
    let text = format!("{:e}", number.abs());
    let sign = if number < 0.0 { "-" } else { "" };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        let plain = number.abs().to_string();
        let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
        let point = if fraction.is_empty() { "" } else { "." };
        return format!("{sign}{}{point}{fraction}", thousands(whole));
    }
    let raised: String = format!("{:02}", exponent.abs())
        .chars()
        .map(|digit| match digit {
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            '0' => '⁰',
            '4' => '⁴',
            '5' => '⁵',
            '6' => '⁶',
            '7' => '⁷',
            '8' => '⁸',
            _ => '⁹',
        })
        .collect();
    let minus = if exponent < 0 { "⁻" } else { "" };
    format!("{sign}{mantissa}×10{minus}{raised}")
}
