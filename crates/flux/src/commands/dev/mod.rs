//! `flux dev [PATH|URL]`: a Git repository becomes a running cluster, with nothing installed.
//!
//! Embedded API server, controllers and the view of them in one process: [`source`] says what to follow,
//! [`bootstrap`] puts it into the cluster, [`board`] knows how far it is, [`display`] shows it.

mod addresses;
mod board;
mod bootstrap;
mod display;
mod hints;
mod installed;
pub(super) mod kubeconfig;
mod mirrors;
mod source;
mod summary;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cluster::{Cluster, ListParams, Scope, WatchEvent, WatchParams};
use futures::StreamExt as _;
use objects::Object;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use self::addresses::Addresses;
use self::board::{Board, Verdict};
use self::display::Display;
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Arguments of `flux dev`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Repository to follow: a directory, a bare repository, or an http(s) URL.
    #[arg(value_name = "PATH|URL", default_value = ".")]
    repository: String,
    /// Directory of the repository that describes the cluster; default: the only one below ./clusters, else ./
    #[arg(long)]
    path: Option<String>,
    /// Branch to follow; default: the branch of the repository's HEAD, or main for a URL.
    #[arg(long)]
    branch: Option<String>,
    /// Take the files as they are on disk, uncommitted changes included.
    #[arg(long)]
    worktree: bool,
    /// Converge, print the summary and exit: 0 when everything is Ready, 1 when something failed.
    #[arg(long)]
    once: bool,
    /// Keep the cluster's state in this directory across restarts; default: in memory.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Address of the API server; default: a free port on the loopback interface.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Take the repository of a URL from a local path; repeatable. The followed repository's own remotes are known.
    #[arg(long, value_name = "URL=PATH")]
    local: Vec<String>,
    /// Take a Helm repository or registry (https://… or oci://…) from a directory of charts or another URL; repeatable.
    /// The file .flux-dev.yaml of the followed directory may name mirrors, too.
    #[arg(long, value_name = "URL=DIR|URL")]
    mirror: Vec<String>,
    /// Namespace of objects at the root that name none.
    #[arg(long, value_name = "NAMESPACE")]
    target_namespace: Option<String>,
    /// Block references to sources in other namespaces, as the controllers' flag does.
    #[arg(long)]
    no_cross_namespace_refs: bool,
    /// Account that Kustomizations act as where they name none, as the controllers' flag.
    #[arg(long, value_name = "NAME")]
    default_service_account: Option<String>,
    /// Do not act out workloads: Deployments stay without Pods.
    #[arg(long)]
    no_workloads: bool,
}

/// Exit code of wrong arguments.
const USAGE_EXIT_CODE: u8 = 2;
/// A failure counts as final when nothing has changed for this long; controllers may still be about to try again.
const SETTLED_AFTER: Duration = Duration::from_secs(5);
/// Pause between two looks whether the controllers have nothing left to do.
const CONFIRM_EVERY: Duration = Duration::from_millis(5);
/// Longest wait for controllers and server to stop.
const STOP_WITHIN: Duration = Duration::from_millis(900);

/// Runs until Ctrl-C, or until converged with `--once`.
pub fn run(ctx: &Context, args: &Args) -> CliResult {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::configuration(format!("cannot start the runtime: {error}")))?;
    let outcome = runtime.block_on(Session::run(ctx, args));
    // What still hangs in a system call (a dead file system) must not keep the terminal.
    runtime.shutdown_timeout(Duration::from_millis(50));
    outcome
}

/// One run of `flux dev`.
struct Session<'a> {
    args: &'a Args,
    board: Board,
    cluster: Arc<dyn Cluster>,
    runtime: Arc<controller_runtime::Runtime>,
    display: Display,
    started: Instant,
    changes: mpsc::UnboundedReceiver<Change>,
}

/// A change of one Flux object.
enum Change {
    Present(Object),
    Gone(Object),
}

/// Why the first phase ended.
enum Ending {
    Converged,
    Failed,
    TimedOut,
    Interrupted,
}

