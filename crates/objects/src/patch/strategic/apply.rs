//! Merging a strategic patch into an object.

use crate::schema::{Schema, TypeId};
use crate::smd::gotext::go_v;
use crate::{Map, Value};

use super::{
    At, DELETE_FROM_LIST, DEPTH_MAX, DIRECTIVE, RETAIN_KEYS, Rule, SET_ORDER, StrategicError,
    directive_field, element_type, key_of, list_of, map_of, order, position, same_type,
};

/// Applies a patch to an object of a type; fields of unknown types are merged as maps or replaced.
///
/// # Errors
/// Fails on directives that cannot be read, and on lists and keys that do not fit the schema.
pub fn apply(
    original: Map,
    patch: Map,
    schema: &Schema,
    ty: Option<TypeId>,
) -> Result<Map, StrategicError> {
    let merger = Merger {
        parallel_lists: true,
    };
    merger.map(original, patch, At { schema, ty }, 0)
}

/// How a merge treats directives.
pub(super) struct Merger {
    /// Carry directives out and drop unmatched nulls. Off, they are kept, to merge two patches.
    pub(super) parallel_lists: bool,
}

impl Merger {
    pub(super) fn map(
        &self,
        mut original: Map,
        mut patch: Map,
        at: At<'_>,
        depth: usize,
    ) -> Result<Map, StrategicError> {
        if depth > DEPTH_MAX {
            return Err(StrategicError::Other("patch is nested too deeply".into()));
        }
        if let Some(directive) = patch.remove(DIRECTIVE) {
            return match directive.as_str() {
                Some("replace") => Ok(patch),
                Some("delete") => Ok(Map::new()),
                _ => {
                    patch.insert(DIRECTIVE.into(), directive.clone());
                    Err(unknown_directive(&directive, &patch))
                }
            };
        }
        self.retain_keys(&mut original, &mut patch)?;
        self.set_orders(&mut original, &mut patch, at, depth)?;
        for (key, value) in patch {
            self.entry(&mut original, key, value, at, depth)?;
        }
        Ok(original)
    }

    fn entry(
        &self,
        original: &mut Map,
        key: String,
        value: Value,
        at: At<'_>,
        depth: usize,
    ) -> Result<(), StrategicError> {
        let deletes = key.starts_with(DELETE_FROM_LIST);
        if deletes && !self.parallel_lists {
            original.insert(key, value);
            return Ok(());
        }
        let key = if deletes {
            directive_field(&key, DELETE_FROM_LIST)
                .ok_or(StrategicError::PrimitiveList)?
                .to_owned()
        } else {
            key
        };
        if value.is_null() {
            original.remove(&key);
            if self.parallel_lists {
                return Ok(());
            }
        }
        let Some(present) = original.get_mut(&key) else {
            if !deletes {
                original.insert(key, self.taken(value));
            }
            return Ok(());
        };
        if !same_type(present, &value) {
            if !deletes {
                *present = self.taken(value);
            }
            return Ok(());
        }
        let (below, rule) = at.field(&key);
        match (present, value) {
            (Value::Object(present), Value::Object(value)) => {
                *present = if rule.replaces() {
                    value
                } else {
                    self.map(std::mem::take(present), value, below, depth + 1)?
                };
            }
            (Value::Array(present), Value::Array(value)) => {
                let before = std::mem::take(present);
                *present = self.list(before, value, below, rule, deletes, depth)?;
            }
            (present, value) => *present = value,
        }
        Ok(())
    }

    /// Takes a patch value as it is, without directives and, when carrying out, without nulls.
    fn taken(&self, mut value: Value) -> Value {
        if self.parallel_lists {
            discard_nulls(&mut value);
            without_directives(value).unwrap_or(Value::Null)
        } else {
            value
        }
    }

