//! The layouts in which teams arrange their repositories, each run by the built program: one repository for everything,
//! one per team with impersonated tenants, one per application.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use cluster::{Cluster, Target};
use objects::{Gvk, Object};
use testkit::gitrepo::GitRepo;

/// Repositories beside each other, as a developer has them, and the cluster that they make.
pub struct Desk(tempfile::TempDir);

impl Desk {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn repository(&self, name: &str, files: &[(&str, &str)]) -> GitRepo {
        let path = self.path(name);
        std::fs::create_dir(&path).unwrap();
        let mut repository = GitRepo::init(&path);
        repository.commit_files(files);
        repository
    }

    /// Runs `flux dev --once` on one of the repositories; the others stand in for their remotes.
    pub fn converge(&self, followed: &str, local: &[&str], flags: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flux"));
        command
            .args(["dev", "--once", "--timeout", "1m", "--data"])
            .arg(self.path("data"))
            .args(flags);
        for name in local {
            let path = self.path(name);
            command.arg("--local");
            command.arg(format!(
                "https://git.example.com/{name}.git={}",
                path.display()
            ));
        }
        command
            // An absolute path stands for itself.
            .arg(self.path(followed))
            .env_remove("KUBECONFIG")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Returns how much the cluster's log holds; it is filled up with zeros.
    pub fn written(&self) -> usize {
        let files = std::fs::read_dir(self.path("data")).unwrap().flatten();
        let logs = files.filter(|file| file.file_name().to_string_lossy().starts_with("log-"));
        let used = |path: PathBuf| {
            let bytes = std::fs::read(path).unwrap();
            bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0)
        };
        logs.map(|file| used(file.path())).sum()
    }

    /// Looks up objects in the cluster that the run left behind.
    pub fn found(&self, wanted: &[(&str, &str, &str, &str)]) -> Vec<Option<Object>> {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let options = apiserver::Options {
                data: Some(self.path("data")),
                ..apiserver::Options::default()
            };
            let server = apiserver::Server::start(options).await.unwrap();
            let mut found = Vec::new();
            for (api_version, kind, namespace, name) in wanted {
                let gvk = Gvk::from_api_version(api_version, kind);
                found.push(get(&*server.cluster(), &gvk, namespace, name).await);
            }
            server.shutdown().await;
            found
        })
    }
}

async fn get(cluster: &dyn Cluster, gvk: &Gvk, namespace: &str, name: &str) -> Option<Object> {
    let resource = cluster.resolve(gvk).await.ok()?;
    let target = Target::new(&resource, namespace, name);
    cluster.get(&target).await.ok()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn check(output: &Output, code: i32, expected: &[&str]) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for line in expected {
        assert!(text.contains(line), "no {line:?} in\n{text}");
    }
}

pub fn sync(namespace: &str, name: &str, path: &str, more: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n  interval: 10m\n  path: {path}\n  prune: true\n  wait: true\n{more}"
    )
}

fn source(namespace: &str, name: &str, branch: &str) -> String {
    format!(
        "---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n  interval: 1m\n  url: https://git.example.com/{name}\n  ref:\n    branch: {branch}\n---\n"
    )
}

pub fn from(name: &str) -> String {
    format!("  sourceRef:\n    kind: GitRepository\n    name: {name}\n")
}

fn config(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  a: b\n")
}

const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  selector:\n    matchLabels: {app: web}\n  template:\n    metadata:\n      labels: {app: web}\n    spec:\n      containers:\n      - name: web\n        image: example.com/web:1.0.0\n";

