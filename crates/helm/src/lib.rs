//! Charts, values, rendering, hooks, release records and repository indexes.
