//! Known deviations: id and reason.

const NETWORK: &str =
    "the schema refers to documents on the network, which rendering never fetches";

/// Deviations among real charts.
pub const REAL: &[(&str, &str)] = &[
    ("app-template-0@3.21", NETWORK),
    ("app-template-0@4.2", NETWORK),
];

const PANIC: &str = "the library panics; later versions say what is said here";

/// Deviations among schemas.
pub const SCHEMA: &[(&str, &str)] = &[
    ("schema-0983", PANIC),
    ("schema-0984", PANIC),
    ("schema-0985", PANIC),
    ("schema-0986", PANIC),
];