impl Session<'_> {
    async fn run(ctx: &Context, args: &Args) -> CliResult {
        let usage = |error: source::SourceError| {
            CliError::user(error.to_string()).exit_code(USAGE_EXIT_CODE)
        };
        let wrong =
            |error: mirrors::Problem| CliError::user(error.to_string()).exit_code(USAGE_EXIT_CODE);
        let source = source::resolve(&args.repository, args.branch.as_deref(), args.worktree)
            .map_err(usage)?;
        source::check_data(&source, args.data.as_deref()).map_err(usage)?;
        let copies = source::local_copies(&source, &args.local).map_err(usage)?;
        let mirrors = mirrors::read(&args.mirror, source.directory.as_deref()).map_err(wrong)?;
        let path = source::cluster_path(args.path.as_deref(), source.directory.as_deref())
            .map_err(usage)?;
        let started = Instant::now();
        let display = Display::new();
        display.line(&format!("► following {} at {path}", describe(&source)));
        if !source.note.is_empty() {
            display.line(&format!("  {}", source.note));
        }
        let mirrors = mirrors.start(|line| display.line(line)).await;
        let mirrors = mirrors.map_err(wrong)?;

        let data = args.data.as_deref();
        let mut addresses = Addresses::read(data);
        let server = start_server(args).await?;
        let serving = serve(&server, args.listen, addresses.api).await?;
        let kubeconfig = kubeconfig::Kubeconfig::write(
            &serving.kubeconfig(),
            ctx.settings.connect.kubeconfig.as_deref(),
            args.data.as_deref(),
        )?;
        display.line(&format!("✔ API server on {}", serving.url));
        display.line(&format!("  kubeconfig {}", kubeconfig.path().display()));

        let cluster = server.cluster();
        let root = root_spec(args, path);
        bootstrap::install(cluster.as_ref(), &source.spec, &root).await?;
        let mut options = controller_options(args, copies);
        options.preferred_storage_address = addresses.artifacts;
        options.mirrors = mirrors;
        let controllers = controllers::start(cluster.clone(), options)
            .await
            .map_err(|error| CliError::configuration(error.to_string()))?;
        addresses.api = Some(serving.address);
        addresses.artifacts = controllers.artifacts().address().parse().ok();
        if let Err(error) = addresses.write(data) {
            // The next run takes other ports: nothing is lost.
            display.line(&format!("  ports are not kept for the next start: {error}"));
        }
        let changes = follow(cluster.clone()).await?;
        if !server.lost().is_empty() {
            display.line(&format!("  {}", server.lost()));
        }
        tokio::spawn(tell_trouble(server.trouble()));
        let mut session = Session {
            args,
            board: Board::default(),
            cluster: cluster.clone(),
            runtime: controllers.runtime().clone(),
            display,
            started,
            changes,
        };
        let outcome = session.converge_and_stay(ctx, &kubeconfig).await;
        let _ = tokio::time::timeout(STOP_WITHIN, async {
            controllers.stop().await;
            server.shutdown().await;
        })
        .await;
        outcome
    }

    async fn converge_and_stay(
        &mut self,
        ctx: &Context,
        kubeconfig: &kubeconfig::Kubeconfig,
    ) -> CliResult {
        let limit = self.args.once.then(|| ctx.settings.timeout.to_std());
        let ending = self.converge(limit).await;
        self.display.rest();
        let elapsed = self.started.elapsed();
        match ending {
            Ending::Interrupted => return Ok(()),
            Ending::Converged => summary::converged(&self.board, elapsed),
            Ending::Failed => summary::failed(&self.board, elapsed),
            Ending::TimedOut => summary::timed_out(&self.board, elapsed),
        }
        if !matches!(ending, Ending::Converged) {
            summary::data_trouble(self.args.data.as_deref());
        }
        if self.args.once {
            return match ending {
                Ending::Converged => Ok(()),
                _ => Err(CliError::silent(1)),
            };
        }
        summary::next_steps(kubeconfig.path());
        self.stay().await;
        Ok(())
    }

    /// Shows changes until the first verdict, the limit or Ctrl-C.
    async fn converge(&mut self, limit: Option<Duration>) -> Ending {
        let deadline = limit.map(|limit| self.started + limit);
        let mut quiet_since = Instant::now();
        loop {
            let failed_at =
                (self.board.verdict() == Verdict::Failed).then(|| quiet_since + SETTLED_AFTER);
            let next = [deadline, failed_at].into_iter().flatten().min();
            let seems_converged = self.board.verdict() == Verdict::Converged;
            tokio::select! {
                () = interrupted() => return Ending::Interrupted,
                change = self.changes.recv() => {
                    let Some(change) = change else { return Ending::Failed };
                    self.take(change);
                    quiet_since = Instant::now();
                }
                () = tokio::time::sleep(CONFIRM_EVERY), if seems_converged => {
                    if self.has_converged().await {
                        return Ending::Converged;
                    }
                }
                () = sleep_until(next) => {
                    return if failed_at == next { Ending::Failed } else { Ending::TimedOut };
                }
            }
        }
    }

    /// Tells whether what the board says holds once the controllers have nothing left to do: statuses of an earlier run
    /// may be out of date, and news may still be on its way.
    async fn has_converged(&self) -> bool {
        if !self.runtime.has_settled() {
            return false;
        }
        match read_board(&*self.cluster).await {
            Ok(board) => board.verdict() == Verdict::Converged && self.runtime.has_settled(),
            Err(_) => false,
        }
    }

    /// Shows changes until Ctrl-C.
    async fn stay(&mut self) {
        self.display = Display::lines(&self.board);
        loop {
            tokio::select! {
                () = interrupted() => return,
                change = self.changes.recv() => match change {
                    Some(change) => self.take(change),
                    None => return,
                },
            }
        }
    }

    /// Takes in a change and all that came with it, then shows the result once.
    fn take(&mut self, first: Change) {
        let mut next = Some(first);
        while let Some(change) = next {
            match change {
                Change::Present(object) => self.board.upsert(&object),
                Change::Gone(object) => self.board.remove(&object),
            }
            next = self.changes.try_recv().ok();
        }
        self.display.update(&self.board);
    }
}

