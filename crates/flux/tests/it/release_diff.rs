//! `flux diff helmrelease` against a cluster in which the controllers installed the release.

use std::path::PathBuf;
use std::process::Command;

use testkit::gitrepo::GitRepo;

use crate::layouts::{Desk, check};

const RELEASE: &str = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: news\n---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: press\n  namespace: news\nspec:\n  interval: 10m\n  chart:\n    spec:\n      chart: ./charts/press\n      sourceRef:\n        kind: GitRepository\n        name: flux-system\n        namespace: flux-system\n  values:\n    paper: thin\n";

/// Asks the cluster, holds a Secret, keeps an object, has a hook, and changes with the edition.
const TEMPLATE: &str = r#"apiVersion: v1
kind: ConfigMap
metadata:
  name: front
data:
  edition: {{ .Values.edition }}
  paper: {{ .Values.paper }}
  seen: {{ (lookup "v1" "Namespace" "" .Release.Namespace).metadata.name }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: same
---
apiVersion: v1
kind: Secret
metadata:
  name: token
stringData:
  token: secret-{{ .Values.edition }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: hook
  annotations:
    helm.sh/hook: pre-delete
data:
  edition: {{ .Values.edition }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: of-the-{{ .Values.edition }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: kept-of-the-{{ .Values.edition }}
  annotations:
    helm.sh/resource-policy: keep
"#;

const LATE: &str = "\
► Secret/news/token drifted

data.token
± value change
- *** (before)
+ *** (after)

► ConfigMap/news/front drifted

data.edition
± value change
- morning
+ evening

► ConfigMap/news/of-the-evening created
► ConfigMap/news/kept-of-the-evening created
► ConfigMap/news/of-the-morning deleted
";

const FRESH: &str = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: fresh\nspec:\n  interval: 10m\n  targetNamespace: default\n  chartRef:\n    kind: OCIRepository\n    name: press\n  values:\n    paper: thin\n";

const CREATED: &str = "\
► Secret/default/token created
► ConfigMap/default/front created
► ConfigMap/default/same created
► ConfigMap/default/of-the-evening created
► ConfigMap/default/kept-of-the-evening created
";

fn chart(directory: &str, edition: &str) -> [(String, String); 3] {
    [
        (
            "Chart.yaml",
            "apiVersion: v2\nname: press\nversion: 1.0.0\n".to_owned(),
        ),
        ("values.yaml", format!("edition: {edition}\n")),
        ("templates/all.yaml", TEMPLATE.to_owned()),
    ]
    .map(|(name, text)| (format!("{directory}/{name}"), text))
}

fn installed() -> Desk {
    let desk = Desk::new();
    let mut files = vec![("apps/release.yaml".to_owned(), RELEASE.to_owned())];
    files.extend(chart("charts/press", "morning"));
    files.extend(chart("charts/late", "evening"));
    files.extend(chart("charts/odd", "odd").map(|(name, text)| {
        let text = text.replace(
            TEMPLATE,
            "apiVersion: example.com/v1\nkind: Odd\nmetadata:\n  name: odd\n",
        );
        (name, text)
    }));
    let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (&**a, &**b)).collect();
    let _: GitRepo = desk.repository("fleet", &files);
    let output = desk.converge("fleet", &[], &["--path", "apps"]);
    check(&output, 0, &["and 1 HelmRelease"]);
    desk
}

/// Serves what the run left behind, as long as it lives.
struct Served {
    desk: Desk,
    runtime: tokio::runtime::Runtime,
    server: apiserver::Server,
    kubeconfig: PathBuf,
}

impl Served {
    fn new(desk: Desk) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let kubeconfig = desk.path("kubeconfig");
        let options = apiserver::Options {
            data: Some(desk.path("data")),
            ..apiserver::Options::default()
        };
        let server = runtime.block_on(async {
            let server = apiserver::Server::start(options).await.unwrap();
            let serving = server.serve(None).await.unwrap();
            std::fs::write(&kubeconfig, serving.kubeconfig()).unwrap();
            server
        });
        Self {
            desk,
            runtime,
            server,
            kubeconfig,
        }
    }

    fn check(&self, arguments: &[&str], code: i32, stdout: &str, stderr: &str) {
        let output = Command::new(env!("CARGO_BIN_EXE_flux"))
            .args(["diff", "helmrelease", "-n", "news"])
            .args(arguments)
            .current_dir(self.desk.path("fleet"))
            .env_clear()
            .env("KUBECONFIG", &self.kubeconfig)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let told = text(&output.stderr);
        assert_eq!(text(&output.stdout), stdout, "{arguments:?}: {told}");
        assert!(told.contains(stderr), "{arguments:?}: {told}");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
    }
}

#[test]
fn a_chart_is_compared_with_what_is_installed() {
    let served = Served::new(installed());
    let found = "identified at least one change";
    served.check(&["press", "--path=charts/press"], 0, "", "");
    served.check(&["press", "--path=charts/late"], 1, LATE, found);
    served.check(&["press"], 2, "", "cannot be fetched");
    served.check(&["press", "--path=charts"], 2, "", "Chart.yaml");
    served.check(&["gone", "--path=charts/late"], 2, "", "\"gone\" not found");
    let file = "--helmrelease-file=apps/release.yaml";
    served.check(&["press", "--path=charts/late", file], 1, LATE, found);
    std::fs::write(served.desk.path("fleet/fresh.yaml"), FRESH).unwrap();
    let file = "--helmrelease-file=fresh.yaml";
    served.check(&["fresh", "--path=charts/late", file], 1, CREATED, found);
    served.check(&["press", "--path=charts/odd"], 2, "", "matches for kind");
    served.runtime.block_on(served.server.shutdown());
}
