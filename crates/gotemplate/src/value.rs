//! Values as Go's `interface{}` holds them: a dynamic type is part of the value.
//!
//! Maps are shared and mutable, as `set` and `merge` need; lists never change. Containers are taken apart
//! without recursion when dropped, so that nesting made by a template cannot exhaust the stack.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::bytes::Bytes;
use crate::function::{CallResult, Signature};
use crate::grow;
use crate::object::Object;
use crate::text::Text;

/// A Go value.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// A nil interface.
    #[default]
    Nil,
    /// `bool`.
    Bool(bool),
    /// `int`, which integer literals are.
    Int(i64),
    /// `int64`, which integer arithmetic and `--set` give.
    Int64(i64),
    /// `uint8`, a byte of a string or of bytes.
    Uint8(u8),
    /// `uint64`, the parts of a version.
    Uint64(u64),
    /// `float64`, which every number of YAML and JSON is.
    Float(f64),
    /// `complex128`.
    Complex(f64, f64),
    /// `string`.
    Text(Text),
    /// `[]uint8`.
    Bytes(Bytes),
    /// Any other slice.
    List(List),
    /// A map with string keys.
    Map(Map),
    /// A struct, pointer or named type with fields and methods.
    Object(Arc<dyn Object>),
}

/// Go's kind of a value, as `kindOf` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No value.
    Invalid,
    /// A boolean.
    Bool,
    /// `int`.
    Int,
    /// `int64` and types made of it.
    Int64,
    /// `uint8`.
    Uint8,
    /// `uint64`.
    Uint64,
    /// `float64`.
    Float64,
    /// `complex128`.
    Complex128,
    /// A string.
    String,
    /// A slice.
    Slice,
    /// A map.
    Map,
    /// A struct.
    Struct,
    /// A pointer.
    Ptr,
}

impl Kind {
    /// Go's name of the kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Uint8 => "uint8",
            Self::Uint64 => "uint64",
            Self::Float64 => "float64",
            Self::Complex128 => "complex128",
            Self::String => "string",
            Self::Slice => "slice",
            Self::Map => "map",
            Self::Struct => "struct",
            Self::Ptr => "ptr",
        }
    }
}

/// Static type of a slice's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// `[]interface {}`.
    Any,
    /// `[]string`.
    Text,
    /// `[]int`.
    Int,
    /// `[][]interface {}`.
    Lists,
    /// `[]map[string]interface {}`, arrays of tables in TOML.
    Maps,
}

impl Element {
    /// Bytes of an element, and whether there are pointers in it.
    fn layout(self) -> (usize, bool) {
        match self {
            Self::Any | Self::Text => (16, true),
            Self::Int => (8, false),
            Self::Lists => (24, true),
            Self::Maps => (8, true),
        }
    }

    /// What stands where nothing was put.
    pub(crate) fn zero(self) -> Value {
        match self {
            Self::Any => Value::Nil,
            Self::Text => "".into(),
            Self::Int => Value::Int(0),
            Self::Lists => List::nil(Self::Any).into(),
            Self::Maps => Value::Map(Map::nil()),
        }
    }
}

/// A slice. Cloning shares the elements.
#[derive(Clone)]
pub struct List {
    element: Element,
    nil: bool,
    /// Room behind the elements, into which Go lets one slice.
    spare: u32,
    items: Arc<Items>,
}

struct Items(Vec<Value>);

impl Drop for Items {
    fn drop(&mut self) {
        dismantle(std::mem::take(&mut self.0));
    }
}

impl List {
    /// A `[]interface {}` with these elements.
    pub fn new(items: Vec<Value>) -> Self {
        Self::of(Element::Any, items)
    }

    /// A slice with this element type.
    pub fn of(element: Element, items: Vec<Value>) -> Self {
        Self {
            element,
            nil: false,
            spare: 0,
            items: Arc::new(Items(items)),
        }
    }

    /// A slice that was made by appending its elements one by one to nothing.
    pub fn appended(element: Element, items: Vec<Value>) -> Self {
        Self::appended_to(0, element, items)
    }

