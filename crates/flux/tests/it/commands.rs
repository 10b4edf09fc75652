//! Commands and what they print.

use crate::harness::World;

#[test]
fn objects_are_listed() {
    World::new().check(
        "get",
        &[
            &["get", "kustomizations"],
            &[
                "get",
                "ks",
                "-A",
                "--show-source",
                "--status-selector",
                "ready=true",
            ],
            &["get", "sources", "git", "-A", "--no-header"],
            &["get", "all", "-A"],
            &["get", "sources", "git", "missing"],
            &["get", "sources", "git", "-n", "missing"],
            &["get", "ks", "--status-selector", "ready"],
            &["get", "all", "--watch"],
            &["get", "ks", "-n", "Not_A_Label"],
            &["get", "ks", "apps", "--watch", "--timeout", "300ms"],
            &["stats", "-A"],
        ],
    );
}

#[test]
fn objects_are_generated_and_exported() {
    World::new().check(
        "create_export",
        &[
            &[
                "create",
                "source",
                "git",
                "podinfo",
                "--url=https://example.com/podinfo",
                "--branch=master",
                "--interval=30s",
                "--export",
            ],
            &[
                "create",
                "source",
                "git",
                "podinfo",
                "--url=https://example.com/podinfo",
                "--tag-semver=>=1.0",
                "--ignore-paths=a,b",
                "--secret-ref=s",
                "--label=a=b",
                "--fetch-timeout=90s",
                "--export",
            ],
            &[
                "create",
                "source",
                "git",
                "podinfo",
                "--url=ftp://example.com",
            ],
            &["create", "source", "git", "Podinfo"],
            &[
                "create",
                "kustomization",
                "podinfo",
                "--target-namespace=default",
                "--source=podinfo",
                "--path=./kustomize",
                "--prune=true",
                "--interval=5m",
                "--export",
            ],
            &[
                "create",
                "ks",
                "podinfo",
                "--source=ocirepository/podinfo.apps",
                "--wait",
                "--depends-on=a,b/c",
                "--service-account=s",
                "--export",
            ],
            &[
                "create",
                "ks",
                "podinfo",
                "--source=Foo/podinfo",
                "--export",
            ],
            &[
                "create",
                "secret",
                "git",
                "auth",
                "--url=https://example.com",
                "-u=me",
                "-p=secret",
                "--export",
            ],
            &[
                "create",
                "tenant",
                "orchard",
                "--with-namespace=apples",
                "--export",
            ],
            &["export", "source", "git", "--all"],
            &["export", "ks", "tenant", "-n", "apps"],
            &["export", "ks", "missing"],
        ],
    );
}

#[test]
fn reconciliation_is_stopped_and_started() {
    World::new().check(
        "suspend_resume",
        &[
            &["suspend", "ks", "flux-system", "missing"],
            &["get", "ks", "flux-system"],
            &["suspend", "source", "git", "--all", "-n", "missing"],
            &["resume", "ks", "flux-system", "apps"],
            &["resume", "source", "git", "missing"],
            &["reconcile", "source", "git", "broken"],
            &[
                "reconcile",
                "source",
                "git",
                "flux-system",
                "--timeout=300ms",
            ],
            &["delete", "ks", "apps", "--silent"],
            &["delete", "ks", "apps", "--silent"],
        ],
    );
}

#[test]
fn origins_and_contents_are_shown() {
    World::new().check(
        "tree_trace",
        &[
            &["tree", "ks", "flux-system"],
            &["tree", "ks", "flux-system", "--compact", "-o", "json"],
            &["tree", "ks", "flux-system", "-o", "yaml"],
            &[
                "trace",
                "configmap/settings",
                "configmap/plain",
                "-n",
                "apps",
            ],
            &[
                "trace",
                "settings",
                "--kind=configmap",
                "--api-version=v1",
                "-n",
                "apps",
            ],
            &["trace", "nonsense", "x"],
        ],
    );
}

#[test]
fn kustomizations_are_built() {
    World::new().check(
        "build",
        &[
            &[
                "build",
                "kustomization",
                "web",
                "--path=web",
                "--kustomization-file=web.yaml",
                "--dry-run",
            ],
            &[
                "build",
                "ks",
                "web",
                "--path=web",
                "--kustomization-file=web.yaml",
                "--dry-run",
                "--strict-substitute",
            ],
            &["build", "ks", "tenant", "-n", "apps", "--path=web"],
            &["build", "ks", "web", "--path=missing"],
            &["build", "ks", "missing", "--path=web"],
            &[
                "build",
                "ks",
                "missing",
                "--path=web",
                "--kustomization-file=web.yaml",
                "--dry-run",
            ],
        ],
    );
}

#[test]
fn other_words_are_refused_as_upstream_does() {
    World::new().check(
        "refusals",
        &[
            &["nonsense"],
            &["bootstrap", "git"],
            &["debug", "ks", "tenant", "-n", "apps"],
            &["debug", "ks", "tenant", "-n", "apps", "--show-vars"],
            &["debug", "ks", "flux-system", "--show-vars"],
            &["debug", "ks", "flux-system", "--show-history"],
            &["version", "--client"],
            &["version", "--client", "-o", "xml"],
            &["check", "--pre", "--nonsense"],
            &["events", "--types", "nonsense"],
            &["events", "--for", "Nonsense/x"],
            &["logs", "--level", "nonsense"],
            &["logs"],
        ],
    );
}

#[test]
fn differences_are_shown() {
    World::new().check(
        "diff",
        &[
            &["diff", "ks", "tenant", "-n", "apps", "--path=changed"],
            &["diff", "ks", "missing", "--path=changed"],
            &["diff", "ks", "tenant", "--path=missing"],
            &[
                "diff",
                "ks",
                "tenant",
                "-n",
                "apps",
                "--path=changed",
                "--ignore-not-found",
            ],
        ],
    );
}

#[test]
fn followers_end_when_nobody_reads_them() {
    let world = World::new();
    let line = world.first_line(&["get", "kustomizations", "-A", "--watch"]);
    assert!(line.starts_with("NAMESPACE"), "{line}");
}
