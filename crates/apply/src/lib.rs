//! The resource manager: stages, drift, apply, prune, wait, change sets.
