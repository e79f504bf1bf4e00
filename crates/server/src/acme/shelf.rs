//! Where the listener finds certificates, and the proofs that names are ours.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificate::Certificate;
use crate::tls::{Expiry, Names};

/// Certificates by host, as they are now.
#[derive(Debug)]
pub(crate) struct Shelf {
    /// Ours; the first has the certificate for those who say no name.
    hosts: Vec<String>,
    expiry: Expiry,
    inside: RwLock<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    certificates: HashMap<String, Certificate>,
    challenges: HashMap<String, Arc<CertifiedKey>>,
}

impl Shelf {
    pub(super) fn of(hosts: &[String], expiry: Expiry) -> Self {
        Self {
            hosts: hosts.to_vec(),
            expiry,
            inside: RwLock::default(),
        }
    }

    pub(super) fn put(&self, host: &str, certificate: &Certificate) {
        if let Some(leaf) = certificate.key.cert.first() {
            self.expiry.show(host, leaf);
        }
        let certificates = &mut self.write().certificates;
        certificates.insert(host.to_owned(), certificate.clone());
    }

    /// When the certificate of a host ends.
    pub(super) fn end_of(&self, host: &str) -> Option<SystemTime> {
        let inside = self.read();
        inside.certificates.get(host).map(|held| held.life.end)
    }

    pub(super) fn begin_challenge(&self, host: &str, proof: Arc<CertifiedKey>) {
        self.write().challenges.insert(host.to_owned(), proof);
    }

    pub(super) fn end_challenge(&self, host: &str) {
        self.write().challenges.remove(host);
    }

    fn read(&self) -> RwLockReadGuard<'_, Inside> {
        self.inside.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inside> {
        self.inside.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Names for Shelf {
    fn has(&self, name: &str) -> bool {
        self.hosts
            .iter()
            .any(|host| host.eq_ignore_ascii_case(name))
    }
}

impl ResolvesServerCert for Shelf {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let inside = self.read();
        let name = hello.server_name().map(str::to_lowercase);
        let own = name.and_then(|name| inside.certificates.get(&name));
        // Whoever comes before the own certificate does says more about a wrong one than about none.
        let held = own.or_else(|| inside.certificates.get(self.hosts.first()?))?;
        Some(Arc::clone(&held.key))
    }
}

/// What those are shown who want a proof, and nobody else.
#[derive(Debug)]
pub(crate) struct Proofs(pub(super) Arc<Shelf>);

impl ResolvesServerCert for Proofs {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name()?.to_lowercase();
        self.0.read().challenges.get(&name).cloned()
    }
}
