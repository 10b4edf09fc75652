//! Schemas: what fields a kind has, how they merge, what they default to.
//!
//! One graph of interned types serves merging, ownership, strategic patches, strict decoding and defaults. It is read from
//! the packed data of the built-in kinds ([`builtin`]), from OpenAPI components, from the schema of a custom resource
//! ([`openapi`]), or from the type lists of the merge vectors ([`smd_json`]).

pub mod builtin;
pub mod openapi;
pub mod smd_json;

use std::collections::HashMap;
use std::sync::Arc;

use compact_str::CompactString;

use crate::{Gvk, Value};

/// Name of the type of values without a schema: maps merge by key, lists are taken whole.
pub const DEDUCED: &str = "__untyped_deduced_";
/// Name of the type of values without a schema that are taken whole.
pub const UNTYPED: &str = "__untyped_atomic_";

/// Index of a type in its [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(u32);

/// A graph of types.
#[derive(Debug, Default)]
pub struct Schema {
    types: Vec<Type>,
    by_name: HashMap<Arc<str>, TypeId>,
    kinds: HashMap<Gvk, TypeId>,
}

/// One type: what shapes its values may have. Types without a schema have several.
#[derive(Clone, Debug, Default)]
pub struct Type {
    /// Name; inline types have none.
    pub name: Option<Arc<str>>,
    /// Referred to but not defined.
    pub missing: bool,
    /// Shape of scalar values.
    pub scalar: Option<Scalar>,
    /// Shape of lists.
    pub list: Option<List>,
    /// Shape of maps and structs.
    pub map: Option<Map>,
    /// What the OpenAPI schema says beyond the shape.
    pub form: Form,
    /// Unknown fields are kept here and below.
    pub preserve_unknown_fields: bool,
    /// The value is an object of its own, with apiVersion, kind and metadata.
    pub embedded_resource: bool,
    /// Allowed values, where they are listed; sorted as given.
    pub allowed: Vec<Value>,
}

/// Kinds of scalars that merging knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// Integers and floats.
    Numeric,
    /// Strings.
    String,
    /// Booleans.
    Boolean,
    /// Any scalar.
    Untyped,
}

/// The JSON type and format of an OpenAPI schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Nothing is said, or the type came from a merge schema.
    #[default]
    Any,
    /// Text.
    String,
    /// Base64 text.
    Bytes,
    /// An RFC 3339 time, in whole seconds or microseconds.
    DateTime,
    /// An integer of 32 bits.
    Int32,
    /// An integer of 64 bits.
    Int64,
    /// A number.
    Number,
    /// A boolean.
    Boolean,
    /// A resource quantity: text or number.
    Quantity,
    /// An integer or text.
    IntOrString,
    /// A list.
    List,
    /// A map or a struct.
    Object,
}

/// A list type.
#[derive(Clone, Debug)]
pub struct List {
    /// Type of the items.
    pub element: TypeId,
    /// How it merges.
    pub relationship: Relationship,
    /// Fields that name an item, as declared; empty for sets and atomic lists.
    pub keys: Vec<CompactString>,
}

/// A map or struct type.
#[derive(Clone, Debug, Default)]
pub struct Map {
    /// Declared fields, sorted by name.
    pub fields: Vec<Field>,
    /// Type of other keys; none where other keys are not allowed.
    pub element: Option<TypeId>,
    /// How it merges.
    pub relationship: Relationship,
}

/// A declared field.
#[derive(Clone, Debug)]
pub struct Field {
    /// Name.
    pub name: CompactString,
    /// Type of the value.
    pub ty: TypeId,
    /// Default, as declared; `{}` means that Go always prints the struct.
    pub default: Option<Value>,
    /// Objects without it are invalid.
    pub required: bool,
    /// An explicit null is kept.
    pub nullable: bool,
    /// How strategic merge patches treat the field.
    pub patch: PatchRule,
}

/// How a strategic merge patch treats a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatchRule {
    /// Lists are merged by item, maps by key.
    pub merge: bool,
    /// Keys that the patch does not list are dropped (`$retainKeys`).
    pub retain_keys: bool,
    /// Maps are replaced, not merged.
    pub replace: bool,
    /// Field that names an item of a merged list.
    pub merge_key: Option<CompactString>,
}

/// How the parts of a value belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Relationship {
    /// Nothing said: maps are separable, lists atomic.
    #[default]
    Unsaid,
    /// Owned and replaced as a whole.
    Atomic,
    /// A list whose items are named by key or value.
    Associative,
    /// A map whose entries are owned one by one.
    Separable,
}

impl Schema {
    /// Returns a type.
    pub fn get(&self, id: TypeId) -> &Type {
        self.types.get(id.0 as usize).unwrap_or(&INVALID)
    }

