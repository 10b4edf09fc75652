//! The `flux` binary: commands, `flux dev`, the in-cluster manager.
fn main() {}
