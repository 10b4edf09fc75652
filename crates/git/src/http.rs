//! The smart HTTP protocol, version 2: list references, fetch a pack.
//!
//! One session follows redirects of its first request only and keeps the place it was sent to; credentials stay with
//! their origin. Servers without protocol version 2 are refused with a clear error.

use std::collections::HashSet;

use remote::{Clients, Credentials};
use url::Url;

use crate::auth::Auth;
use crate::pack::PackObjects;
use crate::pktline::{self, Packet, Request};
use crate::select::Advertised;
use crate::{Error, ObjectId};

/// Largest pack, in bytes as sent.
const PACK_BYTES_MAX: usize = 1 << 30;
/// Largest sum of all objects of a pack, unpacked.
const UNPACKED_BYTES_MAX: u64 = 4 << 30;
/// Largest answer other than a pack: a million references take about 70 MiB.
const ANSWER_BYTES_MAX: usize = 256 << 20;
/// How much of an error page enters a message.
const ERROR_TEXT_MAX: usize = 512;

/// A conversation with one repository.
pub(crate) struct Session {
    client: reqwest::Client,
    /// Repository URL without user, password and trailing slash.
    base: Url,
    credentials: Credentials,
    capabilities: HashSet<String>,
}

/// What a fetch asks for.
pub(crate) struct Fetch<'a> {
    /// Objects wanted.
    pub wants: &'a [ObjectId],
    /// Only the newest so many commits; 0 means all.
    pub depth: u32,
    /// Leave files and directories out, if the server can.
    pub commits_only: bool,
}

impl Session {
    /// Opens a session: asks what the server can do.
    ///
    /// # Errors
    /// The URL is none, the credentials do not suit it, the server cannot be reached or refuses, or it speaks an older protocol
    /// than version 2. Only what happened on the network is worth another try.
    pub async fn open(clients: &Clients, url: &str, auth: &Auth) -> Result<Self, Error> {
        let mut base =
            Url::parse(url).map_err(|error| Error::Url(format!("cannot parse url: {error}")))?;
        let credentials = auth.credentials(&base)?;
        // Setting an empty user fails only for URLs without host, which have none.
        let _ = base.set_username("");
        let _ = base.set_password(None);
        let path = base.path().trim_end_matches('/').to_owned();
        base.set_path(&path);
        let mut session = Self {
            client: clients.get(&auth.client_options())?,
            base,
            credentials,
            capabilities: HashSet::new(),
        };
        session.discover().await?;
        Ok(session)
    }

    /// Tells whether a fetch can leave files out.
    pub fn can_filter(&self) -> bool {
        self.capabilities
            .iter()
            .filter_map(|capability| capability.strip_prefix("fetch="))
            .any(|features| features.split(' ').any(|feature| feature == "filter"))
    }

