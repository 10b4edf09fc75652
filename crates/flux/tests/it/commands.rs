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

#[test]
fn create_helm_objects() {
    let world = World::new();
    let commands: Vec<Vec<&str>> = CREATE_HELM
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let commands: Vec<&[&str]> = commands.iter().map(Vec::as_slice).collect();
    world.check("create-helm", &commands);
}

/// Compared with upstream's v2.9.4, all of them.
const CREATE_HELM: &str = "\
create source helm podinfo --url=https://x.io/charts --interval=10m --export
create source helm podinfo --url=https://x.io/charts --username=u --password=p --pass-credentials --export
create source helm podinfo --url=https://x.io/charts --secret-ref=s --pass-credentials --fetch-timeout 1m --label a=b --export
create source helm podinfo --url=oci://x.io/charts --export
create source helm podinfo --url=oci://x.io/charts --oci-provider aws --secret-ref s --export
create source helm podinfo --url=ftp://x.io/charts --export
create source helm podinfo --url=https:// --export
create source helm podinfo --export
create source helm --export
create source oci podinfo --url=oci://ghcr.io/p --tag 1 --interval 5m --export
create source oci podinfo --url=oci://ghcr.io/p --tag 1 --tag-semver >1 --digest sha256:aa --secret-ref s --proxy-secret-ref p --service-account sa --cert-ref c --insecure --ignore-paths a,b --export
create source oci podinfo --url=oci://ghcr.io/p --export
create source oci podinfo --tag 1 --export
create source oci podinfo --url=oci://ghcr.io/p --tag 1 --verify-provider cosign --verify-secret-ref k --verify-subject ^s --verify-issuer ^i --export
create source oci podinfo --url=oci://ghcr.io/p --tag 1 --verify-secret-ref k --export
create source oci podinfo --url=oci://ghcr.io/p --tag 1 --verify-subject k --export
create source oci podinfo --url=oci://ghcr.io/p --tag 1 --layer-selector application/x:copy --provider aws --export
create source oci podinfo --url=oci://ghcr.io/p --tag 1 --layer-selector application/x --export
create source oci podinfo --url=oci://ghcr.io/p --tag 1 --layer-selector application/x:foo --export
create source oci podinfo --url=oci://ghcr.io/p --tag 1 --provider foo --export
create source oci podinfo --url=https://ghcr.io/p --tag 1 --export
create source chart podinfo --source=HelmRepository/podinfo --chart=podinfo --chart-version=6.x --export
create source chart podinfo --source=helmrepository/podinfo.ns --chart=podinfo --reconcile-strategy=Revision --interval 3m --export
create source chart podinfo --chart=podinfo --export
create source chart podinfo --source=HelmRepository/podinfo --export
create source chart podinfo --source=Foo/podinfo --chart x --export
create source chart podinfo --source=podinfo --chart x --export
create source chart podinfo --source=HelmRepository/podinfo --chart=podinfo --verify-provider cosign --verify-secret-ref k --verify-subject s --verify-issuer i --export
create source chart podinfo --source=HelmRepository/podinfo --chart=podinfo --reconcile-strategy=foo --export
create helmrelease podinfo --source=HelmRepository/podinfo --chart=podinfo --chart-version=>4.0.0 --interval=10m --export
create hr podinfo --source=GitRepository/podinfo.ns --chart=./charts/podinfo --values=values-1.yaml,values-2.yaml --values-from Secret/a,ConfigMap/b --export
create hr podinfo --source=HelmRepository/podinfo --chart=podinfo --release-name r --target-namespace t --create-target-namespace --service-account sa --crds CreateReplace --depends-on a,b/c --kubeconfig-secret-ref k --reconcile-strategy Revision --chart-interval 5m --export
create hr podinfo --source=HelmRepository/podinfo --chart=podinfo --target-namespace t --storage-namespace st --export
create hr podinfo --chart-ref OCIRepository/podinfo.flux --values values-1.yaml --values values-2.yaml --label a=b --export
create hr podinfo --chart-ref HelmChart/podinfo --export
create hr podinfo --chart-ref Foo/podinfo --export
create hr podinfo --chart-ref podinfo --export
create hr podinfo --export
create hr podinfo --chart x --chart-ref OCIRepository/p --export
create hr podinfo --chart x --export
create hr podinfo --chart x --source HelmRepository/y --reconcile-strategy foo --export
create hr podinfo --chart x --source HelmRepository/y --values nope.yaml --export
create hr podinfo --chart x --source HelmRepository/y --values-from Foo/x --export
create hr podinfo --chart x --source HelmRepository/y --values-from x --export
create hr podinfo --chart x --source HelmRepository/y --crds foo --export
create hr podinfo --chart x --source HelmRepository/y.z.w --crds Skip --export
create hr";

