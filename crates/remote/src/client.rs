//! Building and sharing HTTP clients.
//!
//! rustls with ring; the system's CA certificates plus the user's, as upstream. Clients with equal settings are shared,
//! so that connections are reused between reconciles.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use reqwest::redirect::Policy;

use crate::error::with_causes;
use crate::mirror::is_mirrored;
use crate::{Error, Mirror, Secret};

/// What the product calls itself.
pub const USER_AGENT: &str = "flux/v2";
/// Clients kept at most; more distinct settings make the cache start over.
const CLIENTS_MAX: usize = 64;
/// Redirects followed at most, as Go's client.
const REDIRECTS_MAX: usize = 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest proxy address, in characters.
const PROXY_CHARS_MAX: usize = 2048;

/// Settings of a client. Timeouts of whole requests are the caller's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ClientOptions {
    /// CA certificates in PEM, trusted besides the system's.
    pub ca: Option<Vec<u8>>,
    /// Client certificate.
    pub identity: Option<Identity>,
    /// Proxy; beats the environment's. `None` uses the environment's.
    pub proxy: Option<Proxy>,
    /// Which redirects are followed.
    pub redirects: Redirects,
    /// Accepts any certificate; only where the user asked for an insecure connection.
    pub accept_any_certificate: bool,
}

/// A client certificate with its key, both in PEM.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Certificate chain.
    pub certificate: Vec<u8>,
    /// Private key.
    pub key: Secret,
}

/// A proxy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Proxy {
    /// `http`, `https` or `socks5` URL.
    pub address: String,
    /// User name; may be empty.
    pub username: String,
    /// Password; may be empty.
    pub password: Secret,
}

/// Which redirects a client follows. Credentials never follow to another origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Redirects {
    /// None.
    #[default]
    None,
    /// Up to ten, never from https to http.
    Follow,
    /// As Git does: only for the first request of a session, whose path ends with `/info/refs`.
    GitDiscovery,
}

/// Makes clients and keeps them for reuse.
#[derive(Default)]
pub struct Clients {
    known: Mutex<HashMap<ClientOptions, reqwest::Client>>,
    mirrors: Vec<Mirror>,
}

impl Proxy {
    /// Checks an address as upstream does.
    ///
    /// # Errors
    /// Fails on an address that is too long or of another scheme.
    pub fn validate(&self) -> Result<(), Error> {
        if self.address.chars().count() > PROXY_CHARS_MAX {
            return Err(Error::Proxy(format!(
                "exceeds maximum length of {PROXY_CHARS_MAX} characters"
            )));
        }
        let scheme = self.address.split("://").next().unwrap_or_default();
        if matches!(scheme, "http" | "https" | "socks5") {
            return Ok(());
        }
        Err(Error::Proxy(format!(
            "must use one of the supported schemes (http, https, socks5), got '{scheme}'"
        )))
    }
}

impl Clients {
    /// Clients that ask mirrors for what lies below their URLs: Helm repositories and registries.
    pub fn with_mirrors(mirrors: Vec<Mirror>) -> Self {
        Self {
            mirrors,
            ..Self::default()
        }
    }

    /// Tells whether what lies at a URL (`https://…` or `oci://…`) is fetched from a mirror, for which nobody has to log in.
    pub fn is_mirrored(&self, url: &str) -> bool {
        is_mirrored(&self.mirrors, url)
    }

    pub(crate) fn mirrors(&self) -> &[Mirror] {
        &self.mirrors
    }

    /// Returns a client with these settings.
    ///
    /// # Errors
    /// Fails on certificates or keys that cannot be read.
    pub fn get(&self, options: &ClientOptions) -> Result<reqwest::Client, Error> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = known.get(options) {
            return Ok(client.clone());
        }
        let client = build(options)?;
        if known.len() >= CLIENTS_MAX {
            known.clear();
        }
        known.insert(options.clone(), client.clone());
        Ok(client)
    }
}

/// Makes ring the process's crypto provider, once.
fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Another part of the process may have installed one already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

fn build(options: &ClientOptions) -> Result<reqwest::Client, Error> {
    install_provider();
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(policy(options.redirects));
    if options.accept_any_certificate {
        builder = builder.danger_accept_invalid_certs(true);
    }
    if let Some(pem) = &options.ca {
        let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|_| Error::Ca)?;
        if certificates.is_empty() {
            return Err(Error::Ca);
        }
        for certificate in certificates {
            builder = builder.add_root_certificate(certificate);
        }
    }
    if let Some(identity) = &options.identity {
        let mut pem = identity.certificate.clone();
        pem.push(b'\n');
        pem.extend_from_slice(identity.key.expose().as_bytes());
        let identity = reqwest::Identity::from_pem(&pem)
            .map_err(|error| Error::Identity(with_causes(&error)))?;
        builder = builder.identity(identity);
    }
    if let Some(proxy) = &options.proxy {
        proxy.validate()?;
        let mut through = reqwest::Proxy::all(&proxy.address)
            .map_err(|error| Error::Proxy(format!("is not usable: {}", with_causes(&error))))?;
        if !proxy.username.is_empty() {
            through = through.basic_auth(&proxy.username, proxy.password.expose());
        }
        builder = builder.proxy(through);
    }
    builder
        .build()
        .map_err(|error| Error::Build(with_causes(&error)))
}

fn policy(redirects: Redirects) -> Policy {
    match redirects {
        Redirects::None => Policy::none(),
        Redirects::Follow => limited(|_| Ok(())),
        Redirects::GitDiscovery => limited(|path| {
            if path.ends_with("/info/refs") {
                Ok(())
            } else {
                Err(format!(
                    "http redirect: target {path:?} does not end with /info/refs"
                ))
            }
        }),
    }
}

fn limited(check: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static) -> Policy {
    let check = Arc::new(check);
    Policy::custom(move |attempt| {
        let from = attempt.previous().last().map(|url| url.scheme().to_owned());
        if attempt.previous().len() > REDIRECTS_MAX {
            return attempt.error(format!("stopped after {REDIRECTS_MAX} redirects"));
        }
        if from.as_deref() == Some("https") && attempt.url().scheme() != "https" {
            return attempt.error("http redirect: changes scheme from \"https\" to \"http\"");
        }
        match check(attempt.url().path()) {
            Ok(()) => attempt.follow(),
            Err(reason) => attempt.error(reason),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked_and_clients_shared() {
        let clients = Clients::default();
        clients.get(&ClientOptions::default()).unwrap();
        clients.get(&ClientOptions::default()).unwrap();
        assert_eq!(clients.known.lock().unwrap().len(), 1);
        let with = |change: &dyn Fn(&mut ClientOptions)| {
            let mut options = ClientOptions::default();
            change(&mut options);
            clients.get(&options).map(|_| ()).unwrap_err().to_string()
        };
        assert_eq!(
            with(&|o| o.ca = Some(b"nonsense".to_vec())),
            "failed to parse CA certificate"
        );
        let proxy = |address: &str| {
            Some(Proxy {
                address: address.to_owned(),
                username: String::new(),
                password: Secret::default(),
            })
        };
        assert_eq!(
            with(&|o| o.proxy = proxy("ftp://x")),
            "proxy URL must use one of the supported schemes (http, https, socks5), got 'ftp'"
        );
    }

    #[test]
    fn secrets_print_redacted() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
    }
}
