//! The certificate of the registry.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType};
use x509_parser::extensions::GeneralName;
use x509_parser::pem::parse_x509_pem;

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

    /// Fails where the certificate that is there has names that the new one would not have.
    ///
    /// Clients that come by those would be refused as soon as the registry reads it.
    pub(super) fn check_names(&self, hosts: &[Host]) -> anyhow::Result<()> {
        let Some(pem) = keep::read(&self.certificate)? else {
            return Ok(());
        };
        let wanted = names(hosts)?;
        let held = names_of(&pem).unwrap_or_default();
        let lost: Vec<String> = held
            .iter()
            .filter(|name| !wanted.contains(name))
            .map(|name| format!("`{}`", written(name)))
            .collect();
        let certificate = shown(&self.certificate);
        ensure!(
            lost.is_empty(),
            "`{certificate}` is for {} as well, and clients that come by what is not named would be refused: \
             name every host, or move the certificate away first to leave some out",
            lost.join(", ")
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

/// The alternative names of a certificate, if it is one.
fn names_of(pem: &str) -> Option<Vec<SanType>> {
    let (_, block) = parse_x509_pem(pem.as_bytes()).ok()?;
    let certificate = block.parse_x509().ok()?;
    let held = certificate.subject_alternative_name().ok()??;
    let names = held.value.general_names.iter();
    Some(names.filter_map(known).collect())
}

/// A name of the kinds that this command makes.
fn known(name: &GeneralName<'_>) -> Option<SanType> {
    match name {
        GeneralName::DNSName(name) => Some(SanType::DnsName((*name).try_into().ok()?)),
        GeneralName::IPAddress(bytes) => {
            let address = <[u8; 4]>::try_from(*bytes)
                .map(IpAddr::from)
                .or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            address.ok().map(SanType::IpAddress)
        }
        _ => None,
    }
}

fn written(name: &SanType) -> String {
    match name {
        SanType::DnsName(name) => name.to_string(),
        SanType::IpAddress(address) => address.to_string(),
        other => format!("{other:?}"),
    }
}
