//! Objects at rest: packed into few bytes between the steps of a build, unpacked one at a time while one works
//! on them.
//!
//! A build holds all its objects at once, and as trees they take some twenty times their text. Packed they take
//! less than it. What steps ask of objects that they do not change (identity, former identities, whether a hash
//! is wanted) is read off the bytes.

mod tree;
mod words;

use kyaml::{Node, Text};
use smallvec::SmallVec;

use crate::id::{Gvk, ResId, effective_namespace, split_api_version};
use crate::node::shared::{Shared, set_number};
use crate::openapi::Schemas;
use crate::resource::{Behavior, FormerId, Notes, Resource};
use tree::Reader;

/// Flags of the first byte.
const NEEDS_HASH: u8 = 1;
const ALLOW_NAME: u8 = 1 << 1;
const ALLOW_KIND: u8 = 1 << 2;
const BEHAVIOR_SHIFT: u8 = 3;
const BEHAVIOR: u8 = 0b111;
const HAS_LISTS: u8 = 1 << 6;
const KEEPS_MARKS: u8 = 1 << 7;

const BEHAVIORS: [Behavior; 5] = [
    Behavior::None,
    Behavior::Unspecified,
    Behavior::Create,
    Behavior::Replace,
    Behavior::Merge,
];

/// One object with its notes, as bytes.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    bytes: Box<[u8]>,
}

/// What an object is called, read off its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity<'a> {
    pub api_version: &'a str,
    pub kind: &'a str,
    pub name: &'a str,
    /// Namespace as written.
    pub namespace: &'a str,
}

impl Packed {
    /// Packs an object.
    pub fn of(resource: &Resource) -> Self {
        let mut bytes = Vec::with_capacity(512);
        write_notes(&mut bytes, resource);
        tree::write_node(&mut bytes, &resource.node, resource.keeps_marks);
        Self {
            bytes: bytes.into_boxed_slice(),
        }
    }

    /// Tells whether the other form of this object has, and had, the same identities.
    pub fn is_known_as(&self, other: &Self) -> bool {
        self.identity() == other.identity()
            && self.is_gone() == other.is_gone()
            && self.former_ids() == other.former_ids()
    }

    /// Unpacks the object.
    pub fn unpack(&self) -> Resource {
        let mut reader = Reader::new(&self.bytes);
        let mut resource = read_notes(&mut reader);
        resource.node = reader.node();
        resource
    }

    /// Returns what the build remembers about the object.
    pub fn notes(&self) -> Notes {
        read_notes(&mut Reader::new(&self.bytes)).notes
    }

    /// Returns the names of the variables that read this object.
    pub fn variables(&self) -> Vec<Text> {
        if self.bytes[0] & HAS_LISTS == 0 {
            return Vec::new();
        }
        read_notes(&mut Reader::new(&self.bytes)).variables
    }

    /// Tells whether the name is to get a suffix.
    pub fn needs_hash(&self) -> bool {
        self.bytes[0] & NEEDS_HASH != 0
    }

    /// Tells whether a patch has deleted the object.
    pub fn is_gone(&self) -> bool {
        self.tree().glance().is_empty()
    }