#[test]
fn one_repository_for_everything_converges() {
    let desk = Desk::new();
    let root = from("flux-system");
    let mut fleet = desk.repository(
        "fleet",
        &[
            (
                "clusters/production/infrastructure.yaml",
                &sync("flux-system", "infra", "./infrastructure", &root),
            ),
            (
                "clusters/production/apps.yaml",
                &sync(
                    "flux-system",
                    "apps",
                    "./apps/production",
                    &format!("{root}  dependsOn:\n  - name: infra\n"),
                ),
            ),
            // Another cluster's directory is none of this one's business.
            ("clusters/staging/broken.yaml", "kind: ["),
            (
                "infrastructure/namespace.yaml",
                "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n",
            ),
            ("apps/base/web.yaml", DEPLOYMENT),
            ("apps/base/kustomization.yaml", "resources: [web.yaml]\n"),
            (
                "apps/production/kustomization.yaml",
                "namespace: shop\nresources: [../base]\nreplicas:\n- {name: web, count: 3}\n",
            ),
        ],
    );
    let output = desk.converge("fleet", &[], &["--path", "clusters/production"]);
    check(&output, 0, &["4 objects applied by 3 Kustomizations"]);
    let found = desk.found(&[("apps/v1", "Deployment", "shop", "web")]);
    let web = found[0].as_ref().unwrap();
    assert_eq!(web.get(&["status", "readyReplicas"]).unwrap(), 3);

    // Started again, it finds everything as it left it; commits of the meantime are applied.
    let before = desk.written();
    let again = desk.converge("fleet", &[], &["--path", "clusters/production"]);
    check(&again, 0, &["4 objects applied by 3 Kustomizations"]);
    assert_eq!(desk.written(), before, "a restart writes nothing");
    fleet.commit_files(&[("apps/base/web.yaml", &DEPLOYMENT.replace("1.0.0", "1.1.0"))]);
    let later = desk.converge("fleet", &[], &["--path", "clusters/production"]);
    check(&later, 0, &[]);
    let found = desk.found(&[("apps/v1", "Deployment", "shop", "web")]);
    let web = found[0].clone().unwrap().into_value().to_string();
    assert!(web.contains("example.com/web:1.1.0"), "{web}");
}

/// A tenant: namespace, account, and the role that the account has in it.
fn tenant(name: &str, role: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {name}\n  namespace: {name}\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata:\n  name: reconciler\n  namespace: {name}\nroleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: ClusterRole\n  name: {role}\nsubjects:\n- kind: ServiceAccount\n  name: {name}\n  namespace: {name}\n"
    )
}

