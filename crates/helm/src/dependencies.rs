//! Which charts inside a chart take part, under which names, and what values they lend to their parents.

use gocompat::semver::{Range, Version as Semver};
use gotemplate::{Map, Tree, Value};
use serde_json::Value as Json;

use crate::Version;
use crate::chart::Chart;
use crate::coalesce::{Coalescer, deep_copy};
use crate::metadata::Dependency;
use crate::note::Note;

/// Whether a version lies in a range; what does not parse does not.
pub fn in_range(range: &str, version: &str) -> bool {
    match (Range::parse(range), Semver::parse(version)) {
        (Ok(range), Ok(version)) => range.matches(&version),
        _ => false,
    }
}

/// Names of declared dependencies that are not there.
pub fn missing(chart: &Chart) -> Vec<&str> {
    let declared = chart.metadata.dependencies.iter().flatten();
    declared
        .map(|dependency| dependency.name.as_str())
        .filter(|name| !chart.dependencies.iter().any(|sub| sub.name() == *name))
        .collect()
}

/// Drops disabled charts, applies aliases and imports values.
///
/// # Errors
/// Values of a subchart are not a map.
pub fn process(chart: &mut Chart, values: &Map, version: Version) -> Result<(), String> {
    process_with(chart, values, &mut Coalescer::new(version))
}

/// As [`process`]; the coalescer notes what is odd.
pub(crate) fn process_with(
    chart: &mut Chart,
    values: &Map,
    coalescer: &mut Coalescer,
) -> Result<(), String> {
    enable(chart, values, "", coalescer)?;
    import(chart, coalescer)
}

/// Charts whose dependencies got their aliases for names, by their places in the chart around them.
///
/// In Helm 3 the copies that aliases make of one chart share what it declares: the second copy finds the names that
/// the first one left.
#[derive(Default)]
struct Renamed {
    below: Vec<(usize, Renamed)>,
}

impl Renamed {
    /// Gives another copy of the same chart the names that the first one left.
    fn repeat(&self, chart: &mut Chart) {
        for dependency in chart.metadata.dependencies.iter_mut().flatten() {
            dependency.go_by_alias();
        }
        for (index, renamed) in &self.below {
            if let Some(sub) = chart.dependencies.get_mut(*index) {
                renamed.repeat(sub);
            }
        }
    }
}

impl Dependency {
    fn go_by_alias(&mut self) {
        if !self.alias.is_empty() {
            self.name.clone_from(&self.alias);
        }
    }
}

fn enable(
    chart: &mut Chart,
    values: &Map,
    path: &str,
    coalescer: &mut Coalescer,
) -> Result<Renamed, String> {
    let mut renamed = Renamed::default();
    let Some(mut declared) = chart.metadata.dependencies.take() else {
        return Ok(renamed);
    };
    let matches = |sub: &Chart, dependency: &Dependency| {
        sub.name() == dependency.name && in_range(&dependency.version, &sub.metadata.version)
    };
    let present = std::mem::take(&mut chart.dependencies);
    let undeclared = |sub: &Chart| !declared.iter().any(|d| matches(sub, d));
    let mut places: Vec<usize> = (0..present.len())
        .filter(|index| undeclared(&present[*index]))
        .collect();
    chart.dependencies = places.iter().map(|index| present[*index].clone()).collect();
    for dependency in &mut declared {
        if let Some(index) = present.iter().position(|sub| matches(sub, dependency)) {
            let mut sub = present[index].clone();
            if !dependency.alias.is_empty() {
                sub.metadata.name.clone_from(&dependency.alias);
            }
            chart.dependencies.push(sub);
            places.push(index);
        }
        dependency.go_by_alias();
        dependency.enabled = true;
    }
    let all = coalescer.coalesce(chart, values)?;
    apply_tags(&mut declared, &all, coalescer);
    apply_conditions(&mut declared, &all, path, coalescer);
    let disabled: Vec<String> = declared
        .iter()
        .filter(|d| !d.enabled)
        .map(|d| d.name.clone())
        .collect();
    let is_on = |sub: &Chart| !disabled.iter().any(|name| name == sub.name());
    let mut on = chart
        .dependencies
        .iter()
        .map(is_on)
        .collect::<Vec<_>>()
        .into_iter();
    places.retain(|_| on.next() == Some(true));
    chart.dependencies.retain(is_on);
    declared.retain(|d| !disabled.contains(&d.name));
    let mut rest = &mut chart.dependencies[..];
    for (at, place) in places.iter().enumerate() {
        let Some((sub, later)) = rest.split_first_mut() else {
            break;
        };
        let path = format!("{path}{}.", sub.name());
        let below = enable(sub, &all, &path, coalescer)?;
        if coalescer.version == Version::V3 {
            let copies = later.iter_mut().zip(&places[at + 1..]);
            for (copy, _) in copies.filter(|(_, other)| *other == place) {
                below.repeat(copy);
            }
            renamed.below.push((*place, below));
        }
        rest = later;
    }
    chart.metadata.dependencies = (!declared.is_empty()).then_some(declared);
    Ok(renamed)
}

