//! TOML for templates, as the library that Helm uses (BurntSushi's, 1.6) writes and reads it.

mod read;
mod write;

pub use read::read;
pub use write::{NIL_PANIC, write};

/// Deepest nesting that is read or written.
const DEPTH_MAX: usize = 500;

/// Zone names by which the library tells local dates and times from others.
const LOCAL_DATETIME: &str = "datetime-local";
const LOCAL_DATE: &str = "date-local";
const LOCAL_TIME: &str = "time-local";

/// Whether a key needs no quotes.
fn is_bare(key: &[u8]) -> bool {
    !key.is_empty()
        && key
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}
