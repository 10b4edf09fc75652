//! Field sets whose schema has changed since they were recorded.
//!
//! A list or map that became atomic is owned as a whole by who owned any part of it. What became granular stays as it is.

use crate::schema::{List, Map, Scalar, Schema, TypeId};

use super::path::{Path, PathElement};
use super::set::FieldSet;
use super::typed::{Handler, ValidationErrors, select};

/// Fits a recorded set to the present schema; `None` where it fits already.
///
/// # Errors
/// Lists what in the set and the schema does not fit together.
pub fn reconcile_field_set(
    set: &FieldSet,
    schema: &Schema,
    ty: TypeId,
) -> Result<Option<FieldSet>, ValidationErrors> {
    let mut walker = Walker {
        schema,
        path: Path::new(),
        became_atomic: FieldSet::new(),
    };
    walker.node(Some(ty), Some(set), false)?;
    if walker.became_atomic.is_empty() {
        return Ok(None);
    }
    let roots = walker.became_atomic;
    Ok(Some(set.recursive_difference(&roots).union(&roots)))
}

struct Walker<'a> {
    schema: &'a Schema,
    path: Path,
    /// Roots of what is atomic now and was owned in parts.
    became_atomic: FieldSet,
}

impl Walker<'_> {
    /// `whole`: the node is owned and nothing below it is.
    fn node(
        &mut self,
        ty: Option<TypeId>,
        set: Option<&FieldSet>,
        whole: bool,
    ) -> Result<(), ValidationErrors> {
        let ty = self.schema.get_or_invalid(ty);
        match select(ty, None).handler()? {
            Handler::Scalar(_) => Ok(()),
            Handler::List(list) => self.list(list, set, whole),
            Handler::Map(map) => self.map(map, set, whole),
        }
    }

    fn list(
        &mut self,
        list: &List,
        set: Option<&FieldSet>,
        whole: bool,
    ) -> Result<(), ValidationErrors> {
        if !whole && list.is_atomic() {
            self.became_atomic.insert(&self.path);
            return Ok(());
        }
        self.items(set, |_| Some(list.element))
    }

    fn map(
        &mut self,
        map: &Map,
        set: Option<&FieldSet>,
        whole: bool,
    ) -> Result<(), ValidationErrors> {
        if self.is_deduced(map) {
            return Ok(());
        }
        if !whole && map.is_atomic() {
            if set.is_some_and(|set| !set.is_empty()) {
                self.became_atomic.insert(&self.path);
            }
            return Ok(());
        }
        self.items(set, |element| match element {
            PathElement::Field(name) => map.type_of(name),
            _ => map.element,
        })
    }

    fn items(
        &mut self,
        set: Option<&FieldSet>,
        type_of: impl Fn(&PathElement) -> Option<TypeId>,
    ) -> Result<(), ValidationErrors> {
        for entry in set.map_or(&[][..], |set| set.entries.as_slice()) {
            let Some(ty) = type_of(&entry.element) else {
                continue;
            };
            let below = Some(&entry.children).filter(|c| !c.entries.is_empty());
            self.path.push(entry.element.clone());
            let outcome = self.node(Some(ty), below, entry.member && below.is_none());
            self.path.pop();
            outcome?;
        }
        Ok(())
    }

    /// Tells whether a map has no declared fields and takes values of any kind.
    fn is_deduced(&self, map: &Map) -> bool {
        let Some(element) = map.element else {
            return false;
        };
        let element = self.schema.get(element);
        map.fields.is_empty()
            && match &element.name {
                Some(name) => &**name == crate::schema::DEDUCED,
                None => element.scalar == Some(Scalar::Untyped),
            }
    }
}