fn apply_tags(declared: &mut [Dependency], values: &Map, coalescer: &mut Coalescer) {
    let Some(tags) = table_at(values, "tags") else {
        return;
    };
    for dependency in declared {
        let flags: Vec<bool> = dependency
            .tags
            .iter()
            .filter_map(|tag| match tags.get(tag.as_bytes()) {
                Some(Value::Bool(flag)) => Some(flag),
                Some(_) => {
                    let note = Note::Tag(tag.clone(), dependency.name.clone());
                    coalescer.warnings.push(note);
                    None
                }
                None => None,
            })
            .collect();
        dependency.enabled = flags.contains(&true) || !flags.contains(&false);
    }
}

fn apply_conditions(
    declared: &mut [Dependency],
    values: &Map,
    path: &str,
    coalescer: &mut Coalescer,
) {
    for dependency in declared {
        for condition in dependency
            .condition
            .trim()
            .split(',')
            .filter(|c| !c.is_empty())
        {
            match value_at(values, &format!("{path}{condition}")) {
                Some(Value::Bool(flag)) => {
                    dependency.enabled = flag;
                    break;
                }
                Some(_) => {
                    let chart = dependency.name.clone();
                    let note = Note::Condition(condition.to_owned(), chart);
                    coalescer.warnings.push(note);
                }
                None => {}
            }
        }
    }
}

/// The map at a dotted path.
pub(crate) fn table_at(values: &Map, path: &str) -> Option<Map> {
    let mut current = values.clone();
    for name in path.split('.') {
        match current.get(name.as_bytes()) {
            Some(Value::Map(map)) => current = map,
            _ => return None,
        }
    }
    Some(current)
}

/// The first part of a dotted path that is no map.
fn not_table(values: &Map, path: &str) -> String {
    let mut current = values.clone();
    for name in path.split('.') {
        match current.get(name.as_bytes()) {
            Some(Value::Map(map)) => current = map,
            _ => return name.to_owned(),
        }
    }
    String::new()
}

/// The value at a dotted path; maps do not count.
fn value_at(values: &Map, path: &str) -> Option<Value> {
    if path.is_empty() {
        return None;
    }
    let (table, name) = match path.rsplit_once('.') {
        Some((parent, name)) => (table_at(values, parent)?, name),
        None => (values.clone(), path),
    };
    table
        .get(name.as_bytes())
        .filter(|value| !matches!(value, Value::Map(_)))
}

/// Imports bottom-up; a chart with declared dependencies gets its merged tree as defaults.
fn import(chart: &mut Chart, coalescer: &mut Coalescer) -> Result<(), String> {
    for sub in &mut chart.dependencies {
        import(sub, coalescer)?;
    }
    let Some(mut declared) = chart.metadata.dependencies.take() else {
        return Ok(());
    };
    let merged = coalescer.merge(chart, &Map::new(Tree::new()))?;
    let imported = Map::new(Tree::new());
    for dependency in &mut declared {
        let mut resolved = Vec::new();
        for entry in &dependency.import_values {
            let Some((from, to)) = import_paths(entry) else {
                continue;
            };
            resolved.push(serde_json::json!({"child": from, "parent": to}));
            let path = format!("{}.{from}", dependency.name);
            let Some(table) = table_at(&merged, &path) else {
                let chart = matches!(entry, Json::Object(_)).then(|| dependency.name.clone());
                let note = Note::Import(chart, not_table(&merged, &path));
                coalescer.warnings.push(note);
                continue;
            };
            coalescer.tables(&imported, &at_path(&to, table), "", true, 0);
        }
        dependency.import_values = resolved;
    }
    chart.values = if imported.is_empty() {
        merged
    } else {
        let defaults = deep_copy(&merged);
        coalescer.tables(&defaults, &imported, "", true, 0);
        defaults
    };
    chart.metadata.dependencies = Some(declared);
    Ok(())
}

fn import_paths(entry: &Json) -> Option<(String, String)> {
    match entry {
        Json::String(name) => Some((format!("exports.{name}"), ".".to_owned())),
        Json::Object(map) => {
            let text = |key: &str| match map.get(key) {
                Some(Json::String(text)) => text.clone(),
                Some(Json::Null) | None => "<nil>".to_owned(),
                Some(other) => other.to_string(),
            };
            Some((text("child"), text("parent")))
        }
        _ => None,
    }
}

/// A map with another one at a dotted path.
fn at_path(path: &str, table: Map) -> Map {
    if path == "." {
        return table;
    }
    path.rsplit('.').fold(table, |inner, name| {
        Map::new(std::iter::once((name.into(), Value::Map(inner))).collect())
    })
}
