//! Certificates for keys that sign tokens.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, date_time_ymd,
};

use serde_json::{Value, json};

use super::key::{KeyKind, SigningKey};

/// From the first of January of one year to that of another.
pub type Years = Range<i32>;

/// Years that hold every test.
const ALWAYS: Years = 2000..2200;

/// Whoever may make certificates for others.
#[derive(Debug)]
pub struct Authority {
    key: SigningKey,
    params: CertificateParams,
    der: Vec<u8>,
}

impl Authority {
    /// An authority that answers to nobody.
    pub fn new(name: &str) -> Self {
        Self::of(SigningKey::new(KeyKind::P256), name, ALWAYS)
    }

    /// The same with a key and a time of its own.
    pub fn of(key: SigningKey, name: &str, years: Years) -> Self {
        let params = params(name, years, true);
        let certificate = params.self_signed(key.pair()).expect("make a certificate");
        let der = certificate.der().to_vec();
        Self { key, params, der }
    }

    /// An authority below this one.
    #[must_use]
    pub fn intermediate(&self, name: &str) -> Self {
        let key = SigningKey::new(KeyKind::P256);
        let params = params(name, ALWAYS, true);
        let certificate = params.signed_by(key.pair(), &self.issuer());
        let der = certificate.expect("make a certificate").der().to_vec();
        Self { key, params, der }
    }

    /// Certificates from that of `key` up to this authority's own, as the header `x5c` has them.
    pub fn chain_for(&self, key: &SigningKey) -> Value {
        let chain = [self.certify(key), self.der.clone()];
        json!(chain.map(|der| STANDARD.encode(der)))
    }

    /// A certificate for `key`, which may make none itself.
    pub fn certify(&self, key: &SigningKey) -> Vec<u8> {
        self.certify_for(key, ALWAYS)
    }

    /// The same for some years.
    pub fn certify_for(&self, key: &SigningKey, years: Years) -> Vec<u8> {
        let certificate = params("signer", years, false).signed_by(key.pair(), &self.issuer());
        certificate.expect("make a certificate").der().to_vec()
    }

    /// The authority's own certificate.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The authority's own certificate in PEM.
    pub fn pem(&self) -> String {
        pem(&self.der)
    }

    /// The authority's own key.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    fn issuer(&self) -> Issuer<'_, &rcgen::KeyPair> {
        Issuer::from_params(&self.params, self.key.pair())
    }
}

/// A certificate in PEM.
pub fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("base64 is ASCII"))
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}

fn params(name: &str, years: Years, is_authority: bool) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(years.start, 1, 1);
    params.not_after = date_time_ymd(years.end, 1, 1);
    if is_authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}