    /// Reads the identity.
    pub fn identity(&self) -> Identity<'_> {
        let (mut api_version, mut kind, mut metadata) = (None, None, None);
        for (key, value) in self.tree().glance().entries() {
            match key {
                Some("apiVersion") => api_version = api_version.or(Some(value)),
                Some("kind") => kind = kind.or(Some(value)),
                Some("metadata") => metadata = metadata.or(Some(value)),
                _ => {}
            }
            if api_version.is_some() && kind.is_some() && metadata.is_some() {
                break;
            }
        }
        let (name, namespace) = metadata.map_or(("", ""), name_and_namespace);
        Identity {
            api_version: api_version.map_or("", |value| value.glance().text()),
            kind: kind.map_or("", |value| value.glance().text()),
            name,
            namespace,
        }
    }

    /// Tells how many identities the object had.
    pub fn former_count(&self) -> usize {
        let mut reader = Reader::new(&self.bytes);
        if reader.byte() & HAS_LISTS == 0 {
            return 0;
        }
        reader.number();
        reader.number()
    }

    /// Returns the identities the object had, oldest first.
    pub fn former_ids(&self) -> SmallVec<[ResId; 2]> {
        if self.bytes[0] & HAS_LISTS == 0 {
            return SmallVec::new();
        }
        let former = self.notes().former;
        let (group, version) = split_api_version(self.identity().api_version);
        let id = |former: FormerId| ResId {
            gvk: Gvk::new(group, version, &former.kind),
            name: former.name,
            namespace: former.namespace,
            cluster_scoped: false,
        };
        former.into_iter().map(id).collect()
    }

    fn tree(&self) -> Reader<'_> {
        let mut reader = Reader::new(&self.bytes);
        skip_notes(&mut reader);
        reader
    }
}

impl Identity<'_> {
    /// Returns the identity as an owned value.
    pub fn id(&self, schemas: &Schemas) -> ResId {
        ResId {
            cluster_scoped: self.is_cluster_scoped(schemas),
            ..self.literal_id()
        }
    }

    /// Returns the identity as written, without knowing the scope of the kind.
    pub fn literal_id(&self) -> ResId {
        ResId {
            gvk: self.gvk(),
            name: self.name.into(),
            namespace: self.namespace.into(),
            cluster_scoped: false,
        }
    }

    pub fn gvk(&self) -> Gvk {
        Gvk::from_api_version(self.api_version, self.kind)
    }

    pub fn is_cluster_scoped(&self, schemas: &Schemas) -> bool {
        schemas.is_cluster_scoped(self.api_version, self.kind)
    }
}

impl<'a> Identity<'a> {
    /// Returns the namespace that counts.
    pub fn effective_namespace(&self, schemas: &Schemas) -> &'a str {
        effective_namespace(self.namespace, self.is_cluster_scoped(schemas))
    }
}

fn name_and_namespace<'a>(metadata: Reader<'a>) -> (&'a str, &'a str) {
    let metadata = metadata.glance();
    if metadata.is_empty() {
        return ("", "");
    }
    let (mut name, mut namespace) = (None, None);
    for (key, value) in metadata.entries() {
        match key {
            Some("name") => name = name.or(Some(value)),
            Some("namespace") => namespace = namespace.or(Some(value)),
            _ => {}
        }
        if name.is_some() && namespace.is_some() {
            break;
        }
    }
    let text = |value: Option<Reader<'a>>| {
        let value = value.map(Reader::glance).filter(|value| !value.is_empty());
        value.map_or("", |value| value.text())
    };
    (text(name), text(namespace))
}

/// Appends the flags, and the lists where there are any, behind their length.
fn write_notes(out: &mut Vec<u8>, resource: &Resource) {
    let notes = &resource.notes;
    let behavior = BEHAVIORS.iter().position(|b| *b == notes.behavior);
    let mut flags = u8::try_from(behavior.unwrap_or(0)).unwrap_or(0) << BEHAVIOR_SHIFT;
    let has_lists = !(notes.former.is_empty()
        && notes.prefixes.is_empty()
        && notes.suffixes.is_empty()
        && notes.helm_generated.is_none()
        && resource.variables.is_empty()
        && resource.shared_count == 0);
    for (set, flag) in [
        (notes.needs_hash, NEEDS_HASH),
        (notes.allow_name_change, ALLOW_NAME),
        (notes.allow_kind_change, ALLOW_KIND),
        (has_lists, HAS_LISTS),
        (resource.keeps_marks, KEEPS_MARKS),
    ] {
        flags |= if set { flag } else { 0 };
    }
    out.push(flags);
    if has_lists {
        let mut lists = Vec::with_capacity(128);
        write_lists(&mut lists, resource);
        tree::write_number(out, lists.len());
        out.extend_from_slice(&lists);
    }
}

