//! The objects of a build in order, with indexes by identity so that no step compares all with all.
//!
//! Indexes are made on demand and thrown away by every step that may change identities.

use std::collections::HashMap;

use kyaml::Text;
use smallvec::SmallVec;

use crate::error::{BuildError, Fault, Result, fail};
use crate::id::ResId;
use crate::openapi::Schemas;
use crate::resource::{Behavior, ORIGIN, Resource};

type Places = SmallVec<[u32; 1]>;

/// Objects in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct ResMap {
    list: Vec<Resource>,
    /// By the identity an object has now.
    current: Option<HashMap<CurrentKey, u32>>,
    /// By every name and kind an object has or had.
    any: Option<HashMap<(Text, Text), Places>>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CurrentKey {
    api_version: Text,
    kind: Text,
    name: Text,
    namespace: Text,
}

impl CurrentKey {
    fn of(id: &ResId) -> Self {
        Self {
            api_version: id.gvk.api_version().into(),
            kind: id.gvk.kind.clone(),
            name: id.name.clone(),
            namespace: id.effective_namespace().into(),
        }
    }
}

fn place(index: usize) -> u32 {
    u32::try_from(index).expect("inputs are far smaller than four thousand million objects")
}

impl ResMap {
    pub fn resources(&self) -> &[Resource] {
        &self.list
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Returns all objects for editing; indexes are thrown away.
    pub fn resources_mut(&mut self) -> &mut Vec<Resource> {
        self.forget();
        &mut self.list
    }

    /// Returns one object for an edit that keeps its identity.
    pub fn same_identity_mut(&mut self, index: usize) -> &mut Resource {
        &mut self.list[index]
    }

    pub fn into_resources(self) -> Vec<Resource> {
        self.list
    }

    /// Forgets the indexes, after identities changed.
    pub fn forget(&mut self) {
        self.current = None;
        self.any = None;
    }

    /// Drops deleted objects.
    pub fn drop_gone(&mut self) {
        if self.list.iter().any(Resource::is_gone) {
            self.list.retain(|resource| !resource.is_gone());
            self.forget();
        }
    }

    fn current_index(&mut self, schemas: &Schemas) -> &mut HashMap<CurrentKey, u32> {
        let list = &self.list;
        self.current.get_or_insert_with(|| {
            let key = |resource: &Resource| CurrentKey::of(&resource.current_id(schemas));
            let entries = list.iter().enumerate();
            entries.map(|(i, r)| (key(r), place(i))).collect()
        })
    }

    fn any_index(&mut self) -> &HashMap<(Text, Text), Places> {
        let list = &self.list;
        self.any.get_or_insert_with(|| {
            let mut index = HashMap::with_capacity(list.len());
            for (i, resource) in list.iter().enumerate() {
                note_any(&mut index, resource, i);
            }
            index
        })
    }

    /// Adds an object; one with the same identity must not be there.
    pub fn append(&mut self, resource: Resource, schemas: &Schemas) -> Result<()> {
        let id = resource.current_id(schemas);
        let next = place(self.list.len());
        match self.current_index(schemas).entry(CurrentKey::of(&id)) {
            std::collections::hash_map::Entry::Occupied(_) => {
                fail!("may not add resource with an already registered id: {id}")
            }
            std::collections::hash_map::Entry::Vacant(slot) => slot.insert(next),
        };
        if let Some(any) = &mut self.any {
            note_any(any, &resource, self.list.len());
        }
        self.list.push(resource);
        Ok(())
    }

    pub fn append_all(&mut self, others: Vec<Resource>, schemas: &Schemas) -> Result<()> {
        if self.list.is_empty() {
            self.list.reserve(others.len());
        }
        others
            .into_iter()
            .try_for_each(|resource| self.append(resource, schemas))
    }

    /// Fails when two objects have the same identity.
    pub fn check_unique(&self, schemas: &Schemas) -> std::result::Result<(), (usize, usize)> {
        let mut seen = HashMap::with_capacity(self.list.len());
        for (index, resource) in self.list.iter().enumerate() {
            let key = CurrentKey::of(&resource.current_id(schemas));
            if let Some(first) = seen.insert(key, index) {
                return Err((first, index));
            }
        }
        Ok(())
    }

    /// Returns the places of objects that have or had an identity that matches, by name and kind.
    pub fn matching_any(
        &mut self,
        name: &str,
        kind: &str,
        schemas: &Schemas,
        matches: impl Fn(&ResId) -> bool,
    ) -> Vec<usize> {
        let key = (Text::from(name), Text::from(kind));
        let places = self.any_index().get(&key).cloned().unwrap_or_default();
        let list = &self.list;
        let fits = |index: &usize| has_id(&list[*index], schemas, &matches);
        places.iter().map(|p| *p as usize).filter(fits).collect()
    }

    /// Returns the places of objects that have or had an identity, whatever its kind.
    pub fn scan_any(&self, schemas: &Schemas, matches: impl Fn(&ResId) -> bool) -> Vec<usize> {
        let all = self.list.iter().enumerate();
        let fitting = all.filter(|(_, resource)| has_id(resource, schemas, &matches));
        fitting.map(|(index, _)| index).collect()
    }

    /// Returns the one object that a patch without target means.
    pub fn by_id(&mut self, id: &ResId, schemas: &Schemas) -> Result<usize> {
        let same = |other: &ResId| id.same(other);
        let found = self.matching_any(&id.name, &id.gvk.kind, schemas, same);
        let how_many = match found.len() {
            1 => return Ok(found[0]),
            0 => "no",
            _ => "multiple",
        };
        fail!("{how_many} matches for Id {id}; failed to find unique target for patch {id}")
    }

    /// Adds what a generator made: creates, merges with or replaces what is there.
    pub fn absorb_all(&mut self, made: Vec<Resource>, schemas: &Schemas) -> Result<()> {
        made.into_iter()
            .try_for_each(|resource| self.absorb(resource, schemas))
    }

    fn absorb(&mut self, mut made: Resource, schemas: &Schemas) -> Result<()> {
        let id = made.current_id(schemas);
        let same = |other: &ResId| id.same(other);
        let found = self.matching_any(&id.name, &id.gvk.kind, schemas, same);
        let behavior = made.notes.behavior;
        match (found.as_slice(), behavior) {
            ([], Behavior::Merge | Behavior::Replace) => Err(BuildError::with(
                Fault::Missing,
                format!(
                    "id {} does not exist; cannot merge or replace",
                    go_syntax(&id)
                ),
            )),
            ([], _) => self.append(made, schemas),
            ([index], Behavior::Replace) => {
                take_metadata(&mut made, &self.list[*index])?;
                self.replace(*index, made, schemas)
            }
            ([index], Behavior::Merge) => {
                let old = &self.list[*index];
                let origin = old.annotation(ORIGIN).map(str::to_owned);
                take_metadata(&mut made, old)?;
                merge_data(&mut made, old)?;
                if origin.is_some() {
                    made.set_annotation(ORIGIN, origin.as_deref())?;
                }
                self.replace(*index, made, schemas)
            }
            ([_], _) => fail!(
                "id {} exists; can not use behavior: '{}', behavior must be merge or replace",
                go_syntax(&id),
                behavior.as_str()
            ),
            _ => fail!(
                "found multiple objects {} that could accept merge of {id}",
                found.len()
            ),
        }
    }

    fn replace(&mut self, index: usize, made: Resource, schemas: &Schemas) -> Result<()> {
        let id = made.current_id(schemas);
        let known = self
            .current_index(schemas)
            .get(&CurrentKey::of(&id))
            .copied();
        match known {
            None => fail!("cannot find resource with id {id} to replace"),
            Some(at) if at as usize != index => fail!("unexpected target index in replacement"),
            Some(_) => {}
        }
        // The new object took over name, kind and former identities: the indexes still hold.
        self.list[index] = made;
        Ok(())
    }
}

fn note_any(index: &mut HashMap<(Text, Text), Places>, resource: &Resource, at: usize) {
    let mut note = |name: &str, kind: &str| {
        let places = index.entry((name.into(), kind.into())).or_default();
        if places.last() != Some(&place(at)) {
            places.push(place(at));
        }
    };
    note(resource.name(), resource.kind());
    for former in &resource.notes.former {
        note(&former.name, &former.kind);
    }
}

fn has_id(resource: &Resource, schemas: &Schemas, matches: impl Fn(&ResId) -> bool) -> bool {
    !resource.is_gone()
        && (resource.former_ids().any(|id| matches(&id)) || matches(&resource.current_id(schemas)))
}

/// Prints an identity as Go's `%#v` does; users see it in generator conflicts.
fn go_syntax(id: &ResId) -> String {
    format!(
        "resid.ResId{{Gvk:resid.Gvk{{Group:{:?}, Version:{:?}, Kind:{:?}, isClusterScoped:{}}}, \
         Name:{:?}, Namespace:{:?}}}",
        id.gvk.group, id.gvk.version, id.gvk.kind, id.cluster_scoped, id.name, id.namespace
    )
}

/// Gives a generated object the metadata of the one it merges with; new labels and annotations win.
fn take_metadata(made: &mut Resource, old: &Resource) -> Result<()> {
    for name in ["labels", "annotations"] {
        let texts = old.meta_map(name).into_iter().chain(made.meta_map(name));
        let merged = texts.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        made.set_meta_map(name, merged)?;
    }
    let needs_hash = made.notes.needs_hash && old.notes.needs_hash;
    made.notes = old.notes.clone();
    made.notes.needs_hash = needs_hash;
    made.set_name(old.name())?;
    made.set_namespace(old.namespace())?;
    made.variables = old.variables.clone();
    Ok(())
}

fn merge_data(made: &mut Resource, old: &Resource) -> Result<()> {
    for name in ["data", "binaryData"] {
        let mut merged = crate::generators::data_map(&old.node, name);
        merged.extend(crate::generators::data_map(&made.node, name));
        made.node.remove(name);
        for (key, value) in merged {
            crate::generators::set_data(&mut made.node, name, &key, &value)?;
        }
    }
    Ok(())
}
