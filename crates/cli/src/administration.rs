//! Reaching the registry: the server that has the folder, or the folder itself where none has it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use boxyard_client::{Client, ClientError, Endpoint};
use boxyard_registry::StartError;
use boxyard_server::{Config, Logs, Standalone, registry_options};
use tokio::runtime::Runtime;
use tokio::time::{Instant, timeout};
use tracing::level_filters::LevelFilter;

use crate::arguments::Lenience;
use crate::config::{self, ConfigFile};

/// How long another process may take to answer or to give the folder back.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait for the folder before the socket is tried again: its holder may just be starting.
const TURN: Duration = Duration::from_millis(500);

/// Where the configuration of a command comes from that works on a registry.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// The registry's configuration, which says where its folder is
    #[arg(
        long = "config",
        value_name = "CONFIG",
        env = "REGISTRY_CONFIGURATION_PATH"
    )]
    pub(crate) path: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) lenience: Lenience,
}

impl Place {
    pub(crate) fn file(&self) -> ConfigFile<'_> {
        ConfigFile {
            path: self.path.as_deref(),
            lenient: self.lenience.lenient,
        }
    }
}

/// A registry that does what a command says.
#[derive(Debug)]
pub(crate) struct Administration {
    /// Asks it.
    pub(crate) client: Client,
    /// The registry, where it is in this process.
    inside: Option<Standalone>,
}

/// Runs `work` with the registry that the configuration names, and closes it in order.
pub(crate) fn run<W, T>(file: ConfigFile<'_>, work: W) -> anyhow::Result<T>
where
    W: AsyncFnOnce(&Administration) -> anyhow::Result<T>,
{
    let mut config = config::load_lasting(file)?;
    // What a server tells its log, a command does not tell a person.
    config.log.level = config.log.level.min(LevelFilter::WARN);
    let _logs = Logs::start(&config.log).context("begin to log")?;
    let runtime = Runtime::new().context("start the runtime")?;
    runtime.block_on(async {
        let administration = Administration::open(&config).await?;
        let result = tokio::select! {
            result = work(&administration) => result,
            signal = tokio::signal::ctrl_c() => {
                signal.context("wait for signals")?;
                Err(anyhow::anyhow!("interrupted; what was done stays done"))
            }
        };
        administration.close().await?;
        result
    })
}

impl Administration {
    /// Connects to the server that has the folder; where none has it, opens the folder here.
    async fn open(config: &Config) -> anyhow::Result<Self> {
        let until = Instant::now() + PATIENCE;
        let socket = registry_options(config).admin_socket();
        loop {
            if let Some(client) = connect(&socket).await? {
                return Ok(Self {
                    client,
                    inside: None,
                });
            }
            match Standalone::open(config, TURN).await {
                Ok(inside) => {
                    let client = Client::connect(Endpoint::Inside(inside.streams())).await?;
                    return Ok(Self {
                        client,
                        inside: Some(inside),
                    });
                }
                Err(StartError::Locked(_)) if Instant::now() < until => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether another process, a server, has the folder.
    pub(crate) fn is_served(&self) -> bool {
        self.inside.is_none()
    }

    async fn close(self) -> anyhow::Result<()> {
        drop(self.client);
        match self.inside {
            Some(inside) => inside.stop().await.context("close the registry"),
            None => Ok(()),
        }
    }
}

/// A connection to the server at `socket`, if there is one.
async fn connect(socket: &Path) -> anyhow::Result<Option<Client>> {
    let connecting = Client::connect(Endpoint::Socket(socket.to_owned()));
    match timeout(PATIENCE, connecting).await {
        Ok(Ok(client)) => Ok(Some(client)),
        Ok(Err(error)) if error.is_nobody() => Ok(None),
        Ok(Err(error @ ClientError::Connect(_))) => Err(error).with_context(|| {
            format!(
                "reach the server by `{}`: run this as the user that the server runs as, or as root",
                socket.display()
            )
        }),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => anyhow::bail!(
            "the server does not answer at `{}`: it may be overloaded or stopping",
            socket.display()
        ),
    }
}
