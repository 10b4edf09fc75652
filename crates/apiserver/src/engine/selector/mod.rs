//! Label and field selectors of list, watch and collection-delete requests, with the server's error texts.

mod fields;

pub use fields::values as field_values;

use objects::LabelSelector;

use crate::catalog::Resource;
use crate::failure::{Answered, Failure};
use crate::store::Entry;

/// Which objects a request selects.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    labels: LabelSelector,
    /// Field, wanted value, whether it must differ.
    fields: Vec<(String, String, bool)>,
}

impl Selection {
    /// Parses both selectors for a resource.
    pub fn parse(resource: &Resource, labels: &str, fields: &str) -> Answered<Self> {
        Ok(Self {
            labels: LabelSelector::parse(labels)
                .map_err(|why| Failure::bad_request(why.to_string()))?,
            fields: fields::parse(resource, fields)?,
        })
    }

    /// Tells whether everything is selected.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Tells whether one version of an object is selected.
    pub fn matches(&self, entry: &Entry) -> bool {
        self.labels.matches(|key| entry.label(key))
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
    use proptest::prelude::*;

    use super::fields::{split_term, split_terms, unescape};

    proptest! {
        #[test]
        fn arbitrary_field_selectors_never_panic(text in "([a.]|=|!=|,|\\\\|\\PC){0,12}") {
            for term in split_terms(&text) {
                let _ = split_term(term).map(|(_, value, _)| unescape(value));
            }
        }
    }
}
