//! Known deviations: id and reason.

/// Deviations among real charts.
pub const REAL: &[(&str, &str)] = &[];

const PANIC: &str = "the library panics; later versions say what is said here";

/// Deviations among schemas.
pub const SCHEMA: &[(&str, &str)] = &[
    ("schema-0983", PANIC),
    ("schema-0984", PANIC),
    ("schema-0985", PANIC),
    ("schema-0986", PANIC),
];
