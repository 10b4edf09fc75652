//! Where a value came from: a flag, a line of a values file, a line of some chart's `values.yaml`.
//!
//! Nothing is recorded while values are merged. The sources are searched afterwards, in the order of their
//! precedence, so that only a failure pays for it.

use std::fmt;

use kyaml::{Dialect, Node, NodeValue, ReadOptions};
use serde_json::Value;

use crate::Version;
use crate::chart::Chart;
use crate::strvals::{self, Mode};
use crate::values::UserValues;

/// A source of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `values.yaml` of a chart.
    Default {
        /// Names of the charts from the root to it, with `/` between them.
        chart: String,
        /// Line counted from 1.
        line: u32,
    },
    /// A values file of the user.
    File {
        /// Name as it was given.
        name: String,
        /// Line counted from 1.
        line: u32,
    },
    /// A flag of the user.
    Flag {
        /// The flag, such as `--set`.
        flag: &'static str,
        /// What it sets; the value is left out, as it may be secret.
        key: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default { chart, line } => {
                write!(f, "line {line} of values.yaml of the chart {chart}")
            }
            Self::File { name, line } => write!(f, "line {line} of {name}"),
            Self::Flag { flag, key } => write!(f, "{flag} {key}"),
        }
    }
}

/// What one source says about a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Null, which deletes.
    Null(Origin),
    /// A value.
    Value(Origin),
}

impl Said {
    /// The source.
    pub fn origin(&self) -> &Origin {
        match self {
            Self::Null(origin) | Self::Value(origin) => origin,
        }
    }
}

/// Everything that values were merged from.
#[derive(Clone, Copy)]
pub struct Sources<'s> {
    /// The chart as it was loaded or processed; aliases are found either way.
    pub chart: &'s Chart,
    /// What the user gave.
    pub user: &'s UserValues,
    /// Version of Helm.
    pub version: Version,
}

/// Deepest chain of imported values that is followed.
const IMPORTS_MAX: usize = 8;

impl Sources<'_> {
    /// Finds what decided about a value of the chart below the given names (none for the root).
    pub fn find(&self, charts: &[String], path: &[String]) -> Option<Said> {
        self.search(charts, path, 0)
    }

    fn search(&self, charts: &[String], path: &[String], depth: usize) -> Option<Said> {
        let joined =
            |from: usize| -> Vec<String> { charts[from..].iter().chain(path).cloned().collect() };
        let is_global = path.first().is_some_and(|name| name == "global");
        // Globals of a chart above win over those of the charts inside it.
        let above = (0..charts.len()).filter(|_| is_global);
        let found = above
            .filter_map(|depth| self.in_chart(&charts[..depth], path))
            .next();
        found
            .or_else(|| self.user(&joined(0)))
            .or_else(|| (0..=charts.len()).find_map(|from| self.defaults(charts, from, path)))
            .or_else(|| self.imported(charts, path, depth))
    }

    fn in_chart(&self, charts: &[String], path: &[String]) -> Option<Said> {
        let full: Vec<String> = charts.iter().chain(path).cloned().collect();
        self.user(&full)
            .or_else(|| self.defaults(charts, charts.len(), path))
    }

    /// Looks into the `values.yaml` of the chart below the first `from` names.
    fn defaults(&self, charts: &[String], from: usize, path: &[String]) -> Option<Said> {
        let chart = chart_at(self.chart, &charts[..from])?;
        let file = chart.raw.iter().find(|file| file.name == "values.yaml")?;
        let inside: Vec<String> = charts[from..].iter().chain(path).cloned().collect();
        let (line, null) = in_yaml(&file.data, &inside, self.version)?;
        let names =
            std::iter::once(self.chart.name()).chain(charts[..from].iter().map(String::as_str));
        let chart = names.collect::<Vec<_>>().join("/");
        Some(said(Origin::Default { chart, line }, null))
    }

    fn imported(&self, charts: &[String], path: &[String], depth: usize) -> Option<Said> {
        if depth >= IMPORTS_MAX {
            return None;
        }
        let chart = chart_at(self.chart, charts)?;
        for dependency in chart.metadata.dependencies.iter().flatten() {
            for import in &dependency.import_values {
                let Some(inside) = import_path(import, path) else {
                    continue;
                };
                let mut below = charts.to_vec();
                below.push(dependency.known_as().to_owned());
                let found = self.search(&below, &inside, depth + 1);
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }

    fn user(&self, path: &[String]) -> Option<Said> {
        let read = |_: &str| Ok(String::new());
        let flags: [(&'static str, &[String], Mode<'_>); 5] = [
            ("--set-literal", &self.user.set_literal, Mode::Literal),
            ("--set-file", &self.user.set_file, Mode::File(&read)),
            ("--set-string", &self.user.set_string, Mode::String),
            ("--set", &self.user.set, Mode::Set),
            ("--set-json", &self.user.set_json, Mode::Json),
        ];
        for (flag, texts, mode) in flags {
            for text in texts.iter().rev() {
                if let Some(null) = in_flag(text, mode, path, self.version) {
                    let key = path.join(".");
                    return Some(said(Origin::Flag { flag, key }, null));
                }
            }
        }
        self.user.files.iter().rev().find_map(|(name, text)| {
            let (line, null) = in_yaml(text, path, self.version)?;
            let name = name.clone();
            Some(said(Origin::File { name, line }, null))
        })
    }
}

fn said(origin: Origin, null: bool) -> Said {
    if null {
        Said::Null(origin)
    } else {
        Said::Value(origin)
    }
}

/// The chart below names or aliases.
pub(crate) fn chart_at<'c>(chart: &'c Chart, names: &[String]) -> Option<&'c Chart> {
    let Some((first, rest)) = names.split_first() else {
        return Some(chart);
    };
    let mut declared = chart.metadata.dependencies.iter().flatten();
    let alias = declared.find(|dependency| dependency.alias == *first);
    let by_name = |name: &str| chart.dependencies.iter().find(|sub| sub.name() == name);
    let sub = by_name(first).or_else(|| by_name(&alias?.name))?;
    chart_at(sub, rest)
}