    /// A slice that was made by appending its elements one by one to an empty slice with some room.
    pub fn appended_to(room: usize, element: Element, items: Vec<Value>) -> Self {
        let (width, pointers) = element.layout();
        let room = grow::appended(room, items.len(), width, pointers);
        Self::of(element, items).with_room(room)
    }

    /// A slice that `append` has made of one with this room in a single step.
    pub(crate) fn extended(room: usize, element: Element, items: Vec<Value>) -> Self {
        let (width, pointers) = element.layout();
        let room = grow::extended(room, items.len(), width, pointers);
        Self::of(element, items).with_room(room)
    }

    /// The same elements with room for so many in all.
    pub fn with_room(mut self, room: usize) -> Self {
        let spare = room.saturating_sub(self.items().len());
        self.spare = u32::try_from(spare).unwrap_or(u32::MAX);
        self
    }

    /// For how many elements there is room: what Go calls the capacity.
    pub fn room(&self) -> usize {
        self.items().len() + self.spare as usize
    }

    /// A nil slice: empty, but `null` in JSON.
    pub fn nil(element: Element) -> Self {
        Self {
            nil: true,
            ..Self::of(element, Vec::new())
        }
    }

    /// A `[]string` whose elements were appended one by one.
    pub fn appended_texts<T: Into<Text>>(texts: impl IntoIterator<Item = T>) -> Self {
        let items = texts.into_iter().map(|text| Value::Text(text.into()));
        Self::appended(Element::Text, items.collect())
    }

    /// A `[]string`.
    pub fn texts<T: Into<Text>>(texts: impl IntoIterator<Item = T>) -> Self {
        let items = texts.into_iter().map(|text| Value::Text(text.into()));
        Self::of(Element::Text, items.collect())
    }

    /// The elements in order.
    pub fn items(&self) -> &[Value] {
        &self.items.0
    }

    /// Static type of the elements.
    pub fn element(&self) -> Element {
        self.element
    }

    /// Whether the slice is nil rather than empty.
    pub fn is_nil(&self) -> bool {
        self.nil
    }

    /// Go's name of the type.
    pub fn type_name(&self) -> &'static str {
        match self.element {
            Element::Any => "[]interface {}",
            Element::Text => "[]string",
            Element::Int => "[]int",
            Element::Lists => "[][]interface {}",
            Element::Maps => "[]map[string]interface {}",
        }
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.type_name(), self.items().len())
    }
}

/// Type of a map; all keys are strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapKind {
    /// `map[string]interface {}`.
    Any,
    /// `map[string]string`.
    Text,
    /// A named type made of `map[string]interface {}`, such as `common.Values`.
    Named(&'static MapType),
}

/// A named map type and its methods, which stand before keys of the same name.
#[derive(Debug)]
pub struct MapType {
    /// Go's name of the type.
    pub name: &'static str,
    /// The signature of a method.
    pub method: fn(&[u8]) -> Option<&'static Signature>,
    /// Calls a method that `method` knows; the arguments fit its signature.
    pub call: fn(&Map, &[u8], &[Value]) -> CallResult,
}

impl PartialEq for MapType {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for MapType {}

/// A map. Cloning shares the entries, as Go's maps do.
#[derive(Clone)]
pub struct Map {
    kind: MapKind,
    nil: bool,
    entries: Arc<Entries>,
}

/// The entries of a map, sorted by key.
pub type Tree = BTreeMap<Text, Value>;

struct Entries(RwLock<Tree>);

impl Drop for Entries {
    fn drop(&mut self) {
        let tree = self.0.get_mut().map(std::mem::take).unwrap_or_default();
        dismantle(tree.into_values().collect());
    }
}

impl Map {
    /// A `map[string]interface {}` with these entries.
    pub fn new(entries: Tree) -> Self {
        Self::of(MapKind::Any, entries)
    }

    /// A map of this type.
    pub fn of(kind: MapKind, entries: Tree) -> Self {
        Self {
            kind,
            nil: false,
            entries: Arc::new(Entries(RwLock::new(entries))),
        }
    }

