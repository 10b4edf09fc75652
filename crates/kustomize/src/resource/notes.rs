//! What the build remembers about an object, and upstream's annotations for it.

use kyaml::{Node, Text};
use smallvec::SmallVec;

use super::Resource;
use crate::error::Result;
use crate::node::set::{field_or_make, set_field};
use crate::node::{Kind, is_empty, string, text};

const INTERNAL: &str = "internal.config.kubernetes.io/";
const PREVIOUS_NAMES: &str = "internal.config.kubernetes.io/previousNames";
const PREVIOUS_NAMESPACES: &str = "internal.config.kubernetes.io/previousNamespaces";
const PREVIOUS_KINDS: &str = "internal.config.kubernetes.io/previousKinds";
const PREFIXES: &str = "internal.config.kubernetes.io/prefixes";
const SUFFIXES: &str = "internal.config.kubernetes.io/suffixes";
const BEHAVIOR: &str = "internal.config.kubernetes.io/generatorBehavior";
const NEEDS_HASH: &str = "internal.config.kubernetes.io/needsHashSuffix";
const ALLOW_NAME: &str = "internal.config.kubernetes.io/allowNameChange";
const ALLOW_KIND: &str = "internal.config.kubernetes.io/allowKindChange";
const HELM_GENERATED: &str = "internal.config.kubernetes.io/helm-generated";
const ENABLED: &str = "enabled";

/// What a generated object does to one that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Behavior {
    /// The object was not generated.
    #[default]
    None,
    Unspecified,
    Create,
    Replace,
    Merge,
}

impl Behavior {
    pub fn parse(text: &str) -> Self {
        match text {
            "replace" => Self::Replace,
            "merge" => Self::Merge,
            "create" => Self::Create,
            _ => Self::Unspecified,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Merge => "merge",
            Self::Create => "create",
            Self::Unspecified | Self::None => "unspecified",
        }
    }
}

/// A name, namespace and kind that an object had.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FormerId {
    pub namespace: Text,
    pub name: Text,
    pub kind: Text,
}

/// What the build remembers about an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Notes {
    /// Former identities, oldest first.
    pub former: SmallVec<[FormerId; 2]>,
    pub prefixes: SmallVec<[Text; 2]>,
    pub suffixes: SmallVec<[Text; 2]>,
    pub behavior: Behavior,
    pub needs_hash: bool,
    pub allow_name_change: bool,
    pub allow_kind_change: bool,
    pub helm_generated: Option<Text>,
}

impl Resource {
    /// Forgets what the build remembers, once the object is finished.
    pub fn forget_notes(&mut self) {
        self.notes = Notes::default();
        self.variables.clear();
    }

    /// Tells whether upstream would have annotations on this object for its notes.
    pub fn has_notes(&self) -> bool {
        self.notes != Notes::default()
    }

    /// Takes over notes that stand in annotations, and removes those.
    pub fn absorb_notes(&mut self) {
        let Some(metadata) = self.node.get_mut("metadata") else {
            return;
        };
        let Some(annotations) = metadata.get_mut("annotations") else {
            return;
        };
        let Some(entries) = annotations.entries_mut() else {
            return;
        };
        let is_note = |key: &str| key.starts_with(INTERNAL) && Note::of(key).is_some();
        if !entries.iter().any(|(key, _)| is_note(text(key))) {
            return;
        }
        let mut taken = Vec::new();
        entries.retain(|(key, value)| {
            let note = Note::of(text(key));
            taken.extend(note.map(|note| (note, text(value).to_owned())));
            note.is_none()
        });
        self.notes = Notes::default();
        let mut former = [Vec::new(), Vec::new(), Vec::new()];
        for (note, value) in taken {
            self.notes.take(note, &value, &mut former);
        }
        let [names, namespaces, kinds] = former;
        let ids = names.into_iter().zip(namespaces).zip(kinds);
        self.notes.former = ids
            .map(|((name, namespace), kind)| FormerId {
                namespace,
                name,
                kind,
            })
            .collect();
    }

