//! A server that answers each path with a fixed text and keeps what it was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use cluster::{Cluster, ConnectOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Status and body by `METHOD path?query`.
type Answers = HashMap<&'static str, (u16, String)>;

/// A running server.
pub struct Scripted {
    pub cluster: Arc<dyn Cluster>,
    /// Requests as received: head and body.
    pub requests: Arc<Mutex<Vec<String>>>,
}

/// Starts a server and connects to it.
pub async fn serve(
    answers: &[(&'static str, u16, &str)],
    change: impl FnOnce(&mut ConnectOptions),
) -> Scripted {
    let answers: Answers = answers
        .iter()
        .map(|(request, status, body)| (*request, (*status, (*body).to_owned())))
        .collect();
    let answers = Arc::new(answers);
    let requests = Arc::new(Mutex::new(Vec::new()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let kept = requests.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, answers.clone(), kept.clone()));
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("config");
    std::fs::write(&kubeconfig, "apiVersion: v1\nkind: Config\n").unwrap();
    let mut options = ConnectOptions {
        kubeconfig: Some(kubeconfig),
        server: format!("http://{address}"),
        ..ConnectOptions::default()
    };
    change(&mut options);
    let cluster = cluster::connect(&options).await.unwrap();
    Scripted { cluster, requests }
}

/// Answers one request and closes, so that a body needs no length.
async fn answer(mut stream: TcpStream, answers: Arc<Answers>, kept: Arc<Mutex<Vec<String>>>) {
    let request = read(&mut stream).await;
    let line = request.lines().next().unwrap_or_default();
    let asked = line.trim_end_matches(" HTTP/1.1").to_owned();
    kept.lock().unwrap().push(request);
    let (status, body) = match answers.get(asked.as_str()) {
        Some((status, body)) => (*status, body.clone()),
        None => (404, "404 page not found\n".to_owned()),
    };
    let head = format!("HTTP/1.1 {status} Scripted\r\nConnection: close\r\n\r\n");
    let _closed = stream.write_all(head.as_bytes()).await;
    // Small pieces, so that lines arrive in parts.
    for piece in body.as_bytes().chunks(7) {
        let _closed = stream.write_all(piece).await;
        let _closed = stream.flush().await;
        tokio::task::yield_now().await;
    }
}

async fn read(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk).await.unwrap_or(0);
        text.extend_from_slice(&chunk[..count]);
        let shown = String::from_utf8_lossy(&text).into_owned();
        let Some((head, body)) = shown.split_once("\r\n\r\n") else {
            if count == 0 {
                return shown;
            }
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| {
                line.to_lowercase()
                    .strip_prefix("content-length: ")?
                    .parse()
                    .ok()
            })
            .unwrap_or(0);
        if count == 0 || body.len() >= length {
            return shown;
        }
    }
}