    /// Drops what `$retainKeys` does not list.
    fn retain_keys(&self, original: &mut Map, patch: &mut Map) -> Result<(), StrategicError> {
        let Some(retain) = patch.remove(RETAIN_KEYS) else {
            return Ok(());
        };
        if !self.parallel_lists {
            let own = original
                .entry(RETAIN_KEYS)
                .or_insert_with(|| retain.clone());
            return if *own == retain {
                Ok(())
            } else {
                Err(StrategicError::Other(format!(
                    "{} and {} are not deep equal: this may happen when calculating the 3-way diff patch",
                    go_v(own),
                    go_v(&retain)
                )))
            };
        }
        let Value::Array(retain) = retain else {
            return Err(StrategicError::RetainKeys);
        };
        let listed = |key: &str| retain.iter().any(|r| r.as_str() == Some(key));
        let unlisted = patch.iter().any(|(key, value)| {
            let directive = key.starts_with(DELETE_FROM_LIST) || key.starts_with(SET_ORDER);
            !value.is_null() && !directive && !listed(key)
        });
        if unlisted {
            return Err(StrategicError::RetainKeys);
        }
        original.retain(|key, _| listed(key));
        Ok(())
    }

    /// Merges every list that has a `$setElementOrder`, and takes both from the patch.
    fn set_orders(
        &self,
        original: &mut Map,
        patch: &mut Map,
        at: At<'_>,
        depth: usize,
    ) -> Result<(), StrategicError> {
        let keys: Vec<String> = patch
            .keys()
            .filter(|key| key.starts_with(SET_ORDER))
            .cloned()
            .collect();
        for key in keys {
            let Some(wanted) = patch.remove(&key) else {
                continue;
            };
            if !self.parallel_lists {
                let own = original
                    .entry(key.as_str())
                    .or_insert_with(|| wanted.clone());
                if *own != wanted {
                    return Err(StrategicError::SetElementOrder);
                }
            }
            let wanted = list_of(&wanted)?;
            let field = directive_field(&key, SET_ORDER).ok_or(StrategicError::SetElementOrder)?;
            self.set_order(original, patch, field, wanted, at, depth)?;
        }
        Ok(())
    }

    fn set_order(
        &self,
        original: &mut Map,
        patch: &mut Map,
        field: &str,
        wanted: &[Value],
        at: At<'_>,
        depth: usize,
    ) -> Result<(), StrategicError> {
        let live = original.get(field).map(list_of).transpose()?.cloned();
        let patched = patch.get(field).map(list_of).transpose()?.cloned();
        let (below, rule) = at.field(field);
        let key = rule.key();
        check_order(patched.as_deref().unwrap_or(&[]), wanted, key)?;
        let merged = match (live.clone(), patched.clone()) {
            (None, None) => return Ok(()),
            (Some(live), None) => live,
            (None, Some(patched)) => {
                let kept = patched.into_iter().filter_map(without_directives);
                kept.collect()
            }
            (Some(live), Some(patched)) => self.list(live, patched, below, rule, false, depth)?,
        };
        let (of_patch, server_only) = partition(merged, wanted, key)?;
        let live = live.unwrap_or_default();
        let maps = element_type(&[&live, patched.as_deref().unwrap_or(&[])])?.is_object();
        let both = order::normalize(of_patch, server_only, wanted, &live, key, maps)?;
        original.insert(field.to_owned(), Value::Array(both));
        patch.remove(field);
        Ok(())
    }

    fn list(
        &self,
        original: Vec<Value>,
        patch: Vec<Value>,
        at: At<'_>,
        rule: Rule<'_>,
        deletes: bool,
        depth: usize,
    ) -> Result<Vec<Value>, StrategicError> {
        if !rule.merges() && !deletes {
            return Ok(patch);
        }
        if original.is_empty() && patch.is_empty() {
            return Ok(original);
        }
        let maps = element_type(&[&original, &patch])?.is_object();
        let key = rule.key();
        if !maps {
            if deletes && self.parallel_lists {
                let kept = original.into_iter().filter(|item| !patch.contains(item));
                return Ok(kept.collect());
            }
            let mut merged = original.clone();
            merged.extend(patch.iter().cloned());
            let merged = deduplicated(merged);
            let (of_patch, server_only) = partition(merged, &patch, key)?;
            return order::normalize(of_patch, server_only, &patch, &original, key, maps);
        }
        if key.is_empty() {
            return Err(StrategicError::Other(format!(
                "cannot merge lists without merge key for {}",
                at.name()
            )));
        }
        let (original, patch) = special_items(original, patch, key)?;
        let merged = self.items(original.clone(), &patch, at, key, depth)?;
        let (of_patch, server_only) = partition(merged, &patch, key)?;
        order::normalize(of_patch, server_only, &patch, &original, key, maps)
    }

