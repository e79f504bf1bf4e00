//! What `If-None-Match` and `If-Range` ask, RFC 9110 sections 13.1.2 and 13.1.5.

use boxyard_oci::Digest;
use http::header::{IF_NONE_MATCH, IF_RANGE};
use http::{HeaderMap, HeaderValue};

/// The entity tag of content with this digest.
pub(crate) fn etag(digest: &Digest) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{digest}\"")).expect("a digest is visible text")
}

/// Whether the client says that it has this content already.
pub(crate) fn is_held(headers: &HeaderMap, digest: &Digest) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| names(value, digest))
}

/// Whether a list of entity tags names the digest; weak ones do, because the comparison is the weak one.
fn names(value: &str, digest: &Digest) -> bool {
    if value.trim() == "*" {
        return true;
    }
    let wanted = digest.to_string();
    // No digest has a comma or a quote, so that a list can be cut at every comma.
    value.split(',').any(|tag| {
        let tag = tag.trim();
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        unquoted(tag) == wanted
    })
}

/// Whether a range may be served: the client has no other content that it would put it to.
pub(crate) fn allows_range(headers: &HeaderMap, digest: &Digest) -> bool {
    match headers.get(IF_RANGE) {
        None => true,
        // A date names nothing here, and a weak tag never allows a range.
        Some(value) => value == etag(digest),
    }
}

/// Some clients leave the quotes out.
fn unquoted(tag: &str) -> &str {
    tag.strip_prefix('"')
        .and_then(|tag| tag.strip_suffix('"'))
        .unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest() -> Digest {
        boxyard_oci::Algorithm::Sha256.digest(b"content")
    }

    fn with(name: http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn lists_weak_tags_and_the_star_match() {
        let digest = digest();
        let matching = [
            format!("\"{digest}\""),
            format!("W/\"{digest}\""),
            format!("\"other\", \"{digest}\""),
            format!("\"a\",W/\"{digest}\" , \"b\""),
            digest.to_string(),
            "*".to_owned(),
        ];

        for value in matching {
            assert!(is_held(&with(IF_NONE_MATCH, &value), &digest), "{value}");
        }
    }

    #[test]
    fn other_tags_do_not_match() {
        let digest = digest();

        for value in ["", "\"\"", "\"sha256:00\"", "W/*", "\"*\""] {
            assert!(!is_held(&with(IF_NONE_MATCH, value), &digest), "{value}");
        }
        assert!(!is_held(&HeaderMap::new(), &digest));
    }

    #[test]
    fn every_line_of_a_repeated_header_counts() {
        let mut headers = with(IF_NONE_MATCH, "\"other\"");
        headers.append(IF_NONE_MATCH, etag(&digest()));

        assert!(is_held(&headers, &digest()));
    }

    #[test]
    fn a_range_needs_the_strong_tag_of_this_content() {
        let digest = digest();

        assert!(allows_range(&HeaderMap::new(), &digest));
        assert!(allows_range(
            &with(IF_RANGE, &format!("\"{digest}\"")),
            &digest
        ));
        assert!(!allows_range(
            &with(IF_RANGE, &format!("W/\"{digest}\"")),
            &digest
        ));
        assert!(!allows_range(
            &with(IF_RANGE, "Wed, 21 Oct 2015 07:28:00 GMT"),
            &digest
        ));
    }
}
