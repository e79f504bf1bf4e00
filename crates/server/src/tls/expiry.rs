//! When certificates end, for who watches.

use std::net::IpAddr;

use prometheus::IntGaugeVec;
use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::metrics::Metrics;

/// Shows the end of each certificate that is served.
#[derive(Clone, Debug)]
pub(crate) struct Expiry(IntGaugeVec);

impl Expiry {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self(metrics.gauges(
            "boxyard_tls_certificate_expiry_timestamp_seconds",
            "When the certificate ends that is served, in seconds since the epoch.",
            &["host"],
        ))
    }

    /// Shows the certificate that is now served to a host.
    pub(crate) fn show(&self, host: &str, certificate: &CertificateDer<'_>) {
        let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
            return;
        };
        let end = parsed.validity().not_after.timestamp();
        self.0.with_label_values(&[host]).set(end);
    }

    /// Shows the one certificate that is now served to everybody, under the first name in it.
    pub(super) fn show_only(&self, certificate: &CertificateDer<'_>) {
        self.0.reset();
        self.show(&first_name(certificate), certificate);
    }
}

/// The first host that a certificate is for; it may be for none that it names.
fn first_name(certificate: &CertificateDer<'_>) -> String {
    let parsed = X509Certificate::from_der(certificate).ok();
    let names = parsed.and_then(|(_, parsed)| {
        let names = parsed.subject_alternative_name().ok()??;
        names.value.general_names.iter().find_map(host)
    });
    names.unwrap_or_default()
}

fn host(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(host) => Some((*host).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = four.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(names: &[&str], year: i32) -> CertificateDer<'static> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().into()
    }

    #[test]
    fn the_end_is_shown_under_the_first_name() {
        let metrics = Metrics::new(false);
        let expiry = Expiry::new(&metrics);

        expiry.show_only(&certificate(&["old.example"], 2030));
        expiry.show_only(&certificate(&["192.0.2.1", "b.example"], 2031));

        let text = metrics.render().unwrap();
        let shown =
            "boxyard_tls_certificate_expiry_timestamp_seconds{host=\"192.0.2.1\"} 1924992000\n";
        assert!(text.contains(shown), "{text}");
        assert!(!text.contains("old.example"), "{text}");
    }

    #[test]
    fn a_certificate_without_names_is_shown_as_well() {
        assert_eq!(first_name(&certificate(&[], 2030)), "");
    }
}
