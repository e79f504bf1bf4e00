//! `http.tls.letsencrypt`: certificates from an ACME server.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::config::key::{Form, Key, Known, works};
use crate::config::node::Node;
use crate::config::values::Values;

/// The directory of Let's Encrypt.
const DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";

pub(in crate::config) const KEYS: &[Key] = &[
    works(
        "http.tls.letsencrypt.cachefile",
        "",
        "The folder for the account and the certificates; naming it asks the ACME server for certificates, which must reach port 443 of the hosts here. One that distribution has filled is taken over.",
    ).form(Form::Folder),
    works(
        "http.tls.letsencrypt.hosts",
        "required with `cachefile`",
        "The DNS names to get certificates for; others are never asked for.",
    ).form(Form::Texts).example("[registry.example.com]"),
    works(
        "http.tls.letsencrypt.email",
        "",
        "Where the ACME server may write to.",
    ).form(Form::Text),
    works(
        "http.tls.letsencrypt.directoryurl",
        "Let's Encrypt",
        "The directory of another ACME server, by `https://`.",
    ).form(Form::Text).known(Known::Three),
    works(
        "boxyard.letsencrypt.authorities",
        "",
        "A file of certificates in PEM by which to trust a private ACME server, beside the system's.",
    ).form(Form::File),
];

/// Whom to ask for which certificates.
#[derive(Clone, Debug)]
pub struct LetsEncrypt {
    /// The folder for the account and the certificates.
    pub folder: PathBuf,
    /// The DNS names to get certificates for, in lower case.
    pub hosts: Vec<String>,
    /// Where the server may write to.
    pub email: Option<String>,
    /// The server's directory.
    pub directory: String,
    /// By which authorities to trust the server, beside the system's.
    pub authorities: Option<PathBuf>,
}

const SECTION: &str = "http.tls.letsencrypt";
const FOLDER: &str = "http.tls.letsencrypt.cachefile";

/// Whether the section says anything; beside files only its folder counts, as for distribution.
pub(super) fn is_asked_for(values: &mut Values<'_>) -> bool {
    let has_files = values.text("http.tls.certificate").is_some();
    let node = values.node(if has_files { FOLDER } else { SECTION });
    node.is_some_and(|node| !node.is_empty())
}

pub(super) fn read(values: &mut Values<'_>) -> Option<LetsEncrypt> {
    let Some(folder) = values.text(FOLDER) else {
        values.wrong(
            SECTION,
            "no `cachefile` is named: expected a folder for the account and the certificates",
        );
        return None;
    };
    if values.text("http.tls.certificate").is_some() {
        values.wrong(
            SECTION,
            "there are `http.tls.certificate` and `http.tls.letsencrypt.cachefile`: expected one of them, \
             the certificate's files or an ACME server to get it from",
        );
    }
    let directory = values.text("http.tls.letsencrypt.directoryurl");
    let directory = directory.unwrap_or(DIRECTORY);
    if !directory.starts_with("https://") {
        values.wrong(
            "http.tls.letsencrypt.directoryurl",
            &format!("`{directory}` does not begin with `https://`"),
        );
    }
    Some(LetsEncrypt {
        folder: PathBuf::from(folder),
        hosts: read_hosts(values),
        email: read_email(values),
        directory: directory.to_owned(),
        authorities: values
            .text("boxyard.letsencrypt.authorities")
            .map(PathBuf::from),
    })
}

/// Without a list, whoever connects could have any name asked for until the server has enough of us.
fn read_hosts(values: &mut Values<'_>) -> Vec<String> {
    const PATH: &str = "http.tls.letsencrypt.hosts";
    let mut hosts = Vec::new();
    for text in values.texts(PATH) {
        let host = text.to_lowercase();
        if let Err(why) = check_host(&host) {
            values.wrong(PATH, &format!("`{text}` {why}"));
        } else if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    if values.node(PATH).is_none_or(Node::is_empty) {
        values.wrong(
            PATH,
            "no host is named: expected a list such as `[registry.example.com]`, because a \
             certificate is only asked for names that are listed",
        );
    }
    hosts
}

fn read_email(values: &mut Values<'_>) -> Option<String> {
    const PATH: &str = "http.tls.letsencrypt.email";
    let email = values.text(PATH)?;
    let visible = email.bytes().all(|byte| byte.is_ascii_graphic());
    if !visible || email.matches('@').count() != 1 {
        values.wrong(PATH, &format!("`{email}` is no address of mail"));
    }
    Some(email.to_owned())
}

/// What TLS-ALPN-01 can prove: plain names of the public DNS.
fn check_host(host: &str) -> Result<(), &'static str> {
    if host.starts_with("*.") {
        return Err("is a wildcard, which only DNS can prove: expected each name by itself");
    }
    if host.parse::<IpAddr>().is_ok() {
        return Err("is an address: expected a DNS name");
    }
    let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(is_inside)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.len() <= 253 && host.split('.').all(is_label) {
        Ok(())
    } else {
        Err("is no DNS name: expected one such as `registry.example.com`")
    }
}
