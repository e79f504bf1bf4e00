//! Looking, again and again, at what must be well.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use boxyard_registry::{Registry, Room};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::{CheckId, Health};
use crate::config::{Check, CheckSubject, HttpProbe};
use crate::error::chain;
use crate::outgoing::client_for;

/// How long the folder may take, on a disk that is busy and not stuck.
const STORAGE: Duration = Duration::from_secs(20);

/// The checks of the configuration, before anybody looks.
#[derive(Debug)]
pub(crate) struct Checks(Vec<(CheckId, Check)>);

impl Checks {
    /// Adds the checks to `health`, all of them well so far.
    pub(crate) fn add_to(health: &mut Health, checks: &[Check]) -> Self {
        let add = |check: &Check| {
            (
                health.add(check.name.clone(), check.threshold),
                check.clone(),
            )
        };
        Self(checks.iter().map(add).collect())
    }

    /// Looks at each in its interval, from now on until `stop`.
    pub(crate) fn run(
        self,
        health: &Arc<Health>,
        registry: &Arc<Registry>,
        stop: &CancellationToken,
    ) {
        for (id, check) in self.0 {
            let looker = match Looker::of(check.subject, registry) {
                Ok(looker) => looker,
                Err(error) => {
                    health.update(id, Err(chain(&error)));
                    continue;
                }
            };
            let looking = look(Arc::clone(health), id, check.interval, looker);
            let stop = stop.clone();
            tokio::spawn(async move { stop.run_until_cancelled(looking).await });
        }
    }
}

async fn look(health: Arc<Health>, id: CheckId, every: Duration, mut looker: Looker) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let found = looker.look(&health).await;
        health.update(id, found);
    }
}

/// What one check needs to look.
enum Looker {
    Storage(StorageLooker),
    File(std::path::PathBuf),
    Http(reqwest::Client, Box<HttpProbe>),
    Tcp(String, Duration),
}

impl Looker {
    fn of(subject: CheckSubject, registry: &Arc<Registry>) -> Result<Self, reqwest::Error> {
        Ok(match subject {
            CheckSubject::Storage => Self::Storage(StorageLooker {
                registry: Arc::clone(registry),
                stuck: None,
                had_room: true,
            }),
            CheckSubject::File(path) => Self::File(path),
            CheckSubject::Http(probe) => {
                let client = client_for(&probe.uri).build()?;
                Self::Http(client, probe)
            }
            CheckSubject::Tcp { address, timeout } => Self::Tcp(address, timeout),
        })
    }

    async fn look(&mut self, health: &Health) -> Result<(), String> {
        match self {
            Self::Storage(looker) => looker.look(health).await,
            Self::File(path) => look_for_file(path).await,
            Self::Http(client, probe) => look_at_http(client, probe).await,
            Self::Tcp(address, limit) => look_at_tcp(address, *limit).await,
        }
    }
}

/// Looks at the folder, with one thread at most: a disk that is stuck keeps it.
struct StorageLooker {
    registry: Arc<Registry>,
    /// A look that has not come back.
    stuck: Option<JoinHandle<Result<Room, String>>>,
    had_room: bool,
}

impl StorageLooker {
    async fn look(&mut self, health: &Health) -> Result<(), String> {
        let registry = Arc::clone(&self.registry);
        let mut looking = self.stuck.take().unwrap_or_else(|| {
            tokio::spawn(async move { registry.probe().await.map_err(|error| chain(&error)) })
        });
        let Ok(found) = timeout(STORAGE, &mut looking).await else {
            self.stuck = Some(looking);
            return Err(format!(
                "the folder takes longer than {} seconds to write and read a small file",
                STORAGE.as_secs()
            ));
        };
        let room = found.map_err(|_| "the check itself failed".to_owned())??;
        self.tell(room);
        health.note_room(room == Room::Enough);
        Ok(())
    }

    /// A full disk is told and is no failure: pulls and deletes go on, and deletes make room.
    fn tell(&mut self, room: Room) {
        let has_room = room == Room::Enough;
        if has_room != self.had_room {
            self.had_room = has_room;
            if has_room {
                tracing::info!("storage has room again");
            } else {
                tracing::error!("storage is full: uploads are refused until there is room");
            }
        }
    }
}

/// The file is a switch: who makes it takes the registry out of service.
async fn look_for_file(path: &Path) -> Result<(), String> {
    match tokio::fs::metadata(path).await {
        Ok(_) => Err("file exists".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

async fn look_at_http(client: &reqwest::Client, probe: &HttpProbe) -> Result<(), String> {
    let request = client
        .head(probe.uri.clone())
        .headers(probe.headers.clone())
        .timeout(probe.timeout);
    let answer = request.send().await;
    // The URL may have a password in it.
    let answer = answer.map_err(|error| chain(&error.without_url()))?;
    let status = answer.status();
    if status == probe.status {
        Ok(())
    } else {
        Err(format!("answered {status}: expected {}", probe.status))
    }
}

async fn look_at_tcp(address: &str, limit: Duration) -> Result<(), String> {
    match timeout(limit, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("connection failed: {error}")),
        Err(_) => Err(format!(
            "no connection within {} seconds",
            limit.as_secs_f64()
        )),
    }
}
