//! Who sends a request, and what becomes of it if that is not enough.

mod caller;
mod challenge;
mod credentials;
pub(crate) mod logins;
pub(crate) mod tokens;

use std::sync::Arc;
use std::time::SystemTime;

use boxyard_auth::{
    Gate, Grant, Holder, Identity, LIFETIME, NameSource, Ticket, TicketIdentity, Tickets, scope,
};
use boxyard_oci::ErrorCode;
use http::request::Parts;
use prometheus::IntCounter;

use crate::config::{Config, Secret};
use crate::error::ApiError;
use crate::external::External;
use crate::listen::Place;
use crate::metrics::Metrics;
use crate::metrics::logins::FailedLogins;
use crate::peer::Peer;
use crate::v2::needs::Needs;

pub(crate) use caller::Caller;
pub(crate) use challenge::{Challenge, Flaw};
pub(crate) use credentials::Credentials;
pub(crate) use logins::{Logins, LoginsError};
pub(crate) use tokens::{Tokens, TokensError};

/// Every action, and what that is one by one.
const ALL: &str = "*";
const PARTS: [&str; 3] = ["delete", "pull", "push"];

/// What a request says of its sender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) request: &'a Parts,
    /// How it is seen from outside.
    pub(crate) external: &'a External,
    /// Who is at the other end of its connection.
    pub(crate) peer: &'a Peer,
}

/// Everything that finds out who somebody is, and the gate that decides what they may do.
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) gate: Gate,
    pub(crate) logins: Option<Arc<Logins>>,
    pub(crate) tokens: Option<Arc<Tokens>>,
    certificate: Option<NameSource>,
    tickets: Tickets,
    pub(crate) challenge: Challenge,
    /// None where nobody asks who it is.
    failed: Option<FailedLogins>,
}

/// A token of our own, as it is handed out.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) text: String,
    pub(crate) granted: Vec<Grant>,
    pub(crate) at: SystemTime,
    pub(crate) seconds: u64,
}

impl Access {
    /// Opens what the configuration names; this waits for the disk.
    pub(crate) fn open(config: &Config, metrics: &Metrics) -> Result<Self, AccessError> {
        let auth = &config.auth;
        let gate = gate(config);
        let logins = auth.passwords.as_ref().map(Logins::open).transpose()?;
        let tokens = auth.tokens.as_ref().map(Tokens::open).transpose()?;
        let challenge = match &auth.passwords {
            _ if let Some(tokens) = &auth.tokens => Challenge::tokens(tokens),
            // Clients of Docker cannot pull without a password where they are asked for one, but without a token they get one.
            Some(_) if gate.lets_anonymous() => Challenge::Tickets,
            Some(file) => Challenge::Basic {
                realm: file.realm.clone(),
            },
            None => Challenge::None,
        };
        let secret = config.http.secret.as_ref();
        let knows_somebody = logins.is_some() || tokens.is_some() || auth.certificate.is_some();
        Ok(Self {
            failed: knows_somebody.then(|| FailedLogins::new(metrics)),
            gate,
            logins: logins.map(Arc::new),
            tokens: tokens.map(Arc::new),
            certificate: auth.certificate,
            tickets: Tickets::new(secret.map(Secret::reveal)),
            challenge,
        })
    }

    /// Lets everybody do everything, for who may open the socket of the administration.
    pub(crate) fn of_everybody() -> Self {
        Self {
            gate: Gate::open(),
            logins: None,
            tokens: None,
            certificate: None,
            tickets: Tickets::new(None),
            challenge: Challenge::None,
            failed: None,
        }
    }

    /// Says at the start how much is open to whom.
    pub(crate) fn tell(&self, place: &Place, is_secure: bool) {
        if !is_secure && self.logins.is_some() && !place.is_near() {
            tracing::warn!(%place, "passwords cross the network in clear: there is no TLS, unless a proxy in front of the registry has it");
        }
        if self.gate.lets_anonymous() {
            tracing::info!(%place, "serving; the access rules say what everybody may do, and who may do more");
        } else {
            tracing::info!(%place, "serving; nobody may do anything without saying who they are");
        }
    }