fn describe(source: &source::Source) -> String {
    let how = if source.worktree {
        "files on disk".to_owned()
    } else {
        format!("branch {}", source.spec.branch)
    };
    match &source.directory {
        Some(directory) => format!("{} ({how})", directory.display()),
        None => format!("{} ({how})", source.spec.url),
    }
}

/// Serves at the chosen address; else at the one of the last run, or a free one.
async fn serve(
    server: &apiserver::Server,
    chosen: Option<SocketAddr>,
    usual: Option<SocketAddr>,
) -> CliResult<apiserver::Serving> {
    if let (None, Some(usual)) = (chosen, usual)
        && let Ok(serving) = server.serve(Some(usual)).await
    {
        return Ok(serving);
    }
    let refused = |error| CliError::configuration(format!("cannot serve the API: {error}"));
    server.serve(chosen).await.map_err(refused)
}

async fn start_server(args: &Args) -> CliResult<apiserver::Server> {
    let options = apiserver::Options {
        data: args.data.clone(),
        workloads: !args.no_workloads,
        ..apiserver::Options::default()
    };
    apiserver::Server::start(options)
        .await
        .map_err(|error| CliError::configuration(format!("cannot start the API server: {error}")))
}

fn root_spec(args: &Args, path: String) -> bootstrap::RootSpec {
    // Locked down by default accounts, the platform's own Kustomization keeps the controller's, as in upstream's guide.
    let service_account = match args.default_service_account {
        Some(_) => "kustomize-controller".to_owned(),
        None => String::new(),
    };
    bootstrap::RootSpec {
        path,
        target_namespace: args.target_namespace.clone().unwrap_or_default(),
        service_account,
    }
}

