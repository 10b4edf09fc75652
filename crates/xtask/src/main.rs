//! Generated files, tidy checks, conformance runs and benchmarks.
fn main() {}
