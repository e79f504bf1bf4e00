//! TLS: which certificate is shown, what is asked of clients, and what happens to connections that do not agree.

mod clients;
mod expiry;
mod gathered;
mod handshake;
mod pair;
pub mod probe;
pub(crate) mod suites;
mod watch;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

pub use clients::{ClientAuth, ClientCasError};
pub(crate) use expiry::Expiry;
pub(crate) use gathered::{Flusher, Gathered};
pub(crate) use handshake::HandshakeError;
pub use pair::FileError;

use crate::config::{Source, Tls as Settings};
use crate::error::chain;
use watch::Stamps;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// What a client offers that wants to see a challenge answered, RFC 8737.
const CHALLENGE: &[u8] = b"acme-tls/1";
/// What is said of a certificate out of its time.
const REFUSED: &str = "clients will refuse the certificate";
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// Where the server's certificates come from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// Two files, which are read again when they change.
    Files { certificate: PathBuf, key: PathBuf },
    /// Somebody who gets them while the server runs.
    Live {
        names: Arc<dyn Names>,
        certificates: Arc<dyn ResolvesServerCert>,
        /// What is shown to whoever offers `acme-tls/1`, and only to them.
        challenges: Arc<dyn ResolvesServerCert>,
    },
}

/// Which names are served; whoever asks for another gets no connection.
pub(crate) trait Names: fmt::Debug + Send + Sync {
    /// Whether this is one of them, in whatever case.
    fn has(&self, name: &str) -> bool;
}

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate or its key.
    #[error(transparent)]
    Pair(#[from] FileError),
    /// The CAs of clients.
    #[error(transparent)]
    Clients(#[from] ClientCasError),
    /// Version and cipher suites leave nothing.
    #[error("`http.tls.minimumtls` and `http.tls.ciphersuites` leave nothing that can be served")]
    Nothing(#[source] rustls::Error),
}

/// Serves TLS.
#[derive(Debug)]
pub(crate) struct Tls {
    settings: Settings,
    origin: Origin,
    http2: bool,
    expiry: Expiry,
    /// What the next handshake is made with; running connections keep what they have.
    current: RwLock<Configs>,
}

#[derive(Clone, Debug)]
struct Configs {
    usual: Arc<ServerConfig>,
    /// The same for clients that know better which cipher suite is quick for them.
    by_client: Arc<ServerConfig>,
    challenge: Option<Arc<ServerConfig>>,
}

impl Configs {
    fn new(usual: Arc<ServerConfig>, challenge: Option<Arc<ServerConfig>>) -> Self {
        let mut by_client = ServerConfig::clone(&usual);
        by_client.ignore_client_order = false;
        Self {
            usual,
            by_client: Arc::new(by_client),
            challenge,
        }
    }
}

impl Tls {
    /// Reads everything that the configuration names.
    pub(crate) fn load(
        settings: &Settings,
        origin: Origin,
        http2: bool,
        expiry: Expiry,
    ) -> Result<Self, TlsError> {
        let configs = configs(settings, &origin, http2, &expiry)?;
        Ok(Self {
            settings: settings.clone(),
            origin,
            http2,
            expiry,
            current: RwLock::new(configs),
        })
    }

    /// Whether nobody gets in without a certificate of a CA.
    pub(crate) fn is_strict(&self) -> bool {
        let clients = self.settings.clients.as_ref();
        clients.is_some_and(|clients| clients.mode.is_strict())
    }

    /// Whether a certificate of a client shows who it is.
    fn verifies(&self) -> bool {
        let clients = self.settings.clients.as_ref();
        clients.is_some_and(|clients| clients.mode.verifies())
    }

    fn current(&self) -> Configs {
        let current = self.current.read();
        current
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files = match &self.origin {
            Origin::Files { certificate, key } => vec![certificate.clone(), key.clone()],
            Origin::Live { .. } => Vec::new(),
        };
        let clients = self.settings.clients.iter();
        files.extend(clients.flat_map(|clients| clients.cas.clone()));
        files
    }

    /// Reads the files again whenever they change, until `stop`.
    pub(crate) async fn follow(self: Arc<Self>, stop: CancellationToken) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = Seen {
            stamps: Stamps::of(&self.files()),
            trouble: None,
        };
        while stop.run_until_cancelled(look.tick()).await.is_some() {
            let tls = Arc::clone(&self);
            let looked = spawn_blocking(move || {
                tls.look(&mut seen);
                seen
            });
            match looked.await {
                Ok(looked) => seen = looked,
                Err(_) => return,
            }
        }
    }

    /// Takes what is new in the files, if it is good.
    ///
    /// Who replaces a certificate writes two files, and between the two they do not belong together; so what is bad is looked at again.
    fn look(&self, seen: &mut Seen) {
        let stamps = Stamps::of(&self.files());
        if stamps == seen.stamps && seen.trouble.is_none() {
            return;
        }
        seen.stamps = stamps;
        match configs(&self.settings, &self.origin, self.http2, &self.expiry) {
            Ok(configs) => {
                let mut current = self.current.write();
                **current
                    .as_mut()
                    .unwrap_or_else(|poisoned| poisoned.get_mut()) = configs;
                seen.trouble = None;
                tracing::info!(
                    "the files of `http.tls` have changed: new connections get what is in them now"
                );
            }
            Err(error) => {
                let trouble = chain(&error);
                if seen.trouble.as_ref() != Some(&trouble) {
                    tracing::error!(error = %trouble, "the files of `http.tls` have changed and cannot be used: new connections get what was in them before");
                }
                seen.trouble = Some(trouble);
            }
        }
    }
}

/// What is known of the files.
#[derive(Debug)]
struct Seen {
    stamps: Stamps,
    /// Why they could not be used when they were looked at last.
    trouble: Option<String>,
}

fn configs(
    settings: &Settings,
    origin: &Origin,
    http2: bool,
    expiry: &Expiry,
) -> Result<Configs, TlsError> {
    let provider = Arc::new(provider(settings));
    let usual: &[&[u8]] = if http2 { &[HTTP2, HTTP1] } else { &[HTTP1] };
    Ok(match origin {
        Origin::Files { certificate, key } => {
            let pair = pair::read(certificate, key)?;
            if let Some(why) = pair::untimely(&pair.cert[0], Timestamp::now()) {
                tracing::warn!(certificate = %certificate.display(), "{REFUSED}: {why}");
            }
            let leaf = pair.cert[0].clone();
            let resolver = Arc::new(SingleCertAndKey::from(pair));
            let usual = config(settings, &provider, resolver, usual)?;
            expiry.show_only(&leaf);
            Configs::new(usual, None)
        }
        Origin::Live {
            certificates,
            challenges,
            ..
        } => {
            let usual = config(settings, &provider, Arc::clone(certificates), usual)?;
            let challenge = config(settings, &provider, Arc::clone(challenges), &[CHALLENGE])?;
            Configs::new(usual, Some(challenge))
        }
    })
}

/// Everything that is wrong with the files, each by its key.
pub(crate) fn problems(settings: &Settings) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    if let Source::Files { certificate, key } = &settings.source {
        let pair = pair::problems(certificate, key);
        problems.extend(pair.iter().map(|error| (error.key(), chain(error))));
    }
    let cas = settings.clients.iter().flat_map(|clients| &clients.cas);
    let cas: Vec<_> = cas.cloned().collect();
    let of_cas = clients::problems(&cas);
    problems.extend(
        of_cas
            .iter()
            .map(|error| (clients::CLIENT_CAS, chain(error))),
    );
    problems
}

