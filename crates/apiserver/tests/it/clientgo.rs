//! What controllers written in Go do: client-go's typed, dynamic and metadata clients over TLS, protobuf by default.

use apiserver::{Options, Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clientgo_works_as_against_any_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_path_buf();
    let built = tokio::task::spawn_blocking(move || testkit::goprogram::build("clientgo", &path));
    let program = match built.await.unwrap() {
        Ok(program) => program,
        Err(reason) => {
            eprintln!("{reason}");
            return;
        }
    };
    let server = Server::start(Options::default()).await.unwrap();
    let serving = server.serve(None).await.unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, serving.kubeconfig()).unwrap();
    let mut command = std::process::Command::new(program);
    command
        .env("KUBECONFIG", kubeconfig)
        .env_remove("ONLY")
        .env_remove("SKIP");
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    let done = text.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(done >= 27, "{text}");
    server.shutdown().await;
}
