//! `flux create secret helm|oci|tls|proxy`: credentials of repositories, registries and proxies.
//!
//! Flags and files flow in, a Secret of upstream's type and keys comes out. Files are checked to be PEM; whether key
//! and certificate belong together is left to whoever uses them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use objects::{Map, Object, json};

use super::secret_git::secret_object;
use super::upsert::{secret, upsert};
use super::{Shared, object_name, set_text};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::kinds::builtin;
use crate::manifest;

const BASIC_AUTH: &str = "kubernetes.io/basic-auth";
const TLS: &str = "kubernetes.io/tls";
const DOCKER_CONFIG: &str = "kubernetes.io/dockerconfigjson";
const OPAQUE: &str = "Opaque";

/// Arguments of `flux create secret helm`.
#[derive(clap::Args, Debug)]
pub struct Helm {
    /// Name of the Secret.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    files: TlsFiles,
}

/// Arguments of `flux create secret oci`.
#[derive(clap::Args, Debug)]
pub struct Oci {
    /// Name of the Secret.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Registry, or repository in it, without a scheme.
    #[arg(long, default_value = "", hide_default_value = true)]
    url: String,
    #[command(flatten)]
    login: Login,
}

/// Arguments of `flux create secret tls`.
#[derive(clap::Args, Debug)]
pub struct Tls {
    /// Name of the Secret.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    files: TlsFiles,
}

/// Arguments of `flux create secret proxy`.
#[derive(clap::Args, Debug)]
pub struct Proxy {
    /// Name of the Secret.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Address of the proxy.
    #[arg(long, default_value = "", hide_default_value = true)]
    address: String,
    #[command(flatten)]
    login: Login,
}

#[derive(clap::Args, Debug)]
struct Login {
    /// User name.
    #[arg(short, long, default_value = "", hide_default_value = true)]
    username: String,
    /// Password.
    #[arg(short, long, default_value = "", hide_default_value = true)]
    password: String,
}

#[derive(clap::Args, Debug)]
struct TlsFiles {
    /// Client certificate (PEM).
    #[arg(
        long,
        value_name = "FILE",
        default_value = "",
        hide_default_value = true
    )]
    tls_crt_file: String,
    /// Key of the client certificate (PEM).
    #[arg(
        long,
        value_name = "FILE",
        default_value = "",
        hide_default_value = true
    )]
    tls_key_file: String,
    /// Certificate authority (PEM).
    #[arg(
        long,
        value_name = "FILE",
        default_value = "",
        hide_default_value = true
    )]
    ca_crt_file: String,
}

/// What a Helm repository or registry may ask for; empty where it is not given.
#[derive(Debug, Default)]
pub struct Credentials {
    /// User name for basic authentication.
    pub username: String,
    /// Password for basic authentication.
    pub password: String,
    /// Client certificate (PEM).
    pub certificate: String,
    /// Key of the client certificate (PEM).
    pub key: String,
    /// Certificate authority (PEM).
    pub authority: String,
}

/// Type and text of a Secret; the type is empty where Kubernetes' default is meant.
pub struct Content {
    /// `type` of the Secret.
    pub type_of: &'static str,
    /// `stringData` of the Secret.
    pub data: Map,
}

impl Credentials {
    /// Makes the Secret of a Helm repository: certificates win over user and password.
    pub fn helm(&self) -> CliResult<Content> {
        if !self.certificate.is_empty() || !self.key.is_empty() {
            return self.tls();
        }
        if !self.username.is_empty() || !self.password.is_empty() {
            for (value, what) in [(&self.username, "username"), (&self.password, "password")] {
                if value.is_empty() {
                    return Err(CliError::user(format!("{what} is required")));
                }
            }
            let mut data = Map::new();
            set_text(&mut data, "username", &self.username);
            set_text(&mut data, "password", &self.password);
            set_text(&mut data, "ca.crt", &self.authority);
            let type_of = BASIC_AUTH;
            return Ok(Content { type_of, data });
        }
        if !self.authority.is_empty() {
            return self.tls();
        }
        Ok(Content {
            type_of: "",
            data: Map::new(),
        })
    }

    /// Makes a Secret of certificates.
    fn tls(&self) -> CliResult<Content> {
        let wrong = |message: &str| Err(CliError::user(message));
        match (self.certificate.is_empty(), self.key.is_empty()) {
            (false, true) => {
                return wrong("found certificate but missing private key");
            }
            (true, false) => {
                return wrong("found private key but missing certificate");
            }
            (true, true) if self.authority.is_empty() => {
                return wrong("no CA certificate or client certificate pair found");
            }
            (true, true) => {}
            (false, false) => self.check_pem()?,
        }
        let mut data = Map::new();
        set_text(&mut data, "tls.crt", &self.certificate);
        set_text(&mut data, "tls.key", &self.key);
        set_text(&mut data, "ca.crt", &self.authority);
        let type_of = if self.certificate.is_empty() {
            OPAQUE
        } else {
            TLS
        };
        Ok(Content { type_of, data })
    }

    fn check_pem(&self) -> CliResult {
        for (text, what) in [(&self.certificate, "certificate"), (&self.key, "key")] {
            if !text.contains("-----BEGIN ") {
                return Err(CliError::user(format!(
                    "invalid TLS certificate and key pair: tls: failed to find any PEM data in {what} input"
                )));
            }
        }
        Ok(())
    }
}

