//! `ebb-relay serve`: runs the relay until it is told to stop.

use std::fmt;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use listenfd::ListenFd;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing_subscriber::filter::LevelFilter;

use super::failure::Failure;
use super::{Data, print, token};
use crate::http::{self, Origins, Site};
use crate::server::{self, How, Tls};
use crate::service::{Relay, SystemClock};
use crate::storage::Storage;

/// Time between two looks for sealed keys of invites that have expired.
const SWEEP: Duration = Duration::from_secs(60);

#[derive(Args)]
pub(super) struct Serve {
    #[command(flatten)]
    data: Data,
    /// The address to listen on; port 0 picks one
    #[arg(long, env = "EBB_RELAY_LISTEN", default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// Let anyone create journals, without an enrolment token
    #[arg(long, env = "EBB_RELAY_OPEN", value_parser = BoolishValueParser::new())]
    open: bool,
    /// A URL under which devices reach this relay; may be given several times. Name it on every relay that others can
    /// reach: without it the relay believes the Host that a request names
    #[arg(
        long = "origin",
        value_name = "URL",
        env = "EBB_RELAY_ORIGIN",
        value_delimiter = ','
    )]
    origins: Vec<String>,
    /// How much to say on stderr
    #[arg(long, env = "EBB_RELAY_LOG", value_enum, default_value = "info")]
    log: Level,
    #[command(flatten)]
    limits: super::limits::Options,
    /// The certificate, with its chain, of the relay's own TLS, as PEM; read again when it changes
    #[arg(
        long,
        env = "EBB_RELAY_TLS_CERT",
        value_name = "FILE",
        requires = "tls_key"
    )]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, as PEM; read again when it changes
    #[arg(
        long,
        env = "EBB_RELAY_TLS_KEY",
        value_name = "FILE",
        requires = "tls_cert"
    )]
    tls_key: Option<PathBuf>,
    /// A proxy, by address or network, that is believed about where requests come from (X-Forwarded-For); may be given several
    /// times
    #[arg(
        long = "trusted-proxy",
        value_name = "ADDRESS",
        env = "EBB_RELAY_TRUSTED_PROXY",
        value_delimiter = ','
    )]
    proxies: Vec<String>,
    /// The address for Prometheus: /metrics, and /healthz and /readyz once more. It is for the keeper, and asks nobody who they
    /// are
    #[arg(long, env = "EBB_RELAY_METRICS", value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Level {
    Off,
    Error,
    Warn,
    Info,
    Debug,
}

/// What is printed once the relay is ready.
#[derive(Serialize)]
struct Ready {
    listening: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// The URL to give to `ebb init`.
    #[serde(skip)]
    url: String,
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            listening,
            metrics,
            token,
            url,
        } = self;
        write!(f, "ebb-relay listening on {listening}")?;
        if let Some(metrics) = metrics {
            write!(f, "\nmetrics on {metrics}")?;
        }
        if let Some(token) = token {
            write!(f, "\nenrolment token, shown only now: {token}")?;
            write!(f, "\n  ebb init --relay {url} --token {token}")?;
        }
        Ok(())
    }
}

impl Serve {
    /// Runs the command.
    pub(super) fn run(self, json: bool) -> Result<(), Failure> {
        if let Some(wrong) = self
            .origins
            .iter()
            .find(|url| !protocol::log::is_origin(url))
        {
            return Err(Failure::Origin(wrong.clone()));
        }
        start_log(self.log, json);
        more_files();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(Failure::Runtime)?;
        let outcome = runtime.block_on(self.serve(json));
        // Connections that outlived their grace must not hold up the end.
        runtime.shutdown_timeout(Duration::from_millis(500));
        outcome
    }

    async fn serve(self, json: bool) -> Result<(), Failure> {
        let store = self.data.open().await?.storage();
        let _lock = match (&self.data.folder, &self.data.database) {
            (Some(folder), None) => Some(lock(folder)?),
            // A database tells all relays what one writes, and needs no lock.
            _ => None,
        };
        let tls = self.tls()?;
        let proxies = self.proxies.iter().map(|text| text.parse());
        let proxies = proxies.collect::<Result<_, _>>()?;
        let (stopping, stop) = watch::channel(false);
        let mut signals = Signals::listen()?;
        let (listener, address) = bind(self.listen, true).await?;
        let keepers = match self.metrics {
            Some(address) => Some(bind(address, false).await?),
            None => None,
        };
        let token = self.first_token(store.as_ref()).await?;
        let how = How {
            tls,
            ..How::default()
        };
        let clock = Arc::new(SystemClock::start());
        let site = Arc::new(Site {
            relay: Relay::new(Arc::clone(&store), clock, self.limits.limits(), self.open),
            origins: self.accepted_origins(address),
            stop: stop.clone(),
            bodies: http::Bodies::default(),
            proxies,
            metrics: Arc::clone(&how.metrics),
        });
        self.say_ready(
            address,
            keepers.as_ref().map(|(_, address)| *address),
            token,
            json,
        )?;
        let mut tasks = JoinSet::new();
        tasks.spawn(sweep(store, stop.clone()));
        if let Some(tls) = how.tls.clone() {
            let stop = stop.clone();
            tasks.spawn(async move { tls.follow(stop).await });
        }
        if let Some((listener, _)) = keepers {
            let router = http::metrics_router(Arc::clone(&site));
            tasks.spawn(server::serve(
                listener,
                router,
                How::default(),
                stop.clone(),
            ));
        }
        tasks.spawn(server::serve(listener, http::router(site), how, stop));
        signals.wait().await;
        tracing::info!("stopping");
        stopping.send_replace(true);
        // No task can fail but by a panic, which was reported when it happened.
        while tasks.join_next().await.is_some() {}
        tracing::info!("stopped");
        Ok(())
    }

