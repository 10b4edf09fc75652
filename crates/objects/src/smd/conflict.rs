//! Fields that an apply would take from others.

use std::fmt;

use super::gotext::push_go_quoted;
use super::path::{Path, PathElement};

/// One field that somebody else owns with another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Key of the manager who owns it.
    pub manager: String,
    /// The field.
    pub path: Path,
}

/// All conflicts of an apply: sorted by manager, then in set order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflicts(pub Vec<Conflict>);

impl fmt::Display for Conflicts {
    /// Writes one line for one conflict, else a heading for each manager with a line for each of its fields.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |name: &str| {
            let mut out = String::new();
            push_go_quoted(&mut out, name);
            out
        };
        if let [only] = self.0.as_slice() {
            let path = PathElement::display_path(&only.path);
            return write!(f, "conflict with {}: {path}", quoted(&only.manager));
        }
        let mut managers: Vec<&str> = self.0.iter().map(|c| c.manager.as_str()).collect();
        managers.sort_unstable();
        managers.dedup();
        let mut lines = Vec::new();
        for manager in managers {
            lines.push(format!("conflicts with {}:", quoted(manager)));
            let own = self.0.iter().filter(|c| c.manager == manager);
            lines.extend(own.map(|c| format!("- {}", PathElement::display_path(&c.path))));
        }
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Conflicts {}
