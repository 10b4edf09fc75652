//! The server as a value: start it, use it in process, serve it over sockets, shut it down.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cluster::Cluster;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::engine::{Engine, User};
use crate::environment::Environment;
use crate::http::service;
use crate::http::tls::{Authority, ClientCertificate};
use crate::identity::Identity;
use crate::port::InProcess;
use crate::store::Store;
use crate::store::log::Log;

/// How a server is set up.
#[derive(Clone)]
pub struct Options {
    /// Folder of the durable log; without one everything is in memory.
    pub data: Option<PathBuf>,
    /// Whether workloads are simulated (pods run, deployments become available, jobs complete).
    pub workloads: bool,
    /// Clock and ids.
    pub environment: Environment,
    /// Static bearer tokens with user and groups, for tests and simulations.
    pub tokens: Vec<(String, cluster::Identity)>,
    /// Faults that requests meet, for simulations.
    pub faults: Option<Arc<dyn crate::faults::Faults>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            data: None,
            workloads: true,
            environment: Environment::system(),
            tokens: Vec::new(),
            faults: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("data", &self.data)
            .field("workloads", &self.workloads)
            .finish_non_exhaustive()
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Address asked for.
        address: SocketAddr,
        /// Reason.
        source: std::io::Error,
    },
    /// The data folder cannot be used; nothing was changed.
    #[error("cannot use the data folder {}: {reason}", path.display())]
    Data {
        /// File or folder.
        path: PathBuf,
        /// Reason.
        reason: String,
    },
    /// No certificate could be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(String),
}

/// A running server. Dropping it ends its controllers and listeners.
pub struct Server {
    engine: Arc<Engine>,
    authority: Authority,
    stop: watch::Sender<bool>,
    tasks: parking_lot::Mutex<Vec<JoinHandle<()>>>,
    /// What a crash had torn off the log; empty where nothing was lost.
    lost: String,
}

/// One listening address of a server.
#[derive(Clone, Debug)]
pub struct Serving {
    /// Address that is listened on.
    pub address: SocketAddr,
    /// `https://…` or `http://…`.
    pub url: String,
    /// Certificate of the authority as PEM; empty for plain HTTP.
    pub certificate_authority: String,
    /// Bearer token of the administrator.
    pub token: String,
}

