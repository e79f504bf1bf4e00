//! The certificate authority: whom the clients trust.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::X509Certificate;

use super::{DAY, Life, keep, shown, subject};

/// Ten years: every client has to be touched when it ends.
const LIFE: Duration = DAY.saturating_mul(3650);

/// An authority whose key is here.
pub(super) struct Authority {
    pub(super) path: PathBuf,
    pub(super) pem: String,
    pub(super) is_new: bool,
    pub(super) issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Takes the authority that the folder has, or makes one.
    pub(super) fn of_folder(folder: &Path, name: &str, life: Life) -> anyhow::Result<Self> {
        let path = folder.join("ca.crt");
        let key_path = folder.join("ca.key");
        match (keep::read(&path)?, keep::read(&key_path)?) {
            (Some(pem), Some(key)) => Self::existing(path, pem, &key, life),
            (None, None) => Self::new(path, &key_path, name, life),
            (Some(_), None) => bail!(
                "`{}` has no key beside it: put `ca.key` there, or choose another folder with --out",
                shown(&path)
            ),
            (None, Some(_)) => bail!(
                "`{}` has no certificate beside it: put `ca.crt` there, or choose another folder with --out",
                shown(&key_path)
            ),
        }
    }

    fn new(path: PathBuf, key_path: &Path, name: &str, life: Life) -> anyhow::Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(&format!("Boxyard CA of {name}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        life.longer(LIFE).apply_to(&mut params);
        let key = KeyPair::generate().context("make the key of the authority")?;
        let key_pem = key.serialize_pem();
        let made = CertifiedIssuer::self_signed(params.clone(), key);
        let made = made.context("sign the certificate of the authority")?;
        let pem = made.pem();
        keep::write_key(key_path, &key_pem)?;
        keep::write_certificate(&path, &pem)?;
        let key = KeyPair::from_pem(&key_pem).context("read the key of the authority")?;
        Ok(Self {
            path,
            pem,
            is_new: true,
            issuer: Issuer::new(params, key),
        })
    }

    fn existing(path: PathBuf, pem: String, key: &str, life: Life) -> anyhow::Result<Self> {
        let at = shown(&path);
        let key = KeyPair::from_pem(key)
            .with_context(|| format!("`{at}` cannot sign: read the key beside it"))?;
        let (_, block) = parse_x509_pem(pem.as_bytes())
            .with_context(|| format!("`{at}` is no certificate in PEM"))?;
        let certificate = block
            .parse_x509()
            .with_context(|| format!("`{at}` is no certificate"))?;
        check(&certificate, &key, life).with_context(|| format!("`{at}` cannot be used"))?;
        let issuer = Issuer::from_ca_cert_pem(&pem, key)
            .with_context(|| format!("`{at}` cannot sign: take over its subject"))?;
        Ok(Self {
            path,
            pem,
            is_new: false,
            issuer,
        })
    }
}

/// Fails unless the authority may sign what lives so long.
fn check(certificate: &X509Certificate<'_>, key: &KeyPair, life: Life) -> anyhow::Result<()> {
    ensure!(
        certificate.is_ca(),
        "it is not the certificate of an authority"
    );
    ensure!(
        *certificate.public_key().subject_public_key.data == *key.public_key_raw(),
        "`ca.key` is the key of another certificate"
    );
    let end = certificate.validity().not_after;
    let left = Duration::from_secs(end.timestamp().try_into().unwrap_or(0));
    ensure!(
        left >= life.end,
        "it ends on {end}, before the certificate that was asked for: ask for fewer --days, \
         or let another folder have a new authority, which every client must then trust"
    );
    Ok(())
}
