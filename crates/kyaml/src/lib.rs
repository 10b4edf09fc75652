//! YAML as editable nodes with positions and comments; reads and writes byte for byte as the Go libraries do.
//!
//! Text flows through [`Node`] trees: `parse` (go-yaml v3 or v2 typing rules) → edit → `emit`.

mod node;

pub use node::{Comments, Mark, Node, NodeValue, Style, Tag, Text};
