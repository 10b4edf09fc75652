//! Go behaviour that users can see: durations, number formats, Masterminds semver ranges, RE2, envsubst.

pub mod duration;
pub mod envsubst;
pub mod fmt;
pub mod netip;
pub mod number;
pub mod quote;
pub mod regexp;
pub mod semver;
pub mod sort;
pub mod unicode;