    async fn discover(&mut self) -> Result<(), Error> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/info/refs", self.base.path()));
        url.set_query(Some("service=git-upload-pack"));
        let request = self.client.get(url.clone()).header("Accept", "*/*");
        let response = self.send(request, "Get", &url).await?;
        self.follow(response.url().clone())?;
        let body = read_answer(response).await?;
        let packets = pktline::read_all(&body)?;
        let mut lines = packets
            .iter()
            .filter_map(|packet| packet.line())
            .skip_while(|line| line.starts_with("# service="));
        if lines.next() != Some("version 2") {
            return Err(Error::Unsupported {
                what: format!("Git protocol of '{}' older than version 2", self.base),
            });
        }
        self.capabilities = lines.map(str::to_owned).collect();
        let sha256 = self.capabilities.contains("object-format=sha256");
        if sha256 {
            return Err(Error::Unsupported {
                what: "SHA-256 repository".to_owned(),
            });
        }
        Ok(())
    }

    /// Moves the session to where its first request was redirected.
    fn follow(&mut self, reached: Url) -> Result<(), Error> {
        let path = reached.path().strip_suffix("/info/refs").ok_or_else(|| {
            let path = reached.path();
            Error::Server(format!(
                "http redirect: target {path:?} does not end with /info/refs"
            ))
        })?;
        let mut base = reached.clone();
        base.set_path(path);
        base.set_query(None);
        let upgraded = self.base.scheme() == "http"
            && base.scheme() == "https"
            && self.base.host_str() == base.host_str();
        if self.base.origin() != base.origin() && !upgraded {
            self.credentials = Credentials::Anonymous;
        }
        self.base = base;
        Ok(())
    }

    /// Lists references whose names begin with one of the prefixes; all of them if there are no prefixes.
    ///
    /// # Errors
    /// The request fails, or the answer is no list of references.
    pub async fn list(&self, prefixes: &[String]) -> Result<Vec<Advertised>, Error> {
        let mut request = command("ls-refs");
        request.delimiter().line("peel");
        for prefix in prefixes {
            request.line(&format!("ref-prefix {prefix}"));
        }
        let body = read_answer(self.post(request.finish()).await?).await?;
        let mut found = Vec::new();
        for packet in pktline::read_all(&body)? {
            if let Some(line) = packet.line() {
                found.extend(parse_reference(line)?);
            }
        }
        Ok(found)
    }

    /// Fetches objects.
    ///
    /// # Errors
    /// The request fails, the pack is broken, or it unpacks to more than the bound on a repository.
    pub async fn fetch(&self, fetch: &Fetch<'_>) -> Result<PackObjects, Error> {
        let mut request = command("fetch");
        request.delimiter().line("no-progress").line("ofs-delta");
        if fetch.depth > 0 {
            request.line(&format!("deepen {}", fetch.depth));
        }
        if fetch.commits_only && self.can_filter() {
            request.line("filter tree:0");
        }
        for id in fetch.wants {
            request.line(&format!("want {id}"));
        }
        request.line("done");
        let response = self.post(request.finish()).await?;
        let pack = read_pack(response).await?;
        // Inflating and hashing takes a while for large packs.
        tokio::task::spawn_blocking(move || PackObjects::parse(&pack, UNPACKED_BYTES_MAX, None))
            .await
            .map_err(|error| Error::Transport(error.to_string()))?
    }

    async fn post(&self, body: Vec<u8>) -> Result<reqwest::Response, Error> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/git-upload-pack", self.base.path()));
        let request = self
            .client
            .post(url.clone())
            .header("Content-Type", "application/x-git-upload-pack-request")
            .header("Accept", "application/x-git-upload-pack-result")
            .body(body);
        self.send(request, "Post", &url).await
    }

    async fn send(
        &self,
        request: reqwest::RequestBuilder,
        verb: &str,
        url: &Url,
    ) -> Result<reqwest::Response, Error> {
        let request = request.header("Git-Protocol", "version=2");
        let request = match &self.credentials {
            Credentials::Anonymous => request,
            Credentials::Basic { username, password } => {
                request.basic_auth(username, Some(password.expose()))
            }
            Credentials::Bearer(token) => request.bearer_auth(token.expose()),
        };
        let response = request.send().await.map_err(|error| {
            let reason = remote::Error::describe(error);
            Error::Transport(format!("{verb} \"{url}\": {reason}"))
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = error_text(response).await;
        Err(match status.as_u16() {
            401 => Error::AuthenticationRequired(text),
            403 => Error::AuthorizationFailed(text),
            404 => Error::RepositoryNotFound(text),
            code => Error::Server(format!(
                "unexpected requesting \"{url}\" status code: {code}"
            )),
        })
    }
}

fn command(name: &str) -> Request {
    let mut request = Request::default();
    request
        .line(&format!("command={name}"))
        .line(&format!("agent={}", remote::USER_AGENT))
        .line("object-format=sha1");
    request
}

fn parse_reference(line: &str) -> Result<Option<Advertised>, Error> {
    let corrupt = || Error::corrupt("answer of the Git server", format!("reference {line:?}"));
    if let Some(text) = line.strip_prefix("ERR ") {
        return Err(Error::Server(text.to_owned()));
    }
    let mut words = line.split(' ');
    let (id, name) = (words.next(), words.next());
    if id == Some("unborn") {
        return Ok(None);
    }
    let id = id.and_then(ObjectId::from_hex).ok_or_else(corrupt)?;
    let peeled = words
        .filter_map(|word| word.strip_prefix("peeled:"))
        .find_map(ObjectId::from_hex);
    Ok(Some(Advertised {
        name: name.ok_or_else(corrupt)?.to_owned(),
        id,
        peeled,
    }))
}

async fn error_text(mut response: reqwest::Response) -> String {
    let mut text = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        text.extend_from_slice(&chunk);
        if text.len() > ERROR_TEXT_MAX {
            break;
        }
    }
    text.truncate(ERROR_TEXT_MAX);
    String::from_utf8_lossy(&text).trim().to_owned()
}

