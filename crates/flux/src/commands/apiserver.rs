//! `flux apiserver`: the embedded Kubernetes API server alone, as a light local cluster for anyone.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::dev::kubeconfig::Kubeconfig;
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Arguments of `flux apiserver`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Address to listen on; default: a free port on the loopback interface.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Keep the cluster's state in this directory across restarts; default: in memory.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Do not act out workloads: Deployments stay without Pods.
    #[arg(long)]
    no_workloads: bool,
    /// Write a kubeconfig with a client certificate of this user instead of the administrator's token.
    #[arg(long, value_name = "NAME", conflicts_with = "plain")]
    certificate_user: Option<String>,
    /// Group of that user, such as `system:masters`.
    #[arg(long, value_name = "NAME", requires = "certificate_user")]
    certificate_group: Option<String>,
    /// Serve plain HTTP instead of HTTPS; for tests on the loopback interface.
    #[arg(long)]
    plain: bool,
}

/// Serves until Ctrl-C; the kubeconfig's path is printed on stdout.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::configuration(format!("cannot start the runtime: {error}")))?;
    let outcome = runtime.block_on(serve(ctx, &args));
    runtime.shutdown_timeout(Duration::from_millis(50));
    outcome
}

async fn serve(ctx: &Context, args: &Args) -> CliResult {
    let failed = |error: ::apiserver::Error| {
        CliError::configuration(format!("cannot start the API server: {error}"))
    };
    let options = ::apiserver::Options {
        data: args.data.clone(),
        workloads: !args.no_workloads,
        ..::apiserver::Options::default()
    };
    let server = ::apiserver::Server::start(options).await.map_err(failed)?;
    if !server.lost().is_empty() {
        ctx.out.warning(server.lost());
    }
    let serving = if args.plain {
        server.serve_plain(args.listen).await
    } else {
        server.serve(args.listen).await
    }
    .map_err(failed)?;
    let text = match &args.certificate_user {
        Some(user) => {
            let issued = server
                .client_certificate(user, args.certificate_group.as_deref())
                .map_err(failed)?;
            serving.kubeconfig_with_certificate(user, &issued)
        }
        None => serving.kubeconfig(),
    };
    let kubeconfig = Kubeconfig::write(
        &text,
        ctx.settings.connect.kubeconfig.as_deref(),
        args.data.as_deref(),
    )?;
    ctx.out.data(&format!(
        "API server on {}\nkubeconfig {}\n",
        serving.url,
        kubeconfig.path().display()
    ));
    let mut trouble = server.trouble();
    let told = async {
        while trouble.changed().await.is_ok() {
            tell(ctx, trouble.borrow_and_update().as_deref());
        }
        // A server without a folder has no trouble; it ends when it is asked to, all the same.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = asked_to_end() => {}
        () = told => {}
    }
    server.shutdown().await;
    Ok(())
}

/// Waits for Ctrl-C or the signal with which service managers end a program.
async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        // Without a handler there is no Ctrl-C to wait for.
        pressed = tokio::signal::ctrl_c() => if pressed.is_err() { std::future::pending().await },
        _ = terminate.recv() => {}
    }
}

/// Says what keeps changes from the disk, and when that is over.
fn tell(ctx: &Context, trouble: Option<&str>) {
    match trouble {
        Some(reason) => ctx.out.warning(format!("changes are refused: {reason}")),
        None => ctx.out.note("changes are kept on disk again"),
    }
}
