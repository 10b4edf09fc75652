//! Requests of a session: which scheme, how to log in, what is tried again.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RANGE, WWW_AUTHENTICATE};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use super::RegistryError;
use super::auth::{Challenge, TokenAnswer};
use super::error::describe;
use super::registry::{ANSWER_BYTES_MAX, Registry};
use crate::error::go_cause;
use crate::{Credentials, Secret};

/// Longest wait for the answer on one scheme before the other is tried.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// What the first request found out.
#[derive(Debug)]
pub(super) struct Session {
    /// Scheme, host and port.
    pub base: String,
    challenge: Challenge,
}

/// One request, apart from where it goes.
#[derive(Clone)]
pub(super) struct Ask {
    pub method: Method,
    pub url: String,
    pub accept: Option<&'static str>,
    pub content_type: Option<&'static str>,
    /// Bytes to skip of a blob.
    pub from: u64,
    pub body: Option<Bytes>,
}

impl Ask {
    pub fn get(url: String) -> Self {
        Self {
            method: Method::GET,
            url,
            accept: None,
            content_type: None,
            from: 0,
            body: None,
        }
    }

    fn actions(&self) -> &'static str {
        match self.method {
            Method::GET | Method::HEAD if self.body.is_none() => "pull",
            _ => "push,pull",
        }
    }
}

impl Registry {
    pub(super) async fn session(&self) -> Result<&Session, RegistryError> {
        self.session.get_or_try_init(|| self.ping()).await
    }

    /// Finds scheme and way to log in. TLS is tried first, plain HTTP only where it is allowed.
    async fn ping(&self) -> Result<Session, RegistryError> {
        let secure = self.ping_scheme("https");
        if !self.plain_http && !self.repository.is_local() {
            return secure.await;
        }
        let refused = match tokio::time::timeout(PING_TIMEOUT, secure).await {
            Ok(Ok(session)) => return Ok(session),
            Ok(Err(refused)) => Some(refused),
            Err(_) => None,
        };
        let plain = self.ping_scheme("http").await;
        plain.map_err(|error| match refused {
            Some(refused) => RegistryError::Neither(format!("{refused}; {error}")),
            None => error,
        })
    }

    /// Finds out how to log in, and gets a token where that is the way.
    ///
    /// # Errors
    /// The registry does not answer or refuses the credentials.
    pub async fn log_in(&self, actions: &str) -> Result<(), RegistryError> {
        let session = self.session().await?;
        let scope = format!("repository:{}:{actions}", self.repository.path());
        let authorization = self.authorization(&session.challenge, &scope, false);
        authorization.await.map(drop)
    }

    async fn ping_scheme(&self, scheme: &str) -> Result<Session, RegistryError> {
        let base = format!("{scheme}://{}", self.repository.registry());
        let url = format!("{base}/v2/");
        let response = self.http.get(&url).send().await;
        let response = response.map_err(|error| transport(&Method::GET, &url, &error))?;
        let challenge = match response.status() {
            StatusCode::OK => Challenge::None,
            StatusCode::UNAUTHORIZED => challenge(&response).ok_or_else(|| {
                let headers = response.headers().get(WWW_AUTHENTICATE);
                let text = headers.and_then(|h| h.to_str().ok()).unwrap_or_default();
                RegistryError::Malformed(format!("unrecognized challenge: {text}"))
            })?,
            _ => return Err(refusal(&Method::GET, &url, response).await),
        };
        Ok(Session { base, challenge })
    }

    /// Sends a request, again where that may help.
    pub(super) async fn send(&self, ask: Ask) -> Result<Response, RegistryError> {
        let mut wait = self.retry.wait;
        let mut tries = 1;
        loop {
            match self.send_once(&ask, ask.actions()).await {
                Err(error) if tries < self.retry.tries && is_temporary(&error) => {
                    tokio::time::sleep(wait).await;
                    wait *= 3;
                    tries += 1;
                }
                result => return result,
            }
        }
    }

