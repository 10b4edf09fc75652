//! A server with objects, the program run against it, and comparison with goldens.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cluster::{Patch, Target, WriteParams};
use objects::{Object, json};

/// A running server, with a kubeconfig for it.
pub struct World {
    runtime: tokio::runtime::Runtime,
    server: apiserver::Server,
    folder: tempfile::TempDir,
}

/// Where this crate's test files are.
fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

impl World {
    /// Starts a server with the Flux CRDs and the objects of `tests/data/objects.yaml`.
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let server = runtime.block_on(async {
            let server = apiserver::Server::start(apiserver::Options::default())
                .await
                .unwrap();
            let serving = server.serve(None).await.unwrap();
            std::fs::write(folder.path().join("kubeconfig"), serving.kubeconfig()).unwrap();
            server
        });
        let world = Self {
            runtime,
            server,
            folder,
        };
        let text = std::fs::read(tests().join("data/objects.yaml")).unwrap();
        for object in api::crds() {
            world.create(&object);
        }
        for document in kyaml::parse(&text, &kyaml::ReadOptions::v11()).unwrap() {
            let value = kyaml::to_json(&document, kyaml::Dialect::V11).unwrap();
            world.create(&Object::from_value(value).unwrap());
        }
        world
    }

    fn create(&self, object: &Object) {
        self.runtime.block_on(async {
            let cluster = self.server.cluster();
            let resource = cluster.resolve(&object.gvk()).await.unwrap();
            let target = Target::new(&resource, object.namespace(), object.name());
            let params = WriteParams::default();
            cluster.create(&target, object, &params).await.unwrap();
            if let Some(status) = object
                .get(&["status"])
                .filter(|_| object.kind() != "CustomResourceDefinition")
            {
                let patch = Patch::Merge(json!({"status": status}));
                let target = target.subresource("status");
                cluster.patch(&target, &patch, &params).await.unwrap();
            }
        });
    }

    /// Runs the program; returns stdout, stderr and exit code as one text.
    fn run(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_flux"))
            .args(arguments)
            .current_dir(tests().join("data"))
            .env_clear()
            .env("KUBECONFIG", self.folder.path().join("kubeconfig"))
            .output()
            .unwrap();
        // Absolute paths differ from machine to machine.
        let data = tests().join("data");
        let data = data.to_string_lossy();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&*data, "[DATA]");
        let mut shown = String::new();
        for (stream, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            if !bytes.is_empty() {
                shown.push_str(&format!("--- {stream}\n{}", text(bytes)));
            }
        }
        shown.push_str(&format!(
            "--- exit code {}\n",
            output.status.code().unwrap_or(-1)
        ));
        shown
    }

    /// Runs the program as `… | head -1` does; returns the line once the program has ended by itself.
    pub fn first_line(&self, arguments: &[&str]) -> String {
        let mut child = Command::new(env!("CARGO_BIN_EXE_flux"))
            .args(arguments)
            .env_clear()
            .env("KUBECONFIG", self.folder.path().join("kubeconfig"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        drop(stdout);
        child.wait().unwrap();
        line
    }

    /// Runs the commands of a golden (its lines `$ flux …`) one after the other and compares what they say with it.
    pub fn check(&self, golden: &str) {
        let path = tests().join("golden").join(format!("{golden}.txt"));
        let expected = std::fs::read_to_string(&path).unwrap();
        let shown: String = expected
            .lines()
            .filter_map(|line| line.strip_prefix("$ flux "))
            .map(|line| format!("$ flux {line}\n{}\n", self.run(&words(line))))
            .collect();
        if std::env::var_os("FERROFLUX_BLESS").is_some() {
            std::fs::write(&path, &shown).unwrap();
        }
        assert!(!shown.is_empty(), "{golden} has no commands");
        assert_eq!(shown, expected, "{golden} differs from {}", path.display());
    }
}

/// Takes a command line apart at its spaces; single quotes keep some of them.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let (word, behind) = match rest.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'').expect("quotes come in pairs"),
            None => rest.split_at(rest.find(' ').unwrap_or(rest.len())),
        };
        words.push(word);
        rest = behind.trim_start();
    }
    words
}