/// The path inside a subchart that an entry of `import-values` puts at `path`.
fn import_path(import: &Value, path: &[String]) -> Option<Vec<String>> {
    let keys = |text: &str| -> Vec<String> { text.split('.').map(str::to_owned).collect() };
    match import {
        Value::String(name) => {
            let mut inside = keys(&format!("exports.{name}"));
            inside.extend_from_slice(path);
            Some(inside)
        }
        Value::Object(map) => {
            let (child, parent) = (map.get("child")?.as_str()?, map.get("parent")?.as_str()?);
            let rest = match parent {
                "." => path,
                parent => path.strip_prefix(&keys(parent)[..])?,
            };
            let mut inside = keys(child);
            inside.extend_from_slice(rest);
            Some(inside)
        }
        _ => None,
    }
}

/// Whether a flag sets a path, and whether to null.
fn in_flag(text: &str, mode: Mode<'_>, path: &[String], version: Version) -> Option<bool> {
    let mut values = serde_json::Map::new();
    let trimmed = text.trim();
    if matches!(mode, Mode::Json) && trimmed.starts_with('{') {
        values = serde_json::from_str(trimmed).ok()?;
    } else {
        // What stands before a fault was set all the same.
        let _ = strvals::parse_into(text, mode, version, &mut values);
    }
    let mut current: Option<&Value> = None;
    for key in path {
        current = match current {
            None => Some(values.get(key)?),
            Some(Value::Object(map)) => Some(map.get(key)?),
            Some(Value::Array(items)) => Some(items.get(key.parse::<usize>().ok()?)?),
            Some(_) => return None,
        };
    }
    current.map(Value::is_null)
}

/// The line at which a YAML text sets a path, and whether to null. Later documents win, as they do in Helm 4.
fn in_yaml(text: &[u8], path: &[String], version: Version) -> Option<(u32, bool)> {
    let documents = kyaml::parse(text, &ReadOptions::v11()).ok()?;
    let taken = match version {
        Version::V3 => documents.get(..1)?,
        Version::V4 => &documents[..],
    };
    let roots = taken.iter().rev();
    roots
        .filter_map(|root| descend(root, root, path, 0, root.mark.line))
        .next()
}

/// Deepest chain of aliases and merges.
const ALIASES_MAX: usize = 32;

fn descend(
    root: &Node,
    node: &Node,
    path: &[String],
    aliases: usize,
    line: u32,
) -> Option<(u32, bool)> {
    if aliases > ALIASES_MAX {
        return None;
    }
    if let NodeValue::Alias(name) = &node.value {
        let target = anchored(root, name)?;
        return descend(root, target, path, aliases + 1, line);
    }
    let Some((key, rest)) = path.split_first() else {
        return Some((line, is_null(node)));
    };
    if let Some(items) = node.items() {
        let item = items.get(key.parse::<usize>().ok()?)?;
        return descend(root, item, rest, aliases, item.mark.line);
    }
    let entries = node.entries()?;
    let own = entries.iter().rev().find(|(name, _)| names(name, key));
    if let Some((name, value)) = own {
        return descend(root, value, rest, aliases, name.mark.line);
    }
    let merged = entries
        .iter()
        .filter(|(name, _)| name.as_str() == Some("<<"));
    merged
        .flat_map(|(_, value)| value.items().unwrap_or(std::slice::from_ref(value)))
        .find_map(|value| descend(root, value, path, aliases + 1, line))
}

fn is_null(node: &Node) -> bool {
    let is_scalar = matches!(node.value, NodeValue::Scalar(_));
    is_scalar
        && matches!(
            kyaml::resolve(node, Dialect::V11),
            Ok(kyaml::Resolved::Null)
        )
}

/// Whether a key of a mapping reads as `wanted`; booleans and the like become text as JSON has it.
fn names(key: &Node, wanted: &str) -> bool {
    match kyaml::to_json(key, Dialect::V11) {
        Ok(Value::String(text)) => text == wanted,
        Ok(other) => wanted == other.to_string().as_str(),
        Err(_) => false,
    }
}

fn anchored<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    if node.anchor() == Some(name) {
        return Some(node);
    }
    match &node.value {
        NodeValue::Sequence(items) => items.iter().find_map(|item| anchored(item, name)),
        NodeValue::Mapping(entries) => entries
            .iter()
            .find_map(|(key, value)| anchored(key, name).or_else(|| anchored(value, name))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_keys_are_found() {
        let text =
            b"a: &x\n  b: 1\nc:\n  <<: *x\n  d: ~\nyes: 2\n---\na:\n  e: 3\nl:\n- 1\n- k: 2\n";
        for (path, version, expected) in [
            ("a.b", Version::V4, Some((2, false))),
            ("a.e", Version::V4, Some((9, false))),
            ("a.e", Version::V3, None),
            ("c.d", Version::V4, Some((5, true))),
            ("c.b", Version::V4, Some((2, false))),
            ("true", Version::V4, Some((6, false))),
            ("a.b.c", Version::V4, None),
            ("l.1.k", Version::V4, Some((12, false))),
        ] {
            let path: Vec<String> = path.split('.').map(str::to_owned).collect();
            assert_eq!(in_yaml(text, &path, version), expected, "{path:?}");
        }
    }
}
