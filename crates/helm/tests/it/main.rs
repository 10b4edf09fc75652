//! Integration tests of the Helm engine; one binary, because linking is what costs.

mod conformance_tables;
