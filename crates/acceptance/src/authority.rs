//! Certificates for tests.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use serde_json::{Value, json};

use crate::Remote;

/// A certificate authority whose files lie in a folder of the test.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    /// The file that whoever trusts it needs.
    pub certificate: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, as files.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Authority {
    /// Makes an authority of this name.
    pub fn new(folder: &Path, name: &str) -> Self {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("make a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("sign a certificate");
        let certificate = folder.join(format!("{name}.crt"));
        fs::write(&certificate, issuer.pem()).expect("write a certificate");
        Self {
            folder: folder.to_owned(),
            certificate,
            issuer,
        }
    }

    /// Makes a certificate for a server that is reached by `localhost`, by addresses of this machine, or as a [`Remote`].
    pub fn server(&self, name: &str) -> Pair {
        self.issue(name, &server_params(name))
    }

    /// Makes a certificate for a server whose time is over.
    pub fn expired_server(&self, name: &str) -> Pair {
        let mut params = server_params(name);
        params.not_after = date_time_ymd(2001, 1, 1);
        self.issue(name, &params)
    }

    /// Makes a certificate by which a client of this name shows who it is.
    pub fn client(&self, name: &str) -> Pair {
        self.issue(name, &client_params(name))
    }

    /// The same for a client whose time is over.
    pub fn expired_client(&self, name: &str) -> Pair {
        let mut params = client_params(name);
        params.not_after = date_time_ymd(2001, 1, 1);
        self.issue(&format!("expired-{name}"), &params)
    }

    /// The same for a client that is a host by this name, and has no name otherwise.
    pub fn host_client(&self, host: &str) -> Pair {
        let mut params = client_params(host);
        params.distinguished_name = DistinguishedName::new();
        let names = CertificateParams::new([host.to_owned()]).expect("it is a name");
        params.subject_alt_names = names.subject_alt_names;
        self.issue(&format!("host-{host}"), &params)
    }

    fn issue(&self, name: &str, params: &CertificateParams) -> Pair {
        let key = KeyPair::generate().expect("make a key");
        let signed = params.signed_by(&key, &self.issuer);
        let pair = Pair {
            certificate: self.folder.join(format!("{name}.crt")),
            key: self.folder.join(format!("{name}.key")),
        };
        let certificate = signed.expect("sign a certificate").pem();
        fs::write(&pair.certificate, certificate).expect("write a certificate");
        fs::write(&pair.key, key.serialize_pem()).expect("write a key");
        pair
    }
}

impl Pair {
    /// The section `http.tls` of a server that has this certificate.
    pub fn tls(&self) -> Value {
        json!({ "certificate": self.certificate, "key": self.key })
    }

    /// Puts the files of another pair in the place of this one, as programs do that renew certificates.
    pub fn replace_by(&self, other: &Self) {
        for (from, to) in [
            (&other.certificate, &self.certificate),
            (&other.key, &self.key),
        ] {
            let new = to.with_extension("new");
            fs::copy(from, &new).expect("write the new file");
            fs::rename(&new, to).expect("rename the new file into place");
        }
    }
}

fn server_params(name: &str) -> CertificateParams {
    let mut params = params(name);
    let names = ["localhost", Remote::NAME, "127.0.0.1", "127.0.0.2", "::1"].map(str::to_owned);
    params.subject_alt_names = CertificateParams::new(names)
        .expect("they are names")
        .subject_alt_names;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn client_params(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
