//! Certificates from an ACME server such as Let's Encrypt, got and renewed while the registry serves.
//!
//! The server is shown that a name is ours by TLS-ALPN-01 (RFC 8737): it connects to port 443 of the name and finds a certificate that only we could have made, on the listener that serves everybody else.
//! What was got lies in a folder, in the form of Go's `autocert`, which distribution uses: either can go on with the other's.

mod account;
mod cache;
mod certificate;
mod order;
mod schedule;
mod shelf;
mod transport;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use instant_acme::Account;
use rustls::server::ResolvesServerCert;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config::LetsEncrypt;
use crate::error::chain;
use crate::tls::{Expiry, Names};
use cache::Cache;
use certificate::Certificate;
use order::OrderError;
use shelf::{Proofs, Shelf};
use transport::Transport;

/// How long getting one certificate may take.
const ORDER: Duration = Duration::from_mins(5);

/// How often the clock is looked at: a machine that slept has not counted the hours.
const LOOK: Duration = Duration::from_hours(1);

/// What tells the time of day.
pub(crate) type Clock = fn() -> SystemTime;

/// Why certificates cannot be got at all.
#[derive(Debug, thiserror::Error)]
pub enum AcmeError {
    /// The folder for certificates cannot be used.
    #[error(
        "use `{folder}`, which `http.tls.letsencrypt.cachefile` names, as a folder for certificates"
    )]
    Cache {
        /// What the configuration names.
        folder: PathBuf,
        /// Why it cannot be used.
        #[source]
        source: std::io::Error,
    },
    /// What makes requests to the ACME server cannot be made.
    #[error(transparent)]
    Transport(#[from] transport::TransportError),
}

/// Gets certificates and renews them.
pub(crate) struct Acme {
    settings: LetsEncrypt,
    cache: Cache,
    shelf: Arc<Shelf>,
    transport: Transport,
    account: Option<Account>,
    hosts: Vec<Host>,
    clock: Clock,
}

/// A host, and when to ask for its certificate.
#[derive(Debug)]
struct Host {
    name: String,
    due: SystemTime,
    failures: u32,
}

impl fmt::Debug for Acme {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Acme");
        shown.field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

/// Everything that is wrong with the files, each by its key; a folder that is not there will be made.
pub(crate) fn problems(settings: &LetsEncrypt) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    let folder = &settings.folder;
    if folder.exists()
        && let Err(error) = std::fs::read_dir(folder)
    {
        let error = format!("use the folder `{}`: {error}", folder.display());
        problems.push(("http.tls.letsencrypt.cachefile", error));
    }
    if let Some(path) = &settings.authorities
        && let Err(error) = transport::read_authorities(path)
    {
        problems.push(("boxyard.letsencrypt.authorities", chain(&error)));
    }
    problems
}

impl Acme {
    /// Takes what the folder has; no network is needed.
    pub(crate) fn open(
        settings: &LetsEncrypt,
        clock: Clock,
        expiry: Expiry,
    ) -> Result<Self, AcmeError> {
        let cache = Cache::open(&settings.folder).map_err(|source| AcmeError::Cache {
            folder: settings.folder.clone(),
            source,
        })?;
        let transport = Transport::new(settings.authorities.as_deref())?;
        let mut acme = Self {
            shelf: Arc::new(Shelf::of(&settings.hosts, expiry)),
            settings: settings.clone(),
            cache,
            transport,
            account: None,
            hosts: Vec::new(),
            clock,
        };
        for name in &settings.hosts {
            let due = acme.take_from_cache(name);
            acme.hosts.push(Host {
                name: name.clone(),
                due,
                failures: 0,
            });
        }
        Ok(acme)
    }

    /// The names that are served.
    pub(crate) fn names(&self) -> Arc<dyn Names> {
        Arc::<Shelf>::clone(&self.shelf)
    }

    /// Where the listener finds the certificates.
    pub(crate) fn certificates(&self) -> Arc<dyn ResolvesServerCert> {
        Arc::<Shelf>::clone(&self.shelf)
    }

    /// Where the listener finds what an ACME server wants to see.
    pub(crate) fn proofs(&self) -> Arc<dyn ResolvesServerCert> {
        Arc::new(Proofs(Arc::clone(&self.shelf)))
    }

    /// Gets what is missing and renews what will end, until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while let Some(next) = self.next() {
            if !self.wait_until(self.hosts[next].due, &stop).await {
                return;
            }
            tokio::select! {
                () = self.attempt(next) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Puts a certificate from the folder on the shelf, and returns when to ask for another.
    fn take_from_cache(&self, name: &str) -> SystemTime {
        let now = (self.clock)();
        let found = match self.cache.certificate(name) {
            Ok(Some(pem)) => Certificate::parse(name, &pem),
            Ok(None) => return now,
            Err(error) => {
                tracing::warn!(%error, host = name, "a certificate in the folder cannot be read; asking for a new one");
                return now;
            }
        };
        match found {
            Ok(certificate) => {
                let due = schedule::renewal(certificate.life, schedule::jitter());
                self.shelf.put(name, &certificate);
                due
            }
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(
                    error,
                    host = name,
                    "a certificate in the folder is damaged; asking for a new one"
                );
                now
            }
        }
    }

    /// The host that is due first.
    fn next(&self) -> Option<usize> {
        let hosts = self.hosts.iter().enumerate();
        hosts
            .min_by_key(|(_, host)| host.due)
            .map(|(index, _)| index)
    }

    /// Whether it is time, and not yet time to stop.
    async fn wait_until(&self, due: SystemTime, stop: &CancellationToken) -> bool {
        loop {
            match due.duration_since((self.clock)()) {
                Ok(left) if !left.is_zero() => {
                    if timeout(left.min(LOOK), stop.cancelled()).await.is_ok() {
                        return false;
                    }
                }
                _ => return !stop.is_cancelled(),
            }
        }
    }

    async fn attempt(&mut self, index: usize) {
        let name = self.hosts[index].name.clone();
        let ordered = timeout(ORDER, self.order(&name)).await;
        let result = ordered.unwrap_or(Err(OrderError::Slow));
        self.shelf.end_challenge(&name);
        let now = (self.clock)();
        match result {
            Ok(certificate) => {
                self.shelf.put(&name, &certificate);
                let due = schedule::after_success(certificate.life, schedule::jitter(), now);
                tracing::info!(host = name, "got a certificate");
                self.hosts[index] = Host {
                    name,
                    due,
                    failures: 0,
                };
            }
            Err(error) => self.put_off(index, &error, now),
        }
    }

    /// Asks again later, and says why.
    fn put_off(&mut self, index: usize, error: &OrderError, now: SystemTime) {
        // Whatever is wrong with the account shows when it is looked up again.
        self.account = None;
        let host = &mut self.hosts[index];
        let told = self.transport.take_retry_after();
        let wait = schedule::after_failure(host.failures, error.is_refusal(), told);
        host.failures = host.failures.saturating_add(1);
        host.due = now + wait;
        let error = chain(error);
        let again = wait.as_secs();
        match self.shelf.end_of(&host.name) {
            Some(end) if end > now => tracing::warn!(
                host = host.name,
                error,
                retry_seconds = again,
                "could not renew a certificate; the one that is there serves on"
            ),
            Some(_) => tracing::error!(
                host = host.name,
                error,
                retry_seconds = again,
                "could not renew a certificate, and the one that is there has ended"
            ),
            None => tracing::warn!(
                host = host.name,
                error,
                retry_seconds = again,
                "could not get a certificate; until there is one, nobody can connect by this name"
            ),
        }
    }
}