fn controller_options(args: &Args, copies: source::Copies) -> controllers::Options {
    controllers::Options {
        storage: args.data.as_ref().map(|data| data.join("artifacts")),
        local_access: git::LocalAccess::Allowed,
        local_copies: copies.copies,
        work_trees: copies.work_trees,
        sources: controllers::SourceSettings {
            concurrency: 8,
            configs_label_selector: String::new(),
            ..controllers::SourceSettings::default()
        },
        kustomize: controllers::kustomization::Settings {
            // In this process every watch is cheap, and nobody likes to wait for a broken rollout.
            configs_label_selector: String::new(),
            no_cross_namespace_refs: args.no_cross_namespace_refs,
            default_service_account: args.default_service_account.clone().unwrap_or_default(),
            gates: controllers::kustomization::Gates {
                cancel_health_check: true,
                external_artifact: true,
                ..controllers::kustomization::Gates::default()
            },
            ..controllers::kustomization::Settings::default()
        },
        helm: controllers::helmrelease::Settings {
            configs_label_selector: String::new(),
            no_cross_namespace_refs: args.no_cross_namespace_refs,
            default_service_account: args.default_service_account.clone().unwrap_or_default(),
            gates: controllers::helmrelease::Gates {
                cancel_health_check: true,
                external_artifact: true,
                ..controllers::helmrelease::Gates::default()
            },
            ..controllers::helmrelease::Settings::default()
        },
        ..controllers::Options::default()
    }
}

/// Says when changes do not reach the disk, and when they do again.
async fn tell_trouble(mut trouble: watch::Receiver<Option<String>>) {
    while trouble.changed().await.is_ok() {
        let news = trouble.borrow_and_update().clone();
        match news {
            Some(reason) => anstream::eprintln!("✗ changes are not stored: {reason}"),
            None => anstream::eprintln!("✔ changes are stored again"),
        }
    }
}

async fn interrupted() {
    // Without a handler there is no Ctrl-C to wait for.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Returns all objects of every Flux kind, each kind in its preferred version.
async fn flux_kinds(cluster: &dyn Cluster) -> Result<Vec<Scope>, cluster::Error> {
    let discovery = cluster.discovery().await?;
    let is_flux = |group: &str| {
        group.ends_with(".toolkit.fluxcd.io") || group == "source.extensions.fluxcd.io"
    };
    let kinds = discovery.resources.iter().filter(|resource| {
        is_flux(&resource.gvk.group)
            && discovery
                .by_group_kind(&resource.gvk.group, &resource.gvk.kind)
                .is_some_and(|preferred| preferred == *resource)
    });
    let scope = |resource: &Arc<cluster::ApiResource>| Scope {
        resource: resource.clone(),
        namespace: String::new(),
    };
    Ok(kinds.map(scope).collect())
}

async fn read_board(cluster: &dyn Cluster) -> Result<Board, cluster::Error> {
    let mut board = Board::default();
    for scope in flux_kinds(cluster).await? {
        let list = cluster.list(&scope, &ListParams::default()).await?;
        list.items.iter().for_each(|object| board.upsert(object));
    }
    Ok(board)
}

/// Watches every Flux kind; the channel ends when the server does.
async fn follow(cluster: Arc<dyn Cluster>) -> CliResult<mpsc::UnboundedReceiver<Change>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    for scope in flux_kinds(&*cluster).await? {
        let (cluster, sender) = (cluster.clone(), sender.clone());
        tokio::spawn(async move {
            let Ok(mut events) = cluster.watch(&scope, &WatchParams::default()).await else {
                return;
            };
            while let Some(Ok(event)) = events.next().await {
                let change = match event {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                        Change::Present(object)
                    }
                    WatchEvent::Deleted(object) => Change::Gone(object),
                    WatchEvent::Bookmark(_) => continue,
                };
                if sender.send(change).is_err() {
                    return;
                }
            }
        });
    }
    Ok(receiver)
}
