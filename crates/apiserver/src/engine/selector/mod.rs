//! Label and field selectors of list, watch and collection-delete requests, with the server's error texts.

mod fields;
mod labels;

pub use fields::values as field_values;

use crate::catalog::Resource;
use crate::failure::Answered;
use crate::store::Entry;

/// Which objects a request selects.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    labels: Vec<labels::Requirement>,
    /// Field, wanted value, whether it must differ.
    fields: Vec<(String, String, bool)>,
}

impl Selection {
    /// Parses both selectors for a resource.
    pub fn parse(resource: &Resource, labels: &str, fields: &str) -> Answered<Self> {
        Ok(Self {
            labels: labels::parse(labels)?,
            fields: fields::parse(resource, fields)?,
        })
    }

    /// Parses a label selector alone; `None` where it is malformed.
    pub fn of_labels(labels: &str) -> Option<Self> {
        Some(Self {
            labels: labels::parse(labels).ok()?,
            fields: Vec::new(),
        })
    }

    /// Tells whether everything is selected.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Tells whether one version of an object is selected.
    pub fn matches(&self, entry: &Entry) -> bool {
        self.labels.iter().all(|r| r.matches(entry))
            && self.fields.iter().all(|(field, wanted, differ)| {
                (entry.field(field).unwrap_or("") == wanted) != *differ
            })
    }

    /// Returns the name that the field selector asks for, if it asks for one.
    pub fn name(&self) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _, differ)| field == "metadata.name" && !differ)
            .map(|(_, name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::fields::{split_term, split_terms, unescape};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn selectors_are_read_as_upstream_reads_them() {
        for (text, fits) in [
            ("a=b,c!=d", true),
            ("a in (b, c),!d,e", true),
            ("a>1,b<2", true),
            ("", true),
            ("a==", true),
            ("a in b", false),
            ("a=b,", false),
            ("=b", false),
            ("a in (b", false),
        ] {
            assert_eq!(Selection::of_labels(text).is_some(), fits, "{text}");
        }
    }

    /// Texts made of what selectors are made of, so that most of them get beyond the first token.
    fn selector_text() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            Just(","),
            Just("="),
            Just("=="),
            Just("!="),
            Just("!"),
            Just(" in "),
            Just(" notin "),
            Just("("),
            Just(")"),
            Just("<"),
            Just(">"),
            Just("a"),
            Just("b.c/d"),
            Just("7"),
            Just(" "),
        ];
        prop::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #[test]
        fn selectors_of_plausible_tokens_never_panic(text in selector_text()) {
            let _ = Selection::of_labels(&text);
            for term in split_terms(&text) {
                let _ = split_term(term).map(|(_, value, _)| unescape(value));
            }
        }

        #[test]
        fn what_labels_say_is_selected_by_it(
            key in "[a-z]([-a-z0-9.]{0,10}[a-z0-9])?",
            value in "[a-z0-9]([-a-z0-9_.]{0,10}[a-z0-9])?",
        ) {
            let text = serde_json::json!({"metadata": {"name": "a", "labels": {key.clone(): value.clone()}}});
            let object = text.as_object().unwrap();
            let entry = crate::store::Draft::new(object, Vec::new()).seal(1);
            let outcomes = [
                format!("{key}={value}"),
                format!("{key} in (x, {value})"),
                format!("{key},!{key}-x"),
                format!("{key}!={value}"),
                format!("{key} notin ({value})"),
                format!("!{key}"),
            ]
            .map(|text| Selection::of_labels(&text).unwrap().matches(&entry));
            prop_assert_eq!(outcomes, [true, true, true, false, false, false]);
        }

        #[test]
        fn arbitrary_selectors_never_panic(text: String) {
            let _ = Selection::of_labels(&text);
            for term in split_terms(&text) {
                let _ = split_term(term).map(|(_, value, _)| unescape(value));
            }
        }
    }
}