    /// Whether anybody can show who they are.
    fn knows_somebody(&self) -> bool {
        self.issues() || self.tokens.is_some()
    }

    /// Who sends the request, or why what they say of themselves is not believed.
    pub(crate) async fn identify(
        &self,
        asked: Asked<'_>,
        needs: Needs<'_>,
    ) -> Result<Identity, ApiError> {
        if !self.knows_somebody() {
            // Clients send the password that they have even where nobody asks for one.
            return Ok(Identity::Anonymous);
        }
        match Credentials::of(&asked.request.headers) {
            Ok(Credentials::None) => Ok(self.certified(asked.peer)),
            Ok(Credentials::Basic { user, password }) => {
                self.log_in(asked, user, password.reveal()).await
            }
            Ok(Credentials::Bearer(token)) => self.bearer(asked, token.reveal(), needs),
            Err(error) => Err(self.refuse(asked, &error, "", None)),
        }
    }

    /// Who sends a request for a token, by what is no token.
    pub(crate) async fn password_or_certificate(
        &self,
        asked: Asked<'_>,
    ) -> Result<Identity, ApiError> {
        match Credentials::of(&asked.request.headers) {
            Ok(Credentials::Bearer(_)) => Ok(Identity::Anonymous),
            Ok(credentials) => self.by_password(asked, credentials).await,
            Err(error) => Err(self.refuse(asked, &error, "", None)),
        }
    }

    /// Who this user is, or who shows a certificate where there is none.
    pub(crate) async fn by_password(
        &self,
        asked: Asked<'_>,
        credentials: Credentials,
    ) -> Result<Identity, ApiError> {
        match credentials {
            Credentials::None | Credentials::Bearer(_) => Ok(self.certified(asked.peer)),
            Credentials::Basic { user, password } => {
                self.log_in(asked, user, password.reveal()).await
            }
        }
    }

    /// The holder of the client certificate, if one was shown and means something.
    fn certified(&self, peer: &Peer) -> Identity {
        let leaf = peer.certificates.first();
        let name = self
            .certificate
            .zip(leaf)
            .and_then(|(source, leaf)| source.name_in(leaf));
        name.map_or(Identity::Anonymous, Identity::Certificate)
    }

    async fn log_in(
        &self,
        asked: Asked<'_>,
        user: String,
        password: &str,
    ) -> Result<Identity, ApiError> {
        let Some(logins) = &self.logins else {
            let reason = "there are no passwords here: expected a client certificate or a token";
            return Err(self.refuse(asked, &reason, "", None));
        };
        match logins.check(asked.external.client, &user, password).await {
            Ok(()) => Ok(Identity::User(user)),
            Err(logins::Refused::Wrong) => {
                self.count(|failed| &failed.password);
                let reason = "the user name or the password is wrong";
                Err(self.refuse(asked, &reason, "", None))
            }
            Err(logins::Refused::Throttled(throttled)) => {
                self.count(|failed| &failed.throttled);
                Err(
                    ApiError::client(ErrorCode::TooManyRequests, &throttled).with_header(
                        http::header::RETRY_AFTER,
                        &throttled.after.as_secs().to_string(),
                    ),
                )
            }
        }
    }

    fn count(&self, which: impl Fn(&FailedLogins) -> &IntCounter) {
        if let Some(failed) = &self.failed {
            which(failed).inc();
        }
    }