    fn items(
        &self,
        mut original: Vec<Value>,
        patch: &[Value],
        at: At<'_>,
        key: &str,
        depth: usize,
    ) -> Result<Vec<Value>, StrategicError> {
        for item in patch {
            let item = map_of(item)?;
            match position(&original, key, key_of(item, key)?)? {
                Some(place) => {
                    let Value::Object(before) = original[place].take() else {
                        continue;
                    };
                    let merged = self.map(before, item.clone(), at, depth + 1)?;
                    original[place] = Value::Object(merged);
                }
                None => original.push(Value::Object(item.clone())),
            }
        }
        Ok(original)
    }
}

/// Carries out items with `$patch`: deletes theirs, or makes the patch replace the list.
fn special_items(
    mut original: Vec<Value>,
    patch: Vec<Value>,
    key: &str,
) -> Result<(Vec<Value>, Vec<Value>), StrategicError> {
    let mut plain = Vec::with_capacity(patch.len());
    let mut replaces = false;
    for item in patch {
        let map = map_of(&item)?;
        let Some(directive) = map.get(DIRECTIVE) else {
            plain.push(item);
            continue;
        };
        match directive.as_str() {
            Some("delete") => {
                let value = key_of(map, key)?;
                while let Some(at) = position(&original, key, value)? {
                    original.remove(at);
                }
            }
            Some("replace") => replaces = true,
            Some("merge") => {
                return Err(StrategicError::Other(
                    "merging lists cannot yet be specified in the patch".into(),
                ));
            }
            _ => return Err(unknown_directive(directive, map)),
        }
    }
    Ok(if replaces {
        (plain, Vec::new())
    } else {
        (original, plain)
    })
}

/// Splits items into those that `list` names and the others.
fn partition(
    items: Vec<Value>,
    list: &[Value],
    key: &str,
) -> Result<(Vec<Value>, Vec<Value>), StrategicError> {
    let (mut named, mut others) = (Vec::new(), Vec::new());
    for item in items {
        let found = if key.is_empty() {
            list.contains(&item)
        } else {
            position(list, key, key_of(map_of(&item)?, key)?)?.is_some()
        };
        if found {
            named.push(item);
        } else {
            others.push(item);
        }
    }
    Ok((named, others))
}

/// Checks that the patch lists its items in the order it asks for.
fn check_order(patch: &[Value], wanted: &[Value], key: &str) -> Result<(), StrategicError> {
    if patch.is_empty() || wanted.is_empty() {
        return Ok(());
    }
    let mut wanted_left = wanted.iter();
    for item in patch {
        if item.get(DIRECTIVE).is_some() {
            continue;
        }
        let found = wanted_left.any(|w| {
            if key.is_empty() {
                w == item
            } else {
                item.get(key).is_some() && w.get(key) == item.get(key)
            }
        });
        if !found {
            return Err(StrategicError::Other(format!(
                "The order in patch list:\n{}\n doesn't match {SET_ORDER} list:\n{}\n",
                go_v(&Value::Array(patch.to_vec())),
                go_v(&Value::Array(wanted.to_vec()))
            )));
        }
    }
    Ok(())
}

fn unknown_directive(directive: &Value, map: &Map) -> StrategicError {
    StrategicError::UnknownDirective {
        word: go_v(directive),
        map: go_v(&Value::Object(map.clone())),
    }
}

pub(super) fn deduplicated(items: Vec<Value>) -> Vec<Value> {
    let mut kept: Vec<Value> = Vec::with_capacity(items.len());
    for item in items {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}

/// Drops null entries of maps, also inside lists.
fn discard_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(discard_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(discard_nulls),
        _ => {}
    }
}

/// Drops every map that carries a `$patch`, and the other directives.
fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(map) if map.contains_key(DIRECTIVE) => None,
        Value::Object(map) => Some(Value::Object(
            map.into_iter()
                .filter(|(key, _)| {
                    key != RETAIN_KEYS
                        && !key.starts_with(SET_ORDER)
                        && !key.starts_with(DELETE_FROM_LIST)
                })
                .filter_map(|(key, value)| Some((key, without_directives(value)?)))
                .collect(),
        )),
        Value::Array(items) => Some(Value::Array(
            items.into_iter().filter_map(without_directives).collect(),
        )),
        other => Some(other),
    }
}
