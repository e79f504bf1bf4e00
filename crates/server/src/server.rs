//! The life of a server: open, listen, serve, stop.

use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use boxyard_registry::{Internal, Options, Registry, StartError};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::access::{Access, AccessError};
use crate::acme::{Acme, AcmeError};
use crate::activity::Idleness;
use crate::admin::{AdminSocket, Attendant, SocketError};
use crate::app::{App, Limits};
use crate::config::{Config, Source};
use crate::debug::{DebugBindError, DebugListener, Debugger};
use crate::external::Outside;
use crate::health::checks::Checks;
use crate::health::{Health, Phase};
use crate::links::Links;
use crate::listen::{self, Acceptor, BindError, Bound, ConnectionLimits, Place};
use crate::log::Logs;
use crate::metrics::Metrics;
use crate::metrics::storage::StorageMetrics;
use crate::notifications::{self, Delivery, NotificationsError, Notifier};
use crate::sd_notify;
use crate::tls::{Expiry, Origin, Tls, TlsError};
use crate::traces::Traces;

/// How long a new connection may take to send its first request.
const BEFORE_FIRST: Duration = Duration::from_secs(30);
/// How long opening the folder may take before somebody wonders.
const SOON: Duration = Duration::from_secs(2);
/// How long a client may take nothing of what it has asked for.
const STALLED: Duration = Duration::from_mins(10);

/// A registry that listens, and will answer once it [runs](Server::run).
#[derive(Debug)]
pub struct Server {
    registry: Arc<Registry>,
    acceptor: Acceptor,
    delivery: Delivery,
    place: Place,
    tls: Option<Arc<Tls>>,
    socket: AdminSocket,
    attendant: Attendant,
    health: Arc<Health>,
    checks: Checks,
    /// It ends with the server.
    debug: Option<DebugListener>,
    acme: Option<Acme>,
}

