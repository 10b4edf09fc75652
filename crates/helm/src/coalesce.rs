//! Coalescing: chart defaults under user values, globals down the tree, null rules of both versions.
//!
//! Maps are shared by reference as upstream shares them, because nested globals that parent and subchart
//! share are seen by both. Warnings are collected, not printed.

use gotemplate::{List, Map, Text, Tree, Value};

use crate::Version;
use crate::chart::Chart;
use crate::note::Note;

/// Deepest nesting of values; upstream has no bound but its stack.
const DEPTH_MAX: usize = 1_000;

/// A merge of a chart's defaults with values.
pub(crate) struct Coalescer {
    pub(crate) version: Version,
    /// What upstream would warn of.
    pub(crate) warnings: Vec<Note>,
}

fn table(value: &Value) -> Option<&Map> {
    match value {
        Value::Map(map) => Some(map),
        _ => None,
    }
}

/// A copy that shares nothing.
pub(crate) fn deep_copy(map: &Map) -> Map {
    Map::of(map.kind(), copy_tree(map, 0))
}

fn copy_tree(map: &Map, depth: usize) -> Tree {
    let mut tree = map.snapshot();
    for value in tree.values_mut() {
        unshare(value, depth + 1);
    }
    tree
}

/// Puts copies in the place of containers.
fn unshare(value: &mut Value, depth: usize) {
    match value {
        Value::Map(map) if depth < DEPTH_MAX => {
            *map = Map::of(map.kind(), copy_tree(map, depth));
        }
        Value::List(list) if depth < DEPTH_MAX => {
            let mut items = list.items().to_vec();
            for item in &mut items {
                unshare(item, depth + 1);
            }
            *list = List::of(list.element(), items).with_room(list.room());
        }
        _ => {}
    }
}

/// A copy whose nested maps are shared.
fn shallow_copy(map: &Map) -> Map {
    Map::new(map.snapshot())
}

fn empty() -> Map {
    Map::new(Tree::new())
}

