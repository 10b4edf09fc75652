//! Integration tests of the object model.

mod conformance_smd;
