//! Telling others what happens, as distribution does: a POST for each event.
//!
//! An event waits in the outbox, which is on disk, until its endpoint has taken it.
//! Those of changes are written together with the change, by the [`Teller`] that each request brings; those of pulls are written behind them.

mod breaker;
mod courier;
mod envelope;
mod id;
mod origin;
mod pulls;
mod send;
mod tally;
mod teller;

use std::sync::Arc;
use std::time::Duration;

use boxyard_oci::RepoName;
use boxyard_registry::{Happening, Internal, Receiver, Registry, Silent, Teller};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config::{self, Config};
use crate::metrics::Metrics;
use breaker::Breaker;
use courier::Courier;
use envelope::Source;
pub(crate) use origin::{Origin, Told};
use pulls::{Pulls, Scribe};
use send::Sender;
use tally::Tally;
use teller::{Audience, Listener, Reporter};

/// Tells of requests.
#[derive(Clone, Debug)]
pub(crate) struct Notifier {
    audience: Arc<Audience>,
    pulls: Pulls,
    wants_pulls: bool,
}

/// What brings events to their endpoints.
#[derive(Debug)]
pub(crate) struct Delivery {
    couriers: Vec<Courier>,
    scribe: Scribe,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

/// Why nobody can be told anything.
#[derive(Debug, thiserror::Error)]
pub enum NotificationsError {
    /// The outbox cannot be used.
    #[error("open the outbox of notifications")]
    Outbox(#[source] Internal),
    /// The system has nothing to make connections with.
    #[error("prepare to send notifications")]
    Client(#[source] reqwest::Error),
}

/// Prepares to tell the endpoints of the configuration what happens; `address` is where the registry listens.
pub(crate) async fn open(
    settings: &config::Notifications,
    address: &str,
    registry: &Arc<Registry>,
    metrics: &Metrics,
) -> Result<(Notifier, Delivery), NotificationsError> {
    let receivers = settings.endpoints.iter().map(|endpoint| Receiver {
        name: endpoint.name.clone(),
        most_events: settings.most_events,
        most_bytes: settings.most_bytes,
    });
    let gone = registry.keep_receivers(receivers.collect()).await;
    for (endpoint, dropped) in gone.map_err(NotificationsError::Outbox)? {
        tracing::warn!(
            endpoint,
            dropped,
            "the endpoint is not configured any more: what waited for it was dropped"
        );
    }
    let stop = CancellationToken::new();
    let (pulls, scribe) = pulls::channel(Arc::clone(registry), stop.clone());
    let notifier = Notifier::new(settings, address, pulls);
    let tally = Tally::of(metrics);
    let couriers = couriers(settings, registry, &tally, &stop)?;
    let delivery = Delivery {
        couriers,
        scribe,
        tasks: JoinSet::new(),
        stop,
    };
    Ok((notifier, delivery))
}

fn couriers(
    settings: &config::Notifications,
    registry: &Arc<Registry>,
    tally: &Tally,
    stop: &CancellationToken,
) -> Result<Vec<Courier>, NotificationsError> {
    let courier = |endpoint: &config::Endpoint| {
        tracing::info!(endpoint = endpoint.name, url = %endpoint.url, "notifications are sent");
        Ok(Courier {
            name: endpoint.name.clone(),
            sender: Sender::to(endpoint).map_err(NotificationsError::Client)?,
            breaker: Breaker::new(endpoint.threshold, endpoint.backoff),
            registry: Arc::clone(registry),
            tally: tally.clone(),
            known: None,
            stop: stop.clone(),
        })
    };
    settings.endpoints.iter().map(courier).collect()
}

impl Notifier {
    fn new(settings: &config::Notifications, address: &str, pulls: Pulls) -> Self {
        let listeners: Vec<_> = settings.endpoints.iter().map(Listener::of).collect();
        let wants_pulls = listeners.iter().any(|listener| listener.hears_of("pull"));
        let audience = Audience {
            references: settings.references,
            source: source(address),
            listeners,
        };
        Self {
            audience: Arc::new(audience),
            pulls,
            wants_pulls,
        }
    }

    /// One that leaves to a later server what others are told of the changes of a command.
    pub(crate) fn without_delivery(config: &Config, registry: &Arc<Registry>) -> Self {
        let (pulls, _) = pulls::channel(Arc::clone(registry), CancellationToken::new());
        Self::new(&config.notifications, &config.http.address, pulls)
    }

    /// Whether anybody is told anything.
    pub(crate) fn listens(&self) -> bool {
        !self.audience.listeners.is_empty()
    }

    /// Who tells of what the request changes.
    pub(crate) fn teller(&self, who: impl FnOnce() -> Told) -> Arc<dyn Teller> {
        if self.audience.listeners.is_empty() {
            Silent::teller()
        } else {
            Arc::new(self.reporter(who()))
        }
    }

    /// Tells of a pull.
    pub(crate) fn pulled(&self, repo: &RepoName, pull: Happening<'_>, who: impl FnOnce() -> Told) {
        if self.wants_pulls {
            self.pulls.note(self.reporter(who()).tell(repo, pull));
        }
    }

    fn reporter(&self, told: Told) -> Reporter {
        Reporter {
            audience: Arc::clone(&self.audience),
            request: told.request,
            actor: told.actor,
            base: told.base,
        }
    }
}

impl Delivery {
    /// Begins to deliver.
    pub(crate) fn begin(self) -> Delivering {
        let Self {
            couriers,
            scribe,
            mut tasks,
            stop,
        } = self;
        let scribe = tokio::spawn(scribe.run());
        for courier in couriers {
            tasks.spawn(courier.run());
        }
        Delivering {
            tasks,
            scribe,
            stop,
        }
    }
}

/// The running delivery.
#[derive(Debug)]
pub(crate) struct Delivering {
    tasks: JoinSet<()>,
    scribe: tokio::task::JoinHandle<()>,
    stop: CancellationToken,
}

impl Delivering {
    /// Ends what is on its way, at most for so long; what waits stays in the outbox.
    pub(crate) async fn stop(mut self, patience: Duration) {
        self.stop.cancel();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(patience, all).await.is_err() {
            self.tasks.shutdown().await;
        }
        if let Err(error) = self.scribe.await {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

/// This machine and the port of the registry, as distribution names itself.
fn source(address: &str) -> Source {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = host.as_deref().map(str::trim);
    let addr = match (host, address.rsplit_once(':')) {
        (Some(host), Some((_, port))) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => address.to_owned(),
    };
    Source {
        addr,
        instance_id: id::random(),
    }
}
