//! Helm repositories over HTTP: an index and chart archives.
//!
//! Credentials go to the repository's own scheme and host, to others only where the user asks for it. What comes is
//! handed over piece by piece, so that an index of any size needs no memory here.

use reqwest::header::USER_AGENT;
use url::Url;

use crate::error::go_cause;
use crate::mirror::find_url;
use crate::{ClientOptions, Clients, Credentials, Error, Redirects};

/// What Helm's own client calls itself; some repositories look at it.
const AGENT: &str = "Helm/4";

/// How a Helm repository is used.
#[derive(Clone, Debug, Default)]
pub struct RepositoryOptions {
    /// URL of the repository; decides who gets the credentials.
    pub url: String,
    /// TLS and proxy.
    pub client: ClientOptions,
    /// How to log in.
    pub credentials: Credentials,
    /// Sends credentials to other hosts, too.
    pub pass_credentials: bool,
}

/// Why something could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The HTTP settings cannot be used.
    #[error(transparent)]
    Client(#[from] Error),
    /// The server refused.
    #[error("failed to fetch {url} : {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// Status with its text, such as `404 Not Found`.
        status: String,
    },
    /// The server could not be reached, or stopped in the middle.
    #[error("Get \"{url}\": {cause}")]
    Transport {
        /// What was asked for.
        url: String,
        /// Cause.
        cause: String,
    },
    /// It is larger than allowed.
    #[error("exceeds the maximum size of {limit} bytes")]
    TooLarge {
        /// Bytes allowed.
        limit: u64,
    },
    /// The receiver failed, for instance because the disk is full.
    #[error("{0}")]
    Sink(String),
}

/// Takes the pieces of a body, in order.
pub type Sink<'a> = &'a mut (dyn FnMut(&[u8]) -> std::io::Result<()> + Send);

/// Fetches a URL of a repository piece by piece; returns the number of bytes.
///
/// # Errors
/// The server refuses or cannot be reached, or sends more than allowed.
pub async fn fetch(
    clients: &Clients,
    options: &RepositoryOptions,
    url: &str,
    limit: u64,
    sink: Sink<'_>,
) -> Result<u64, FetchError> {
    let mirrored = find_url(clients.mirrors(), url);
    let client = ClientOptions {
        redirects: Redirects::Follow,
        ..match &mirrored {
            Some(_) => ClientOptions::default(),
            None => options.client.clone(),
        }
    };
    let asked = mirrored.as_ref().map_or(url, |mirror| &mirror.url);
    let shown = match &mirrored {
        Some(mirror) => mirror.shown.clone(),
        None => without_password(url),
    };
    let mut request = clients.get(&client)?.get(asked).header(USER_AGENT, AGENT);
    if mirrored.is_none() && (options.pass_credentials || same_origin(url, &options.url)) {
        request = match &options.credentials {
            Credentials::Anonymous => request,
            Credentials::Basic { username, password } => {
                request.basic_auth(username, Some(password.expose()))
            }
            Credentials::Bearer(token) => request.bearer_auth(token.expose()),
        };
    }
    let transport = |error: reqwest::Error| FetchError::Transport {
        url: shown.clone(),
        cause: go_cause(&error),
    };
    let mut response = request.send().await.map_err(transport)?;
    let status = response.status();
    if status != reqwest::StatusCode::OK {
        return Err(FetchError::Status {
            url: shown.clone(),
            status: status.to_string(),
        });
    }
    let mut read = 0;
    while let Some(chunk) = response.chunk().await.map_err(transport)? {
        read += chunk.len() as u64;
        if read > limit {
            return Err(FetchError::TooLarge { limit });
        }
        sink(&chunk).map_err(|error| FetchError::Sink(error.to_string()))?;
    }
    Ok(read)
}

/// Fetches a URL of a repository into memory.
///
/// # Errors
/// As [`fetch`].
pub async fn fetch_bytes(
    clients: &Clients,
    options: &RepositoryOptions,
    url: &str,
    limit: u64,
) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    let mut sink = |chunk: &[u8]| {
        body.extend_from_slice(chunk);
        Ok(())
    };
    fetch(clients, options, url, limit, &mut sink).await?;
    Ok(body)
}

/// Stars out a password in a URL, as Go's client does.
fn without_password(url: &str) -> String {
    match Url::parse(url) {
        Ok(parsed) => match parsed.password() {
            Some(password) => url.replacen(&format!(":{password}@"), ":***@", 1),
            None => url.to_owned(),
        },
        Err(_) => url.to_owned(),
    }
}

fn same_origin(one: &str, other: &str) -> bool {
    match (Url::parse(one), Url::parse(other)) {
        (Ok(one), Ok(other)) => one.origin() == other.origin(),
        _ => false,
    }
}

/// Normalises a repository's URL: over HTTP the path ends with one slash, in registries with none.
///
/// # Errors
/// The URL cannot be read.
pub fn normalize_url(url: &str) -> Result<String, url::ParseError> {
    if url.is_empty() {
        return Ok(String::new());
    }
    let parsed = Url::parse(url)?;
    let (head, tail) = split_path(url);
    let path = head.trim_end_matches('/');
    Ok(if parsed.scheme() == "oci" {
        format!("{path}{tail}")
    } else {
        format!("{path}/{tail}")
    })
}

/// Splits a URL before its query or fragment.
fn split_path(url: &str) -> (&str, &str) {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    url.split_at(end)
}

/// The URL of a repository's index.
///
/// # Errors
/// The URL cannot be read.
pub fn index_url(url: &str) -> Result<String, url::ParseError> {
    let mut parsed = Url::parse(url)?;
    let path = format!("{}/index.yaml", parsed.path().trim_end_matches('/'));
    parsed.set_path(&path);
    Ok(parsed.into())
}

/// Resolves an address of an index entry: relative ones lie below the repository and inherit its query.
///
/// # Errors
/// One of both cannot be read.
pub fn resolve_url(repository: &str, reference: &str) -> Result<String, url::ParseError> {
    match Url::parse(reference) {
        Ok(absolute) => return Ok(absolute.into()),
        Err(url::ParseError::RelativeUrlWithoutBase) => {}
        Err(error) => return Err(error),
    }
    let mut base = Url::parse(repository)?;
    let query = base.query().map(str::to_owned);
    if !base.path().ends_with('/') {
        let path = format!("{}/", base.path());
        base.set_path(&path);
    }
    let mut resolved = base.join(reference)?;
    if resolved.query().is_none() {
        resolved.set_query(query.as_deref());
    }
    Ok(resolved.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_normalised_and_joined() {
        for (url, expected) in [
            ("https://a.io/charts", "https://a.io/charts/"),
            ("https://a.io/charts//", "https://a.io/charts/"),
            ("https://a.io", "https://a.io/"),
            ("oci://a.io/org/", "oci://a.io/org"),
            ("", ""),
        ] {
            assert_eq!(normalize_url(url).unwrap(), expected);
        }
        assert_eq!(
            index_url("https://a.io/x/?t=1").unwrap(),
            "https://a.io/x/index.yaml?t=1"
        );
        for (repository, reference, expected) in [
            ("https://a.io/x", "c-1.tgz", "https://a.io/x/c-1.tgz"),
            ("https://a.io/x/?t=1", "c.tgz", "https://a.io/x/c.tgz?t=1"),
            ("https://a.io/x", "https://b.io/c.tgz", "https://b.io/c.tgz"),
            ("https://a.io/x/", "/c.tgz", "https://a.io/c.tgz"),
        ] {
            assert_eq!(resolve_url(repository, reference).unwrap(), expected);
        }
    }
}