fn write_lists(out: &mut Vec<u8>, resource: &Resource) {
    let notes = &resource.notes;
    tree::write_number(out, notes.former.len());
    let mut before = ["", "", ""];
    for former in &notes.former {
        let parts = [&former.namespace, &former.name, &former.kind].map(Text::as_str);
        for (text, before) in parts.iter().zip(before) {
            if *text == before {
                out.push(tree::SAME);
            } else {
                tree::write_word(out, text);
            }
        }
        before = parts;
    }
    for list in [&notes.prefixes[..], &notes.suffixes, &resource.variables] {
        tree::write_number(out, list.len());
        list.iter().for_each(|text| tree::write_text(out, text));
    }
    tree::write_text(out, notes.helm_generated.as_deref().unwrap_or(""));
    tree::write_number(out, resource.shared_count as usize);
    tree::write_number(out, resource.shared.len());
    for shared in &resource.shared {
        tree::write_number(out, shared.number as usize);
        tree::write_node(out, &shared.value, false);
    }
}

fn skip_notes(reader: &mut Reader<'_>) {
    if reader.byte() & HAS_LISTS != 0 {
        let length = reader.number();
        reader.bytes(length);
    }
}

/// Reads everything but the tree.
fn read_notes(reader: &mut Reader<'_>) -> Resource {
    let flags = reader.byte();
    let mut notes = Notes {
        behavior: BEHAVIORS[usize::from((flags >> BEHAVIOR_SHIFT) & BEHAVIOR)],
        needs_hash: flags & NEEDS_HASH != 0,
        allow_name_change: flags & ALLOW_NAME != 0,
        allow_kind_change: flags & ALLOW_KIND != 0,
        ..Notes::default()
    };
    let mut resource = Resource {
        node: Node::null(),
        notes: Notes::default(),
        variables: Vec::new(),
        keeps_marks: flags & KEEPS_MARKS != 0,
        shared: Vec::new(),
        shared_count: 0,
    };
    if flags & HAS_LISTS == 0 {
        return Resource { notes, ..resource };
    }
    reader.number();
    notes.former = former_ids(reader);
    notes.prefixes = texts(reader);
    notes.suffixes = texts(reader);
    resource.variables = texts(reader).into_vec();
    let helm = reader.text();
    notes.helm_generated = (!helm.is_empty()).then(|| helm.into());
    resource.shared_count = reader.small();
    let shared = (0..reader.number()).map(|_| {
        let number = reader.small();
        let mut value = reader.node();
        set_number(&mut value, number);
        Shared { number, value }
    });
    resource.shared = shared.collect();
    Resource { notes, ..resource }
}

/// Reads former identities; of each, only what differs from the one before is written out.
fn former_ids(reader: &mut Reader<'_>) -> SmallVec<[FormerId; 2]> {
    let mut parts = ["", "", ""];
    let count = reader.number();
    let ids = (0..count).map(|_| {
        parts = parts.map(|before| reader.word().unwrap_or(before));
        let [namespace, name, kind] = parts.map(Text::from);
        FormerId {
            namespace,
            name,
            kind,
        }
    });
    ids.collect()
}

