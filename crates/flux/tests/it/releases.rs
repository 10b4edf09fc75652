//! Helm releases by the built program: the example repository with its mirrors, and charts of a Helm repository and a
//! registry on loopback in the layout of upstream's example.

use objects::{Object, Value};
use testkit::helmhttp::HelmHttp;
use testkit::ociregistry::OciRegistry;

use crate::fleet;
use crate::layouts::{Desk, check, from, sync};

fn text<'a>(object: &'a Object, path: &[&str]) -> &'a str {
    object.get(path).and_then(Value::as_str).unwrap_or_default()
}

#[test]
fn the_example_installs_charts_of_its_own_repository_without_network() {
    let desk = Desk::new();
    let example = fleet::repository();
    let followed = example.to_str().unwrap();
    let output = desk.converge(followed, &[], &["--path", "./clusters/k8s-03"]);
    check(
        &output,
        0,
        &[
            "► https://charts.example.com/stable is taken from ./charts/stable: almanac 1.4.0, almanac 2.0.0",
            "► oci://registry.example.com/charts is taken from ./charts/registry: telegraph 0.9.1",
            "and 3 HelmReleases",
            "helmrelease/newsroom/gazette",
        ],
    );
    let found = desk.found(&[
        ("apps/v1", "Deployment", "newsroom", "gazette-stand"),
        ("batch/v1", "CronJob", "newsroom", "gazette-press"),
        ("v1", "ConfigMap", "newsroom", "gazette-masthead"),
        ("v1", "Secret", "newsroom", "sh.helm.release.v1.gazette.v1"),
        (
            "helm.toolkit.fluxcd.io/v2",
            "HelmRelease",
            "newsroom",
            "gazette",
        ),
    ]);
    let [stand, press, masthead, record, release] = found
        .try_into()
        .map(|all: [Option<Object>; 5]| all.map(Option::unwrap))
        .unwrap();
    // Inline values of the cluster, values of its ConfigMap, and those of the base.
    assert_eq!(stand.get(&["spec", "replicas"]).unwrap(), 3);
    assert_eq!(text(&press, &["spec", "schedule"]), "30 4 * * *");
    assert!(
        press
            .clone()
            .into_value()
            .to_string()
            .contains("\"morning\"")
    );
    assert_eq!(text(&masthead, &["data", "title"]), "The Lakeside Gazette");
    assert_eq!(text(&record, &["type"]), "helm.sh/release.v1");
    assert_eq!(
        release.get(&["status", "history"]).unwrap()[0]["status"],
        "deployed"
    );

    let before = desk.written();
    let again = desk.converge(followed, &[], &["--path", "./clusters/k8s-03"]);
    check(&again, 0, &[]);
    assert_eq!(desk.written(), before, "a restart writes nothing");
}

const PODINFO: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  message: {{ .Values.message | quote }}\n  chart: {{ .Chart.Version | quote }}\n";

/// The servers that a repository refers to; they live as long as the runtime.
fn servers(runtime: &tokio::runtime::Runtime) -> (HelmHttp, OciRegistry) {
    runtime.block_on(async {
        let charts = HelmHttp::start().await;
        for version in ["6.1.0", "6.2.0", "7.0.0"] {
            charts.add_chart("podinfo", version, &[("templates/podinfo.yaml", PODINFO)]);
        }
        let registry = OciRegistry::start().await;
        registry.push_chart(
            "charts",
            "ingress",
            "1.0.0",
            &[("templates/all.yaml", PODINFO)],
        );
        (charts, registry)
    })
}

