//! Which host a request is for, RFC 9112 section 3.2.

use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderValue, Version};

/// Whether a request of HTTP/1.1 says its host, once, and with something that can be one.
///
/// What is between the client and the registry may go by another of several, so none of them is believed.
pub(crate) fn is_clear(request: &Parts) -> bool {
    if request.version != Version::HTTP_11 {
        return true;
    }
    let mut hosts = request.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => is_host(host),
        _ => false,
    }
}

/// A target without a host is told by an empty one.
fn is_host(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    bytes.is_empty() || (!bytes.contains(&b'@') && Authority::try_from(bytes).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, hosts: &[&str]) -> Parts {
        let request = http::Request::builder().version(version);
        let request = hosts
            .iter()
            .fold(request, |request, host| request.header(HOST, *host));
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn one_host_is_clear() {
        for host in ["a", "a.b:5000", "[::1]:5000", "10.0.0.1", "a_b", ""] {
            assert!(is_clear(&request(Version::HTTP_11, &[host])), "{host}");
        }
    }

    #[test]
    fn none_several_and_no_hosts_are_not() {
        for hosts in [
            &[][..],
            &["a", "b"],
            &["a", "a"],
            &["a b"],
            &["a/b"],
            &["a@b"],
        ] {
            assert!(!is_clear(&request(Version::HTTP_11, hosts)), "{hosts:?}");
        }
    }

    #[test]
    fn older_and_newer_versions_need_no_header() {
        assert!(is_clear(&request(Version::HTTP_10, &[])));
        assert!(is_clear(&request(Version::HTTP_2, &[])));
    }
}