impl TlsFiles {
    fn read(&self, login: Option<&Login>) -> CliResult<Credentials> {
        let authority = read_file(&self.ca_crt_file, "unable to read TLS CA file")?;
        let certificate = read_file(&self.tls_crt_file, "failed to read cert file")?;
        let key = read_file(&self.tls_key_file, "failed to read key file")?;
        let text = |of: fn(&Login) -> &String| login.map(of).cloned().unwrap_or_default();
        Ok(Credentials {
            username: text(|login| &login.username),
            password: text(|login| &login.password),
            certificate,
            key,
            authority,
        })
    }
}

/// Reads a text file; nothing where no file is named.
pub fn read_file(file: &str, failed: &str) -> CliResult<String> {
    if file.is_empty() {
        return Ok(String::new());
    }
    let bytes = std::fs::read(file).map_err(|error| {
        let reason = match error.kind() {
            std::io::ErrorKind::NotFound => format!("open {file}: no such file or directory"),
            std::io::ErrorKind::IsADirectory => format!("read {file}: is a directory"),
            std::io::ErrorKind::PermissionDenied => format!("open {file}: permission denied"),
            _ => format!("open {file}: {error}"),
        };
        CliError::user(format!("{failed}: {reason}"))
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Prints or applies the Secret of a Helm repository.
pub fn helm(ctx: &Context, shared: &Shared, args: Helm) -> CliResult {
    let name = object_name(&args.names)?;
    let labels = shared.labels()?;
    let content = args.files.read(Some(&args.login))?.helm()?;
    finish(ctx, shared, "helm", name, &labels, content)
}

/// Prints or applies the pull Secret of a registry; labels are ignored, as upstream ignores them.
pub fn oci(ctx: &Context, shared: &Shared, args: Oci) -> CliResult {
    let name = object_name(&args.names)?;
    let Login { username, password } = &args.login;
    for (value, flag) in [
        (&args.url, "url"),
        (username, "username"),
        (password, "password"),
    ] {
        if value.is_empty() {
            return Err(CliError::user(format!("--{flag} is required")));
        }
    }
    let wrong = |error: remote::oci::ReferenceError| {
        CliError::user(format!("error parsing url: '{error}'"))
    };
    remote::oci::Reference::parse(&args.url).map_err(wrong)?;
    // Go's JSON escapes what HTML would read.
    let quoted = |text: &str| {
        json!(text)
            .to_string()
            .replace('&', "\\u0026")
            .replace('<', "\\u003c")
            .replace('>', "\\u003e")
    };
    let auth = STANDARD.encode(format!("{username}:{password}"));
    let config = format!(
        "{{\n  \"auths\": {{\n    {}: {{\n      \"username\": {},\n      \"password\": {},\n      \"auth\": {}\n    }}\n  }}\n}}",
        quoted(&args.url),
        quoted(username),
        quoted(password),
        quoted(&auth)
    );
    let mut data = Map::new();
    set_text(&mut data, ".dockerconfigjson", &config);
    let type_of = DOCKER_CONFIG;
    finish(
        ctx,
        shared,
        "oci",
        name,
        &Map::new(),
        Content { type_of, data },
    )
}

/// Prints or applies a Secret of certificates.
pub fn tls(ctx: &Context, shared: &Shared, args: Tls) -> CliResult {
    let name = object_name(&args.names)?;
    let labels = shared.labels()?;
    let content = args.files.read(None)?.tls()?;
    finish(ctx, shared, "tls", name, &labels, content)
}

/// Prints or applies the Secret of a proxy.
pub fn proxy(ctx: &Context, shared: &Shared, args: Proxy) -> CliResult {
    let name = object_name(&args.names)?;
    let labels = shared.labels()?;
    if args.address.is_empty() {
        return Err(CliError::user("address is required"));
    }
    let mut data = Map::new();
    set_text(&mut data, "address", &args.address);
    set_text(&mut data, "username", &args.login.username);
    set_text(&mut data, "password", &args.login.password);
    let type_of = OPAQUE;
    finish(
        ctx,
        shared,
        "proxy",
        name,
        &labels,
        Content { type_of, data },
    )
}

/// Composes the Secret.
pub fn typed_secret(namespace: &str, name: &str, labels: &Map, content: Content) -> Object {
    let mut object = secret_object(namespace, name, labels, content.data);
    if !content.type_of.is_empty() {
        object.set(&["type"], content.type_of);
    }
    let empty = object
        .get(&["stringData"])
        .and_then(|data| data.as_object())
        .is_some_and(Map::is_empty);
    if empty {
        object.remove(&["stringData"]);
    }
    object
}

/// Prints the Secret, or applies it.
pub fn finish(
    ctx: &Context,
    shared: &Shared,
    what: &str,
    name: &str,
    labels: &Map,
    content: Content,
) -> CliResult {
    let object = typed_secret(ctx.namespace(), name, labels, content);
    if shared.export {
        let document = manifest::document(&object.into_value())?;
        let end = if what == "tls" { "" } else { "\n" };
        ctx.out.data(&format!("{document}{end}"));
        return Ok(());
    }
    ctx.block_on(async {
        let cluster = ctx.cluster().await?;
        let resource = builtin("", "Secret", "secrets", true);
        let target = cluster::Target::new(&resource, ctx.namespace(), name);
        upsert(&*cluster, &target, &object, secret).await?;
        ctx.out.action(format_args!(
            "{what} secret '{name}' created in '{}' namespace",
            ctx.namespace()
        ));
        Ok(())
    })
}
