//! The account at the ACME server: a key that is kept.

use std::io;
use std::path::PathBuf;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use instant_acme::{Account, Key};
use rcgen::KeyPair;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::cache::Cache;
use super::transport::Transport;
use crate::config::LetsEncrypt;

/// Why there is no account.
#[derive(Debug, thiserror::Error)]
pub(super) enum AccountError {
    /// The key cannot be read or kept.
    #[error("keep the account's key in `{path}`")]
    Cache {
        /// Where it lies.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// What is kept is no such key.
    #[error(
        "`{path}` is no private key for ECDSA on P-256: move it away, and a new account is made"
    )]
    Key {
        /// Where it lies.
        path: PathBuf,
    },
    /// A key cannot be made.
    #[error("make a key for the account")]
    Make(#[from] rcgen::Error),
    /// The account was closed, which nobody can undo.
    #[error(
        "the account whose key is `{path}` is deactivated at `{directory}`: \
         move the file away, and a new account is made"
    )]
    Deactivated {
        /// Where the key lies.
        path: PathBuf,
        /// The server's directory.
        directory: String,
        /// What it said.
        #[source]
        source: instant_acme::Error,
    },
    /// The server does not know us, or does not want to.
    #[error("register the account whose key is `{path}` at `{directory}`")]
    Register {
        /// Where the key lies.
        path: PathBuf,
        /// The server's directory.
        directory: String,
        /// What it said.
        #[source]
        source: instant_acme::Error,
    },
}

/// Finds the account that belongs to the kept key, or registers it.
pub(super) async fn of(
    settings: &LetsEncrypt,
    cache: &Cache,
    transport: &Transport,
) -> Result<Account, AccountError> {
    let der = key(cache)?;
    let failed = |source| {
        let (path, directory) = (cache.account_path(), settings.directory.clone());
        if is_deactivated(&source) {
            AccountError::Deactivated {
                path,
                directory,
                source,
            }
        } else {
            AccountError::Register {
                path,
                directory,
                source,
            }
        }
    };
    let der = PrivatePkcs8KeyDer::from(der);
    let key = Key::from_pkcs8_der(der.clone_key()).map_err(failed)?;
    let builder = Account::builder_with_http(Box::new(transport.clone()));
    let pair = (key, PrivateKeyDer::Pkcs8(der));
    // A server that has lost the account, or is another one, gets it anew.
    let registered = builder
        .create_from_key(pair, settings.directory.clone())
        .await;
    let (account, _) = registered.map_err(failed)?;
    if let Some(email) = &settings.email {
        let contact = format!("mailto:{email}");
        account.update_contacts(&[&contact]).await.map_err(failed)?;
    }
    Ok(account)
}

/// Who proves to have the key of an account is only refused where that account is closed (RFC 8555, section 7.3.6).
fn is_deactivated(error: &instant_acme::Error) -> bool {
    let instant_acme::Error::Api(problem) = error else {
        return false;
    };
    let kind = problem.r#type.as_deref().unwrap_or_default();
    kind.ends_with(":unauthorized")
}

/// The kept key in the form of PKCS#8, or a new one.
fn key(cache: &Cache) -> Result<Vec<u8>, AccountError> {
    let failed = |source| AccountError::Cache {
        path: cache.account_path(),
        source,
    };
    if let Some(pem) = cache.account().map_err(failed)? {
        return parse(&pem).ok_or_else(|| AccountError::Key {
            path: cache.account_path(),
        });
    }
    let key = KeyPair::generate()?;
    cache.keep_account(&key.serialize_pem()).map_err(failed)?;
    Ok(key.serialize_der())
}

/// Go's `autocert` keeps the older form of a key, which only says what it must.
fn parse(pem: &str) -> Option<Vec<u8>> {
    let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()?;
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let key = EcdsaKeyPair::from_private_key_der(algorithm, der.secret_der()).ok()?;
    Some(key.to_pkcs8v1().ok()?.as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der};
    use aws_lc_rs::signature::KeyPair as _;
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    /// A key in the form that Go writes.
    fn older() -> (EcdsaKeyPair, String) {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let der: EcPrivateKeyRfc5915Der<'_> = key.private_key().as_der().unwrap();
        let lines = BASE64_STANDARD.encode(der.as_ref());
        let pem =
            format!("-----BEGIN EC PRIVATE KEY-----\n{lines}\n-----END EC PRIVATE KEY-----\n");
        (key, pem)
    }

    #[test]
    fn the_key_of_an_older_registry_is_the_same_account() {
        let (key, pem) = older();

        let der = parse(&pem).unwrap();

        assert!(Key::from_pkcs8_der(PrivatePkcs8KeyDer::from(der.clone())).is_ok());
        let newer = KeyPair::try_from(der).unwrap();
        assert_eq!(newer.public_key_raw(), key.public_key().as_ref());
        assert_eq!(
            parse(&newer.serialize_pem()).unwrap(),
            newer.serialize_der()
        );
    }

    #[test]
    fn what_is_no_key_for_p_256_is_refused() {
        let other = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();

        assert_eq!(parse(&other.serialize_pem()), None);
        assert_eq!(parse("garbage"), None);
        assert_eq!(parse(""), None);
    }
}
