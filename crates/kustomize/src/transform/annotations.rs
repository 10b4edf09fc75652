//! `commonAnnotations`: the same step as for labels, with the annotations' field specifications.

pub(crate) use super::labels::Entries as Annotations;