#[test]
fn releases_of_repositories_and_registries_converge_per_cluster() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (charts, registry) = servers(&runtime);
    let controllers = format!(
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ingress\n---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata:\n  name: ingress\n  namespace: ingress\nspec:\n  interval: 10m\n  insecure: true\n  url: {}\n  ref:\n    tag: 1.0.0\n---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: ingress\n  namespace: ingress\nspec:\n  interval: 10m\n  chartRef:\n    kind: OCIRepository\n    name: ingress\n",
        registry.url("charts/ingress")
    ) + &format!(
        // Has no status to be ready by: what waits for it must not wait for ever.
        "---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata:\n  name: team\n  namespace: ingress\nspec:\n  type: oci\n  insecure: true\n  url: {}\n---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: edge\n  namespace: ingress\nspec:\n  interval: 10m\n  chart:\n    spec:\n      chart: ingress\n      version: 1.x\n      sourceRef:\n        kind: HelmRepository\n        name: team\n",
        registry.url("charts")
    );
    let base = format!(
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: podinfo\n---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata:\n  name: podinfo\n  namespace: podinfo\nspec:\n  interval: 10m\n  url: {}\n---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: podinfo\n  namespace: podinfo\nspec:\n  interval: 10m\n  chart:\n    spec:\n      chart: podinfo\n      sourceRef:\n        kind: HelmRepository\n        name: podinfo\n  values:\n    message: base\n",
        charts.url()
    );
    let overlay = |range: &str, message: &str| {
        format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: podinfo\n  namespace: podinfo\nspec:\n  chart:\n    spec:\n      version: \"{range}\"\n  values:\n    message: {message}\n"
        )
    };
    let apps = |cluster: &str| {
        let more = from("flux-system") + "  dependsOn:\n  - name: infra-configs\n";
        sync("flux-system", "apps", &format!("./apps/{cluster}"), &more)
    };
    let infrastructure = sync(
        "flux-system",
        "infra-controllers",
        "./infrastructure/controllers",
        &from("flux-system"),
    ) + "---\n"
        + &sync(
            "flux-system",
            "infra-configs",
            "./infrastructure/configs",
            &(from("flux-system") + "  dependsOn:\n  - name: infra-controllers\n"),
        );
    let overlay_file = "resources: [../base]\npatches: [{path: values.yaml}]\n";
    let desk = Desk::new();
    desk.repository(
        "fleet",
        &[
            ("clusters/production/apps.yaml", &apps("production")),
            ("clusters/production/infrastructure.yaml", &infrastructure),
            ("clusters/staging/apps.yaml", &apps("staging")),
            ("clusters/staging/infrastructure.yaml", &infrastructure),
            ("infrastructure/controllers/ingress.yaml", &controllers),
            ("infrastructure/configs/class.yaml", "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata:\n  name: public\nspec:\n  controller: example.com/ingress\n"),
            ("apps/base/kustomization.yaml", "resources: [podinfo.yaml]\n"),
            ("apps/base/podinfo.yaml", &base),
            ("apps/production/kustomization.yaml", overlay_file),
            ("apps/production/values.yaml", &overlay("6.x", "production")),
            ("apps/staging/kustomization.yaml", overlay_file),
            ("apps/staging/values.yaml", &overlay(">=6.0.0", "staging")),
        ],
    );
    for (cluster, version) in [("production", "6.2.0"), ("staging", "7.0.0")] {
        let path = format!("clusters/{cluster}");
        let output = desk.converge("fleet", &[], &["--path", &path]);
        check(&output, 0, &["and 3 HelmReleases"]);
        let found = desk.found(&[
            ("v1", "ConfigMap", "podinfo", "podinfo"),
            ("v1", "ConfigMap", "ingress", "ingress"),
        ]);
        let podinfo = found[0].as_ref().unwrap();
        assert_eq!(text(podinfo, &["data", "chart"]), version);
        assert_eq!(text(podinfo, &["data", "message"]), cluster);
        assert!(found[1].is_some());
        std::fs::remove_dir_all(desk.path("data")).unwrap();
    }
}

#[test]
fn a_release_is_built_from_files_alone() {
    let example = fleet::repository();
    let build = |name: &str| {
        std::process::Command::new(env!("CARGO_BIN_EXE_flux"))
            .args([
                "build",
                "helmrelease",
                name,
                "-n",
                "newsroom",
                "--dry-run",
                "--path",
            ])
            .arg(example.join("releases/charts/gazette"))
            .arg("--helmrelease-file")
            .arg(example.join("releases/base/gazette.yaml"))
            .env_remove("KUBECONFIG")
            .output()
            .unwrap()
    };
    let built = build("gazette");
    let text = String::from_utf8_lossy(&built.stdout);
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    assert!(text.contains("The Nowhere Gazette"), "{text}");
    assert_eq!(
        text.matches("helm.toolkit.fluxcd.io/name: gazette").count(),
        4,
        "{text}"
    );
    let missing = build("tribune");
    assert_eq!(missing.status.code(), Some(1));
    let error = String::from_utf8_lossy(&missing.stderr);
    assert!(
        error.contains("no HelmRelease 'tribune' in namespace 'newsroom'"),
        "{error}"
    );
}