#[test]
fn repositories_of_teams_are_applied_with_the_rights_of_each_team() {
    let desk = Desk::new();
    let team = |name: &str, role: &str, account: &str| {
        let sync = sync(name, name, "./deploy", &format!("{}{account}", from(name)));
        tenant(name, role) + &source(name, name, "main") + &sync
    };
    let platform = sync(
        "flux-system",
        "platform",
        "./platform",
        &format!(
            "{}  serviceAccountName: kustomize-controller\n",
            from("flux-system")
        ),
    );
    desk.repository(
        "fleet",
        &[
            ("clusters/one/platform.yaml", &platform),
            (
                "clusters/one/apples.yaml",
                &team("apples", "admin", "  serviceAccountName: apples\n"),
            ),
            (
                "clusters/one/pears.yaml",
                &team("pears", "cluster-admin", "  serviceAccountName: pears\n"),
            ),
            // No account is named: the default one has no rights.
            ("clusters/one/plums.yaml", &team("plums", "admin", "")),
            (
                "platform/namespace.yaml",
                "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shared\n",
            ),
        ],
    );
    let own = |namespace: &str| {
        format!(
            "{}---\n{}",
            config("settings"),
            sync(namespace, "nested", "./nested", &from(namespace))
                .replace("spec:\n", "spec:\n  targetNamespace: apples\n")
        )
    };
    desk.repository(
        "apples",
        &[
            // Owners of a namespace may own Flux objects in it.
            (
                "deploy/all.yaml",
                &own("apples")
                    .replace(
                        "  name: settings\n",
                        "  name: settings\n  namespace: apples\n",
                    )
                    .replace(
                        "  wait: true\n",
                        "  wait: true\n  serviceAccountName: apples\n",
                    ),
            ),
            ("nested/kustomization.yaml", "resources: [inner.yaml]\n"),
            ("nested/inner.yaml", &config("inner")),
        ],
    );
    let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: escape\nrules: []\n";
    let theirs =
        config("stolen").replace("  name: stolen\n", "  name: stolen\n  namespace: apples\n");
    let mine = config("mine").replace("  name: mine\n", "  name: mine\n  namespace: pears\n");
    desk.repository(
        "pears",
        &[
            ("deploy/role.yaml", role),
            ("deploy/theirs.yaml", &theirs),
            ("deploy/mine.yaml", &mine),
        ],
    );
    desk.repository(
        "plums",
        &[(
            "deploy/all.yaml",
            &config("settings").replace(
                "  name: settings\n",
                "  name: settings\n  namespace: plums\n",
            ),
        )],
    );

    let output = desk.converge(
        "fleet",
        &["apples", "pears", "plums"],
        &[
            "--no-cross-namespace-refs",
            "--default-service-account",
            "default",
        ],
    );
    check(
        &output,
        1,
        &[
            "✗ kustomization/pears/pears: ReconciliationFailed",
            "ClusterRole/escape dry-run failed (Forbidden)",
            "ConfigMap/apples/stolen dry-run failed (Forbidden)",
            "User \"system:serviceaccount:pears:pears\" cannot",
            "✗ kustomization/plums/plums: ReconciliationFailed",
            "User \"system:serviceaccount:plums:default\" cannot",
        ],
    );
    assert!(
        !stderr(&output).contains("✗ kustomization/apples"),
        "{}",
        stderr(&output)
    );
    let found = desk.found(&[
        ("v1", "ConfigMap", "apples", "settings"),
        ("v1", "ConfigMap", "apples", "inner"),
        ("v1", "Namespace", "", "shared"),
        // One forbidden object does not keep the others back.
        ("v1", "ConfigMap", "pears", "mine"),
        ("v1", "ConfigMap", "apples", "stolen"),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", "", "escape"),
        ("v1", "ConfigMap", "plums", "settings"),
    ]);
    let there: Vec<bool> = found.iter().map(Option::is_some).collect();
    assert_eq!(
        there,
        [true, true, true, true, false, false, false],
        "{}",
        stderr(&output)
    );
}

#[test]
fn repositories_of_applications_follow_their_own_branches() {
    let desk = Desk::new();
    let app = |name: &str, branch: &str, more: &str| {
        source("flux-system", name, branch)
            + &sync(
                "flux-system",
                name,
                "./deploy",
                &format!("{}  targetNamespace: default\n{more}", from(name)),
            )
    };
    desk.repository(
        "config",
        &[
            ("shop.yaml", &app("shop", "main", "")),
            (
                "blog.yaml",
                &app("blog", "release", "  dependsOn:\n  - name: shop\n"),
            ),
            ("gone.yaml", &app("gone", "main", "")),
        ],
    );
    desk.repository(
        "shop",
        &[
            ("deploy/all.yaml", &config("shop")),
            ("src/broken.yaml", "{"),
        ],
    );
    let mut blog = desk.repository("blog", &[("deploy/all.yaml", "not: an object\n")]);
    blog.switch("release", Some("main"));
    blog.commit_files(&[("deploy/all.yaml", &config("blog"))]);
    // A repository without commits.
    std::fs::create_dir(desk.path("gone")).unwrap();
    GitRepo::init(&desk.path("gone"));

    let output = desk.converge("config", &["shop", "blog", "gone"], &[]);
    check(
        &output,
        1,
        &[
            "✗ gitrepository/flux-system/gone: EmptyGitRepository",
            "◎ kustomization/flux-system/gone: ArtifactFailed",
        ],
    );
    let found = desk.found(&[
        ("v1", "ConfigMap", "default", "shop"),
        ("v1", "ConfigMap", "default", "blog"),
    ]);
    assert!(found.iter().all(Option::is_some), "{}", stderr(&output));
    assert!(Path::new(&desk.path("data/kubeconfig")).is_file());
}
