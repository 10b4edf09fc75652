//! Choice of objects: regular expressions anchored at both ends, and label selectors as Kubernetes has them.

use gocompat::regexp::Regexp;

use crate::error::{BuildError, Result, fail};
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

impl Matcher {
    pub fn new(selector: &Selector) -> Result<Self> {
        Ok(Self {
            group: anchored(&selector.group)?,
            version: anchored(&selector.version)?,
            kind: anchored(&selector.kind)?,
            name: anchored(&selector.name)?,
            namespace: anchored(&selector.namespace)?,
            labels: LabelSelector::parse(&selector.label_selector)?,
            annotations: LabelSelector::parse(&selector.annotation_selector)?,
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
        self.labels.matches(&resource.meta_map("labels"))
            && self.annotations.matches(&resource.meta_map("annotations"))
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

/// A label selector: `a=b,c!=d,e in (x,y),f notin (z),g,!h,i>1`.
#[derive(Debug, Default)]
pub(crate) struct LabelSelector {
    requirements: Vec<Requirement>,
}

#[derive(Debug)]
struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    GreaterThan,
    LessThan,
}

impl LabelSelector {
    pub fn parse(text: &str) -> Result<Self> {
        let mut rest = text.trim();
        let mut requirements = Vec::new();
        while !rest.is_empty() {
            let (requirement, behind) = requirement(rest)
                .ok_or_else(|| BuildError::new(format!("unable to parse requirement: {text:?}")))?;
            requirements.push(requirement);
            rest = behind.trim_start();
            if let Some(behind) = rest.strip_prefix(',') {
                rest = behind.trim_start();
                if rest.is_empty() {
                    fail!("found '', expected: identifier after ','");
                }
            } else if !rest.is_empty() {
                fail!("found '{rest}', expected: ',' or 'end of string'");
            }
        }
        Ok(Self { requirements })
    }

    pub fn matches(&self, entries: &[(&str, &str)]) -> bool {
        self.requirements.iter().all(|r| r.matches(entries))
    }
}

impl Requirement {
    fn matches(&self, entries: &[(&str, &str)]) -> bool {
        let mut values = entries.iter().filter(|(key, _)| *key == self.key);
        let value = values.next_back().map(|(_, value)| *value);
        let listed = value.is_some_and(|value| self.values.iter().any(|v| v == value));
        match self.operator {
            Operator::In => listed,
            Operator::NotIn => !listed,
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan | Operator::LessThan => {
                let number = |text: &str| text.parse::<i64>().ok();
                let limit = self.values.first().and_then(|v| number(v));
                match value.and_then(number).zip(limit) {
                    Some((have, limit)) if self.operator == Operator::LessThan => have < limit,
                    Some((have, limit)) => have > limit,
                    None => false,
                }
            }
        }
    }
}

fn word(text: &str) -> (&str, &str) {
    let is_end = |c: char| c.is_whitespace() || "=!(),<>".contains(c);
    let end = text.find(is_end).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

fn requirement(text: &str) -> Option<(Requirement, &str)> {
    let make = |key: &str, operator, values: Vec<&str>| Requirement {
        key: key.to_owned(),
        operator,
        values: values.into_iter().map(str::to_owned).collect(),
    };
    if let Some(rest) = text.strip_prefix('!') {
        let (key, rest) = word(rest.trim_start());
        return (!key.is_empty()).then(|| (make(key, Operator::DoesNotExist, vec![]), rest));
    }
    let (key, rest) = word(text);
    if key.is_empty() {
        return None;
    }
    const SYMBOLS: [(&str, Operator); 5] = [
        ("==", Operator::In),
        ("=", Operator::In),
        ("!=", Operator::NotIn),
        (">", Operator::GreaterThan),
        ("<", Operator::LessThan),
    ];
    for (symbol, operator) in SYMBOLS {
        if let Some(rest) = rest.strip_prefix(symbol) {
            let (value, rest) = word(rest.trim_start());
            return Some((make(key, operator, vec![value]), rest));
        }
    }
    for (symbol, operator) in [("notin", Operator::NotIn), ("in", Operator::In)] {
        let list = rest.strip_prefix(symbol).map(str::trim_start);
        if let Some(list) = list.and_then(|list| list.strip_prefix('(')) {
            let (inner, rest) = list.split_once(')')?;
            let values = inner.split(',').map(str::trim).collect();
            return Some((make(key, operator, values), rest));
        }
    }
    Some((make(key, Operator::Exists, vec![]), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_match_as_in_kubernetes() {
        let labels = [("app", "web"), ("tier", "2")];
        for (selector, expected) in [
            ("", true),
            ("app=web", true),
            ("app == web,tier", true),
            ("app!=web", false),
            ("app in (a, web)", true),
            ("app notin (a,web)", false),
            ("missing notin (a)", true),
            ("!app", false),
            ("!other", true),
            ("tier>1,tier<3", true),
            ("other", false),
        ] {
            let parsed = LabelSelector::parse(selector).unwrap();
            assert_eq!(parsed.matches(&labels), expected, "{selector}");
        }
        assert!(LabelSelector::parse("a=b c").is_err());
        assert!(LabelSelector::parse("a=b,").is_err());
    }
}
