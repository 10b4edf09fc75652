//! Commands and what they print: each golden has the commands and the answers.

use crate::harness::World;

#[test]
fn objects_are_listed() {
    World::new().check("get");
}

#[test]
fn objects_are_generated_and_exported() {
    World::new().check("create_export");
}

#[test]
fn reconciliation_is_stopped_and_started() {
    World::new().check("suspend_resume");
}

#[test]
fn origins_and_contents_are_shown() {
    World::new().check("tree_trace");
}

#[test]
fn kustomizations_are_built() {
    World::new().check("build");
}

#[test]
fn other_words_are_refused_as_upstream_does() {
    World::new().check("refusals");
}

#[test]
fn differences_are_shown() {
    World::new().check("diff");
}

#[test]
fn followers_end_when_nobody_reads_them() {
    let world = World::new();
    let line = world.first_line(&["get", "kustomizations", "-A", "--watch"]);
    assert!(line.starts_with("NAMESPACE"), "{line}");
}

/// Compared with upstream's v2.9.4, all of them.
#[test]
fn create_helm_objects() {
    World::new().check("create-helm");
}

#[test]
fn odd_flags_of_helm_kinds_get_upstreams_words() {
    World::new().check("helm_flags");
}