async fn next_chunk(response: &mut reqwest::Response) -> Result<Option<bytes::Bytes>, Error> {
    response
        .chunk()
        .await
        .map_err(|error| Error::Transport(remote::Error::describe(error)))
}

async fn read_answer(mut response: reqwest::Response) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = next_chunk(&mut response).await? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES_MAX {
            return Err(Error::TooLarge {
                what: "answer of the Git server".to_owned(),
                bytes_max: ANSWER_BYTES_MAX as u64,
            });
        }
    }
    Ok(body)
}

/// Reads the answer to a fetch: skips sections up to `packfile`, then joins the data of its side band.
async fn read_pack(mut response: reqwest::Response) -> Result<Vec<u8>, Error> {
    let mut buffer: Vec<u8> = Vec::new();
    let mut pack = Vec::new();
    let mut in_pack = false;
    while let Some(chunk) = next_chunk(&mut response).await? {
        buffer.extend_from_slice(&chunk);
        let mut start = 0;
        while let Some((packet, length)) = pktline::read(&buffer[start..])? {
            take_packet(packet, &mut in_pack, &mut pack)?;
            start += length;
        }
        buffer.drain(..start);
        if pack.len() > PACK_BYTES_MAX {
            return Err(Error::TooLarge {
                what: "pack".to_owned(),
                bytes_max: PACK_BYTES_MAX as u64,
            });
        }
    }
    if !in_pack || !buffer.is_empty() {
        return Err(Error::corrupt("answer of the Git server", "cut off"));
    }
    Ok(pack)
}

fn take_packet(packet: Packet<'_>, in_pack: &mut bool, pack: &mut Vec<u8>) -> Result<(), Error> {
    let Packet::Data(data) = packet else {
        return Ok(());
    };
    if !*in_pack {
        let line = packet.line().unwrap_or_default();
        if let Some(text) = line.strip_prefix("ERR ") {
            return Err(Error::Server(text.to_owned()));
        }
        *in_pack = line == "packfile";
        return Ok(());
    }
    match data.split_first() {
        Some((1, content)) => pack.extend_from_slice(content),
        Some((3, text)) => {
            let text = String::from_utf8_lossy(text).trim().to_owned();
            return Err(Error::Server(text));
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read() {
        let hex = "1".repeat(40);
        let line = format!("{hex} refs/tags/v1 peeled:{}", "2".repeat(40));
        let reference = parse_reference(&line).unwrap().unwrap();
        assert_eq!(reference.name, "refs/tags/v1");
        assert_eq!(reference.peeled, ObjectId::from_hex(&"2".repeat(40)));
        assert_eq!(parse_reference("unborn HEAD").unwrap(), None);
        assert!(parse_reference("x y").is_err());
        assert!(parse_reference("ERR access denied").is_err());
    }
}
