//! Docker's credential helpers: programs that keep logins in the system's keychain.
//!
//! The config names one for all registries (`credsStore`) or for some (`credHelpers`). `docker-credential-NAME get` reads the
//! registry from stdin and answers with JSON; whatever goes wrong means that there is no login, as in upstream.

use std::collections::HashMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use remote::{Credentials, Secret};
use serde::Deserialize;

/// How Docker Hub is called in Docker's config.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    #[serde(default)]
    creds_store: String,
    #[serde(default)]
    cred_helpers: HashMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// Asks the helper that a Docker config names for a registry; `None` where there is none or it knows nothing.
pub fn ask(config: &[u8], registry: &str) -> Option<Credentials> {
    let config: Config = serde_json::from_slice(config).ok()?;
    let server = match registry {
        "index.docker.io" | "docker.io" | "registry-1.docker.io" => DOCKER_HUB,
        other => other,
    };
    let helper = match config.cred_helpers.get(server) {
        Some(helper) => helper,
        None => &config.creds_store,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if helper.is_empty() || !helper.chars().all(plain) {
        return None;
    }
    credentials(&run(helper, server)?)
}

fn run(helper: &str, server: &str) -> Option<Vec<u8>> {
    let mut child = Command::new(format!("docker-credential-{helper}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    // A helper that does not read has its own reasons; its answer tells.
    let _ = child.stdin.take()?.write_all(server.as_bytes());
    let output = child.wait_with_output().ok()?;
    output.status.success().then_some(output.stdout)
}

fn credentials(answer: &[u8]) -> Option<Credentials> {
    let Answer { username, secret } = serde_json::from_slice(answer).ok()?;
    if secret.is_empty() || username.is_empty() {
        return None;
    }
    Some(Credentials::Basic {
        username,
        password: Secret::new(secret),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_configs_are_read() {
        let name = |answer: &[u8]| match credentials(answer) {
            Some(Credentials::Basic { username, .. }) => username,
            _ => String::new(),
        };
        assert_eq!(
            name(br#"{"ServerURL":"x","Username":"u","Secret":"p"}"#),
            "u"
        );
        assert_eq!(name(br#"{"Username":"<token>","Secret":"p"}"#), "<token>");
        assert_eq!(name(br#"{"Username":"u","Secret":""}"#), "");
        assert_eq!(name(b"credentials not found in native keychain"), "");
        for config in [
            &b"{"[..],
            b"{}",
            br#"{"credsStore": "../evil"}"#,
            br#"{"credsStore": "no-such-program-here"}"#,
            br#"{"credHelpers": {"other": "x"}}"#,
        ] {
            assert!(ask(config, "registry.example.com").is_none());
        }
    }
}