    /// Runs a step on the object with its notes written out as annotations, and takes them back after.
    pub fn with_notes(&mut self, step: impl FnOnce(&mut Node) -> Result<()>) -> Result<()> {
        self.show_notes()?;
        self.notes = Notes::default();
        step(&mut self.node)?;
        self.absorb_notes();
        Ok(())
    }

    /// Writes the notes out as upstream's annotations.
    pub fn show_notes(&mut self) -> Result<()> {
        let rows = self.notes.rows();
        if rows.is_empty() {
            return Ok(());
        }
        let Some(metadata) = field_or_make(&mut self.node, "metadata", Kind::Mapping)? else {
            return Ok(());
        };
        if metadata.get("annotations").is_some_and(is_empty) {
            metadata.remove("annotations");
        }
        if let Some(annotations) = field_or_make(metadata, "annotations", Kind::Mapping)? {
            for (key, value) in rows {
                set_field(annotations, key, string(&value))?;
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Note {
    Names,
    Namespaces,
    Kinds,
    Prefixes,
    Suffixes,
    Behavior,
    NeedsHash,
    AllowName,
    AllowKind,
    HelmGenerated,
}

impl Note {
    fn of(key: &str) -> Option<Self> {
        Some(match key {
            PREVIOUS_NAMES => Self::Names,
            PREVIOUS_NAMESPACES => Self::Namespaces,
            PREVIOUS_KINDS => Self::Kinds,
            PREFIXES => Self::Prefixes,
            SUFFIXES => Self::Suffixes,
            BEHAVIOR => Self::Behavior,
            NEEDS_HASH => Self::NeedsHash,
            ALLOW_NAME => Self::AllowName,
            ALLOW_KIND => Self::AllowKind,
            HELM_GENERATED => Self::HelmGenerated,
            _ => return None,
        })
    }
}

impl Notes {
    fn take(&mut self, note: Note, value: &str, former: &mut [Vec<Text>; 3]) {
        let list = || value.split(',').map(Text::from);
        match note {
            Note::Names => former[0] = list().collect(),
            Note::Namespaces => former[1] = list().collect(),
            Note::Kinds => former[2] = list().collect(),
            Note::Prefixes => self.prefixes = list().collect(),
            Note::Suffixes => self.suffixes = list().collect(),
            Note::Behavior => self.behavior = Behavior::parse(value),
            Note::NeedsHash => self.needs_hash = value == ENABLED,
            Note::AllowName => self.allow_name_change = value == ENABLED,
            Note::AllowKind => self.allow_kind_change = value == ENABLED,
            Note::HelmGenerated => self.helm_generated = Some(value.into()),
        }
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = Vec::new();
        let join = |texts: &[Text]| {
            let texts: Vec<&str> = texts.iter().map(Text::as_str).collect();
            texts.join(",")
        };
        let former = |part: fn(&FormerId) -> &Text| {
            let texts: Vec<&str> = self.former.iter().map(|f| part(f).as_str()).collect();
            texts.join(",")
        };
        if !self.former.is_empty() {
            rows.push((PREVIOUS_NAMES, former(|f| &f.name)));
            rows.push((PREVIOUS_NAMESPACES, former(|f| &f.namespace)));
            rows.push((PREVIOUS_KINDS, former(|f| &f.kind)));
        }
        if !self.prefixes.is_empty() {
            rows.push((PREFIXES, join(&self.prefixes)));
        }
        if !self.suffixes.is_empty() {
            rows.push((SUFFIXES, join(&self.suffixes)));
        }
        if self.behavior != Behavior::None {
            rows.push((BEHAVIOR, self.behavior.as_str().to_owned()));
        }
        let flags = [
            (NEEDS_HASH, self.needs_hash),
            (ALLOW_NAME, self.allow_name_change),
            (ALLOW_KIND, self.allow_kind_change),
        ];
        for (key, _) in flags.iter().filter(|(_, set)| *set) {
            rows.push((key, ENABLED.to_owned()));
        }
        rows.extend(
            self.helm_generated
                .iter()
                .map(|v| (HELM_GENERATED, v.to_string())),
        );
        rows
    }
}
