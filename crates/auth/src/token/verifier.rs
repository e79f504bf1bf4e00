//! From the text of a token to what it grants.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::chain::{self, ChainError, Vouched};
use super::claims::{self, ClaimsError};
use super::envelope::{Envelope, EnvelopeError};
use super::identifier::thumbprints;
use super::json::{self, WrongType};
use super::jwk;
use super::keys::{Trusted, TrustedKeys};
use crate::identity::TokenIdentity;

/// What a token must say to be believed.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Who issues tokens.
    pub issuer: String,
    /// Whom the tokens are for: this registry.
    pub service: String,
    /// What they may be signed by.
    pub algorithms: Vec<Algorithm>,
}

/// Believes tokens or does not.
#[derive(Clone, Debug)]
pub struct Verifier {
    expected: Expected,
}

/// Why a token is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The token is longer than any that is issued.
    #[error("the token is too long")]
    TooLong,
    /// The token has not three parts with dots between them.
    #[error("the token has not three parts")]
    Parts,
    /// The first part is not what a header is.
    #[error("the header of the token is no JSON object in base64 without padding")]
    Header,
    /// The second part is not what claims are.
    #[error("the claims of the token are no JSON object in base64 without padding")]
    Claims,
    /// The third part is empty, or no base64.
    #[error("the signature of the token is missing, or no base64 without padding")]
    NoSignature,
    /// Something has another type than the specification says.
    #[error("`{name}` of the token is not {expected}")]
    Type {
        /// What has.
        name: &'static str,
        /// What the specification says.
        expected: &'static str,
    },
    /// The token demands that an extension is understood.
    #[error("the token demands an extension (`crit`) that is not known here")]
    Critical,
    /// The token is signed by `none`, or by what nobody knows or the configuration does not allow.
    #[error("the token is signed by an algorithm that is not allowed")]
    Algorithm,
    /// The token names no key, or one that is not trusted.
    #[error("the key of the token is not trusted")]
    UntrustedKey,
    /// The certificates of the token do not vouch for its key.
    #[error("the certificates of the token do not vouch for its key: {0}")]
    Chain(ChainError),
    /// The key did not sign the token, or is not for its algorithm.
    #[error("the signature of the token is not its key's")]
    Signature,
    /// The token names more resources than any needs to.
    #[error("the token names too many resources or actions")]
    TooMuchAccess,
    /// Somebody else issued the token.
    #[error("the token is from another issuer")]
    Issuer,
    /// The token is for another service.
    #[error("the token is for another service")]
    Audience,
    /// The token is too old.
    #[error("the token has expired")]
    Expired,
    /// The token is from the future.
    #[error("the token is not valid yet")]
    NotYet,
}

impl Verifier {
    /// A verifier that believes what is `expected`.
    pub fn new(expected: Expected) -> Self {
        Self { expected }
    }

    /// What is expected of tokens.
    pub fn expected(&self) -> &Expected {
        &self.expected
    }

    /// What `token` grants at `now`, if one of `keys` signed it and it says what is expected.
    ///
    /// The key is found as distribution does: by certificates, then by a key in the header, then by the name of one; the first of these that the token has decides.
    pub fn verify(
        &self,
        keys: &TrustedKeys,
        token: &str,
        now: SystemTime,
    ) -> Result<TokenIdentity, TokenError> {
        let (identity, _) = self.verify_for_a_while(keys, token, now)?;
        Ok(identity)
    }

    /// The same, with the time until which nothing but other keys or expectations can change it.
    pub(super) fn verify_for_a_while(
        &self,
        keys: &TrustedKeys,
        token: &str,
        now: SystemTime,
    ) -> Result<(TokenIdentity, SystemTime), TokenError> {
        let envelope = Envelope::open(token)?;
        let algorithm = envelope.header.algorithm;
        if !self.expected.algorithms.contains(&algorithm) {
            return Err(TokenError::Algorithm);
        }
        let signer = Signer::of(&envelope, keys, now)?;
        if !signer.verifies(algorithm, &envelope) {
            return Err(TokenError::Signature);
        }
        let claims = envelope.claims()?;
        let Expected {
            issuer, service, ..
        } = &self.expected;
        let (identity, end) = claims::read(&claims, issuer, service, now)?;
        Ok((identity, time(end.min(signer.until()))))
    }
}

