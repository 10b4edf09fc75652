//! Clone, verify, commit and push, over HTTP(S) and local paths.