    /// Returns a type, or one that no value fits.
    pub(crate) fn get_or_invalid(&self, id: Option<TypeId>) -> &Type {
        id.map_or(&INVALID, |id| self.get(id))
    }

    /// Finds a type by name.
    pub fn named(&self, name: &str) -> Option<TypeId> {
        self.by_name.get(name).copied()
    }

    /// Finds the type of a kind.
    pub fn kind(&self, gvk: &Gvk) -> Option<TypeId> {
        self.kinds.get(gvk).copied()
    }

    /// Iterates over the kinds, in no order.
    pub fn kinds(&self) -> impl Iterator<Item = (&Gvk, TypeId)> {
        self.kinds.iter().map(|(gvk, id)| (gvk, *id))
    }

    /// Returns the schema that knows nothing: maps merge by key, lists are taken whole.
    pub fn deduced() -> (Arc<Self>, TypeId) {
        static ONE: std::sync::LazyLock<(Arc<Schema>, TypeId)> = std::sync::LazyLock::new(|| {
            let mut schema = Schema::default();
            let id = schema.add_common_types();
            (Arc::new(schema), id)
        });
        ONE.clone()
    }

    /// Reserves a place for a type by name, so that others can refer to it before it is defined.
    pub(crate) fn reserve(&mut self, name: &str) -> TypeId {
        if let Some(id) = self.named(name) {
            return id;
        }
        let name: Arc<str> = name.into();
        let id = self.add(Type {
            name: Some(Arc::clone(&name)),
            missing: true,
            ..Type::default()
        });
        self.by_name.insert(name, id);
        id
    }

    /// Fills a reserved place.
    pub(crate) fn define(&mut self, id: TypeId, ty: Type) {
        if let Some(place) = self.types.get_mut(id.0 as usize) {
            let name = place.name.take();
            *place = Type {
                name,
                missing: false,
                ..ty
            };
        }
    }

    /// Adds an inline type.
    pub(crate) fn add(&mut self, ty: Type) -> TypeId {
        self.types.push(ty);
        TypeId(u32::try_from(self.types.len() - 1).expect("schemas are bounded by their text"))
    }

    pub(crate) fn add_kind(&mut self, gvk: Gvk, id: TypeId) {
        self.kinds.insert(gvk, id);
    }

    /// Defines [`UNTYPED`] and [`DEDUCED`]; returns the latter.
    pub(crate) fn add_common_types(&mut self) -> TypeId {
        for (name, relationship) in [
            (UNTYPED, Relationship::Atomic),
            (DEDUCED, Relationship::Separable),
        ] {
            let element = self.reserve(UNTYPED);
            let id = self.reserve(name);
            let ty = Type {
                scalar: Some(Scalar::Untyped),
                list: Some(List {
                    element,
                    relationship: Relationship::Atomic,
                    keys: Vec::new(),
                }),
                map: Some(Map {
                    fields: Vec::new(),
                    element: Some(id),
                    relationship,
                }),
                ..Type::default()
            };
            self.define(id, ty);
        }
        self.reserve(DEDUCED)
    }
}

impl Type {
    /// Returns the type with another relationship of its map, or else of its list; a scalar has none.
    pub(crate) fn with_relationship(&self, relationship: Relationship) -> Self {
        let mut ty = self.clone();
        if let Some(map) = &mut ty.map {
            map.relationship = relationship;
        } else if let Some(list) = &mut ty.list {
            list.relationship = relationship;
        } else {
            ty.missing = true;
            ty.scalar = None;
        }
        ty
    }
}

impl List {
    /// Tells whether the list is owned as a whole.
    pub fn is_atomic(&self) -> bool {
        self.relationship != Relationship::Associative
    }
}

impl Map {
    /// Builds a map type, sorting its fields.
    pub(crate) fn new(
        mut fields: Vec<Field>,
        element: Option<TypeId>,
        relationship: Relationship,
    ) -> Self {
        fields.sort_by(|a, b| a.name.cmp(&b.name));
        Self {
            fields,
            element,
            relationship,
        }
    }

    /// Tells whether the map is owned as a whole.
    pub fn is_atomic(&self) -> bool {
        self.relationship == Relationship::Atomic
    }

    /// Finds a declared field.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields
            .binary_search_by(|field| field.name.as_str().cmp(name))
            .ok()
            .map(|at| &self.fields[at])
    }

    /// Returns the type of a key: its field's, else that of other keys.
    pub fn type_of(&self, key: &str) -> Option<TypeId> {
        self.field(key).map(|field| field.ty).or(self.element)
    }
}

static INVALID: Type = Type {
    name: None,
    missing: false,
    scalar: None,
    list: None,
    map: None,
    form: Form::Any,
    preserve_unknown_fields: false,
    embedded_resource: false,
    allowed: Vec::new(),
};
