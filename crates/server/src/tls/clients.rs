//! Certificates of clients: who must have one, and which are believed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::pair::{self, FileError};

/// The key of the configuration that names the files.
pub(super) const CLIENT_CAS: &str = "http.tls.clientcas";

/// What is asked of clients, by distribution's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// `request-client-cert`: a certificate may be sent, and shows nothing.
    Request,
    /// `require-any-client-cert`: a certificate must be sent, and shows nothing.
    RequireAny,
    /// `verify-client-cert-if-given`: a certificate that is sent must come from a CA.
    VerifyIfGiven,
    /// `require-and-verify-client-cert`: a certificate of a CA must be sent.
    RequireAndVerify,
}

impl ClientAuth {
    /// Whether a certificate shows who somebody is.
    pub(crate) fn verifies(self) -> bool {
        matches!(self, Self::VerifyIfGiven | Self::RequireAndVerify)
    }

    /// Whether nobody gets in without a certificate of a CA.
    pub(crate) fn is_strict(self) -> bool {
        self == Self::RequireAndVerify
    }
}

/// Why there is no verifier.
#[derive(Debug, thiserror::Error)]
pub enum ClientCasError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A certificate cannot be a CA's.
    #[error("a certificate in `{}` cannot be trusted as a CA", .path.display())]
    Anchor {
        /// The file.
        path: PathBuf,
        /// Why it cannot.
        #[source]
        source: Error,
    },
    /// They cannot be used together.
    #[error("use the certificates of `http.tls.clientcas`")]
    Verifier(#[source] VerifierBuilderError),
}

/// Makes what verifies clients.
pub(super) fn verifier(
    mode: ClientAuth,
    files: &[PathBuf],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, ClientCasError> {
    let mut roots = RootCertStore::empty();
    for path in files {
        add(&mut roots, path)?;
    }
    if !mode.verifies() {
        return Ok(Arc::new(Anybody {
            must: mode == ClientAuth::RequireAny,
            hints: roots.subjects(),
            algorithms: provider.signature_verification_algorithms,
        }));
    }
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = if mode.is_strict() {
        builder
    } else {
        builder.allow_unauthenticated()
    };
    builder.build().map_err(ClientCasError::Verifier)
}

/// What is wrong with each file, of which [`verifier`] says the first.
pub(super) fn problems(files: &[PathBuf]) -> Vec<ClientCasError> {
    let added = |path: &PathBuf| add(&mut RootCertStore::empty(), path).err();
    files.iter().filter_map(added).collect()
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), ClientCasError> {
    for certificate in pair::certificates(CLIENT_CAS, path)? {
        let added = roots.add(certificate);
        added.map_err(|source| ClientCasError::Anchor {
            path: path.to_owned(),
            source,
        })?;
    }
    Ok(())
}

/// Takes any certificate whose key the client has, which shows nothing about it.
#[derive(Debug)]
struct Anybody {
    must: bool,
    hints: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Anybody {
    fn client_auth_mandatory(&self) -> bool {
        self.must
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match X509Certificate::from_der(end_entity) {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(_) => Err(CertificateError::BadEncoding.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
