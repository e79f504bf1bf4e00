//! The administration of a folder that no server has.

use std::sync::Arc;
use std::time::Duration;

use boxyard_registry::{Registry, StartError};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::serve::Attendant;
use crate::config::Config;
use crate::notifications::Notifier;
use crate::server::{ServerError, registry_options};

/// A registry that serves nobody but the command that has opened it.
#[derive(Debug)]
pub struct Standalone {
    registry: Arc<Registry>,
    streams: mpsc::Sender<UnixStream>,
    stop: CancellationToken,
    attending: TaskTracker,
}

impl Standalone {
    /// Opens the folder that the configuration names, or fails when another process has had it for as long as `wait`.
    pub async fn open(config: &Config, wait: Duration) -> Result<Self, StartError> {
        let mut options = registry_options(config);
        options.lock_wait = wait;
        let registry = Registry::open(options).await?;
        // The command says whether the whole folder is read.
        registry.work_without_reading();
        let notifier = Notifier::without_delivery(config, &registry);
        let attendant = Attendant::new(&registry, &notifier, config);
        let stop = attendant.stop.clone();
        let (streams, accepted) = mpsc::channel(1);
        let attending = TaskTracker::new();
        attending.spawn(attendant.attend_inside(accepted));
        attending.close();
        Ok(Self {
            registry,
            streams,
            stop,
            attending,
        })
    }

    /// Where its only client connects to: it sends one end of each connection here.
    pub fn streams(&self) -> mpsc::Sender<UnixStream> {
        self.streams.clone()
    }

    /// Lets the folder catch up and closes it.
    pub async fn stop(self) -> Result<(), ServerError> {
        self.stop.cancel();
        self.attending.wait().await;
        self.registry.stop().await.map_err(ServerError::Stop)
    }
}
