//! Charts of kustomizations: `tests/golden/charts` was built by kustomize 5.8.1 with helm 4.2.4 into `expected.yaml`.

use std::path::Path;
use std::process::Command;

use testkit::corpus::first_difference;
use testkit::helmhttp::HelmHttp;
use testkit::ociregistry::OciRegistry;

#[test]
fn charts_are_rendered_as_kustomize_with_helm_does() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/charts");
    let build = |flags: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_flux"))
            .args(["kustomize", "build"])
            .args(flags)
            .arg(&directory)
            .output()
            .unwrap()
    };
    let built = build(&["--enable-helm"]);
    let text = String::from_utf8(built.stdout).unwrap();
    let expected = std::fs::read_to_string(directory.join("expected.yaml")).unwrap();
    let error = String::from_utf8_lossy(&built.stderr);
    assert_eq!(first_difference(&expected, &text), None, "{error}");
    let versions = build(&["--enable-helm", "--helm-kube-version", "1.31"]);
    let text = String::from_utf8(versions.stdout).unwrap();
    assert_eq!(text.matches("kube: v1.31").count(), 3, "{text}");

    let refused = build(&[]);
    let error = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(error.contains("must specify --enable-helm"), "{error}");
    assert!(refused.stdout.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn charts_that_do_not_lie_there_are_downloaded() {
    let template = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: {{ .Chart.Name }}-{{ .Chart.Version }}}\n\
                    data: {a: {{ .Values.a }}, b: {{ .Values.b }}}\n";
    let files = [
        ("values.yaml", "a: packed\nb: packed\n"),
        ("templates/c.yaml", template),
    ];
    let repository = HelmHttp::start().await;
    for version in ["1.0.0", "1.2.0", "2.0.0"] {
        repository.add_chart("web", version, &files);
    }
    let registry = OciRegistry::start().await;
    registry.push_chart("charts", "web", "3.1.0", &files);
    let folder = tempfile::tempdir().unwrap();
    let build = async |entries: &str| {
        std::fs::write(folder.path().join("kustomization.yaml"), entries).unwrap();
        let path = folder.path().to_owned();
        let command = tokio::task::spawn_blocking(move || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_flux"));
            command
                .args(["kustomize", "build", "--enable-helm"])
                .arg(path)
                .output()
                .unwrap()
        });
        let output = command.await.unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let entries = format!(
        "helmCharts:\n- {{name: web, repo: {url}, version: 1.x}}\n\
         - {{name: web, repo: {url}, valuesInline: {{b: inline}}}}\n\
         - {{name: web, repo: {oci}, version: 3.1.0, valuesInline: {{b: inline}}, valuesMerge: merge}}\n",
        url = repository.url(),
        oci = registry.url("charts"),
    );
    let built = build(&entries).await;
    for (name, b) in [
        ("1.2.0", "packed"),
        ("2.0.0", "inline"),
        ("3.1.0", "packed"),
    ] {
        let object = format!(
            "data:\n  a: packed\n  b: {b}\nkind: ConfigMap\nmetadata:\n  name: web-{name}\n"
        );
        assert!(built.contains(&object), "{built}");
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing is written"
    );
    let entries = format!(
        "helmCharts: [{{name: web, repo: {}, version: 9.x}}]",
        repository.url()
    );
    let refused = build(&entries).await;
    assert!(refused.contains("chart 'web' of 'http"), "{refused}");
    assert!(refused.contains("9.x"), "{refused}");
}
