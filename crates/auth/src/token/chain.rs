//! Chains of certificates that a token brings along (`x5c`, RFC 7515 section 4.1.6).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter};
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};

use super::key::{KeyError, VerifyingKey};

/// How many certificates a chain may have.
const CERTIFICATES: usize = 8;

/// A certificate of the bundle: it may sign tokens itself and vouch for others.
#[derive(Clone, Debug)]
pub(super) struct Root {
    certificate: CertificateDer<'static>,
    key: VerifyingKey,
    /// Seconds since 1970 in which it is valid, both ends included.
    valid: (i64, i64),
    /// Whether it may vouch for others.
    is_authority: bool,
}

/// Why a chain proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// The chain is longer than any that is used.
    #[error("the chain of certificates is longer than {}", CERTIFICATES)]
    TooLong,
    /// An entry is no base64, or no certificate inside.
    #[error("entry {number} of the chain is no certificate")]
    Malformed {
        /// Which entry, counted from one.
        number: usize,
    },
    /// The first certificate is one of the bundle, but not at this time.
    #[error("the certificate has expired or is not valid yet")]
    NotNow,
    /// The chain does not lead to a certificate of the bundle.
    #[error("the chain of certificates is not proven: {reason}")]
    Unproven {
        /// What the library says.
        reason: webpki::Error,
    },
    /// The key of the first certificate is not taken.
    #[error("the key of the certificate is not taken: {0}")]
    Key(KeyError),
}

impl Root {
    pub(super) fn of(certificate: &X509Certificate<'_>, key: VerifyingKey) -> Self {
        let validity = certificate.validity();
        Self {
            certificate: CertificateDer::from(certificate.as_raw().to_vec()),
            key,
            valid: (
                validity.not_before.timestamp(),
                validity.not_after.timestamp(),
            ),
            is_authority: is_authority(certificate),
        }
    }

    fn is_valid(&self, time: i64) -> bool {
        (self.valid.0..=self.valid.1).contains(&time)
    }
}

/// Whether a certificate may vouch for others (RFC 5280 sections 4.2.1.3 and 4.2.1.9); one of version 1 cannot say that it may not.
fn is_authority(certificate: &X509Certificate<'_>) -> bool {
    if certificate.version() != X509Version::V3 {
        return true;
    }
    let constraints = certificate.basic_constraints().ok().flatten();
    let usage = certificate.key_usage().ok().flatten();
    constraints.is_some_and(|constraints| constraints.value.ca)
        && usage.is_none_or(|usage| usage.value.key_cert_sign())
}

/// A key that is vouched for.
#[derive(Debug)]
pub(super) struct Vouched {
    pub(super) key: VerifyingKey,
    /// The second from which it is not any more, as far as is known: a certificate that vouches for it has expired then.
    pub(super) until: i64,
}

/// The key of the first certificate of `chain`, which a root vouches for at `now`.
pub(super) fn verify(
    chain: &[&str],
    roots: &[Root],
    now: SystemTime,
) -> Result<Vouched, ChainError> {
    if chain.len() > CERTIFICATES {
        return Err(ChainError::TooLong);
    }
    let chain = decoded(chain)?;
    let Some((leaf, intermediates)) = chain.split_first() else {
        return Err(ChainError::Malformed { number: 1 });
    };
    let since = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    if let Some(root) = roots.iter().find(|root| root.certificate == *leaf) {
        let vouched = || Vouched {
            key: root.key.clone(),
            until: root.valid.1.saturating_add(1),
        };
        let valid = root.is_valid(seconds);
        return valid.then(vouched).ok_or(ChainError::NotNow);
    }
    let usable = roots
        .iter()
        .filter(|root| root.is_authority && root.is_valid(seconds));
    let anchors: Vec<_> = usable
        .clone()
        .filter_map(|root| webpki::anchor_from_trusted_cert(&root.certificate).ok())
        .collect();
    let unproven = |reason| ChainError::Unproven { reason };
    let time = UnixTime::since_unix_epoch(since);
    let certificate = EndEntityCert::try_from(leaf).map_err(unproven)?;
    certificate
        .verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &anchors,
            intermediates,
            time,
            AnyUsage,
            None,
            None,
        )
        .map_err(unproven)?;
    // Which root it was does not matter: with the first of them that expires everything is looked at again.
    let ends = usable.map(|root| root.valid.1);
    let ends = ends.chain(chain.iter().map(|certificate| end_of(certificate)));
    Ok(Vouched {
        key: key_of(leaf)?,
        until: ends.min().unwrap_or(i64::MIN).saturating_add(1),
    })
}

/// The last second of a certificate; none that counts for one that cannot be read, which proves nothing for longer than now.
fn end_of(certificate: &CertificateDer<'_>) -> i64 {
    X509Certificate::from_der(certificate).map_or(i64::MIN, |(_, parsed)| {
        parsed.validity().not_after.timestamp()
    })
}

fn decoded(chain: &[&str]) -> Result<Vec<CertificateDer<'static>>, ChainError> {
    let certificates = chain.iter().enumerate().map(|(index, text)| {
        let der = STANDARD.decode(text);
        der.map(CertificateDer::from)
            .map_err(|_| ChainError::Malformed { number: index + 1 })
    });
    certificates.collect()
}

fn key_of(certificate: &CertificateDer<'_>) -> Result<VerifyingKey, ChainError> {
    let (_, parsed) =
        X509Certificate::from_der(certificate).map_err(|_| ChainError::Malformed { number: 1 })?;
    VerifyingKey::of_certificate(parsed.public_key()).map_err(ChainError::Key)
}

/// No extended usage is set aside for the signing of tokens, so distribution asks for none.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}
