//! The objects of a build in order, packed, with indexes by identity so that no step compares all with all.
//!
//! Indexes are made on demand and thrown away by every step that may change identities.

use crate::error::{BuildError, Fault, Result, fail};
use crate::id::{ResId, split_api_version};
use crate::openapi::Schemas;
use crate::packed::{Identity, Packed};
use crate::places::Places;
use crate::resource::{Behavior, Notes, ORIGIN, Resource};

/// Objects in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct ResMap {
    list: Vec<Packed>,
    /// By the identity an object has now.
    current: Option<Places>,
    /// By every name and kind an object has or had.
    any: Option<Places>,
}

/// One step on one object, which looks at no other.
pub(crate) trait ObjectStep {
    fn apply(&self, resource: &mut Resource, schemas: &Schemas) -> Result<()>;
}

/// What makes two objects the same.
type Key<'a> = [&'a str; 5];

fn identity_key<'a>(identity: &Identity<'a>, schemas: &Schemas) -> Key<'a> {
    let (group, version) = split_api_version(identity.api_version);
    let namespace = identity.effective_namespace(schemas);
    [group, version, identity.kind, identity.name, namespace]
}

impl ResMap {
    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn list(&self) -> &[Packed] {
        &self.list
    }

    /// Unpacks an object.
    pub fn get(&self, index: usize) -> Resource {
        self.list[index].unpack()
    }

    /// Returns the present identity of an object.
    pub fn current_id(&self, index: usize, schemas: &Schemas) -> ResId {
        self.list[index].identity().id(schemas)
    }

    /// Works on one object.
    pub fn edit(
        &mut self,
        index: usize,
        work: impl FnOnce(&mut Resource) -> Result<()>,
    ) -> Result<()> {
        let mut resource = self.get(index);
        work(&mut resource)?;
        resource.settle();
        self.put(index, &resource);
        Ok(())
    }

    /// Puts an object back in its place; when its identity has changed, indexes are thrown away.
    pub fn put(&mut self, index: usize, resource: &Resource) {
        let packed = Packed::of(resource);
        let is_indexed = self.current.is_some() || self.any.is_some();
        if is_indexed && !packed.is_known_as(&self.list[index]) {
            self.forget();
        }
        self.list[index] = packed;
    }

    /// Runs steps over all objects, unpacking each once.
    ///
    /// The error is that of the first step that fails, as if each step had gone over all objects in turn.
    pub fn each(&mut self, steps: &[&dyn ObjectStep], schemas: &Schemas) -> Result<()> {
        if steps.is_empty() {
            return Ok(());
        }
        let (mut until, mut failed) = (steps.len(), None);
        for packed in &mut self.list {
            let mut resource = packed.unpack();
            for (index, step) in steps[..until].iter().enumerate() {
                if let Err(error) = step.apply(&mut resource, schemas) {
                    (until, failed) = (index, Some(error));
                    break;
                }
                resource.settle();
            }
            if failed.is_none() {
                *packed = Packed::of(&resource);
            }
        }
        self.forget();
        failed.map_or(Ok(()), Err)
    }

    /// Keeps the objects that the predicate wants.
    pub fn retain(&mut self, wanted: impl FnMut(&Packed) -> bool) {
        let before = self.list.len();
        self.list.retain(wanted);
        if self.list.len() < before {
            self.forget();
        }
    }

    /// Puts the objects in another order: the new list has at each place the object that stood at the given one.
    pub fn reorder(&mut self, places: &[usize]) {
        let mut old: Vec<Option<Packed>> = self.list.drain(..).map(Some).collect();
        self.list = places
            .iter()
            .filter_map(|place| old[*place].take())
            .collect();
        self.forget();
    }

    pub fn into_list(self) -> Vec<Packed> {
        self.list
    }

    /// Unpacks all objects; for the few that configure something.
    pub fn into_resources(self) -> Vec<Resource> {
        self.list.iter().map(Packed::unpack).collect()
    }

    /// Forgets the indexes, after identities changed.
    fn forget(&mut self) {
        self.current = None;
        self.any = None;
    }

    /// Drops deleted objects.
    pub fn drop_gone(&mut self) {
        self.retain(|packed| !packed.is_gone());
    }

    fn current_index(&mut self, schemas: &Schemas) -> &mut Places {
        let list = &self.list;
        self.current.get_or_insert_with(|| {
            let mut index = Places::default();
            index.reserve(list.len());
            for (place, packed) in list.iter().enumerate() {
                let hash = index.hash(identity_key(&packed.identity(), schemas));
                index.insert(hash, place);
            }
            index
        })
    }

    fn any_index(&mut self) -> &Places {
        let list = &self.list;
        self.any.get_or_insert_with(|| {
            let mut index = Places::default();
            index.reserve(list.iter().map(|packed| 1 + packed.former_count()).sum());
            for (place, packed) in list.iter().enumerate() {
                note_any(&mut index, packed, place);
            }
            index
        })
    }

    /// Adds an object; one with the same identity must not be there.
    pub fn append(&mut self, resource: &Resource, schemas: &Schemas) -> Result<()> {
        self.append_packed(Packed::of(resource), schemas)
    }

    fn append_packed(&mut self, packed: Packed, schemas: &Schemas) -> Result<()> {
        let identity = packed.identity();
        let key = identity_key(&identity, schemas);
        if self.place_of(key, schemas).is_some() {
            return Err(already_registered(&identity.id(schemas)));
        }
        let next = self.list.len();
        let current = self.current_index(schemas);
        current.insert(current.hash(key), next);
        if let Some(any) = &mut self.any {
            note_any(any, &packed, next);
        }
        self.list.push(packed);
        Ok(())
    }

