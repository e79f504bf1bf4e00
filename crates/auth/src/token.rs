//! Tokens that somebody else issues: the registry asks for one, a token server grants it, and what it says is believed once its signature is.
//!
//! [`Verifier`] turns the text of a token into [who sends it and what it grants](crate::TokenIdentity), with the time as a parameter.
//! Which keys may sign comes from [`KeyFiles`], as `auth.token.rootcertbundle` and `auth.token.jwks` of distribution's configuration name them.

mod algorithm;
mod believer;
mod chain;
mod claims;
mod envelope;
mod files;
mod identifier;
mod json;
mod jwk;
mod key;
mod keys;
mod verifier;

pub use algorithm::Algorithm;
pub use believer::Believer;
pub use chain::ChainError;
pub use files::{KeyFileError, KeyFiles, Stamp};
pub use keys::TrustedKeys;
pub use verifier::{Expected, TokenError, Verifier};

#[cfg(test)]
mod tests;
