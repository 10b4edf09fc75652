//! Flags that every command takes, and what becomes of them.

use std::path::PathBuf;

use clap::Args;
use cluster::{ConnectOptions, Identity};

use crate::error::{CliError, CliResult};
use crate::flags::GoDuration;
use crate::output::Output;

const DEFAULT_NAMESPACE: &str = "flux-system";

/// Global flags as written.
#[derive(Args, Debug)]
#[command(next_help_heading = "Global flags")]
pub struct GlobalArgs {
    /// Most time that the whole operation may take.
    #[arg(long, global = true, value_name = "DURATION", default_value = "5m0s")]
    timeout: GoDuration,
    /// Accepted for compatibility: print generated objects.
    #[arg(long, global = true)]
    verbose: bool,
    /// Use the namespace of the kubeconfig context where --namespace is not given.
    #[arg(long, global = true)]
    ns_follows_kube_context: bool,
    /// Namespace of the request; flux-system where nothing else is said.
    #[arg(short, long, global = true)]
    namespace: Option<String>,
    /// Kubeconfig file.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "",
        hide_default_value = true
    )]
    kubeconfig: String,
    /// Context of the kubeconfig to use.
    #[arg(long, global = true, default_value = "", hide_default_value = true)]
    context: String,
    /// Cluster of the kubeconfig to use.
    #[arg(long, global = true, default_value = "", hide_default_value = true)]
    cluster: String,
    /// User of the kubeconfig to use.
    #[arg(long, global = true, default_value = "", hide_default_value = true)]
    user: String,
    /// Address of the Kubernetes API server.
    #[arg(long, global = true, default_value = "", hide_default_value = true)]
    server: String,
    /// Bearer token for the API server.
    #[arg(long, global = true, default_value = "", hide_default_value = true)]
    token: String,
    /// User to act as.
    #[arg(
        long = "as",
        id = "as-user",
        global = true,
        value_name = "USER",
        default_value = "",
        hide_default_value = true
    )]
    as_user: String,
    /// Group to act as; may be repeated.
    #[arg(long, global = true, value_name = "GROUP")]
    as_group: Vec<String>,
    /// Uid to act as.
    #[arg(
        long,
        global = true,
        value_name = "UID",
        default_value = "",
        hide_default_value = true
    )]
    as_uid: String,
    /// Extra KEY=VALUE of the user to act as; may be repeated.
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    as_user_extra: Vec<String>,
    /// Client certificate file for the API server.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "",
        hide_default_value = true
    )]
    client_certificate: String,
    /// Client key file for the API server.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "",
        hide_default_value = true
    )]
    client_key: String,
    /// File with the certificate authority of the API server.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "",
        hide_default_value = true
    )]
    certificate_authority: String,
    /// Name to expect in the API server's certificate.
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    tls_server_name: String,
    /// Do not check the API server's certificate.
    #[arg(long, global = true)]
    insecure_skip_tls_verify: bool,
    /// Do not compress answers.
    #[arg(long, global = true)]
    disable_compression: bool,
    /// Accepted for compatibility: nothing is cached on disk.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "",
        hide_default_value = true,
        hide_short_help = true
    )]
    cache_dir: String,
    /// Accepted for compatibility: requests are not throttled here.
    #[arg(long, global = true, default_value = "50", hide_short_help = true)]
    kube_api_qps: f32,
    /// Accepted for compatibility: requests are not throttled here.
    #[arg(long, global = true, default_value = "300", hide_short_help = true)]
    kube_api_burst: i64,
}

/// Global flags, environment and defaults, resolved; everything in its final form.
#[derive(Debug)]
pub struct Settings {
    /// Most time for the whole operation.
    pub timeout: GoDuration,
    /// Namespace of the request.
    pub namespace: String,
    /// The namespace as the flag gave it, for commands with another default.
    pub namespace_flag: Option<String>,
    /// How to reach the cluster.
    pub connect: ConnectOptions,
}

impl GlobalArgs {
    /// Adds environment and kubeconfig; only reads a file where the namespace follows the context.
    pub fn resolve(self, out: Output) -> CliResult<Settings> {
        let follow =
            self.ns_follows_kube_context || !env("FLUX_NS_FOLLOWS_KUBE_CONTEXT").is_empty();
        let fallback = default_namespace(out);
        let connect = ConnectOptions {
            kubeconfig: non_empty_path(self.kubeconfig),
            context: self.context,
            cluster: self.cluster,
            user: self.user,
            server: self.server,
            token: self.token,
            identity: Identity {
                user: self.as_user,
                groups: self.as_group,
            },
            identity_uid: self.as_uid,
            identity_extra: split_extra(&self.as_user_extra)?,
            client_certificate: non_empty_path(self.client_certificate),
            client_key: non_empty_path(self.client_key),
            certificate_authority: non_empty_path(self.certificate_authority),
            tls_server_name: self.tls_server_name,
            insecure_skip_tls_verify: self.insecure_skip_tls_verify,
            disable_compression: self.disable_compression,
        };
        let namespace_flag = self.namespace.clone();
        let namespace = match self.namespace {
            Some(namespace) => namespace,
            None if follow => connect.context_namespace().unwrap_or(fallback),
            None => fallback,
        };
        Ok(Settings {
            timeout: self.timeout,
            namespace,
            namespace_flag,
            connect,
        })
    }
}

/// Tells whether a name is a DNS-1123 label.
pub fn is_dns_label(name: &str) -> bool {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    !name.is_empty()
        && name.len() <= 63
        && name.bytes().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

impl Settings {
    /// Refuses a namespace that no cluster can have; `create` commands skip this, as upstream's do.
    pub fn check_namespace(&self) -> CliResult {
        if is_dns_label(&self.namespace) {
            return Ok(());
        }
        Err(CliError::user(format!(
            "namespace must be a valid DNS label: {:?}",
            self.namespace
        )))
    }
}

fn default_namespace(out: Output) -> String {
    let wanted = env("FLUX_SYSTEM_NAMESPACE");
    if wanted.is_empty() {
        return DEFAULT_NAMESPACE.to_owned();
    }
    if is_dns_label(&wanted) {
        return wanted;
    }
    out.warning(format_args!(
        " ignoring invalid FLUX_SYSTEM_NAMESPACE: {wanted:?}"
    ));
    DEFAULT_NAMESPACE.to_owned()
}

fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn non_empty_path(path: String) -> Option<PathBuf> {
    (!path.is_empty()).then(|| PathBuf::from(path))
}

fn split_extra(values: &[String]) -> CliResult<Vec<(String, String)>> {
    values
        .iter()
        .map(|value| {
            let (key, value) = value.split_once('=').ok_or_else(|| {
                CliError::user(format!(
                    "--as-user-extra must be KEY=VALUE, but found: {value}"
                ))
            })?;
            Ok((key.to_owned(), value.to_owned()))
        })
        .collect()
}
