//! Documents outside a chart's schema: asked for by address, brought by a loader that the caller gives.
//!
//! Compiling stops at the first document that is not there yet, names it, and begins anew once it is.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::Value;

use super::{SchemaLoader, read_schema};
use crate::note::Note;

/// Most documents that one schema may lead to.
const DOCUMENTS_MAX: usize = 100;

/// Documents that were asked for, or why they are not there.
pub(super) type Loaded = BTreeMap<String, Result<Value, String>>;

/// What one run of the compiler sees of the outside.
pub(super) struct Outside<'v> {
    loaded: &'v Loaded,
    /// The document that stopped the run.
    wanted: RefCell<Option<String>>,
    /// References that nobody resolves.
    pub(super) urns: RefCell<Vec<Note>>,
}

impl<'v> Outside<'v> {
    pub(super) fn new(loaded: &'v Loaded) -> Self {
        Self {
            loaded,
            wanted: RefCell::default(),
            urns: RefCell::default(),
        }
    }

    /// A document that was loaded before; nothing the first time, which stops the run.
    pub(super) fn find(&self, url: &str) -> Option<&'v Result<Value, String>> {
        let found = self.loaded.get(url);
        if found.is_none() {
            self.wanted
                .borrow_mut()
                .get_or_insert_with(|| url.to_owned());
        }
        found
    }

    pub(super) fn wanted(&self) -> Option<String> {
        self.wanted.borrow().clone()
    }
}

/// Brings the document that stopped the compiler; tells whether it is worth to begin anew.
pub(super) fn bring(
    loaded: &mut Loaded,
    wanted: Option<String>,
    loader: &dyn SchemaLoader,
) -> bool {
    let Some(url) = wanted.filter(|_| loaded.len() < DOCUMENTS_MAX) else {
        return false;
    };
    let document = loader.load(&url).and_then(|text| read_schema(&text));
    loaded.insert(url, document);
    true
}
