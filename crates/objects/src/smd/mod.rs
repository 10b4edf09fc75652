//! Structured merge: typed values, sets of owned fields, and the updater behind server-side apply.
//!
//! In: JSON values, a [`Schema`](crate::schema::Schema) and what each manager owns. Out: merged values, new ownership,
//! conflicts. Follows structured-merge-diff v6 (what kube-apiserver 1.35 runs), including its treatment of nulls,
//! duplicate list items and atomic parents. Left out: unions, which Kubernetes does not use.

mod compare;
mod conflict;
pub(crate) mod gotext;
mod matcher;
mod merge;
mod order;
mod path;
mod prune;
mod reconcile;
mod remove;
mod set;
mod set_json;
mod to_set;
mod typed;
mod updater;

pub use compare::Comparison;
pub use conflict::{Conflict, Conflicts};
pub use gotext::go_v;
pub use matcher::{FieldFilter, PatternElement, SetMatcher};
pub use order::{compare_values, values_equal};
pub use path::{KeyField, Path, PathElement, PathElementError};
pub use reconcile::reconcile_field_set;
pub use set::FieldSet;
pub use set_json::FieldSetError;
pub use to_set::set_from_value;
pub use typed::{Duplicates, Typed, ValidationError, ValidationErrors};
pub use updater::{
    Applied, ConvertError, Converter, IdentityConverter, ManagedSet, Managers, UpdateError, Updater,
};
