//! A session with the real kubectl, where one is on the path: exit codes and what people see.

use std::path::Path;
use std::process::Command;

use apiserver::{Options, Server};

const FILES: &[(&str, &str)] = &[
    (
        "map.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {x: '1'}}\ndata: {k: v}\n",
    ),
    (
        "web.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 1\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: c, image: 'nginx:1'}]}\n",
    ),
    (
        "web2.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 1\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: c, image: 'nginx:2'}]}\n",
    ),
    (
        "crd.yaml",
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: foos.example.com}\nspec:\n  group: example.com\n  scope: Namespaced\n  names: {plural: foos, kind: Foo}\n  versions:\n  - name: v1\n    served: true\n    storage: true\n    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer, description: How big.}}}}}}\n",
    ),
    (
        "foo.yaml",
        "apiVersion: example.com/v1\nkind: Foo\nmetadata: {name: f}\nspec: {size: 3}\n",
    ),
    (
        "wrong.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: w}\nbogus: 1\n",
    ),
];

/// Commands, below each its exit code and a text that stands in its output. `sed` as the editor changes `nginx:2` to `nginx:3`.
const SESSION: &str = r#"
create -f map.yaml
  0 configmap/a created
create -f map.yaml
  1 configmaps "a" already exists
get cm a -o jsonpath={.data.k}
  0 v
get cm -l x=1 --show-labels
  0 x=1
describe cm a
  0 Name:         a
apply -f web.yaml --server-side
  0 deployment.apps/web serverside-applied
rollout status deploy/web --timeout=60s
  0 successfully rolled out
get deploy web -o jsonpath={.metadata.generation}{.spec.replicas}
  0 11
get deploy web
  0 1/1
diff -f web2.yaml --server-side
  1 +      - image: nginx:2
apply -f web2.yaml
  0 deployment.apps/web configured
wait --for=condition=available deploy/web --timeout=60s
  0 condition met
edit deploy web
  0 deployment.apps/web edited
get deploy web -o jsonpath={..image}
  0 nginx:3
patch cm a --type merge -p {"data":{"n":"1"}}
  0 patched
patch cm a --type json -p [{"op":"test","path":"/data/n","value":"2"}]
  1 the server rejected our request
scale deploy web --replicas=2
  0 scaled
rollout restart deploy/web
  0 restarted
rollout history deploy/web
  0 REVISION
logs deploy/web
  0
explain deployment.spec.strategy.rollingUpdate
  0 maxSurge
explain deployment.spec.strategy --output=plaintext-openapiv2
  0 rollingUpdate
api-resources --api-group=apps
  0 deployments
api-versions
  0 rbac.authorization.k8s.io/v1
auth can-i create pods
  0 yes
auth can-i create pods --as=jane
  1 no
get pods --as=jane
  1 pods is forbidden: User "jane" cannot list resource "pods"
create sa robot
  0 serviceaccount/robot created
create token robot
  0 ey
apply -f crd.yaml
  0 customresourcedefinition.apiextensions.k8s.io/foos.example.com created
wait --for=condition=established crd/foos.example.com --timeout=60s
  0 condition met
apply -f foo.yaml
  0 foo.example.com/f created
explain foo.spec.size
  0 How big.
patch foo f --type merge -p {"spec":{"size":"x"}}
  1 spec.size: Invalid value: "string"
apply -f wrong.yaml
  1 unknown field "bogus"
delete foo f
  0 deleted
delete deploy web
  0 deleted
get deploy web
  1 NotFound
get bogus
  1 the server doesn't have a resource type "bogus"
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_with_kubectl() {
    let found = Command::new("kubectl")
        .args(["version", "--client"])
        .output();
    if !found.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no kubectl on the path");
        return;
    }
    let server = Server::start(Options::default()).await.unwrap();
    let serving = server.serve(None).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kubeconfig"), serving.kubeconfig()).unwrap();
    for (name, text) in FILES {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    for (line, code, text) in steps(SESSION) {
        let (actual, output) = kubectl(folder.path(), line).await;
        assert_eq!(actual, code, "kubectl {line}\n{output}");
        assert!(output.contains(text), "kubectl {line}\n{output}");
    }
    server.shutdown().await;
}

/// Reads a session: arguments, exit code, a text of the output.
fn steps(session: &str) -> Vec<(&str, i32, &str)> {
    let lines: Vec<&str> = session.lines().filter(|line| !line.is_empty()).collect();
    lines
        .chunks(2)
        .map(|pair| {
            let expected = pair[1].trim_start();
            let (code, text) = expected.split_once(' ').unwrap_or((expected, ""));
            (pair[0], code.parse().unwrap(), text)
        })
        .collect()
}

async fn kubectl(folder: &Path, line: &str) -> (i32, String) {
    let mut command = Command::new("kubectl");
    command
        .args(line.split(' '))
        .current_dir(folder)
        .env("KUBECONFIG", folder.join("kubeconfig"))
        .env("HOME", folder)
        .env("KUBE_EDITOR", "sed -i s/nginx:2/nginx:3/")
        .stdin(std::process::Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.unwrap().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&text).into_owned(),
    )
}