    /// Finds the last object with an identity.
    fn place_of(&mut self, key: Key<'_>, schemas: &Schemas) -> Option<usize> {
        let current = self.current_index(schemas);
        let candidates = current.candidates(current.hash(key));
        let same = |place: &&usize| identity_key(&self.list[**place].identity(), schemas) == key;
        candidates.iter().rev().find(same).copied()
    }

    pub fn append_all(&mut self, others: Vec<Resource>, schemas: &Schemas) -> Result<()> {
        others
            .iter()
            .try_for_each(|resource| self.append(resource, schemas))
    }

    /// Adds the objects of another map.
    pub fn merge(&mut self, mut other: ResMap, schemas: &Schemas) -> Result<()> {
        if self.list.is_empty() {
            let unique = other.unique(schemas).map_err(|(_, second)| {
                let id = other.current_id(second, schemas);
                already_registered(&id)
            });
            other.current = Some(unique?);
            *self = other;
            return Ok(());
        }
        other
            .list
            .into_iter()
            .try_for_each(|packed| self.append_packed(packed, schemas))
    }

    /// Fails when two objects have the same identity.
    pub fn check_unique(&self, schemas: &Schemas) -> std::result::Result<(), (usize, usize)> {
        self.unique(schemas).map(|_| ())
    }

    /// Indexes the identities; fails with the places of the first two objects that have the same.
    fn unique(&self, schemas: &Schemas) -> std::result::Result<Places, (usize, usize)> {
        let mut seen = Places::default();
        seen.reserve(self.list.len());
        for (place, packed) in self.list.iter().enumerate() {
            let key = identity_key(&packed.identity(), schemas);
            let hash = seen.hash(key);
            let same =
                |first: &&usize| identity_key(&self.list[**first].identity(), schemas) == key;
            if let Some(first) = seen.candidates(hash).iter().find(same) {
                return Err((*first, place));
            }
            seen.insert(hash, place);
        }
        Ok(seen)
    }

    /// Returns the places of objects that have or had an identity that matches, by name and kind.
    pub fn matching_any(
        &mut self,
        name: &str,
        kind: &str,
        schemas: &Schemas,
        matches: impl Fn(&ResId) -> bool,
    ) -> Vec<usize> {
        let any = self.any_index();
        let candidates = any.candidates(any.hash((name, kind)));
        // A hash may be shared: the name and the kind have to be those that are looked for.
        let named = |id: &ResId| id.name == name && id.gvk.kind == kind;
        let is_called = |packed: &Packed| {
            named(&packed.identity().literal_id()) || packed.former_ids().iter().any(named)
        };
        let fits = |place: &usize| {
            let packed = &self.list[*place];
            is_called(packed) && has_id(packed, schemas, &matches)
        };
        candidates.into_iter().filter(fits).collect()
    }

    /// Returns the places of objects that have or had an identity, whatever its kind.
    pub fn scan_any(&self, schemas: &Schemas, matches: impl Fn(&ResId) -> bool) -> Vec<usize> {
        let all = self.list.iter().enumerate();
        let fitting = all.filter(|(_, packed)| has_id(packed, schemas, &matches));
        fitting.map(|(place, _)| place).collect()
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
            ([], _) => self.append(&made, schemas),
            ([index], Behavior::Replace) => {
                take_metadata(&mut made, &self.get(*index))?;
                self.replace(*index, &made, schemas)
            }
            ([index], Behavior::Merge) => {
                let old = &self.get(*index);
                let origin = old.annotation(ORIGIN).map(str::to_owned);
                take_metadata(&mut made, old)?;
                merge_data(&mut made, old)?;
                if origin.is_some() {
                    made.set_annotation(ORIGIN, origin.as_deref())?;
                }
                self.replace(*index, &made, schemas)
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

    fn replace(&mut self, index: usize, made: &Resource, schemas: &Schemas) -> Result<()> {
        let packed = Packed::of(made);
        let identity = packed.identity();
        match self.place_of(identity_key(&identity, schemas), schemas) {
            None => {
                let id = identity.id(schemas);
                fail!("cannot find resource with id {id} to replace")
            }
            Some(at) if at != index => fail!("unexpected target index in replacement"),
            Some(_) => {}
        }
        // The new object took over name, kind and former identities: the indexes still hold.
        self.list[index] = packed;
        Ok(())
    }
}

fn already_registered(id: &ResId) -> BuildError {
    let message = format!("may not add resource with an already registered id: {id}");
    BuildError::new(message)
}

fn note_any(index: &mut Places, packed: &Packed, place: usize) {
    let identity = packed.identity();
    index.insert(index.hash((identity.name, identity.kind)), place);
    for former in packed.former_ids() {
        index.insert(index.hash((&*former.name, &*former.gvk.kind)), place);
    }
}

fn has_id(packed: &Packed, schemas: &Schemas, matches: impl Fn(&ResId) -> bool) -> bool {
    !packed.is_gone()
        && (packed.former_ids().iter().any(&matches) || matches(&packed.identity().id(schemas)))
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
    made.notes = Notes {
        needs_hash: made.notes.needs_hash && old.notes.needs_hash,
        behavior: made.notes.behavior,
        ..old.notes.clone()
    };
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
