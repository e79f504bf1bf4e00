//! The other end of an encrypted connection, for who asks a registry whether it serves.

use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName, UnixTime};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, Error,
    SignatureScheme, StreamOwned,
};

/// Why nothing can be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The host is none.
    #[error("`{host}` is no name of a host")]
    Host {
        /// The text.
        host: String,
        /// What is wrong with it.
        #[source]
        source: InvalidDnsNameError,
    },
    /// TLS cannot be spoken.
    #[error("begin to speak TLS")]
    Tls(#[from] Error),
}

/// Encrypts what goes through `stream`, whatever certificate is shown at the other end.
pub fn encrypt<S: Read + Write>(
    stream: S,
    host: &str,
) -> Result<StreamOwned<ClientConnection, S>, ProbeError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(Anybody(Arc::clone(&provider)));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(name.to_owned()).map_err(|source| ProbeError::Host {
        host: host.to_owned(),
        source,
    })?;
    let session = ClientConnection::new(Arc::new(config), name)?;
    Ok(StreamOwned::new(session, stream))
}

/// Whether the other end said that it serves nobody without a certificate.
pub fn wants_certificate(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(
        inner,
        Some(Error::AlertReceived(AlertDescription::CertificateRequired))
    )
}

/// Believes every certificate.
///
/// Nothing is said that anybody may not know, and a certificate of the registry names those by whom its clients reach it, which this is not.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
