//! One order: proving that a name is ours, and getting its certificate.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Error, Identifier, NewOrder, Order, OrderStatus,
    RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use tokio::task::spawn_blocking;

use super::Acme;
use super::account::{self, AccountError};
use super::certificate::{Certificate, CertificateError};

/// How patiently the state of an order is asked for.
const POLLS: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(250))
    .backoff(1.5)
    .timeout(Duration::from_mins(2));

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrderError {
    /// There is no account.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// A request failed.
    #[error("order a certificate at `{directory}`")]
    Request {
        /// The server's directory.
        directory: String,
        /// What it said, or why it said nothing.
        #[source]
        source: Error,
    },
    /// The server found no proof.
    #[error(
        "the ACME server does not find that `{host}` is served here: {reason}; \
         it must reach this registry by TLS on port 443 of that name"
    )]
    Unproven {
        /// The host.
        host: String,
        /// What it said.
        reason: String,
    },
    /// The server wants another proof than ours.
    #[error("the ACME server does not offer TLS-ALPN-01 for `{host}`")]
    NoChallenge {
        /// The host.
        host: String,
    },
    /// A key or a request cannot be made.
    #[error("make a key and a request for a certificate")]
    Make(#[from] rcgen::Error),
    /// The key cannot be used.
    #[error("use a new key")]
    Key(#[from] rustls::Error),
    /// What came is not what was asked for.
    #[error("the ACME server has sent something else than a certificate")]
    Certificate(#[from] CertificateError),
    /// It cannot be kept.
    #[error("keep a certificate in the folder that `http.tls.letsencrypt.cachefile` names")]
    Cache(#[source] io::Error),
    /// It took too long.
    #[error("the ACME server took too long")]
    Slow,
}

impl OrderError {
    /// Whether the server said no, which it will say again unless something changes.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Unproven { .. }
            | Self::NoChallenge { .. }
            | Self::Account(AccountError::Deactivated { .. }) => true,
            Self::Request { source, .. } | Self::Account(AccountError::Register { source, .. }) => {
                is_refusal(source)
            }
            _ => false,
        }
    }
}

/// Whether the server does not know the account, or not any more; what is wrong shows when it is looked up.
fn is_about_the_account(error: &Error) -> bool {
    let Error::Api(problem) = error else {
        return false;
    };
    let kind = problem.r#type.as_deref().unwrap_or_default();
    kind.ends_with(":accountDoesNotExist") || kind.ends_with(":unauthorized")
}

/// A used-up nonce and a fault of the server are nobody's refusal.
fn is_refusal(error: &Error) -> bool {
    let Error::Api(problem) = error else {
        return false;
    };
    let kind = problem.r#type.as_deref().unwrap_or_default();
    !kind.ends_with(":badNonce") && !kind.ends_with(":serverInternal")
}

impl Acme {
    /// Gets a certificate for a host and keeps it.
    pub(super) async fn order(&mut self, host: &str) -> Result<Certificate, OrderError> {
        let mut order = self.place(host).await?;
        self.prove(&mut order, host).await?;
        let key = KeyPair::generate()?;
        let chain = finalize(&mut order, host, &key).await?;
        let chain = chain.map_err(|source| self.request_error(source))?;
        let pem = key.serialize_pem() + &chain;
        let certificate = Certificate::parse(host, &pem)?;
        self.keep(host.to_owned(), pem).await?;
        Ok(certificate)
    }

    /// Places an order; an account that the server has lost meanwhile is registered anew, once.
    async fn place(&mut self, host: &str) -> Result<Order, OrderError> {
        let identifiers = [Identifier::Dns(host.to_owned())];
        let order = NewOrder::new(&identifiers);
        let mut placed = self.account().await?.new_order(&order).await;
        if placed.as_ref().is_err_and(is_about_the_account) {
            self.account = None;
            placed = self.account().await?.new_order(&order).await;
        }
        placed.map_err(|source| self.request_error(source))
    }

    async fn keep(&self, host: String, pem: String) -> Result<(), OrderError> {
        let cache = self.cache.clone();
        let kept = spawn_blocking(move || cache.keep_certificate(&host, &pem)).await;
        kept.unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(OrderError::Cache)
    }

    async fn account(&mut self) -> Result<Account, OrderError> {
        if let Some(account) = &self.account {
            return Ok(account.clone());
        }
        let account = account::of(&self.settings, &self.cache, &self.transport).await?;
        Ok(self.account.insert(account).clone())
    }

    /// Answers what the server wants to know, until it is content.
    async fn prove(&self, order: &mut Order, host: &str) -> Result<(), OrderError> {
        self.begin(order, host).await?;
        match order.poll_ready(&POLLS).await {
            Ok(OrderStatus::Invalid) => Err(self.unproven(order, host).await),
            Ok(_) => Ok(()),
            Err(error @ Error::Api(_)) => match self.unproven(order, host).await {
                reason @ OrderError::Unproven { .. } => Err(reason),
                _ => Err(self.request_error(error)),
            },
            Err(error) => Err(self.request_error(error)),
        }
    }

    async fn begin(&self, order: &mut Order, host: &str) -> Result<(), OrderError> {
        let mut open = order.authorizations();
        while let Some(found) = open.next().await {
            let mut found = found.map_err(|source| self.request_error(source))?;
            if found.status == AuthorizationStatus::Valid {
                continue;
            }
            let mut challenge = found.challenge(ChallengeType::TlsAlpn01).ok_or_else(|| {
                OrderError::NoChallenge {
                    host: host.to_owned(),
                }
            })?;
            let proof = proof(host, challenge.key_authorization().digest().as_ref())?;
            self.shelf.begin_challenge(host, proof);
            let told = challenge.set_ready().await;
            told.map_err(|source| self.request_error(source))?;
        }
        Ok(())
    }

    /// Why the server is not content.
    async fn unproven(&self, order: &mut Order, host: &str) -> OrderError {
        let mut reasons = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(Ok(mut authorization)) = authorizations.next().await {
            if let Ok(state) = authorization.refresh().await {
                let problems = state.challenges.iter().filter_map(|one| one.error.as_ref());
                reasons.extend(problems.map(ToString::to_string));
            }
        }
        OrderError::Unproven {
            host: host.to_owned(),
            reason: reasons.join(", "),
        }
    }

    fn request_error(&self, source: Error) -> OrderError {
        OrderError::Request {
            directory: self.settings.directory.clone(),
            source,
        }
    }
}

/// Asks for the certificate of a key and waits for it.
async fn finalize(
    order: &mut Order,
    host: &str,
    key: &KeyPair,
) -> Result<Result<String, Error>, rcgen::Error> {
    let mut params = CertificateParams::new([host.to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(key)?;
    Ok(match order.finalize_csr(request.der()).await {
        Ok(()) => order.poll_certificate(&POLLS).await,
        Err(error) => Err(error),
    })
}

/// What an ACME server is shown: a certificate with the digest of what only we could know (RFC 8737, section 3).
fn proof(host: &str, digest: &[u8]) -> Result<Arc<CertifiedKey>, OrderError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new([host.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let certificate = params.self_signed(&key)?;
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let signing = default_provider().key_provider.load_private_key(der)?;
    let chain = vec![certificate.der().clone()];
    Ok(Arc::new(CertifiedKey::new(chain, signing)))
}
