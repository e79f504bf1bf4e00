//! Whom a client certificate names.

use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// The longest name that is taken.
const NAME_BYTES: usize = 255;

/// Which of the names in a certificate counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameSource {
    /// The common name of its subject.
    #[default]
    CommonName,
    /// The first alternative name that is a host.
    Dns,
    /// The first alternative name that is an address of mail.
    Email,
    /// The first alternative name that is a URI, such as a SPIFFE id.
    Uri,
}

impl NameSource {
    /// The name in a certificate whose chain was verified; none where it has no such name, or one that no log could show.
    pub fn name_in(self, der: &[u8]) -> Option<String> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let name = match self {
            Self::CommonName => {
                let mut names = certificate.subject().iter_common_name();
                names.next()?.as_str().ok()?.to_owned()
            }
            Self::Dns | Self::Email | Self::Uri => {
                let names = certificate.subject_alternative_name().ok()??;
                let mut fitting = names.value.general_names.iter();
                fitting.find_map(|name| self.fits(name))?.to_owned()
            }
        };
        let is_clear = !name.is_empty() && !name.contains(char::is_control);
        (is_clear && name.len() <= NAME_BYTES).then_some(name)
    }

    fn fits<'a>(self, name: &GeneralName<'a>) -> Option<&'a str> {
        match (self, name) {
            (Self::Dns, GeneralName::DNSName(name))
            | (Self::Email, GeneralName::RFC822Name(name))
            | (Self::Uri, GeneralName::URI(name)) => Some(name),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_names_nobody() {
        for der in [&b""[..], b"\x30\x03\x02\x01\x01", &[0xff; 100]] {
            assert_eq!(NameSource::CommonName.name_in(der), None);
            assert_eq!(NameSource::Uri.name_in(der), None);
        }
    }
}