#[test]
fn odd_flags_of_helm_kinds_get_upstreams_words() {
    World::new().check(
        "helm_flags",
        &[
            &["create", "source", "helm", "aa", "--url=https://x y/z"],
            &["create", "source", "helm", "aa", "--url=https://x.y/%zz"],
            &[
                "create",
                "source",
                "helm",
                "aa",
                "--url=HTTPS://x.y/z",
                "--export",
            ],
            &["create", "source", "helm", "aa", "--url=bad", "--label=bad"],
            &[
                "create",
                "source",
                "helm",
                "aa",
                "--url=oci://x.y",
                "--oci-provider=odd",
                "--export",
            ],
            &[
                "create",
                "source",
                "chart",
                "aa",
                "--chart=x",
                "--source=GitRepository/",
            ],
            &[
                "create",
                "source",
                "oci",
                "aa",
                "--url=oci://x/y",
                "--tag=1",
                "--layer-selector=a:b:copy",
            ],
            &[
                "create",
                "source",
                "oci",
                "aa",
                "--url=oci://x/y",
                "--tag=1",
                "--ignore-paths=\"a,b\",c",
                "--export",
            ],
            &[
                "create",
                "hr",
                "aa",
                "--chart-ref=OCIRepository/",
                "--export",
            ],
            &[
                "create",
                "hr",
                "aa",
                "--chart=x",
                "--depends-on=a@b,ns/c",
                "--export",
            ],
            &["create", "hr", "aa", "--chart=x", "--crds="],
            &[
                "create",
                "hr",
                "aa",
                "--chart=x",
                "--values-from=secret/a,configmap/b",
                "--export",
            ],
            &[
                "create",
                "secret",
                "helm",
                "aa",
                "-u=u",
                "-p=p",
                "--label=a=b",
                "--export",
            ],
            &["create", "secret", "helm", "aa", "--export"],
            &["create", "secret", "helm", "aa", "-u=u"],
            &[
                "create",
                "secret",
                "helm",
                "aa",
                "--tls-crt-file=objects.yaml",
            ],
            &[
                "create",
                "secret",
                "oci",
                "aa",
                "--url=ghcr.io/a/b:x",
                "-u=u",
                "-p=p\"<&",
                "--export",
            ],
            &["create", "secret", "oci", "aa"],
            &["create", "secret", "tls", "aa"],
            &[
                "create",
                "secret",
                "proxy",
                "aa",
                "--address=http://x",
                "-u=u",
                "--export",
            ],
            &["create", "secret", "proxy", "aa"],
            &["get", "hr", "-l", "a b"],
            &["get", "hr", "--cluster", "nowhere"],
            &["get", "hr", "--user", "nobody"],
            &["get", "hr", "--as-group", "x"],
            &["get", "hr", "--kubeconfig", "/nowhere"],
            &["get", "hr", "--server", "https://127.0.0.1:1"],
            &["events", "--for", "a/b/c"],
            &["logs", "--tail", "x"],
            &["trace", "cm", "missing"],
            &["trace", "x", "--kind=ConfigMap", "--api-version=a/b/c"],
        ],
    );
}