    /// A nil map: reads as empty, refuses writes.
    pub fn nil() -> Self {
        Self {
            nil: true,
            ..Self::new(Tree::new())
        }
    }

    /// The same entries seen as another type.
    pub fn as_kind(&self, kind: MapKind) -> Self {
        Self {
            kind,
            ..self.clone()
        }
    }

    /// Type of the map.
    pub fn kind(&self) -> MapKind {
        self.kind
    }

    /// Whether the map is nil rather than empty.
    pub fn is_nil(&self) -> bool {
        self.nil
    }

    /// The entries for reading; do not call into a template while holding them.
    pub fn read(&self) -> RwLockReadGuard<'_, Tree> {
        self.entries
            .0
            .read()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The entries for writing.
    pub fn write(&self) -> RwLockWriteGuard<'_, Tree> {
        self.entries
            .0
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The value under a key.
    pub fn get(&self, key: &[u8]) -> Option<Value> {
        self.read().get(key).cloned()
    }

    /// Puts a value under a key.
    pub fn set(&self, key: impl Into<Text>, value: Value) {
        // The old value is dropped after the lock.
        let _old = self.write().insert(key.into(), value);
    }

    /// A copy of the entries as they are now.
    pub fn snapshot(&self) -> Tree {
        self.read().clone()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.read().is_empty()
    }

    /// Whether both are the same map, not only equal ones.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.entries, &other.entries)
    }

    /// Go's name of the type.
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            MapKind::Any => "map[string]interface {}",
            MapKind::Text => "map[string]string",
            MapKind::Named(named) => named.name,
        }
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.type_name(), self.len())
    }
}

/// Drops values without recursing into nested containers.
fn dismantle(values: Vec<Value>) {
    let mut pending = values;
    while let Some(value) = pending.pop() {
        match value {
            Value::List(list) => {
                if let Some(mut items) = Arc::into_inner(list.items) {
                    pending.append(&mut items.0);
                }
            }
            Value::Map(map) => {
                if let Some(mut entries) = Arc::into_inner(map.entries) {
                    let tree = entries.0.get_mut().map(std::mem::take).unwrap_or_default();
                    pending.extend(tree.into_values());
                }
            }
            _ => {}
        }
    }
}

impl Value {
    /// A string.
    pub fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    /// A `[]interface {}`.
    pub fn list(items: Vec<Self>) -> Self {
        Self::List(List::new(items))
    }