    pub(super) async fn send_once(
        &self,
        ask: &Ask,
        actions: &str,
    ) -> Result<Response, RegistryError> {
        let session = self.session().await?;
        let scope = format!("repository:{}:{actions}", self.repository.path());
        let authorization = self
            .authorization(&session.challenge, &scope, false)
            .await?;
        let response = self.request(ask, authorization).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return accept(ask, response).await;
        }
        // The token may have run out, or the registry wants another scope.
        let Some(Challenge::Bearer {
            realm,
            service,
            scope: wanted,
        }) = challenge(&response)
        else {
            return accept(ask, response).await;
        };
        let scope = wanted.clone().unwrap_or(scope);
        let bearer = Challenge::Bearer {
            realm,
            service,
            scope: wanted,
        };
        let authorization = self.authorization(&bearer, &scope, true).await?;
        accept(ask, self.request(ask, authorization).await?).await
    }

    async fn request(
        &self,
        ask: &Ask,
        authorization: Option<Secret>,
    ) -> Result<Response, RegistryError> {
        let mut request = self.http.request(ask.method.clone(), &ask.url);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization.expose());
        }
        if let Some(accept) = ask.accept {
            request = request.header(ACCEPT, accept);
        }
        if let Some(content_type) = ask.content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        if ask.from > 0 {
            request = request.header(RANGE, format!("bytes={}-", ask.from));
        }
        if let Some(body) = &ask.body {
            request = request.body(body.clone());
        }
        let sent = request.send().await;
        sent.map_err(|error| transport(&ask.method, &ask.url, &error))
    }

    /// The value of the `Authorization` header; `None` for anonymous use.
    async fn authorization(
        &self,
        challenge: &Challenge,
        scope: &str,
        renew: bool,
    ) -> Result<Option<Secret>, RegistryError> {
        match (challenge, &self.credentials) {
            (Challenge::None, _) | (Challenge::Basic, Credentials::Anonymous) => Ok(None),
            (_, Credentials::Bearer(token)) => Ok(Some(bearer(token))),
            (Challenge::Basic, Credentials::Basic { username, password }) => {
                Ok(Some(basic(username, password)))
            }
            (Challenge::Bearer { realm, service, .. }, _) => {
                let mut tokens = self.tokens.lock().await;
                if let Some(token) = tokens.get(scope).filter(|_| !renew) {
                    return Ok(Some(bearer(token)));
                }
                let token = self.token(realm, service.as_deref(), scope).await?;
                tokens.insert(scope.to_owned(), token.clone());
                Ok(Some(bearer(&token)))
            }
        }
    }

    async fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: &str,
    ) -> Result<Secret, RegistryError> {
        let invalid = |_| RegistryError::Login(format!("malformed realm {realm:?}"));
        let mut url = Url::parse(realm).map_err(invalid)?;
        let (method, mut request) = match &self.credentials {
            Credentials::Basic { username, password } if username == "<token>" => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.append_pair("grant_type", "refresh_token")
                    .append_pair("service", service.unwrap_or_default())
                    .append_pair("client_id", crate::USER_AGENT)
                    .append_pair("scope", scope)
                    .append_pair("refresh_token", password.expose());
                let request = self
                    .http
                    .post(url.clone())
                    .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(form.finish());
                (Method::POST, request)
            }
            _ => {
                {
                    let mut query = url.query_pairs_mut();
                    query.append_pair("scope", scope);
                    if let Some(service) = service {
                        query.append_pair("service", service);
                    }
                }
                (Method::GET, self.http.get(url.clone()))
            }
        };
        if let Credentials::Basic { username, password } = &self.credentials
            && username != "<token>"
        {
            request = request.header(AUTHORIZATION, basic(username, password).expose());
        }
        let shown = url.to_string();
        let response = request.send().await;
        let response = response.map_err(|error| transport(&method, &shown, &error))?;
        if !response.status().is_success() {
            return Err(refusal(&method, &shown, response).await);
        }
        let body = read(response, ANSWER_BYTES_MAX, "token").await?;
        let answer: Result<TokenAnswer, _> = serde_json::from_slice(&body);
        answer
            .ok()
            .and_then(TokenAnswer::token)
            .ok_or_else(|| RegistryError::Login("no token in bearer response".to_owned()))
    }
}

fn bearer(token: &Secret) -> Secret {
    Secret::new(format!("Bearer {}", token.expose()))
}

fn basic(username: &str, password: &Secret) -> Secret {
    use base64::Engine;
    let pair = format!("{username}:{}", password.expose());
    let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
    Secret::new(format!("Basic {encoded}"))
}

fn challenge(response: &Response) -> Option<Challenge> {
    let headers = response.headers().get_all(WWW_AUTHENTICATE);
    Challenge::read(headers.iter().filter_map(|value| value.to_str().ok()))
}

async fn accept(ask: &Ask, response: Response) -> Result<Response, RegistryError> {
    if response.status().is_success() {
        return Ok(response);
    }
    Err(refusal(&ask.method, &ask.url, response).await)
}

async fn refusal(method: &Method, url: &str, response: Response) -> RegistryError {
    let status = response.status();
    let body = read(response, ANSWER_BYTES_MAX, "answer").await;
    RegistryError::Answer {
        method: method.to_string(),
        url: url.to_owned(),
        status: status.as_u16(),
        message: describe(method.as_str(), status, &body.unwrap_or_default()),
    }
}

pub(super) fn transport(method: &Method, url: &str, error: &reqwest::Error) -> RegistryError {
    // Go prints `Get "<url>"`.
    let name = method.as_str();
    let name = format!("{}{}", &name[..1], name[1..].to_lowercase());
    let cause = go_cause(error);
    RegistryError::Transport {
        method: name,
        url: url.to_owned(),
        cause,
    }
}

/// Whether another try may help, as go-containerregistry thinks.
fn is_temporary(error: &RegistryError) -> bool {
    matches!(
        error,
        RegistryError::Answer {
            status: 408 | 499 | 500 | 502 | 503 | 504 | 522,
            ..
        }
    )
}

/// Reads an answer whole, within a bound.
pub(super) async fn read(
    mut response: Response,
    limit: u64,
    what: &str,
) -> Result<Bytes, RegistryError> {
    let url = response.url().to_string();
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| transport(&Method::GET, &url, &error))?
    {
        body.extend_from_slice(&chunk);
        if body.len() as u64 > limit {
            return Err(RegistryError::TooLarge {
                what: what.to_owned(),
                limit,
            });
        }
    }
    Ok(body.into())
}
