//! What happened to which object, in upstream's words.

use std::collections::BTreeMap;
use std::fmt;

use objects::{Gvk, Object, ObjectKey};

/// What happened to one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// It did not exist.
    Created,
    /// It existed and was changed.
    Configured,
    /// It was as desired.
    Unchanged,
    /// It was deleted, or was gone already.
    Deleted,
    /// It is left alone.
    Skipped,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
            Self::Skipped => "skipped",
        })
    }
}

/// One object with what happened to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSetEntry {
    /// Object.
    pub key: ObjectKey,
    /// API version it was handled in, without group.
    pub version: String,
    /// What happened.
    pub action: Action,
}

impl ChangeSetEntry {
    /// Builds an entry for an object.
    pub fn of(object: &Object, action: Action) -> Self {
        let gvk = Gvk::from_api_version(object.api_version(), object.kind());
        Self {
            key: object.key(),
            version: gvk.version,
            action,
        }
    }
}

impl fmt::Display for ChangeSetEntry {
    /// Writes `Kind/namespace/name action`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.action)
    }
}

/// What happened to many objects, in order of application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeSet {
    /// Entries, one per object.
    pub entries: Vec<ChangeSetEntry>,
}

impl ChangeSet {
    /// Tells whether any object was created, configured or deleted.
    pub fn has_changes(&self) -> bool {
        let changes = [Action::Created, Action::Configured, Action::Deleted];
        self.entries.iter().any(|e| changes.contains(&e.action))
    }

    /// Returns the entries with one of the actions.
    pub fn with(&self, actions: &[Action]) -> Self {
        let entries = self.entries.iter().filter(|e| actions.contains(&e.action));
        Self {
            entries: entries.cloned().collect(),
        }
    }

    /// Returns the action per object, as upstream logs it.
    pub fn to_map(&self) -> BTreeMap<String, String> {
        let pair = |e: &ChangeSetEntry| (e.key.to_string(), e.action.to_string());
        self.entries.iter().map(pair).collect()
    }
}

impl fmt::Display for ChangeSet {
    /// Writes one line per entry, without a final line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, entry) in self.entries.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{entry}")?;
        }
        Ok(())
    }
}
