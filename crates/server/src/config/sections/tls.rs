//! `http.tls`: certificates, and what is asked of connections.

use std::path::PathBuf;

use rustls::SupportedCipherSuite;

use crate::config::key::{Form, Key, works};
use crate::config::sections::letsencrypt::{self, LetsEncrypt};
use crate::config::values::Values;
use crate::tls::ClientAuth;
use crate::tls::suites;

pub(in crate::config) const KEYS: &[Key] = &[
    works(
        "http.tls.certificate",
        "",
        "The PEM file with the server's certificate, followed by those that lead to its CA; with it, only TLS is served. It is read again when it changes.",
    )
    .form(Form::File),
    works(
        "http.tls.key",
        "",
        "The PEM file with the certificate's private key, without a passphrase.",
    )
    .form(Form::File),
    works(
        "http.tls.minimumtls",
        "`tls1.2`",
        "The oldest version that is served: `tls1.2` or `tls1.3`.",
    )
    .form(Form::Choice(&["tls1.2", "tls1.3"])),
    works(
        "http.tls.ciphersuites",
        "all that are safe",
        "Which cipher suites are served, by their names in Go; a list that names none of TLS 1.3 leaves all of those.",
    )
    .form(Form::Texts),
    works(
        "http.tls.clientcas",
        "",
        "PEM files with the CAs of clients; with them, clients must show a certificate.",
    )
    .form(Form::Texts),
    works(
        "http.tls.clientauth",
        "`require-and-verify-client-cert`",
        "What is asked of clients: also `verify-client-cert-if-given`, or `require-any-client-cert` and `request-client-cert`, which verify nothing.",
    )
    .form(Form::Choice(&[
        "request-client-cert",
        "require-any-client-cert",
        "verify-client-cert-if-given",
        "require-and-verify-client-cert",
    ])),
];

/// How connections are encrypted.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Where certificates come from.
    pub source: Source,
    /// Whether version 1.2 is refused.
    pub only_1_3: bool,
    /// The cipher suites that are named; none leaves the choice to us.
    pub suites: Vec<SupportedCipherSuite>,
    /// What is asked of clients.
    pub clients: Option<Clients>,
}

/// Where certificates come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Two files.
    Files {
        /// The chain.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
    },
    /// An ACME server, which is asked for them.
    Acme(LetsEncrypt),
}

/// What is asked of clients.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Files with CAs.
    pub cas: Vec<PathBuf>,
    /// What is asked.
    pub mode: ClientAuth,
}

const MODES: [(&str, ClientAuth); 4] = [
    ("request-client-cert", ClientAuth::Request),
    ("require-any-client-cert", ClientAuth::RequireAny),
    ("verify-client-cert-if-given", ClientAuth::VerifyIfGiven),
    (
        "require-and-verify-client-cert",
        ClientAuth::RequireAndVerify,
    ),
];

pub(in crate::config) fn read(values: &mut Values<'_>) -> Option<Tls> {
    let source = source(values);
    let tls = Tls {
        only_1_3: only_1_3(values),
        suites: suites(values),
        clients: clients(values),
        source: source?,
    };
    Some(tls)
}

fn source(values: &mut Values<'_>) -> Option<Source> {
    if letsencrypt::is_asked_for(values) {
        return letsencrypt::read(values).map(Source::Acme);
    }
    let certificate = values.text("http.tls.certificate");
    let key = values.text("http.tls.key");
    match (certificate, key) {
        (Some(certificate), Some(key)) => Some(Source::Files {
            certificate: certificate.into(),
            key: key.into(),
        }),
        (Some(_), None) => {
            values.wrong(
                "http.tls.certificate",
                "`http.tls.key` is missing beside it",
            );
            None
        }
        (None, Some(_)) => {
            values.wrong(
                "http.tls.key",
                "`http.tls.certificate` is missing beside it",
            );
            None
        }
        (None, None) => {
            // Nobody who asks for them wants to be served without.
            for path in [
                "http.tls.clientcas",
                "http.tls.clientauth",
                "http.tls.minimumtls",
            ] {
                if values.node(path).is_some_and(|node| !node.is_empty()) {
                    values.wrong(
                        path,
                        "`http.tls.certificate` is missing, so there is no TLS",
                    );
                }
            }
            None
        }
    }
}

fn only_1_3(values: &mut Values<'_>) -> bool {
    const PATH: &str = "http.tls.minimumtls";
    match values.text(PATH).map(str::to_lowercase).as_deref() {
        None | Some("tls1.2") => false,
        Some("tls1.3") => true,
        Some(old @ ("tls1.0" | "tls1.1")) => {
            values.wrong(
                PATH,
                &format!("`{old}` is broken and not served: expected `tls1.2` or `tls1.3`"),
            );
            false
        }
        Some(other) => {
            values.wrong(
                PATH,
                &format!("`{other}` is unknown: expected `tls1.2` or `tls1.3`"),
            );
            false
        }
    }
}

fn suites(values: &mut Values<'_>) -> Vec<SupportedCipherSuite> {
    const PATH: &str = "http.tls.ciphersuites";
    let mut found = Vec::new();
    for name in values.texts(PATH) {
        match suites::find(name) {
            Ok(suite) => found.push(suite),
            Err(error) => values.wrong(PATH, &error.to_string()),
        }
    }
    found
}

fn clients(values: &mut Values<'_>) -> Option<Clients> {
    let cas: Vec<PathBuf> = values
        .texts("http.tls.clientcas")
        .into_iter()
        .map(PathBuf::from)
        .collect();
    let mode = values.choice("http.tls.clientauth", &MODES);
    if cas.is_empty() {
        if mode.is_some() {
            values.wrong(
                "http.tls.clientauth",
                "`http.tls.clientcas` is missing beside it",
            );
        }
        return None;
    }
    Some(Clients {
        cas,
        mode: mode.unwrap_or(ClientAuth::RequireAndVerify),
    })
}