    /// A `map[string]interface {}`.
    pub fn map<K: Into<Text>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Map(Map::new(
            entries
                .into_iter()
                .map(|(key, value)| (key.into(), value))
                .collect(),
        ))
    }

    /// A custom object.
    pub fn object(object: impl Object + 'static) -> Self {
        Self::Object(Arc::new(object))
    }

    /// Whether this is a nil interface.
    pub fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }

    /// Go's kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Nil => Kind::Invalid,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_) => Kind::Int,
            Self::Int64(_) => Kind::Int64,
            Self::Uint8(_) => Kind::Uint8,
            Self::Uint64(_) => Kind::Uint64,
            Self::Float(_) => Kind::Float64,
            Self::Complex(..) => Kind::Complex128,
            Self::Text(_) => Kind::String,
            Self::Bytes(_) | Self::List(_) => Kind::Slice,
            Self::Map(_) => Kind::Map,
            Self::Object(object) => object.kind(),
        }
    }

    /// Go's name of the dynamic type, as `%T` prints it.
    pub fn type_name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Int64(_) => "int64",
            Self::Uint8(_) => "uint8",
            Self::Uint64(_) => "uint64",
            Self::Float(_) => "float64",
            Self::Complex(..) => "complex128",
            Self::Text(_) => "string",
            Self::Bytes(_) => "[]uint8",
            Self::List(list) => list.type_name(),
            Self::Map(map) => map.type_name(),
            Self::Object(object) => return object.type_name(),
        })
    }

    /// The number of any signed integer kind.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) | Self::Int64(number) => Some(*number),
            Self::Object(object) => object.int(),
            _ => None,
        }
    }

    /// The number of any unsigned integer kind.
    pub fn as_uint(&self) -> Option<u64> {
        match self {
            Self::Uint8(number) => Some(u64::from(*number)),
            Self::Uint64(number) => Some(*number),
            _ => None,
        }
    }

    /// The elements of any slice; bytes come as `uint8`.
    pub fn elements(&self) -> Option<Cow<'_, [Self]>> {
        match self {
            Self::List(list) => Some(Cow::Borrowed(list.items())),
            Self::Bytes(bytes) => Some(bytes.iter().map(|&b| Self::Uint8(b)).collect()),
            Self::Object(object) => object.elements().map(Cow::Owned),
            _ => None,
        }
    }

    /// The entries of any map.
    pub fn entries(&self) -> Option<Tree> {
        match self {
            Self::Map(map) => Some(map.snapshot()),
            Self::Object(object) => object.entries(),
            _ => None,
        }
    }

    /// Length of a string, slice or map.
    pub fn length(&self) -> Option<usize> {
        match self {
            Self::Text(text) => Some(text.len()),
            Self::Bytes(bytes) => Some(bytes.len()),
            Self::List(list) => Some(list.items().len()),
            Self::Map(map) => Some(map.len()),
            Self::Object(object) => match object.kind() {
                Kind::Slice => object.elements().map(|items| items.len()),
                Kind::Map => object.entries().map(|entries| entries.len()),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether `if` takes the value for true.
    pub fn truth(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(flag) => *flag,
            Self::Float(number) => *number != 0.0,
            Self::Complex(real, imaginary) => *real != 0.0 || *imaginary != 0.0,
            Self::Uint8(number) => *number != 0,
            Self::Uint64(number) => *number != 0,
            Self::Int(number) | Self::Int64(number) => *number != 0,
            Self::Object(object) if object.int().is_some() => object.int() != Some(0),
            _ => self.length() != Some(0),
        }
    }

    /// Whether two values are deeply equal, dynamic types included (`reflect.DeepEqual`).
    pub fn deep_equal(&self, other: &Self) -> bool {
        deep_equal(self, other, 0, &mut 0)
    }
}

/// Deepest nesting that is compared; deeper values count as different.
const COMPARE_DEPTH_MAX: usize = 500;

/// Most parts that are compared: shared ones could be compared without end.
const COMPARE_STEPS_MAX: u64 = 10_000_000;

fn deep_equal(left: &Value, right: &Value, depth: usize, steps: &mut u64) -> bool {
    *steps += 1;
    if depth > COMPARE_DEPTH_MAX || *steps > COMPARE_STEPS_MAX {
        return false;
    }
    match (left, right) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) | (Value::Int64(a), Value::Int64(b)) => a == b,
        (Value::Uint8(a), Value::Uint8(b)) => a == b,
        (Value::Uint64(a), Value::Uint64(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Complex(a, b), Value::Complex(c, d)) => a == c && b == d,
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            a.element == b.element
                && a.nil == b.nil
                && a.items().len() == b.items().len()
                && a.items()
                    .iter()
                    .zip(b.items())
                    .all(|(a, b)| deep_equal(a, b, depth + 1, steps))
        }
        (Value::Map(a), Value::Map(b)) => {
            if a.kind != b.kind || a.nil != b.nil {
                return false;
            }
            if a.same(b) {
                return true;
            }
            let (a, b) = (a.snapshot(), b.snapshot());
            a.len() == b.len()
                && a.iter()
                    .zip(&b)
                    .all(|((ka, va), (kb, vb))| ka == kb && deep_equal(va, vb, depth + 1, steps))
        }
        (Value::Object(a), Value::Object(b)) => {
            Arc::ptr_eq(a, b)
                || a.type_name() == b.type_name()
                    && deep_equal(&a.plain(), &b.plain(), depth + 1, steps)
        }
        _ => false,
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl From<List> for Value {
    fn from(list: List) -> Self {
        Self::List(list)
    }
}