impl Server {
    /// Starts a server; it is ready when this returns. Needs a tokio runtime.
    ///
    /// # Errors
    /// Fails where the data directory or certificates cannot be used.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let environment = options.environment.clone();
        let (store, identity, lost) = match &options.data {
            None => (
                Arc::new(Store::in_memory()),
                Identity::generate(&environment)?,
                String::new(),
            ),
            Some(folder) => open(folder, &environment)?,
        };
        let authority = identity.authority.clone();
        let credentials = identity.credentials(&options.tokens)?;
        let engine = Arc::new(Engine::new(store, environment, credentials));
        crate::bootstrap::run(&engine);
        let (stop, _) = watch::channel(false);
        engine.injector.arm(options.faults.clone(), stop.clone());
        let tasks = crate::controllers::start(&engine, options.workloads, &stop);
        Ok(Self {
            engine,
            authority,
            stop,
            tasks: parking_lot::Mutex::new(tasks),
            lost,
        })
    }

    /// Returns the port to this server as its administrator, in process.
    pub fn cluster(&self) -> Arc<dyn Cluster> {
        let user = User::admin();
        Arc::new(InProcess::new(
            self.engine.clone(),
            user,
            self.stop.subscribe(),
        ))
    }

    /// Serves HTTPS; without an address, on a free loopback port.
    ///
    /// # Errors
    /// Fails where the address is taken.
    pub async fn serve(&self, address: Option<SocketAddr>) -> Result<Serving, Error> {
        let address = address.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let tls = self
            .authority
            .server_config(address.ip())
            .map_err(Error::Certificate)?;
        let tls = service::Tls {
            acceptor: TlsAcceptor::from(tls),
            verifier: self.authority.verifier().map_err(Error::Certificate)?,
        };
        self.listen(address, Some(tls)).await
    }

    /// Serves plain HTTP, for tests; without an address, on a free loopback port.
    ///
    /// # Errors
    /// Fails where the address is taken.
    pub async fn serve_plain(&self, address: Option<SocketAddr>) -> Result<Serving, Error> {
        let address = address.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        self.listen(address, None).await
    }

    async fn listen(
        &self,
        address: SocketAddr,
        tls: Option<service::Tls>,
    ) -> Result<Serving, Error> {
        let refused = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let secure = tls.is_some();
        let task = service::accept(self.engine.clone(), listener, tls, self.stop.subscribe());
        self.tasks.lock().push(tokio::spawn(task));
        let scheme = if secure { "https" } else { "http" };
        Ok(Serving {
            address,
            url: format!("{scheme}://{}", reachable(address)),
            certificate_authority: if secure {
                self.authority.certificate.clone()
            } else {
                String::new()
            },
            token: self.engine.credentials.admin_token.clone(),
        })
    }

    /// Answers one HTTP request without a socket, on the same path as those from sockets.
    pub async fn call(
        &self,
        request: http::Request<bytes::Bytes>,
    ) -> http::Response<crate::http::ResponseBody> {
        let (parts, body) = request.into_parts();
        if body.len() > crate::http::BODY_BYTES_MAX {
            return crate::http::too_large();
        }
        let incoming = crate::http::Incoming {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or("").to_owned(),
            headers: parts.headers,
            body,
            certificate: None,
        };
        crate::http::handle(self.engine.clone(), self.stop.subscribe(), incoming).await
    }

    /// Says what a crash had torn off the end of the data folder's log; empty where nothing was lost.
    pub fn lost(&self) -> &str {
        &self.lost
    }

    /// Returns the administrator's bearer token.
    pub fn admin_token(&self) -> &str {
        &self.engine.credentials.admin_token
    }

    /// Follows what keeps changes from the disk, such as a full one; `None` while all is well.
    pub fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.engine.store.trouble()
    }

    /// Stops at once, as a crash would: requests and watches get no answer any more, what is not on disk is lost.
    pub fn kill(&self) {
        self.engine.injector.kill(&self.engine);
    }

    /// Issues a client certificate: the user is its common name, the group its organisation.
    ///
    /// # Errors
    /// Fails where the certificate cannot be made.
    pub fn client_certificate(
        &self,
        user: &str,
        group: Option<&str>,
    ) -> Result<ClientCertificate, Error> {
        self.authority
            .client_certificate(user, group)
            .map_err(Error::Certificate)
    }

    /// Ends listeners, watches and controllers; everything stored is on disk when this returns.
    pub async fn shutdown(&self) {
        self.stop.send_replace(true);
        let tasks: Vec<_> = self.tasks.lock().drain(..).collect();
        let all = futures::future::join_all(tasks);
        if tokio::time::timeout(Duration::from_millis(700), all)
            .await
            .is_err()
        {
            tracing::debug!("some tasks of the API server did not end in time");
        }
        if let Err(error) = self.engine.store.flushed().await {
            tracing::error!(error, "the last changes are not on disk");
        }
        self.engine.store.closed().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.engine.store.close();
    }
}

impl Serving {
    /// Writes a kubeconfig for the administrator.
    pub fn kubeconfig(&self) -> String {
        self.kubeconfig_of("admin", &format!("    token: {}\n", self.token))
    }

    /// Writes a kubeconfig for the user of a client certificate; not for plain HTTP.
    pub fn kubeconfig_with_certificate(&self, user: &str, issued: &ClientCertificate) -> String {
        let encode = |text: &str| STANDARD.encode(text.as_bytes());
        let credentials = format!(
            "    client-certificate-data: {}\n    client-key-data: {}\n",
            encode(&issued.certificate),
            encode(&issued.key)
        );
        self.kubeconfig_of(user, &credentials)
    }

    fn kubeconfig_of(&self, user: &str, credentials: &str) -> String {
        // A JSON text is a YAML text, whatever is in the name.
        let user = objects::Value::from(user).to_string();
        let authority = if self.certificate_authority.is_empty() {
            String::new()
        } else {
            let encoded = STANDARD.encode(self.certificate_authority.as_bytes());
            format!("    certificate-authority-data: {encoded}\n")
        };
        format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: ferroflux\n  cluster:\n    server: {}\n{authority}contexts:\n- name: ferroflux\n  context:\n    cluster: ferroflux\n    user: {user}\ncurrent-context: ferroflux\nusers:\n- name: {user}\n  user:\n{credentials}",
            self.url
        )
    }
}

fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()))
    } else {
        address
    }
}

fn open(
    folder: &std::path::Path,
    environment: &Environment,
) -> Result<(Arc<Store>, Identity, String), Error> {
    let (log, mut recovered) = Log::open(folder).map_err(|error| Error::Data {
        path: folder.to_path_buf(),
        reason: error.to_string(),
    })?;
    let lost = std::mem::take(&mut recovered.lost);
    if !lost.is_empty() {
        tracing::warn!(lost, "the log ended in the middle of a write");
    }
    // A log that nobody uses must not keep the folder.
    let identity = Identity::load_or_generate(folder, environment).inspect_err(|_| log.close())?;
    Ok((Store::recovered(recovered, log), identity, lost))
}