    fn bearer(
        &self,
        asked: Asked<'_>,
        token: &str,
        needs: Needs<'_>,
    ) -> Result<Identity, ApiError> {
        let invalid = |error: &dyn std::fmt::Display| {
            self.count(|failed| &failed.token);
            let needs = needs.grants();
            let scope = scope::write(&needs);
            let answer = self.refuse(asked, error, &scope, Some(Flaw::InvalidToken));
            Err(caller::with_detail(answer, &needs))
        };
        let now = SystemTime::now();
        let error = match self.tickets.read(token, now) {
            Ok(ticket) if self.still_holds(&ticket) => {
                return Ok(Identity::Ticket(ticket.identity));
            }
            Ok(_) => return invalid(&"the user has another password now, or is none any more"),
            Err(error) => error,
        };
        let Some(tokens) = &self.tokens else {
            return invalid(&error);
        };
        match tokens.verify(token, now) {
            Ok(identity) => Ok(Identity::Token(identity)),
            Err(error) => invalid(&error),
        }
    }

    /// Whether the holder of a ticket is still what he was.
    fn still_holds(&self, ticket: &Ticket) -> bool {
        match &ticket.identity.holder {
            Holder::User(user) => ticket.mark.is_some() && ticket.mark == self.mark(user),
            Holder::Anonymous => true,
            Holder::Certificate(_) => self.certificate.is_some(),
        }
    }

    fn mark(&self, user: &str) -> Option<[u8; 16]> {
        self.logins.as_ref()?.mark(user, self.tickets.key())
    }

    /// Issues a token for what of `wanted` the holder may do.
    pub(crate) fn issue(&self, holder: Holder, wanted: Vec<Grant>) -> Issued {
        let granted = self.granted(&holder.identity(), wanted);
        let mark = match &holder {
            Holder::User(user) => self.mark(user),
            Holder::Anonymous | Holder::Certificate(_) => None,
        };
        let at = SystemTime::now();
        let ticket = Ticket {
            identity: TicketIdentity {
                holder,
                access: granted.clone(),
            },
            mark,
        };
        Issued {
            text: self.tickets.issue(&ticket, at),
            granted,
            at,
            seconds: LIFETIME.as_secs(),
        }
    }

    fn granted(&self, identity: &Identity, wanted: Vec<Grant>) -> Vec<Grant> {
        let wanted = wanted.into_iter();
        let granted = wanted.map(|mut grant| {
            let Grant {
                kind,
                name,
                actions,
            } = &mut grant;
            match (kind.as_str(), name.parse()) {
                ("repository", Ok(repo)) => {
                    let allows = |action: &String| self.gate.allows(identity, action, &repo);
                    if actions.contains(&ALL.to_owned()) && !allows(&ALL.to_owned()) {
                        // Some clients ask for all even where they need less.
                        *actions = PARTS.map(ToOwned::to_owned).into();
                    }
                    actions.retain(allows);
                }
                ("registry", _) if name == "catalog" && self.gate.list(identity).is_ok() => {}
                _ => actions.clear(),
            }
            grant
        });
        granted.filter(|grant| !grant.actions.is_empty()).collect()
    }

    /// Whether tokens of our own are issued at all.
    pub(crate) fn issues(&self) -> bool {
        self.logins.is_some() || self.certificate.is_some()
    }

    /// An answer that says who somebody has to be, and how to show it.
    pub(crate) fn refuse(
        &self,
        asked: Asked<'_>,
        reason: &dyn std::fmt::Display,
        scope: &str,
        flaw: Option<Flaw>,
    ) -> ApiError {
        self.challenge.refuse(asked.external, reason, scope, flaw)
    }
}

/// Why nobody can show who they are.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The password file cannot be used.
    #[error(transparent)]
    Logins(#[from] LoginsError),
    /// The keys of tokens cannot be used.
    #[error(transparent)]
    Tokens(#[from] TokensError),
}

fn gate(config: &Config) -> Gate {
    let auth = &config.auth;
    let somebody = auth.passwords.is_some() || auth.certificate.is_some() || auth.tokens.is_some();
    match &auth.rules {
        Some(rules) => Gate::of(rules.clone()),
        None if somebody => Gate::authenticated(),
        None => Gate::open(),
    }
}
