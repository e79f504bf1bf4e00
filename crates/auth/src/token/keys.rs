//! The keys that may sign tokens, by the names that tokens know them by.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::algorithm::Algorithm;
use super::chain::Root;
use super::identifier::{libtrust, thumbprints};
use super::json;
use super::jwk::{self, Read};
use super::key::{KeyError, VerifyingKey};

/// How many keys may be trusted.
const KEYS: usize = 1_000;

/// The keys that may sign tokens, and the certificates that may vouch for others.
#[derive(Clone, Debug, Default)]
pub struct TrustedKeys {
    by_id: HashMap<String, Arc<Trusted>>,
    roots: Vec<Root>,
}

/// One key, and the only algorithm that it is for, where its file says so.
#[derive(Debug)]
pub(super) struct Trusted {
    pub(super) key: VerifyingKey,
    pub(super) algorithm: Option<Algorithm>,
}

/// What is wrong with the keys of a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// The text between the lines of a PEM block is no base64, or its last line is missing.
    #[error("block {number} is no PEM")]
    Pem {
        /// Which block, counted from one.
        number: usize,
    },
    /// A block is no certificate inside.
    #[error("certificate {number} is no X.509 certificate")]
    Certificate {
        /// Which certificate, counted from one.
        number: usize,
    },
    /// The key of a certificate or of a set is not taken.
    #[error("the key of entry {number} is not taken: {reason}")]
    Key {
        /// Which certificate or key, counted from one.
        number: usize,
        /// Why not.
        reason: KeyError,
    },
    /// The text is not JSON, or not as a set of keys is.
    #[error("it is no set of JSON Web Keys: {reason}")]
    Json {
        /// Why not.
        reason: String,
    },
    /// There are more keys than anybody needs.
    #[error("it has more than {} keys", KEYS)]
    TooMany,
}

impl TrustedKeys {
    /// Trusts every certificate of a PEM bundle: its key, and what it signs.
    ///
    /// Blocks that are no certificates are passed over.
    pub fn add_certificates(&mut self, pem: &[u8]) -> Result<(), KeysError> {
        let mut number = 0;
        for (index, block) in x509_parser::pem::Pem::iter_from_buffer(pem).enumerate() {
            let block = block.map_err(|_| KeysError::Pem { number: index + 1 })?;
            if block.label != "CERTIFICATE" {
                continue;
            }
            number += 1;
            self.add_certificate(&block.contents, number)?;
        }
        Ok(())
    }

    fn add_certificate(&mut self, der: &[u8], number: usize) -> Result<(), KeysError> {
        let (rest, certificate) =
            X509Certificate::from_der(der).map_err(|_| KeysError::Certificate { number })?;
        if !rest.is_empty() {
            return Err(KeysError::Certificate { number });
        }
        let info = certificate.public_key();
        let key = VerifyingKey::of_certificate(info)
            .map_err(|reason| KeysError::Key { number, reason })?;
        let mut names = thumbprints(&key);
        names.push(libtrust(info.raw));
        let root = Root::of(&certificate, key.clone());
        self.trust(names, key, None)?;
        self.roots.push(root);
        Ok(())
    }

    /// Trusts the keys of a set of JSON Web Keys (RFC 7517 section 5).
    ///
    /// Keys that are for something else than signatures, or of an unknown type, are passed over.
    pub fn add_set(&mut self, text: &[u8]) -> Result<(), KeysError> {
        let set = json::object(text).map_err(|error| KeysError::Json {
            reason: error.to_string(),
        })?;
        let Some(Value::Array(keys)) = set.get("keys") else {
            return Err(KeysError::Json {
                reason: "it has no list `keys`".to_owned(),
            });
        };
        for (index, key) in keys.iter().enumerate() {
            let Value::Object(key) = key else {
                return Err(KeysError::Json {
                    reason: format!("entry {} of `keys` is no object", index + 1),
                });
            };
            self.add_key(key, index + 1)?;
        }
        Ok(())
    }

    fn add_key(&mut self, object: &Map<String, Value>, number: usize) -> Result<(), KeysError> {
        let read = jwk::read(object).map_err(|reason| KeysError::Key { number, reason })?;
        let Read::Usable(jwk) = read else {
            return Ok(());
        };
        let mut names = thumbprints(&jwk.key);
        names.extend(jwk.id);
        self.trust(names, jwk.key, jwk.algorithm)
    }

    fn trust(
        &mut self,
        names: Vec<String>,
        key: VerifyingKey,
        algorithm: Option<Algorithm>,
    ) -> Result<(), KeysError> {
        let trusted = Arc::new(Trusted { key, algorithm });
        for name in names {
            self.by_id.insert(name, Arc::clone(&trusted));
        }
        // A key has three names at most.
        if self.by_id.len() > 4 * KEYS {
            return Err(KeysError::TooMany);
        }
        Ok(())
    }

    /// Whether no token can be believed.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(super) fn get(&self, id: &str) -> Option<&Trusted> {
        self.by_id.get(id).map(AsRef::as_ref)
    }

    pub(super) fn roots(&self) -> &[Root] {
        &self.roots
    }
}