/// Why there is no server, or why it ended badly.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The registry did not open.
    #[error(transparent)]
    Start(#[from] StartError),
    /// TLS cannot be served.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Nobody can show who they are.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Certificates cannot be got.
    #[error(transparent)]
    Acme(#[from] AcmeError),
    /// The address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The socket of the administration cannot be listened on.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The address for administrators cannot be listened on.
    #[error(transparent)]
    Debug(#[from] DebugBindError),
    /// Nobody can be told what happens.
    #[error(transparent)]
    Notifications(#[from] NotificationsError),
    /// What was to be written at the end was not.
    #[error("stop the registry")]
    Stop(#[source] Internal),
}

/// What the registry itself is opened with.
pub fn registry_options(config: &Config) -> Options {
    let mut options = Options::at(&config.storage.root);
    options.database.clone_from(&config.storage.database);
    options.settings.delete = config.storage.delete;
    options.settings.sparse = config.rules.sparse;
    options.settings.rules = config.rules.manifests.clone();
    options.settings.read_only = config.storage.read_only;
    options.settings.purging = config.storage.purging;
    options.settings.collecting = config.collecting;
    if let Some(bytes) = config.cache {
        options.settings.cache_bytes = bytes;
    }
    options
}

/// The same, with the folder's work timed where somebody may ask for that.
fn timed(mut options: Options, config: &Config, metrics: &Metrics) -> Options {
    if config.debug.metrics.is_some() {
        let times = StorageMetrics::new(metrics, config.storage.driver());
        options.stopwatch = Some(Arc::new(times));
    }
    options
}

impl Server {
    /// Opens the registry's folder and begins to listen.
    ///
    /// Whoever cancels `stop` ends the wait for another process that has the folder.
    pub async fn start(
        config: &Config,
        logs: &Logs,
        stop: &CancellationToken,
    ) -> Result<Self, ServerError> {
        say(config);
        let metrics = Arc::new(Metrics::new(config.debug.metrics.is_some()));
        let (health, checks) = health(config);
        let opened = Arc::new(OnceLock::new());
        let debug = debug(config, logs, &metrics, &health, &opened).await?;
        let (tls, acme) = encryption(config, &metrics)?;
        let access = Access::open(config, &metrics)?;
        let mut options = timed(registry_options(config), config, &metrics);
        options.stop = stop.clone();
        let manifest_bytes = options.settings.manifest_bytes;
        let registry = open(options).await?;
        opened.get_or_init(|| Arc::clone(&registry));
        let doors = open_doors(&registry, config, &metrics).await;
        let (socket, bound, (notifier, delivery)) = match doors {
            Ok(doors) => doors,
            Err(error) => {
                registry.stop().await.map_err(ServerError::Stop)?;
                return Err(error);
            }
        };
        let attendant = Attendant::new(&registry, &notifier, config);
        let app = App {
            registry: Arc::clone(&registry),
            access,
            links: links(config),
            outside: outside(config),
            limits: request_limits(config, manifest_bytes),
            notifier,
            headers: config.http.headers.iter().cloned().collect(),
            metrics,
            health: Arc::clone(&health),
            traces: Traces::of(&config.tracing),
        };
        let acceptor = Acceptor {
            bound,
            app: Arc::new(app),
            log: logs.requests.clone(),
            limits: limits(config),
            proxies: config.proxies.clone(),
            tls: tls.clone(),
        };
        Ok(Self {
            registry,
            place: acceptor.bound.place.clone(),
            acceptor,
            delivery,
            tls,
            socket,
            attendant,
            health,
            checks,
            debug,
            acme,
        })
    }

    /// Where a client on this machine reaches it.
    pub fn place(&self) -> Place {
        self.place.reachable()
    }

    /// Serves until `stop`, then lets running requests end and the folder catch up.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ServerError> {
        self.greet();
        self.registry.work();
        self.health.enter(Phase::Serving);
        self.checks.run(&self.health, &self.registry, &stop);
        let draining = stop.clone();
        let health = Arc::clone(&self.health);
        tokio::spawn(async move {
            draining.cancelled().await;
            health.enter(Phase::Draining);
            sd_notify::stopping();
        });
        sd_notify::ready();
        tokio::spawn(sd_notify::stay_alive());
        let delivering = self.delivery.begin();
        let patience = self.acceptor.limits.drain;
        if let Some(tls) = self.tls {
            tokio::spawn(tls.follow(stop.clone()));
        }
        if let Some(acme) = self.acme {
            tokio::spawn(acme.run(stop.clone()));
        }
        let commands = self.attendant.attend(self.socket, stop.clone());
        let logins = self.acceptor.app.access.logins.clone();
        let following = logins.map(|logins| tokio::spawn(logins.follow(stop.clone())));
        let tokens = self.acceptor.app.access.tokens.clone();
        let keys = tokens.map(|tokens| tokio::spawn(tokens.follow(stop.clone())));
        tokio::join!(self.acceptor.run(stop), commands);
        for following in following.into_iter().chain(keys) {
            following.abort();
        }
        tracing::info!("stopping");
        delivering.stop(patience).await;
        self.registry.stop().await.map_err(ServerError::Stop)?;
        drop(self.debug);
        tracing::info!("stopped");
        Ok(())
    }
}

impl Server {
    /// Says how much is open to whom.
    fn greet(&self) {
        let place = &self.place;
        let access = &self.acceptor.app.access;
        if !access.gate.is_open() {
            return access.tell(place, self.tls.is_some());
        }
        let is_strict = self.tls.as_ref().is_some_and(|tls| tls.is_strict());
        let is_near = place.is_near();
        if is_strict {
            tracing::info!(%place, "serving TLS; the registry is open to whoever has a certificate of `http.tls.clientcas`");
        } else if self.tls.is_some() {
            if !is_near {
                tracing::warn!(%place, "everybody who reaches this address may read, write and delete: there is no access control");
            }
            tracing::info!(%place, "serving TLS; the registry is open to everybody");
        } else {
            if !is_near {
                tracing::warn!(%place, "everybody who reaches this address may read, write and delete: there is no access control and no TLS");
            }
            tracing::info!(%place, "serving; the registry is open to everybody");
        }
    }
}

/// Listens for commands and for clients, and takes up what others were not told yet.
async fn open_doors(
    registry: &Arc<Registry>,
    config: &Config,
    metrics: &Metrics,
) -> Result<(AdminSocket, Bound, (Notifier, Delivery)), ServerError> {
    let socket = AdminSocket::bind(&registry.admin_socket())?;
    let address = &config.http.address;
    let bound = listen::bind(&config.http).await?;
    let settings = &config.notifications;
    let notifications = notifications::open(settings, address, registry, metrics).await?;
    Ok((socket, bound, notifications))
}

/// Answers administrators, if the configuration says where.
async fn debug(
    config: &Config,
    logs: &Logs,
    metrics: &Arc<Metrics>,
    health: &Arc<Health>,
    registry: &Arc<OnceLock<Arc<Registry>>>,
) -> Result<Option<DebugListener>, DebugBindError> {
    let Some(address) = &config.debug.address else {
        return Ok(None);
    };
    let debugger = Debugger {
        health: Arc::clone(health),
        metrics: Arc::clone(metrics),
        metrics_path: config.debug.metrics.clone(),
        level: logs.level.clone(),
        registry: Arc::clone(registry),
    };
    DebugListener::start(address, debugger).await.map(Some)
}

/// Opens the registry, and says so when that takes long.
async fn open(options: Options) -> Result<Arc<Registry>, StartError> {
    let mut opening = pin!(Registry::open(options));
    if let Ok(opened) = timeout(SOON, opening.as_mut()).await {
        return opened;
    }
    tracing::warn!("the folder is not open yet: another process may still have it");
    opening.await
}

/// What is asked whether all is well, and what looks.
fn health(config: &Config) -> (Arc<Health>, Checks) {
    let mut health = Health::new();
    let checks = Checks::add_to(&mut health, &config.health);
    (Arc::new(health), checks)
}

/// What encrypts connections, and what gets certificates for that while the server runs.
fn encryption(
    config: &Config,
    metrics: &Metrics,
) -> Result<(Option<Arc<Tls>>, Option<Acme>), ServerError> {
    let Some(settings) = &config.tls else {
        return Ok((None, None));
    };
    let expiry = Expiry::new(metrics);
    let (origin, acme) = match &settings.source {
        Source::Files { certificate, key } => {
            let (certificate, key) = (certificate.clone(), key.clone());
            (Origin::Files { certificate, key }, None)
        }
        Source::Acme(settings) => {
            let acme = Acme::open(settings, SystemTime::now, expiry.clone())?;
            let origin = Origin::Live {
                names: acme.names(),
                certificates: acme.certificates(),
                challenges: acme.proofs(),
            };
            (origin, Some(acme))
        }
    };
    let tls = Tls::load(settings, origin, config.http.http2, expiry)?;
    Ok((Some(Arc::new(tls)), acme))
}

fn links(config: &Config) -> Links {
    let host = config.http.host.as_deref();
    Links::new(host.filter(|_| !config.http.relative), &config.http.prefix)
}

fn outside(config: &Config) -> Outside {
    Outside {
        host: config.http.host.clone(),
        prefix: config.http.prefix.clone(),
        proxies: config.proxies.clone(),
    }
}

fn request_limits(config: &Config, manifest_bytes: usize) -> Limits {
    Limits {
        manifest_bytes,
        pace: config.limits.pace,
        read_only: config.storage.read_only,
        pages: config.pages,
    }
}

fn limits(config: &Config) -> ConnectionLimits {
    ConnectionLimits {
        connections: config.limits.connections,
        per_address: config.limits.per_address,
        idleness: Idleness {
            before_first: BEFORE_FIRST.min(config.limits.idle),
            between: config.limits.idle,
            stalled: STALLED,
        },
        h2c: config.http.h2c && config.http.http2,
        drain: config.http.drain,
    }
}

/// Says what of the configuration does nothing.
fn say(config: &Config) {
    for note in &config.notes {
        tracing::info!("{note}");
    }
    for line in &config.quiet {
        tracing::debug!("{line}");
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
}
