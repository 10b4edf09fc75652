//! YAML as editable nodes with positions and comments; reads and writes byte for byte as the Go libraries do.
//!
//! Text flows in through [`parse`] (go-yaml v3 or v2 typing rules) as [`Node`] trees, which are edited and
//! printed again by [`emit`] (go-yaml v3: styles and comments kept) or [`emit_sigs_node`] (what kustomize and
//! sigs.k8s.io/yaml print). [`to_json`], [`from_json`] and [`emit_sigs`] are the bridge to plain values.
//!
//! ```
//! use kyaml::{Dialect, ReadOptions};
//!
//! let nodes = kyaml::parse(b"b: yes\na: [1, 0x10]\n", &ReadOptions::v11())?;
//! let value = kyaml::to_json(&nodes[0], Dialect::V11)?;
//! assert_eq!(value.to_string(), r#"{"a":[1,16],"b":true}"#);
//! assert_eq!(kyaml::emit_sigs(&value)?, "a:\n- 1\n- 16\nb: true\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod alias;
mod compose;
mod emit;
mod error;
mod json;
mod natural;
mod node;
mod options;
mod read;
mod reader;
mod resolve;
mod scan;
mod sigs;
mod timestamp;

pub use alias::{DuplicateKey, check_duplicate_keys, duplicate_keys, expand_aliases};
pub use compose::Document;
pub use emit::{
    EmitOptions, emit, emit_documents, emit_pretty, emit_sigs, emit_sigs_node, emit_with,
    write_sigs, write_sigs_node,
};
pub use error::{ConvertError, ReadError};
pub use json::{from_json, printed_to_json, to_json};
pub use natural::{natural_cmp, natural_cmp_v3};
pub use node::{Comments, Mark, Names, Node, NodeValue, Style, Tag, Text};
pub use options::{Dialect, ReadOptions};
pub use read::{parse, parse_documents, parse_first};
pub use resolve::{Resolved, resolve, resolve_text};
pub use sigs::{SigsError, json_kind, yaml_to_json};
