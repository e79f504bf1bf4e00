//! Tokens of another server, and the files of the keys that sign them.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use boxyard_auth::TokenIdentity;
use boxyard_auth::token::{Believer, KeyFileError, KeyFiles, Stamp, TokenError, Verifier};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::config::TokenAuth;
use crate::error::chain;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Believes tokens of another server.
#[derive(Debug)]
pub(crate) struct Tokens {
    verifier: Verifier,
    files: KeyFiles,
    current: RwLock<Current>,
}

/// Who believes by the keys that hold, and what the files looked like when they were last looked at.
///
/// With other keys comes another believer, who remembers no token that the old ones have signed.
#[derive(Debug)]
struct Current {
    believer: Arc<Believer>,
    stamp: Stamp,
}

/// Why tokens cannot be verified.
#[derive(Debug, thiserror::Error)]
#[error("open what `auth.token` names")]
pub struct TokensError(#[source] KeyFileError);

/// Everything that is wrong with the files of the keys, each by its key of the configuration.
pub(crate) fn problems(config: &TokenAuth) -> Vec<(&'static str, String)> {
    let key = |error: &KeyFileError| match error.path() {
        None => "auth.token",
        path if path == config.files.certificates.as_deref() => "auth.token.rootcertbundle",
        Some(_) => "auth.token.jwks",
    };
    let problems = config.files.problems();
    let named = problems.iter().map(|error| (key(error), chain(error)));
    named.collect()
}

impl Tokens {
    /// Reads the keys; this waits for the disk.
    pub(super) fn open(config: &TokenAuth) -> Result<Self, TokensError> {
        // A file that changes while it is read is read again.
        let stamp = config.files.stamp();
        let keys = config.files.load().map_err(TokensError)?;
        let verifier = Verifier::new(config.expected.clone());
        let believer = Arc::new(Believer::new(verifier.clone(), keys));
        Ok(Self {
            verifier,
            files: config.files.clone(),
            current: RwLock::new(Current { believer, stamp }),
        })
    }

    /// Who sends `token`, and what it grants.
    pub(super) fn verify(
        &self,
        token: &str,
        now: SystemTime,
    ) -> Result<Arc<TokenIdentity>, TokenError> {
        let believer = Arc::clone(&self.current().believer);
        let verified = believer.verify(token, now);
        if let Err(error) = &verified {
            tracing::info!(%error, "a token is not believed");
        }
        verified
    }

    /// Looks at the files every second, so that new keys hold and old ones do not.
    pub(crate) async fn follow(self: Arc<Self>, stop: CancellationToken) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(look.tick()).await.is_some() {
            let tokens = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || tokens.refresh());
            if let Err(error) = looked.await {
                tracing::error!(%error, "look at the keys of tokens");
            }
        }
    }

    fn refresh(&self) {
        let stamp = self.files.stamp();
        if stamp == self.current().stamp {
            return;
        }
        let loaded = self.files.load();
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.stamp = stamp;
        match loaded {
            Ok(keys) => {
                current.believer = Arc::new(Believer::new(self.verifier.clone(), keys));
                tracing::info!("the keys of tokens were read again");
            }
            Err(error) => {
                tracing::error!(error = %chain(&error), "the keys of tokens have changed and cannot be used: those from before still hold");
            }
        }
    }

    fn current(&self) -> std::sync::RwLockReadGuard<'_, Current> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }
}
