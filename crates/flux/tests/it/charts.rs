//! Charts of kustomizations: `tests/golden/charts` was built by kustomize 5.8.1 with helm 4.2.4 into `expected.yaml`.

use std::path::Path;
use std::process::Command;

use testkit::corpus::first_difference;

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
