//! Choice of objects: regular expressions anchored at both ends, and label selectors as Kubernetes has them.

use gocompat::regexp::Regexp;
use objects::LabelSelector;

use crate::error::{BuildError, Result};
use crate::id::{Gvk, ResId, split_api_version};
use crate::kustomization::Selector;
use crate::openapi::Schemas;
use crate::packed::Packed;
use crate::resmap::ResMap;

/// A selector ready for use.
pub(crate) struct Matcher {
    group: Option<Pattern>,
    version: Option<Pattern>,
    kind: Option<Pattern>,
    name: Option<Pattern>,
    namespace: Option<Pattern>,
    labels: LabelSelector,
    annotations: LabelSelector,
    has_map_selector: bool,
}

/// A pattern that the whole text has to match.
enum Pattern {
    /// Without special characters: cheaper than any automaton.
    Literal(String),
    Regexp(Regexp),
}

impl Pattern {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Literal(literal) => literal == text,
            Self::Regexp(regexp) => regexp.is_match(text.as_bytes()),
        }
    }
}

fn anchored(pattern: &str) -> Result<Option<Pattern>> {
    if pattern.is_empty() {
        return Ok(None);
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/:".contains(&byte);
    if pattern.bytes().all(is_plain) {
        return Ok(Some(Pattern::Literal(pattern.to_owned())));
    }
    Regexp::new(&format!("^(?:{pattern})$"))
        .map(|regexp| Some(Pattern::Regexp(regexp)))
        .map_err(|error| BuildError::new(error.to_string()))
}

fn fits(pattern: &Option<Pattern>, text: &str) -> bool {
    pattern.as_ref().is_none_or(|pattern| pattern.matches(text))
}

fn label_selector(text: &str) -> Result<LabelSelector> {
    LabelSelector::parse(text).map_err(|why| BuildError::new(why.to_string()))
}

/// Tells whether entries fit; of those with one key the last counts.
fn selects(selector: &LabelSelector, entries: &[(&str, &str)]) -> bool {
    selector.matches(|key| {
        let mut found = entries.iter().rev().filter(|(name, _)| *name == key);
        found.next().map(|(_, value)| *value)
    })
}

impl Matcher {
    pub fn new(selector: &Selector) -> Result<Self> {
        Ok(Self {
            group: anchored(&selector.group)?,
            version: anchored(&selector.version)?,
            kind: anchored(&selector.kind)?,
            name: anchored(&selector.name)?,
            namespace: anchored(&selector.namespace)?,
            labels: label_selector(&selector.label_selector)?,
            annotations: label_selector(&selector.annotation_selector)?,
            has_map_selector: !selector.label_selector.is_empty()
                || !selector.annotation_selector.is_empty(),
        })
    }

    pub fn fits_gvk(&self, gvk: &Gvk) -> bool {
        fits(&self.group, &gvk.group)
            && fits(&self.version, &gvk.version)
            && fits(&self.kind, &gvk.kind)
    }

    /// Matches an identity by its written namespace.
    pub fn fits_id(&self, id: &ResId) -> bool {
        self.fits_gvk(&id.gvk) && fits(&self.name, &id.name) && fits(&self.namespace, &id.namespace)
    }

    /// Tells whether nothing of an identity is named.
    pub fn names_no_id(&self) -> bool {
        let parts = [
            &self.group,
            &self.version,
            &self.kind,
            &self.name,
            &self.namespace,
        ];
        parts.iter().all(|part| part.is_none())
    }

    pub fn has_map_selector(&self) -> bool {
        self.has_map_selector
    }

    pub fn fits_maps(&self, packed: &Packed) -> bool {
        if !self.has_map_selector {
            return true;
        }
        let resource = packed.unpack();
        selects(&self.labels, &resource.meta_map("labels"))
            && selects(&self.annotations, &resource.meta_map("annotations"))
    }

    fn fits(&self, packed: &Packed, schemas: &Schemas) -> bool {
        let identity = packed.identity();
        let (group, version) = split_api_version(identity.api_version);
        if !fits(&self.kind, identity.kind)
            || !fits(&self.group, group)
            || !fits(&self.version, version)
        {
            return false;
        }
        let former = packed.former_ids();
        let first = former.first();
        let names = [
            first.map(|former| former.name.as_str()),
            Some(identity.name),
        ];
        if !names.iter().flatten().any(|name| fits(&self.name, name)) {
            return false;
        }
        let namespaces = [
            first.map(|former| former.effective_namespace()),
            Some(identity.effective_namespace(schemas)),
        ];
        namespaces
            .iter()
            .flatten()
            .any(|text| fits(&self.namespace, text))
            && self.fits_maps(packed)
    }
}

/// Returns the places of the objects that a selector means: original or current name and namespace.
pub(crate) fn select(
    objects: &ResMap,
    selector: &Selector,
    schemas: &Schemas,
) -> Result<Vec<usize>> {
    let matcher = Matcher::new(selector)?;
    let all = objects.list().iter().enumerate();
    let fitting = all.filter(|(_, packed)| matcher.fits(packed, schemas));
    Ok(fitting.map(|(index, _)| index).collect())
}
