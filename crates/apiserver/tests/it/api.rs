//! Raw requests to an in-process server, for tests that compare whole answers.

use apiserver::{Options, Server};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

/// A server and the way to talk to it.
pub struct Api {
    pub server: Server,
}

/// An answer: code, body, texts of the warnings.
pub struct Answer {
    pub code: u16,
    pub body: Value,
    pub warnings: Vec<String>,
}

impl Answer {
    /// Returns the message of a `Status`.
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or("")
    }
}

impl Api {
    /// Starts a server without simulated workloads.
    pub async fn start() -> Self {
        let options = Options {
            workloads: false,
            ..Options::default()
        };
        Self {
            server: Server::start(options).await.unwrap(),
        }
    }

    /// Sends a request as the administrator.
    pub async fn send(&self, line: &str, body: Value) -> Answer {
        let (method, path) = line.split_once(' ').unwrap();
        let media = if method == "PATCH" {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", media)
            .header("user-agent", "test")
            .header(
                "authorization",
                format!("Bearer {}", self.server.admin_token()),
            )
            .body(body.into())
            .unwrap();
        let (parts, body) = self.server.call(request).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let warnings = parts.headers.get_all("warning").iter();
        Answer {
            code: parts.status.as_u16(),
            body: serde_json::from_slice(&bytes).unwrap_or(json!(String::from_utf8_lossy(&bytes))),
            warnings: warnings.map(|w| w.to_str().unwrap().to_owned()).collect(),
        }
    }

    /// Sends a request that has to succeed.
    pub async fn ok(&self, line: &str, body: Value) -> Value {
        let answer = self.send(line, body).await;
        assert!(answer.code < 300, "{line}: {} {}", answer.code, answer.body);
        answer.body
    }

    /// Sends a request that has to fail with a code and a message.
    pub async fn fails(&self, line: &str, body: Value, code: u16, message: &str) {
        let answer = self.send(line, body).await;
        assert_eq!(
            (answer.code, answer.message()),
            (code, message),
            "{line}: {}",
            answer.body
        );
    }
}
