//! Charts, values and signatures that `flux helm` fetches, from a repository on loopback.

use std::process::Command;

use testkit::helmhttp::HelmHttp;

async fn run(folder: &std::path::Path, args: Vec<String>) -> (Option<i32>, String, String) {
    let folder = folder.to_owned();
    let run = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flux"));
        command.arg("helm").args(args).current_dir(folder);
        command
            .env("HELM_CONFIG_HOME", ".")
            .env("HELM_CACHE_HOME", ".");
        command.output().unwrap()
    });
    let output = run.await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn charts_come_from_repositories_and_addresses() {
    let template = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: {{ .Chart.Version }}}\ndata: {a: {{ .Values.a }}}\n";
    let files = [("values.yaml", "a: own\n"), ("templates/c.yaml", template)];
    let repository = HelmHttp::start().await;
    for version in ["1.0.0", "1.2.0", "2.0.0-rc.1"] {
        repository.add_chart("web", version, &files);
    }
    let url = repository.url();
    let url = url.trim_end_matches('/');
    let folder = tempfile::tempdir().unwrap();
    let check = async |args: &str, code: i32, expected: &str| {
        let words = args
            .split(' ')
            .map(|word| word.replace("URL", url))
            .collect();
        let (actual, stdout, stderr) = run(folder.path(), words).await;
        assert_eq!(actual, Some(code), "{args}: {stderr}");
        let expected = expected.replace("URL", url);
        let shown = if code == 0 { stdout } else { stderr };
        assert!(shown.contains(&expected), "{args}: {shown}");
    };
    check("template web --repo URL", 0, "metadata: {name: 1.2.0}").await;
    check(
        "template web --repo URL --devel",
        0,
        "metadata: {name: 2.0.0-rc.1}",
    )
    .await;
    check(
        "template web --repo URL/ --version 1.0",
        0,
        "metadata: {name: 1.0.0}",
    )
    .await;
    check(
        "show chart web --repo URL --version ~1.0.0",
        0,
        "version: 1.0.0",
    )
    .await;
    let missing = "Error: chart \"web\" version \"9.x\" not found in URL repository\n";
    check("template web --repo URL --version 9.x", 1, missing).await;
    let missing = "Error: chart \"other\" not found in URL repository\n";
    check("template other --repo URL", 1, missing).await;
    let refused = "Error: looks like \"URL/none\" is not a valid chart repository or cannot be reached: failed to fetch URL/none/index.yaml : 404 Not Found\n";
    check("template web --repo URL/none", 1, refused).await;
    let refused = "Error: failed to fetch URL/none.tgz : 404 Not Found\n";
    check("template URL/none.tgz", 1, refused).await;
    let refused = "Error: failed to fetch URL/none.yaml : 404 Not Found\n";
    check("template web --repo URL -f URL/none.yaml", 1, refused).await;
    check("template mine/web", 1, "Error: repo mine not found\n").await;

    let list = format!("repositories:\n- {{name: mine, url: '{url}'}}\n");
    std::fs::write(folder.path().join("repositories.yaml"), list).unwrap();
    check(
        "template mine/web",
        1,
        "no cached repo found. (try 'helm repo update')",
    )
    .await;
}
