//! The Sprig function library (v3.3.0), as charts know it.
//!
//! One module per group; each gives a table of [`Function`]s. `env`, `expandenv` and `getHostByName` are not
//! here: they look outside. Functions that panic upstream return the panic's text as their error, which is
//! what a template sees.

mod case;
mod casts;
mod certs;
mod crypto;
mod dates;
mod defaults;
mod encoding;
mod lists;
mod maps;
mod math;
mod merge;
mod paths;
mod random;
mod reflect;
mod regexes;
mod strings;
mod urls;
mod versions;

use crate::function::{CallError, Function};
use crate::value::Value;

/// All functions of the library.
pub fn functions() -> Vec<Function> {
    [
        strings::FUNCTIONS,
        defaults::FUNCTIONS,
        math::FUNCTIONS,
        lists::FUNCTIONS,
        maps::FUNCTIONS,
        reflect::FUNCTIONS,
        dates::FUNCTIONS,
        regexes::FUNCTIONS,
        encoding::FUNCTIONS,
        random::FUNCTIONS,
        urls::FUNCTIONS,
        paths::FUNCTIONS,
        versions::FUNCTIONS,
        crypto::FUNCTIONS,
        certs::FUNCTIONS,
    ]
    .concat()
}

/// Most bytes that one call may produce.
const RESULT_BYTES_MAX: usize = 64 << 20;

/// Refuses results that would be too large, before they are made.
fn check_size(bytes: usize) -> Result<(), CallError> {
    if bytes > RESULT_BYTES_MAX {
        return Err(CallError::Limit(format!(
            "a function result exceeds {RESULT_BYTES_MAX} bytes"
        )));
    }
    Ok(())
}

/// Whether a value counts as empty: nil, zero, or of length 0.
fn is_empty(value: &Value) -> bool {
    !value.truth()
}
