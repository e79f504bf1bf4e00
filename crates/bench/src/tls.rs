//! One certificate for every server, and clients that trust it.

use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::{ClientConfig, RootCertStore};

/// The name in the certificate.
pub(crate) const NAME: &str = "localhost";

struct Pair {
    certificate: String,
    key: String,
    config: ClientConfig,
}

static PAIR: OnceLock<Pair> = OnceLock::new();

/// An authority for this run, and what it has certified.
fn pair() -> Result<&'static Pair> {
    if let Some(pair) = PAIR.get() {
        return Ok(pair);
    }
    let mut params = CertificateParams::new([]).context("describe an authority")?;
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let own = KeyPair::generate().context("make a key")?;
    let authority = CertifiedIssuer::self_signed(params, own).context("make an authority")?;
    let key = KeyPair::generate().context("make a key")?;
    let params = CertificateParams::new([NAME.to_owned()]).context("describe a certificate")?;
    let certificate = params
        .signed_by(&key, &authority)
        .context("make a certificate")?;
    let mut roots = RootCertStore::empty();
    roots
        .add(authority.der().clone())
        .context("trust the authority")?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("choose versions of TLS")?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(PAIR.get_or_init(|| Pair {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
        config,
    }))
}

/// The lines below `http` of a configuration, and the files that they name.
pub(crate) fn config(folder: &Path) -> Result<String> {
    let pair = pair()?;
    let (certificate, key) = (folder.join("server.crt"), folder.join("server.key"));
    fs::write(&certificate, &pair.certificate).context("write the certificate")?;
    fs::write(&key, &pair.key).context("write the key of the certificate")?;
    Ok(format!(
        "  tls:\n    certificate: {}\n    key: {}\n",
        certificate.display(),
        key.display()
    ))
}

/// What a client that speaks `protocol` begins with.
pub(crate) fn client(protocol: &[u8]) -> Result<Arc<ClientConfig>> {
    let mut config = pair()?.config.clone();
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(Arc::new(config))
}
