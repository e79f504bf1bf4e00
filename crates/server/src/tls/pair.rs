//! A certificate and its key, read from files as PEM.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, X509Certificate};

const CERTIFICATE: &str = "http.tls.certificate";
const KEY: &str = "http.tls.key";
/// Longer than any chain; other files, such as devices, are not read for ever.
const LONGEST: u64 = 4 << 20;

/// Why a file of certificates or a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("read `{}`", .path.display())]
    Unreadable {
        /// The key of the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it cannot.
        #[source]
        source: io::Error,
    },
    /// It is no PEM.
    #[error("`{}` is no PEM", .path.display())]
    Garbled {
        /// The key of the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: pem::Error,
    },
    /// It has nothing of what is looked for.
    #[error("`{}` holds no {what}: expected `{expected}`", .path.display())]
    Nothing {
        /// The key of the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is looked for.
        what: &'static str,
        /// How that begins.
        expected: &'static str,
    },
    /// It is binary.
    #[error(
        "`{}` is DER and not PEM: convert it with `openssl {command} -inform der -in FILE -out NEW`",
        .path.display()
    )]
    Binary {
        /// The key of the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What converts such a file.
        command: &'static str,
    },
    /// The key needs a passphrase.
    #[error(
        "the key in `{}` is encrypted, and nobody is there to enter its passphrase: \
         decrypt it with `openssl pkey`",
        .path.display()
    )]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// A certificate is none, or of a kind that is not understood.
    #[error("a certificate in `{}` is not understood: {why}", .path.display())]
    Certificate {
        /// The key of the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The key is none, or of a kind that is not understood.
    #[error("the key in `{}` cannot be used", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rustls::Error,
    },
    /// The key belongs to a later certificate.
    #[error(
        "the certificates in `{}` are in the wrong order: expected the server's own first, to which the key belongs, \
         and then those that lead to its CA",
        .path.display()
    )]
    Order {
        /// The file.
        path: PathBuf,
    },
    /// The two belong to different pairs.
    #[error(
        "the key in `{}` does not belong to the first certificate in `{}`, which must be the server's own",
        .key.display(),
        .certificate.display()
    )]
    Mismatch {
        /// The file with the certificate.
        certificate: PathBuf,
        /// The file with the key.
        key: PathBuf,
    },
}

impl FileError {
    /// The key of the configuration that names the file.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::Unreadable { key, .. }
            | Self::Garbled { key, .. }
            | Self::Nothing { key, .. }
            | Self::Binary { key, .. }
            | Self::Certificate { key, .. } => key,
            Self::Order { .. } => CERTIFICATE,
            Self::Encrypted { .. } | Self::Key { .. } | Self::Mismatch { .. } => KEY,
        }
    }
}

/// Reads a pair that belongs together.
pub(super) fn read(certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>, FileError> {
    let chain = certificates(CERTIFICATE, certificate)?;
    let private = private_key(key)?;
    pair((certificate, chain), (key, private))
}

/// Everything that is wrong with a pair, of which [`read`] says the first.
pub(super) fn problems(certificate: &Path, key: &Path) -> Vec<FileError> {
    let chain = certificates(CERTIFICATE, certificate);
    let problems = match (chain, private_key(key)) {
        (Ok(chain), Ok(private)) => [pair((certificate, chain), (key, private)).err(), None],
        (chain, private) => [chain.err(), private.err()],
    };
    problems.into_iter().flatten().collect()
}

fn pair(
    (certificate, chain): (&Path, Vec<CertificateDer<'static>>),
    (key, private): (&Path, PrivateKeyDer<'static>),
) -> Result<Arc<CertifiedKey>, FileError> {
    let provider = aws_lc_rs::default_provider();
    let later = chain.get(1..).unwrap_or_default().to_vec();
    match CertifiedKey::from_der(chain, private.clone_key(), &provider) {
        Ok(pair) => Ok(Arc::new(pair)),
        Err(rustls::Error::InconsistentKeys(_)) => {
            let fits = |one| CertifiedKey::from_der(vec![one], private.clone_key(), &provider);
            let (certificate, key) = (certificate.to_owned(), key.to_owned());
            Err(if later.into_iter().any(|one| fits(one).is_ok()) {
                FileError::Order { path: certificate }
            } else {
                FileError::Mismatch { certificate, key }
            })
        }
        Err(rustls::Error::InvalidCertificate(why)) => Err(FileError::Certificate {
            key: CERTIFICATE,
            path: certificate.to_owned(),
            why: why.to_string(),
        }),
        Err(source) => Err(FileError::Key {
            path: key.to_owned(),
            source,
        }),
    }
}

/// Reads all certificates of a file, of which there must be one.
pub(super) fn certificates(
    key: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let text = contents(key, path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let certificates = certificates.map_err(|source| FileError::Garbled {
        key,
        path: path.to_owned(),
        source,
    })?;
    if certificates.is_empty() && is_binary(&text) {
        return Err(FileError::Binary {
            key,
            path: path.to_owned(),
            command: "x509",
        });
    }
    if certificates.is_empty() {
        return Err(FileError::Nothing {
            key,
            path: path.to_owned(),
            what: "certificate",
            expected: "-----BEGIN CERTIFICATE-----",
        });
    }
    for certificate in &certificates {
        X509Certificate::from_der(certificate).map_err(|error| FileError::Certificate {
            key,
            path: path.to_owned(),
            why: error.to_string(),
        })?;
    }
    Ok(certificates)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, FileError> {
    let text = contents(KEY, path)?;
    let contains = |words: &[u8]| text.windows(words.len()).any(|window| window == words);
    if contains(b"BEGIN ENCRYPTED PRIVATE KEY") || contains(b"Proc-Type: 4,ENCRYPTED") {
        return Err(FileError::Encrypted {
            path: path.to_owned(),
        });
    }
    if is_binary(&text) {
        return Err(FileError::Binary {
            key: KEY,
            path: path.to_owned(),
            command: "pkey",
        });
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => FileError::Nothing {
            key: KEY,
            path: path.to_owned(),
            what: "private key",
            expected: "-----BEGIN PRIVATE KEY-----",
        },
        source => FileError::Garbled {
            key: KEY,
            path: path.to_owned(),
            source,
        },
    })
}

/// Whether it begins as DER does: a sequence, whose length is that of the file or takes more than a byte.
fn is_binary(text: &[u8]) -> bool {
    matches!(text, [0x30, length, ..] if *length > 0x80 || usize::from(*length) + 2 == text.len())
}

fn contents(key: &'static str, path: &Path) -> Result<Vec<u8>, FileError> {
    let read = || {
        let metadata = fs::metadata(path)?;
        if metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        if !metadata.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        if metadata.len() > LONGEST {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        fs::read(path)
    };
    read().map_err(|source| FileError::Unreadable {
        key,
        path: path.to_owned(),
        source,
    })
}

/// What is wrong with the time in which a certificate holds, if anything is.
pub(super) fn untimely(certificate: &CertificateDer<'_>, now: Timestamp) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let time = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).ok();
    let validity = parsed.validity();
    let (from, until) = (time(validity.not_before)?, time(validity.not_after)?);
    if now > until {
        Some(format!("it expired at {until}"))
    } else if now < from {
        Some(format!("it holds from {from}"))
    } else {
        None
    }
}
