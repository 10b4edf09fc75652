//! HelmCharts on the embedded server.

use helm::load::load_archive;
use objects::{Value, json};
use testkit::charts::{pack_chart, pack_files};
use testkit::gitrepo::GitRepo;
use testkit::helmhttp::HelmHttp;
use testkit::loopback::Fault;
use testkit::ociregistry::OciRegistry;

use crate::sources::{
    artifact, condition, gone, kind, options, ready, ready_at, request, says, secret, source,
};
use crate::world::World;

const KIND: &str = "HelmChart";

fn chart(chart: &str, of: &str, more: Value) -> Value {
    let mut spec = json!({"chart": chart, "sourceRef": {"kind": of, "name": "repo"}});
    for (key, value) in more.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec
}

async fn with_http(server: &HelmHttp) -> World {
    let world = World::start(options()).await;
    world
        .create(source(
            "HelmRepository",
            "repo",
            json!({"url": server.url()}),
        ))
        .await;
    world
}

fn stored(world: &World, object: &objects::Object) -> helm::chart::Chart {
    let path = artifact(object).path;
    let bytes = world.controllers.artifacts().read(&path).unwrap().unwrap();
    load_archive(&bytes, helm::Version::V4).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn charts_follow_their_repository() {
    let server = HelmHttp::start().await;
    server.add_chart("app", "1.0.0", &[]);
    server.add_chart("app", "2.0.0-rc.1", &[]);
    let world = with_http(&server).await;
    world
        .create(source(
            KIND,
            "any",
            chart("app", "HelmRepository", json!({})),
        ))
        .await;
    let pinned = chart("app", "HelmRepository", json!({"version": "1.0.x"}));
    world.create(source(KIND, "pinned", pinned)).await;
    let first = ready_at(&world, KIND, "any", "1.0.0").await;
    assert_eq!(
        ready(&first),
        "True ChartPullSucceeded: pulled 'app' chart with version '1.0.0'"
    );
    let kept = artifact(&first);
    assert_eq!(kept.path, "helmchart/default/any/app-1.0.0.tgz");
    let store = world.controllers.artifacts();
    let bytes = store.read(&kept.path).unwrap().unwrap();
    assert_eq!(&bytes[..], pack_chart("app", "1.0.0", &[]));
    ready_at(&world, KIND, "pinned", "1.0.0").await;

    // The chart hears of the new index at once: its interval is an hour.
    server.add_chart("app", "1.1.0", &[]);
    request(&world, "HelmRepository", "repo", "1").await;
    ready_at(&world, KIND, "any", "1.1.0").await;
    let pinned = request(&world, KIND, "pinned", "1").await;
    assert_eq!(artifact(&pinned).revision, "1.0.0");
    for version in ["1.0.0", "1.1.0"] {
        let event = format!("ChartPullSucceeded: pulled 'app' chart with version '{version}'");
        world.wait_event("any", &event).await;
    }
    world.delete(&kind(KIND), "any").await;
    gone(&world, KIND, "any").await;
    assert_eq!(
        store.read("helmchart/default/any/app-1.1.0.tgz").unwrap(),
        None
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn values_files_make_another_chart() {
    let server = HelmHttp::start().await;
    let files = [
        ("values.yaml", "a: 1\nb: {c: 1, d: 2}\n"),
        ("prod.yaml", "b: {c: 9}\nlist: [1]\n"),
        ("more/x.yaml", "list: [2]\n"),
    ];
    server.add_chart("app", "1.0.0", &files);
    let world = with_http(&server).await;
    let more = json!({"valuesFiles": ["values.yaml", "prod.yaml", "more/x.yaml"]});
    let spec = chart("app", "HelmRepository", more);
    world.create(source(KIND, "app", spec)).await;
    let object = ready_at(&world, KIND, "app", "1.0.0+1").await;
    assert_eq!(
        ready(&object),
        "True ChartPackageSucceeded: packaged 'app' chart with version '1.0.0+1' and merged values files [values.yaml prod.yaml more/x.yaml]"
    );
    let merged = stored(&world, &object);
    let values = merged.raw.iter().find(|f| f.name == "values.yaml").unwrap();
    assert_eq!(
        std::str::from_utf8(&values.data).unwrap(),
        "a: 1\nb:\n  c: 9\n  d: 2\nlist:\n- 2\n"
    );
    assert_eq!(merged.metadata.version, "1.0.0+1");

    let patch = json!({"spec": {"valuesFiles": ["prod.yaml", "nope.yaml"]}});
    world.patch(&kind(KIND), "app", patch).await;
    let object = says(&world, KIND, "app", "False ValuesFilesError: values files merge error: failed to merge chart values: no values file found at path 'nope.yaml'").await;
    assert!(condition(&object, "Stalled").is_some());
    let patch = json!({"spec": {"ignoreMissingValuesFiles": true}});
    world.patch(&kind(KIND), "app", patch).await;
    let object = ready_at(&world, KIND, "app", "1.0.0+3").await;
    assert_eq!(
        object.get(&["status", "observedValuesFiles"]),
        Some(&json!(["prod.yaml"]))
    );
    assert!(ready(&object).ends_with("and merged values files [prod.yaml]"));
}

#[tokio::test(flavor = "multi_thread")]
async fn charts_come_from_registries_with_credentials() {
    let server = OciRegistry::start().await;
    for version in ["1.0.0", "1.2.0", "1.10.0+build.1"] {
        server.push_chart("charts", "app", version, &[]);
    }
    server.require_token("u", "p");
    let world = World::start(options()).await;
    let url = server.url("charts");
    let spec = json!({"url": url, "type": "oci", "secretRef": {"name": "login"}});
    world.create(source("HelmRepository", "repo", spec)).await;
    let of = "HelmRepository";
    world
        .create(source(KIND, "any", chart("app", of, json!({}))))
        .await;
    let exact = chart("app", of, json!({"version": "1.2.0"}));
    world.create(source(KIND, "exact", exact)).await;
    says(&world, KIND, "any", "False Unknown: unknown build error: failed to get authentication secret 'default/login': secrets \"login\" not found").await;
    let config = json!({"auths": {server.address(): {"username": "u", "password": "wrong"}}});
    let mut login = secret("login", json!({".dockerconfigjson": config.to_string()}));
    login["type"] = json!("kubernetes.io/dockerconfigjson");
    world.create(login).await;
    says(&world, KIND, "any", "False Unknown: unknown build error: failed to authenticate with the Helm repository: chart pull error: ").await;
    let config = json!({"auths": {server.address(): {"username": "u", "password": "p"}}});
    let gvk = objects::Gvk::new("", "v1", "Secret");
    let patch = json!({"stringData": {".dockerconfigjson": config.to_string()}});
    world.patch(&gvk, "login", patch).await;
    ready_at(&world, KIND, "any", "1.10.0+build.1").await;
    ready_at(&world, KIND, "exact", "1.2.0").await;

    let missing = chart("nope", of, json!({"version": "1.0.0"}));
    world.create(source(KIND, "missing", missing)).await;
    let object = says(&world, KIND, "missing", "False ChartPullError: chart pull error: failed to download chart for remote reference: failed to get 'oci://").await;
    assert!(condition(&object, "Stalled").is_none());
    let range = chart("app", of, json!({"version": "9.x"}));
    world.create(source(KIND, "range", range)).await;
    says(&world, KIND, "range", "False ChartPullError: chart pull error: failed to get chart version for remote reference: could not locate a version matching provided version string 9.x").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_are_packed_with_their_dependencies() {
    let server = HelmHttp::start().await;
    server.add_chart("redis", "7.1.0", &[]);
    server.require("u", "p");
    let directory = tempfile::tempdir().unwrap();
    let mut repo = GitRepo::init(directory.path());
    let metadata = format!(
        "apiVersion: v2\nname: app\nversion: 1.0.0\ndependencies:\n- {{name: lib, version: 0.x, repository: 'file://../lib'}}\n- {{name: redis, version: '>=7', repository: '{}', alias: cache}}\n",
        server.url()
    );
    let files = [
        ("charts/app/Chart.yaml", metadata.as_str()),
        ("charts/app/values.yaml", "a: 1\n"),
        ("charts/app/templates/x.yaml", "a: {{ .Values.a }}\n"),
        (
            "charts/lib/Chart.yaml",
            "name: lib\nversion: 0.2.0\napiVersion: v2\n",
        ),
        ("prod.yaml", "a: 2\n"),
    ];
    let id = repo.commit_files(&files);
    let world = World::start(options()).await;
    // Credentials come from the repository of the namespace with this address.
    world
        .create(secret("login", json!({"username": "u", "password": "p"})))
        .await;
    let spec = json!({"url": server.url(), "secretRef": {"name": "login"}});
    world.create(source("HelmRepository", "redis", spec)).await;
    says(&world, "HelmRepository", "redis", "True ").await;
    let url = format!("file://{}", directory.path().display());
    let spec = json!({"url": url, "ref": {"branch": "main"}});
    world.create(source("GitRepository", "repo", spec)).await;
    let of = "GitRepository";
    let spec = chart("./charts/app", of, json!({}));
    world.create(source(KIND, "app", spec)).await;
    let more = json!({"reconcileStrategy": "Revision", "valuesFiles": ["prod.yaml"]});
    let spec = chart("charts/app", of, more);
    world.create(source(KIND, "by-revision", spec)).await;

    let object = ready_at(&world, KIND, "app", "1.0.0").await;
    assert!(ready(&object).starts_with("True ChartPackageSucceeded: packaged 'app' chart"));
    let packed = stored(&world, &object);
    let names: Vec<&str> = packed.dependencies.iter().map(|d| d.name()).collect();
    assert_eq!(names, ["cache", "lib"]);
    let wanted = format!("1.0.0+{}.1", &id[..12]);
    let object = ready_at(&world, KIND, "by-revision", &wanted).await;
    let values = stored(&world, &object);
    let values = values.raw.iter().find(|f| f.name == "values.yaml").unwrap();
    assert_eq!(&*values.data, b"a: 2\n");
    let event = "ResolvedDependencies: resolved 2 chart dependencies";
    world.wait_event("app", event).await;

    // A commit that leaves the version alone concerns only the chart that follows revisions.
    let id = repo.commit_files(&[("README.md", "x")]);
    let wanted = format!("1.0.0+{}.1", &id[..12]);
    ready_at(&world, KIND, "by-revision", &wanted).await;
    let object = world
        .wait(&kind(KIND), "app", |object| {
            object
                .str_at(&["status", "observedSourceArtifactRevision"])
                .ends_with(&id)
        })
        .await;
    assert_eq!(artifact(&object).revision, "1.0.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_directories_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let mut repo = GitRepo::init(directory.path());
    let with = |dependency: &str| {
        format!(
            "apiVersion: v2\nname: app\nversion: 1.0.0\ndependencies:\n- {{name: d, version: 1.x, repository: '{dependency}'}}\n"
        )
    };
    let (absent, alias) = (with("file://../nope"), with("@alias"));
    repo.commit_files(&[
        ("absent/Chart.yaml", absent.as_str()),
        ("absent/values.yaml", ""),
        ("alias/Chart.yaml", alias.as_str()),
        ("alias/values.yaml", ""),
        ("invalid/Chart.yaml", "name: x\n"),
        ("empty/README.md", ""),
        ("packed.tgz.txt", "no archive"),
    ]);
    let world = World::start(options()).await;
    let url = format!("file://{}", directory.path().display());
    let spec = json!({"url": url, "ref": {"branch": "main"}});
    for (name, path, expected, stalls) in [
        (
            "none",
            "nope",
            "False InvalidChartReference: invalid chart reference: stat nope: no such file or directory",
            true,
        ),
        (
            "empty",
            "empty",
            "False InvalidChartReference: invalid chart reference: open empty/Chart.yaml: no such file or directory",
            true,
        ),
        (
            "invalid",
            "invalid",
            "False InvalidChartReference: invalid chart reference: validation: chart.metadata.version is required",
            true,
        ),
        (
            "outside",
            "../../etc",
            "False InvalidChartReference: invalid chart reference: stat etc: no such file or directory",
            true,
        ),
        (
            "packed",
            "packed.tgz.txt",
            "False InvalidChartReference: invalid chart reference: gzip: invalid header",
            true,
        ),
        (
            "absent",
            "absent",
            "False DependencyBuildError: dependency build error: failed to add local dependency 'd': no chart found at '/nope' (reference 'file://../nope')",
            false,
        ),
        (
            "alias",
            "alias",
            "False DependencyBuildError: dependency build error: failed to add remote dependency 'd': ",
            false,
        ),
    ] {
        world
            .create(source(KIND, name, chart(path, "GitRepository", json!({}))))
            .await;
        if name == "none" {
            says(
                &world,
                KIND,
                name,
                "False SourceUnavailable: failed to get source: ",
            )
            .await;
            world
                .create(source("GitRepository", "repo", spec.clone()))
                .await;
        }
        let object = says(&world, KIND, name, expected).await;
        assert_eq!(condition(&object, "Stalled").is_some(), stalls, "{name}");
    }
    // A commit mends them: what stalls looks again when its source has news.
    repo.commit_files(&[
        (
            "nope/Chart.yaml",
            "apiVersion: v2\nname: x\nversion: 1.0.0\n",
        ),
        ("nope/values.yaml", ""),
    ]);
    ready_at(&world, KIND, "none", "1.0.0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_repositories_are_told() {
    let server = HelmHttp::start().await;
    server.add_chart("app", "1.0.0", &[]);
    server.add_archive("junk", "1.0.0", b"not an archive".to_vec());
    server.add_archive(
        "traversal",
        "1.0.0",
        pack_files(&[("traversal/../../x", b"x")]),
    );
    server.add_archive("large", "1.0.0", vec![0; (10 << 20) + 1]);
    server.add_archive("empty", "1.0.0", pack_files(&[("empty/README.md", b"x")]));
    let world = with_http(&server).await;
    let of = "HelmRepository";
    const PULL: &str = "False ChartPullError: chart pull error: failed to ";
    const LOAD: &str = "load chart metadata from written chart:";
    for (name, path, version, expected, stalls) in [
        ("no-chart", "nope", "*", "False InvalidChartReference: invalid chart reference: failed to get chart version for remote reference: no chart name found".to_owned(), true),
        ("no-version", "app", "9.x", "False InvalidChartReference: invalid chart reference: failed to get chart version for remote reference: no 'app' chart with version matching '9.x' found".to_owned(), true),
        ("bad-name", "App", "*", "False InvalidChartReference: invalid chart reference: invalid chart name 'App': ".to_owned(), true),
        ("junk", "junk", "*", format!("{PULL}{LOAD} gzip: invalid header"), false),
        ("traversal", "traversal", "*", format!("{PULL}{LOAD} chart illegally references parent directory"), false),
        ("large", "large", "*", format!("{PULL}download chart for remote reference: size of chart 'large-1.0.0.tgz' exceeds '10485760' bytes limit"), false),
        ("empty", "empty", "*", format!("{PULL}{LOAD} no 'Chart.yaml' found"), false),
    ] {
        let spec = chart(path, of, json!({"version": version}));
        world.create(source(KIND, name, spec)).await;
        let object = says(&world, KIND, name, &expected).await;
        assert_eq!(condition(&object, "Stalled").is_some(), stalls, "{name}");
    }
    // A chart that appears is found as soon as the index has it.
    server.add_chart("nope", "1.0.0", &[]);
    request(&world, of, "repo", "1").await;
    ready_at(&world, KIND, "no-chart", "1.0.0").await;

    let verified = chart("app", of, json!({"verify": {"provider": "cosign"}}));
    world.create(source(KIND, "verified", verified)).await;
    says(
        &world,
        KIND,
        "verified",
        "False VerificationError: chart verification error: not implemented",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lying_registries_are_refused_until_they_stop() {
    let server = OciRegistry::start().await;
    server.push_chart("charts", "app", "1.0.0", &[]);
    let world = World::start(options()).await;
    let spec = json!({"url": server.url("charts"), "type": "oci"});
    world.create(source("HelmRepository", "repo", spec)).await;
    server.fault("/blobs/", Fault::WrongContent, 1);
    let spec = chart("app", "HelmRepository", json!({"version": "1.0.0"}));
    world.create(source(KIND, "app", spec)).await;
    let object = ready_at(&world, KIND, "app", "1.0.0").await;
    assert_eq!(stored(&world, &object).metadata.version, "1.0.0");
    world
        .wait_event("app", "error verifying sha256 checksum")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_charts_are_collected() {
    let server = HelmHttp::start().await;
    let world = with_http(&server).await;
    let spec = chart("app", "HelmRepository", json!({}));
    world.create(source(KIND, "app", spec)).await;
    says(&world, KIND, "app", "False ").await;
    let versions = ["1.0.0", "1.1.0", "1.2.0", "1.3.0"];
    for version in versions {
        server.add_chart("app", version, &[]);
        request(&world, "HelmRepository", "repo", version).await;
        ready_at(&world, KIND, "app", version).await;
    }
    request(&world, KIND, "app", "last").await;
    let store = world.controllers.artifacts();
    let kept = |version: &&&str| {
        let path = format!("helmchart/default/app/app-{version}.tgz");
        store.read(&path).unwrap().is_some()
    };
    let kept: Vec<&&str> = versions.iter().filter(kept).collect();
    assert_eq!(kept, [&"1.2.0", &"1.3.0"]);
    let linked = store.read("helmchart/default/app/latest.tar.gz").unwrap();
    let newest = store.read("helmchart/default/app/app-1.3.0.tgz").unwrap();
    assert_eq!(linked, newest);
    let event = "GarbageCollectionSucceeded: garbage collected";
    world.wait_event("app", event).await;
}
