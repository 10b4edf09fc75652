//! Known deviations: id and reason.

const NETWORK: &str =
    "the schema refers to documents on the network, which rendering never fetches";

/// Deviations among real charts.
pub const REAL: &[(&str, &str)] = &[
    ("app-template-0@3.21", NETWORK),
    ("app-template-0@4.2", NETWORK),
];
