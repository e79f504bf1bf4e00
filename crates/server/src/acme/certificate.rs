//! A certificate with its chain and key.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate, X509Error};
use x509_parser::time::ASN1Time;

/// From when to when something is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) begin: SystemTime,
    pub(super) end: SystemTime,
}

/// What a host is served with.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) life: Life,
}

/// Why something is no certificate of a host.
#[derive(Debug, thiserror::Error)]
pub(super) enum CertificateError {
    /// It has no key in PEM.
    #[error("read its private key")]
    Key(#[source] pem::Error),
    /// It has no certificate in PEM.
    #[error("read its chain of certificates")]
    Chain(#[source] pem::Error),
    /// The chain is empty.
    #[error("there is no certificate in it")]
    Empty,
    /// The first certificate makes no sense.
    #[error("read its first certificate")]
    Leaf(#[from] x509_parser::nom::Err<X509Error>),
    /// It is for other hosts.
    #[error("it is not for the host `{host}`")]
    Host {
        /// Whom it should be for.
        host: String,
    },
    /// Key and certificate do not fit, or the key is of an unknown kind.
    #[error("use its private key with its first certificate")]
    Pair(#[from] rustls::Error),
}

impl Certificate {
    /// Reads a key and a chain of certificates in PEM, in any order of the two.
    pub(super) fn parse(host: &str, pem: &str) -> Result<Self, CertificateError> {
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(CertificateError::Key)?;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(CertificateError::Chain)?;
        let first = chain.first().ok_or(CertificateError::Empty)?;
        let (_, leaf) = X509Certificate::from_der(first)?;
        if !is_for(&leaf, host) {
            return Err(CertificateError::Host {
                host: host.to_owned(),
            });
        }
        let life = Life {
            begin: time(leaf.validity().not_before),
            end: time(leaf.validity().not_after),
        };
        let key = CertifiedKey::from_der(chain, key, &default_provider())?;
        Ok(Self {
            key: Arc::new(key),
            life,
        })
    }
}

fn is_for(leaf: &X509Certificate<'_>, host: &str) -> bool {
    let names = leaf.subject_alternative_name().ok().flatten();
    let mut names = names
        .into_iter()
        .flat_map(|names| &names.value.general_names);
    names.any(|name| matches!(name, GeneralName::DNSName(name) if name.eq_ignore_ascii_case(host)))
}

/// A time before 1970 is as long ago as any.
fn time(time: ASN1Time) -> SystemTime {
    let seconds = u64::try_from(time.timestamp()).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}
