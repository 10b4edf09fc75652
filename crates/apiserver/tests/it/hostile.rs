//! Nonsense on real sockets: every request is answered, none harms the next one, many watchers are all told.

use apiserver::{Options, Server, Serving};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn server() -> (Server, Serving) {
    let options = Options {
        workloads: false,
        ..Options::default()
    };
    let server = Server::start(options).await.unwrap();
    let serving = server.serve_plain(None).await.unwrap();
    (server, serving)
}

/// Sends bytes and reads until the server closes.
async fn answer(serving: &Serving, bytes: &[u8]) -> String {
    exchange(serving, bytes, false).await
}

/// As [`answer`]; `ends` says that nothing more will be sent.
async fn exchange(serving: &Serving, bytes: &[u8], ends: bool) -> String {
    let mut stream = TcpStream::connect(serving.address).await.unwrap();
    // A server that has seen enough may close before everything is sent.
    let _ = stream.write_all(bytes).await;
    if ends {
        let _ = stream.shutdown().await;
    }
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
    String::from_utf8_lossy(&all).into_owned()
}

#[tokio::test]
async fn nonsense_is_answered_and_harms_nobody() {
    let (server, serving) = server().await;
    let token = format!("authorization: Bearer {}\r\n", serving.token);
    let get = format!("GET /api HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{token}");
    let post = format!(
        "POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\n{token}"
    );
    let chunked = format!("{post}transfer-encoding: chunked\r\n\r\n");
    let many: String = (0..200).map(|n| format!("x{n}: y\r\n")).collect();
    let rows: &[(&str, String, &str)] = &[
        ("no request", "\0\u{1}\u{2}\r\n\r\n".into(), "HTTP/1.1 400"),
        (
            "an unknown version",
            "GET / HTTP/9.9\r\nconnection: close\r\n\r\n".into(),
            "HTTP/1.1 400",
        ),
        (
            "a long header",
            format!("{get}x: {}\r\n\r\n", "a".repeat(400_000)),
            "HTTP/1.1 431",
        ),
        ("many headers", format!("{get}{many}\r\n"), "HTTP/1.1 200"),
        (
            "far too many",
            format!("{get}{}\r\n", many.repeat(10)),
            "HTTP/1.1 431",
        ),
        (
            "a zero byte",
            format!("{get}x: a\0b\r\n\r\n"),
            "HTTP/1.1 400",
        ),
        (
            "a negative length",
            format!("{post}content-length: -1\r\n\r\n"),
            "HTTP/1.1 400",
        ),
        (
            "two lengths",
            format!("{post}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}"),
            "HTTP/1.1 400",
        ),
        (
            "a bad chunk",
            format!("{chunked}zz\r\n{{}}\r\n0\r\n\r\n"),
            "HTTP/1.1 400",
        ),
        (
            "a chunk without end",
            format!("{chunked}ffffffffffffffffff\r\n{{}}\r\n"),
            "HTTP/1.1 400",
        ),
        (
            "a short body",
            format!("{post}content-length: 9\r\n\r\n{{}}"),
            "",
        ),
        (
            "deep JSON",
            format!(
                "{post}content-length: 200000\r\n\r\n{}",
                "[".repeat(200_000)
            ),
            "HTTP/1.1 400",
        ),
        (
            "a token of no text",
            get.replace(&serving.token, "\u{fffd}\u{fffd}") + "\r\n",
            "HTTP/1.1 401",
        ),
    ];
    for (what, bytes, wanted) in rows {
        let answer = exchange(&serving, bytes.as_bytes(), wanted.is_empty()).await;
        let start = &answer[..answer.len().min(80)];
        assert!(answer.starts_with(wanted), "{what}: {start}");
        let next = self::answer(&serving, format!("{get}\r\n").as_bytes()).await;
        assert!(next.starts_with("HTTP/1.1 200"), "after {what}: {next}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn who_forgets_tls_is_told() {
    let (server, _) = server().await;
    let serving = server.serve(None).await.unwrap();
    let text = answer(&serving, b"GET /api HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.0 400 Bad Request"), "{text}");
    assert!(text.ends_with("Client sent an HTTP request to an HTTPS server.\n"));
    // Handshakes that never go on do not keep others out.
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(TcpStream::connect(serving.address).await.unwrap());
    }
    let text = answer(&serving, b"GET / HTTP/1.1\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.0 400"), "{text}");
    server.shutdown().await;
}

#[tokio::test]
async fn a_name_in_any_script_is_impersonated_and_never_ignored() {
    let (server, serving) = server().await;
    for name in ["j\u{f6}rg".as_bytes(), b"\xff\xfe"] {
        let head = format!(
            "GET /api/v1/secrets HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer {}\r\nimpersonate-user: ",
            serving.token
        );
        let request = [head.as_bytes(), name, b"\r\n\r\n"].concat();
        let text = answer(&serving, &request).await;
        assert!(text.starts_with("HTTP/1.1 403"), "{text}");
        let shown = String::from_utf8_lossy(name);
        assert!(
            text.contains(&format!("User \\\"{shown}\\\" cannot list")),
            "{text}"
        );
    }
    server.shutdown().await;
}

/// Sockets that this process may still open, with both ends in it.
fn pairs_of_sockets() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let files = line.and_then(|line| line.split_whitespace().nth(3)?.parse::<usize>().ok());
    files.unwrap_or(1024).saturating_sub(200) / 2
}

#[tokio::test]
async fn a_thousand_watchers_on_sockets_are_all_told() {
    let (server, serving) = server().await;
    let count = pairs_of_sockets().min(1000);
    let head = format!(
        "GET /api/v1/namespaces/default/configmaps?watch=true HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n\r\n",
        serving.token
    );
    let mut watchers = Vec::new();
    for _ in 0..count {
        let mut stream = TcpStream::connect(serving.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        watchers.push(stream);
    }
    let create = format!(
        "POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 37\r\nauthorization: Bearer {}\r\n\r\n{{\"metadata\":{{\"name\":\"seen-by-all\"}}}}  ",
        serving.token
    );
    let created = answer(&serving, create.as_bytes()).await;
    assert!(created.starts_with("HTTP/1.1 201"), "{created}");
    let told = watchers.into_iter().map(async |mut stream| {
        let mut seen = Vec::new();
        let mut buffer = [0; 4096];
        while !String::from_utf8_lossy(&seen).contains("seen-by-all") {
            let read = stream.read(&mut buffer).await.unwrap();
            assert!(read > 0, "a watch has ended");
            seen.extend_from_slice(&buffer[..read]);
        }
    });
    futures::future::join_all(told).await;
    server.shutdown().await;
}
