//! Which rules a reader follows, what it keeps, and how much it accepts.

/// Typing rules for plain scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// go-yaml v3: YAML 1.2 core schema with remnants (`0o17`, `017`, timestamps).
    V3,
    /// go-yaml v2, as sigs.k8s.io/yaml uses it: YAML 1.1 booleans such as `yes` and `off`.
    V11,
}

/// How a text is read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// Rules that also decide the wording and line numbers of errors.
    pub dialect: Dialect,
    /// Whether comments are kept on the nodes, as go-yaml v3 does.
    pub keep_comments: bool,
    /// Deepest nesting of collections.
    pub max_depth: usize,
    /// Most nodes that expanding aliases may create.
    pub max_alias_expansion: usize,
    /// Longest text, in bytes.
    pub max_bytes: usize,
}

/// Deep enough for anything written by people, shallow enough for a 2 MiB stack.
const MAX_DEPTH: usize = 200;
/// Nodes; about 100 MB of tree, go-yaml's own worst case.
const MAX_ALIAS_EXPANSION: usize = 1_000_000;
/// 256 MiB; offsets must also fit 32 bits.
const MAX_BYTES: usize = 1 << 28;

impl ReadOptions {
    /// go-yaml v3 rules without comments: resources of a kustomization.
    pub fn v3() -> Self {
        Self {
            dialect: Dialect::V3,
            keep_comments: false,
            max_depth: MAX_DEPTH,
            max_alias_expansion: MAX_ALIAS_EXPANSION,
            max_bytes: MAX_BYTES,
        }
    }

    /// go-yaml v3 rules with comments, for files that are edited in place.
    pub fn editing() -> Self {
        Self {
            keep_comments: true,
            ..Self::v3()
        }
    }

    /// YAML 1.1 rules as sigs.k8s.io/yaml applies them: kustomization files, manifests, Helm values.
    pub fn v11() -> Self {
        Self {
            dialect: Dialect::V11,
            ..Self::v3()
        }
    }
}
