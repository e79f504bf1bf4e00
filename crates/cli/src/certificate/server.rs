//! The certificate of the registry.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType};

use super::authority::Authority;
use super::host::{Host, Name};
use super::{Life, keep, shown, subject};

/// Where the registry's certificate and key lie.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl Files {
    pub(super) fn of(folder: &Path, first: &Host) -> Self {
        let name = first.file_name();
        Self {
            certificate: folder.join(format!("{name}.crt")),
            key: folder.join(format!("{name}.key")),
        }
    }

    /// Fails before anything is made where a key would be overwritten or is missing.
    pub(super) fn check(&self, renew: bool) -> anyhow::Result<()> {
        let key = shown(&self.key);
        ensure!(
            renew || !self.key.exists(),
            "`{key}` is there already, and a key is never overwritten: \
             --renew makes a new certificate for it; for a new key, move it away first"
        );
        ensure!(
            !renew || self.key.exists(),
            "`{key}` is not there, so there is nothing to renew: leave --renew away, \
             or name the folder with --out and the same host first"
        );
        Ok(())
    }

    /// Makes the certificate, and the key unless it is there.
    pub(super) fn make(
        &self,
        authority: &Authority,
        hosts: &[Host],
        life: Life,
    ) -> anyhow::Result<()> {
        let key = self.key()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(&hosts[0].to_string());
        params.subject_alt_names = names(hosts)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        life.apply_to(&mut params);
        let signed = params.signed_by(&key, &authority.issuer);
        let signed = signed.context("sign the certificate of the registry")?;
        keep::write_certificate(&self.certificate, &signed.pem())
    }

    fn key(&self) -> anyhow::Result<KeyPair> {
        if let Some(pem) = keep::read(&self.key)? {
            let key = KeyPair::from_pem(&pem);
            return key.with_context(|| format!("read the key `{}`", shown(&self.key)));
        }
        let key = KeyPair::generate().context("make the key of the registry")?;
        keep::write_key(&self.key, &key.serialize_pem())?;
        Ok(key)
    }
}

/// The alternative names of the hosts, each once.
fn names(hosts: &[Host]) -> anyhow::Result<Vec<SanType>> {
    let mut names = Vec::new();
    for host in hosts {
        let name = match &host.name {
            Name::Dns(name) => SanType::DnsName(name.as_str().try_into()?),
            Name::Address(address) => SanType::IpAddress(*address),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}