/// Why clients will refuse a certificate that can be served, if they will.
pub(crate) fn doubt(settings: &Settings, now: Timestamp) -> Option<String> {
    let Source::Files { certificate, key } = &settings.source else {
        return None;
    };
    let pair = pair::read(certificate, key).ok()?;
    let why = pair::untimely(&pair.cert[0], now)?;
    Some(format!("`{}`: {REFUSED}: {why}", certificate.display()))
}

fn versions(settings: &Settings) -> Vec<&'static SupportedProtocolVersion> {
    if settings.only_1_3 {
        vec![&TLS13]
    } else {
        vec![&TLS13, &TLS12]
    }
}

fn provider(settings: &Settings) -> CryptoProvider {
    CryptoProvider {
        cipher_suites: suites::offered(&settings.suites, &versions(settings)),
        ..aws_lc_rs::default_provider()
    }
}

/// Makes the configuration of rustls.
///
/// Each has its own memory of sessions, so that none is resumed past a change of the CAs.
fn config(
    settings: &Settings,
    provider: &Arc<CryptoProvider>,
    certificates: Arc<dyn ResolvesServerCert>,
    protocols: &[&[u8]],
) -> Result<Arc<ServerConfig>, TlsError> {
    let is_challenge = protocols == [CHALLENGE];
    // Whoever looks at a challenge is no client.
    let verifier = match settings.clients.as_ref().filter(|_| !is_challenge) {
        Some(clients) => clients::verifier(clients.mode, &clients.cas, provider)?,
        None => WebPkiClientVerifier::no_client_auth(),
    };
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&versions(settings))
        .map_err(TlsError::Nothing)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(certificates);
    config.ignore_client_order = suites::is_aes_quick();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}