    /// Reads the certificate, where the relay has its own TLS.
    fn tls(&self) -> Result<Option<Arc<Tls>>, Failure> {
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else {
            return Ok(None);
        };
        Ok(Some(Arc::new(Tls::open(certificate, key)?)))
    }

    fn say_ready(
        &self,
        address: SocketAddr,
        keepers: Option<SocketAddr>,
        token: Option<String>,
        json: bool,
    ) -> Result<(), Failure> {
        let scheme = if self.tls_cert.is_some() {
            "https"
        } else {
            "http"
        };
        let listening = format!("{scheme}://{address}");
        let url = self.origins.first().unwrap_or(&listening).clone();
        tracing::info!(%address, open = self.open, "listening");
        let metrics = keepers.map(|address| format!("http://{address}/metrics"));
        print(
            &Ready {
                listening,
                metrics,
                token,
                url,
            },
            json,
        )
    }

    /// Makes an enrolment token if the relay needs one and never had any.
    async fn first_token(&self, store: &dyn Storage) -> Result<Option<String>, Failure> {
        if self.open || !store.tokens().await?.is_empty() {
            return Ok(None);
        }
        let (token, _) = token::create(store).await?;
        Ok(Some(token.reveal().to_owned()))
    }

    fn accepted_origins(&self, address: SocketAddr) -> Origins {
        if self.origins.is_empty() {
            Origins::Asked {
                loopback: address.ip().is_loopback(),
            }
        } else {
            Origins::Named(self.origins.clone())
        }
    }
}

/// Makes sure that no other server uses the folder: what is written there is told only to the subscribers of one process.
pub(super) fn lock(folder: &Path) -> Result<File, Failure> {
    let path: PathBuf = folder.join("serve.lock");
    let failed = |source| Failure::Lock {
        path: path.clone(),
        source,
    };
    let file = File::create(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Failure::InUse {
            path: folder.to_owned(),
        }),
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Lets this process open as many files as the system lets it: each device that waits for news takes one.
fn more_files() {
    let limit = Resource::RLIMIT_NOFILE;
    let raised = getrlimit(limit).and_then(|(_, hard)| setrlimit(limit, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "keeps the limit of open files that it was given");
    }
}

/// Takes the socket that a service manager hands over, if there is one and it is wanted, or binds an address.
async fn bind(address: SocketAddr, activated: bool) -> Result<(TcpListener, SocketAddr), Failure> {
    let failed = |source| Failure::Listen { address, source };
    if activated {
        let handed = ListenFd::from_env().take_tcp_listener(0);
        if let Some(listener) = handed.map_err(failed)? {
            return server::adopt(listener).map_err(failed);
        }
    }
    server::bind(address).await.map_err(failed)
}

/// The signals that end the server.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(Failure::Runtime)?,
            interrupt: signal(SignalKind::interrupt()).map_err(Failure::Runtime)?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Erases the sealed keys of invites soon after they expire.
async fn sweep(store: Arc<dyn Storage>, mut stop: watch::Receiver<bool>) {
    loop {
        match store.sweep(super::now()).await {
            Ok(0) => {}
            Ok(erased) => tracing::info!(erased, "erased sealed keys of expired invites"),
            Err(error) => tracing::warn!(%error, "cannot erase sealed keys of expired invites"),
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(SWEEP) => {}
        }
    }
}

/// Starts the log on stderr: for people, or one JSON object a line.
fn start_log(level: Level, json: bool) {
    let level = match level {
        Level::Off => LevelFilter::OFF,
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
    };
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_target(false);
    // A log that was started before (by a test, say) goes on.
    drop(if json {
        builder.json().try_init()
    } else {
        builder.with_ansi(false).try_init()
    });
}