/// The key that is trusted to have signed a token.
enum Signer<'a> {
    /// One that was trusted before.
    Trusted(&'a Trusted),
    /// One that certificates vouch for.
    Vouched(Vouched),
}

/// A second since 1970 as a time; one that no clock will reach is nearly the last that there is.
fn time(seconds: i64) -> SystemTime {
    const FAR: u64 = 1 << 40;
    let seconds = u64::try_from(seconds).unwrap_or(0).min(FAR);
    UNIX_EPOCH + Duration::from_secs(seconds)
}

impl<'a> Signer<'a> {
    fn of(
        envelope: &Envelope<'_>,
        keys: &'a TrustedKeys,
        now: SystemTime,
    ) -> Result<Self, TokenError> {
        let chain = envelope.header.chain()?;
        if !chain.is_empty() {
            return Self::vouched(&chain, keys, now);
        }
        if let Some(object) = envelope.header.key()? {
            return Self::embedded(object, keys, now);
        }
        let id = envelope.header.key_id()?;
        let trusted = id.and_then(|id| keys.get(id));
        trusted.map(Self::Trusted).ok_or(TokenError::UntrustedKey)
    }

    fn vouched(chain: &[&str], keys: &TrustedKeys, now: SystemTime) -> Result<Self, TokenError> {
        let vouched = chain::verify(chain, keys.roots(), now).map_err(TokenError::Chain)?;
        Ok(Self::Vouched(vouched))
    }

    /// A key in the header is believed only if certificates with it vouch for it, or if it is one that is trusted anyway.
    fn embedded(
        object: &Map<String, Value>,
        keys: &'a TrustedKeys,
        now: SystemTime,
    ) -> Result<Self, TokenError> {
        let key = jwk::key(object).map_err(|_| TokenError::UntrustedKey)?;
        let thumbprints = thumbprints(&key);
        let chain = json::texts(object, "x5c")?;
        if chain.is_empty() {
            let id = json::text(object, "kid")?.filter(|id| !id.is_empty());
            let mut names = id.into_iter().chain(thumbprints.iter().map(String::as_str));
            let trusted = names.find_map(|name| keys.get(name));
            return trusted.map(Self::Trusted).ok_or(TokenError::UntrustedKey);
        }
        let leaf = chain::verify(&chain, keys.roots(), now).map_err(TokenError::Chain)?;
        // A secret has no thumbprint, so that none is vouched for.
        if thumbprints.is_empty() || self::thumbprints(&leaf.key) != thumbprints {
            return Err(TokenError::UntrustedKey);
        }
        Ok(Self::Vouched(leaf))
    }

    /// The second from which the key may not be trusted any more.
    fn until(&self) -> i64 {
        match self {
            Self::Trusted(_) => i64::MAX,
            Self::Vouched(vouched) => vouched.until,
        }
    }

    fn verifies(&self, algorithm: Algorithm, envelope: &Envelope<'_>) -> bool {
        let key = match self {
            Self::Trusted(trusted) => {
                if trusted.algorithm.is_some_and(|only| only != algorithm) {
                    return false;
                }
                &trusted.key
            }
            Self::Vouched(vouched) => &vouched.key,
        };
        key.verifies(algorithm, envelope.message, &envelope.signature)
    }
}

impl From<WrongType> for TokenError {
    fn from(wrong: WrongType) -> Self {
        Self::Type {
            name: wrong.name,
            expected: wrong.expected,
        }
    }
}

impl From<EnvelopeError> for TokenError {
    fn from(error: EnvelopeError) -> Self {
        match error {
            EnvelopeError::TooLong => Self::TooLong,
            EnvelopeError::Parts => Self::Parts,
            EnvelopeError::Header => Self::Header,
            EnvelopeError::Claims => Self::Claims,
            EnvelopeError::Signature => Self::NoSignature,
            EnvelopeError::Algorithm => Self::Algorithm,
            EnvelopeError::Critical => Self::Critical,
            EnvelopeError::Type(wrong) => wrong.into(),
        }
    }
}

impl From<ClaimsError> for TokenError {
    fn from(error: ClaimsError) -> Self {
        match error {
            ClaimsError::Type(wrong) => wrong.into(),
            ClaimsError::TooMuchAccess => Self::TooMuchAccess,
            ClaimsError::Issuer => Self::Issuer,
            ClaimsError::Audience => Self::Audience,
            ClaimsError::Expired => Self::Expired,
            ClaimsError::NotYet => Self::NotYet,
        }
    }
}