fn child(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

impl Coalescer {
    pub(crate) fn new(version: Version) -> Self {
        Self {
            version,
            warnings: Vec::new(),
        }
    }

    /// Values under which defaults are filled in; nulls delete.
    ///
    /// # Errors
    /// A subchart's values are not a map.
    pub(crate) fn coalesce(&mut self, chart: &Chart, values: &Map) -> Result<Map, String> {
        let copy = deep_copy(values);
        self.chart(chart, &copy, "", false)?;
        Ok(copy)
    }

    /// The same with nulls kept.
    ///
    /// # Errors
    /// As [`Coalescer::coalesce`].
    pub(crate) fn merge(&mut self, chart: &Chart, values: &Map) -> Result<Map, String> {
        let copy = deep_copy(values);
        self.chart(chart, &copy, "", true)?;
        Ok(copy)
    }

    fn chart(
        &mut self,
        chart: &Chart,
        values: &Map,
        prefix: &str,
        merge: bool,
    ) -> Result<(), String> {
        self.defaults(chart, values, prefix, merge);
        for sub in &chart.dependencies {
            let name = sub.name();
            let inner = match values.get(name.as_bytes()) {
                None => {
                    values.set(name, Value::Map(empty()));
                    values.get(name.as_bytes())
                }
                found => found,
            };
            let Some(inner) = inner.as_ref().and_then(table).cloned() else {
                let found = inner.unwrap_or_default();
                let shown = gocompat::fmt::sprintf(b"%t", std::slice::from_ref(&found));
                let shown = String::from_utf8_lossy(&shown).into_owned();
                return Err(format!("type mismatch on {name}: {shown}"));
            };
            let prefix = child(prefix, chart.name());
            self.globals(&inner, values, &prefix);
            self.chart(sub, &inner, &prefix, merge)?;
        }
        Ok(())
    }

    /// Globals of a chart into those of one inside it; the outer ones win.
    fn globals(&mut self, target: &Map, source: &Map, prefix: &str) {
        const GLOBAL: &str = "global";
        let section = |map: &Map| match map.get(GLOBAL.as_bytes()) {
            None => Some(empty()),
            Some(Value::Map(map)) => Some(map),
            Some(_) => None,
        };
        let Some(inner) = section(target) else {
            return self.warnings.push(Note::GlobalTarget);
        };
        let Some(outer) = section(source) else {
            return self.warnings.push(Note::GlobalSource);
        };
        for (key, value) in outer.snapshot() {
            let old = inner.get(&key);
            match (&value, old) {
                (Value::Map(map), None) => inner.set(key, Value::Map(shallow_copy(map))),
                (Value::Map(map), Some(Value::Map(old))) => {
                    let merged = shallow_copy(map);
                    self.tables(&merged, &old, &child(prefix, &key.to_str()), true, 0);
                    inner.set(key, Value::Map(merged));
                }
                (Value::Map(_), Some(_)) => {
                    self.warnings.push(Note::GlobalConflict(key.to_string()));
                }
                (_, Some(Value::Map(_))) => {
                    self.warnings.push(Note::GlobalTable(key.to_string()));
                }
                _ => inner.set(key, value),
            }
        }
        target.set(GLOBAL, Value::Map(inner));
    }

    fn defaults(&mut self, chart: &Chart, values: &Map, prefix: &str, merge: bool) {
        let prefix = child(prefix, chart.name());
        for (key, mut default) in chart.values.snapshot() {
            let given = values.get(&key);
            if matches!(given, None | Some(Value::Map(_))) {
                unshare(&mut default, 1);
            }
            match given {
                Some(Value::Nil) if !merge => {
                    values.write().remove(&key);
                }
                Some(Value::Map(target)) => match &default {
                    Value::Map(source) => {
                        let subchart = chart
                            .dependencies
                            .iter()
                            .any(|sub| sub.name().as_bytes() == &key[..]);
                        let merge = merge || subchart;
                        if !merge && self.version == Version::V4 {
                            drop_nils(source, 0);
                        }
                        self.tables(&target, source, &child(&prefix, &key.to_str()), merge, 0);
                    }
                    Value::Nil => {}
                    _ => self
                        .warnings
                        .push(Note::NotTable(format!("{prefix}.{key}"))),
                },
                Some(_) => {}
                None => {
                    if !merge && self.version == Version::V4 {
                        if default.is_nil() {
                            continue;
                        }
                        if let Value::Map(map) = &default {
                            drop_nils(map, 0);
                        }
                    }
                    values.set(key, default);
                }
            }
        }
    }

    /// Fills what a map lacks from another one; changes both, as upstream does.
    pub(crate) fn tables(
        &mut self,
        target: &Map,
        source: &Map,
        prefix: &str,
        merge: bool,
        depth: usize,
    ) {
        if depth > DEPTH_MAX || target.same(source) {
            return;
        }
        let nils: Vec<Text> = {
            let entries = target.read();
            let nils = entries.iter().filter(|(_, value)| value.is_nil());
            nils.map(|(key, _)| key.clone()).collect()
        };
        let mut had = Vec::new();
        for key in nils {
            if source.get(&key).is_some_and(|value| !value.is_nil()) {
                had.push(key.clone());
            }
            source.set(key, Value::Nil);
        }
        for (key, value) in source.snapshot() {
            let old = target.get(&key);
            match (old, &value) {
                (Some(Value::Nil), _) if !merge && had.contains(&key) => {
                    target.write().remove(&key);
                }
                (None, _) => target.set(key, value),
                (Some(Value::Map(old)), Value::Map(map)) => {
                    self.tables(&old, map, &child(prefix, &key.to_str()), merge, depth + 1);
                }
                (Some(_), Value::Map(_)) => {
                    let path = child(prefix, &key.to_str());
                    self.warnings.push(Note::NotOverwritten(path));
                }
                (Some(Value::Map(_)), other) if !other.is_nil() => {
                    let path = child(prefix, &key.to_str());
                    self.warnings.push(Note::Ignored(path));
                }
                _ => {}
            }
        }
    }
}

fn drop_nils(map: &Map, depth: usize) {
    if depth > DEPTH_MAX {
        return;
    }
    for (key, value) in map.snapshot() {
        match value {
            Value::Nil => {
                map.write().remove(&key);
            }
            Value::Map(inner) => drop_nils(&inner, depth + 1),
            _ => {}
        }
    }
}