fn texts(reader: &mut Reader<'_>) -> SmallVec<[Text; 2]> {
    (0..reader.number()).map(|_| reader.text().into()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reading::{read_resources, stream_resources};

    /// Forgets positions, which are packed for few objects.
    fn without_marks(node: &mut Node) {
        node.mark = kyaml::Mark::default();
        match &mut node.value {
            kyaml::NodeValue::Sequence(items) => items.iter_mut().for_each(without_marks),
            kyaml::NodeValue::Mapping(entries) => entries.iter_mut().for_each(|(key, value)| {
                without_marks(key);
                without_marks(value);
            }),
            kyaml::NodeValue::Scalar(_) | kyaml::NodeValue::Alias(_) => {}
        }
    }

    fn check(mut resource: Resource) {
        let packed = Packed::of(&resource);
        let unpacked = packed.unpack();
        if !resource.keeps_marks {
            without_marks(&mut resource.node);
        }
        assert_eq!(unpacked.node, resource.node);
        assert_eq!(unpacked.notes, resource.notes);
        assert_eq!(unpacked.variables, resource.variables);
        assert_eq!(packed.notes(), resource.notes);
        assert_eq!(packed.is_gone(), resource.is_gone());
        let identity = Identity {
            api_version: resource.api_version(),
            kind: resource.kind(),
            name: resource.name(),
            namespace: resource.namespace(),
        };
        assert_eq!(packed.identity(), identity);
        let former: Vec<ResId> = resource.former_ids().collect();
        assert_eq!(packed.former_ids().to_vec(), former);
        assert_eq!(packed.former_count(), former.len());
    }

    fn check_text(text: &str) {
        for mut resource in read_resources(text.as_bytes()).unwrap() {
            check(resource.clone());
            resource.store_id(&Schemas::default());
            resource.add_prefix("a-");
            resource.set_name("new").unwrap();
            resource.store_id(&Schemas::default());
            resource.notes.helm_generated = Some("true".into());
            resource.variables = vec!["V".into()];
            check(resource);
        }
    }

    #[test]
    fn everything_survives() {
        for text in [
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\ndata:\n  a: |\n    x\n  b: \"y\"\n  c: !!str 1\n",
            "kind: A\nmetadata:\n  name: a\nx: &x [1, 2.5, null, yes, 2020-01-01]\ny: *x\n? [k]\n: v\n",
            "kind: A\nmetadata: {name: a}\nx: !custom {a: 1}\nb: 1\nb: 2\n",
            "kind: A\nmetadata: {name: a}\n# x-kubernetes-patch-strategy\nlist: # line\n- a\n",
            "kind: A\nmetadata: {name: a, labels: {}}\nlong: 'a text that is much longer than one that is held inline'\n",
        ] {
            check_text(text);
        }
    }

    fn yaml_like() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "kind: A\nmetadata: {name: a}\n---\n",
            "kind: A\nmetadata: {name: b}\n---\n",
            "{kind: C, metadata: {name: c}}\n---\n",
            "kind: BList\nitems: [{kind: B, metadata: {name: b}}]\n---\n",
            "kind: A\n",
            "apiVersion: v1\n",
            "metadata:\n",
            "  name: a\n",
            "  name: b\n",
            "---\n",
            "--- x\n",
            "--- # c\n",
            "  labels: {a: b}\n",
            "items:\n- {kind: A, metadata: {name: i}}\n",
            "kind: List\n",
            "kind: AList\n",
            "x: &a 1\n",
            "y: *a\n",
            "x: 'q'\n",
            "\r\n",
            "\n",
            "# c\n",
            "a: |\n  t\n",
            "- a\n",
            "[",
            "\t",
            "é: ü\n",
            "---",
        ]);
        prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn reading_in_pieces_gives_the_same(text in yaml_like()) {
            let whole = read_resources(text.as_bytes());
            let mut pieces = Vec::new();
            let reader = std::io::Cursor::new(text.clone().into_bytes());
            let outcome = stream_resources(Box::new(reader), &mut |resource| pieces.push(resource));
            prop_assert_eq!(whole.is_err(), outcome.is_err());
            if let Ok(whole) = whole {
                prop_assert_eq!(whole.len(), pieces.len());
                for (whole, piece) in whole.iter().zip(&pieces) {
                    prop_assert_eq!(&whole.node.value, &piece.node.value);
                }
                whole.into_iter().for_each(check);
            }
        }
    }
}
