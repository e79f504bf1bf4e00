//! Where things are, told in `Location` and `Link`.

use boxyard_oci::{Digest, RepoName};
use boxyard_registry::UploadId;
use http::HeaderValue;

use crate::percent;

/// Makes URLs of the registry's own resources.
///
/// They are relative unless an address was configured: what a client reached the registry by is what it can reach, and a proxy in between is not always honest about it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    /// What comes before the path: nothing, a prefix, or a whole URL, without a slash at the end.
    base: String,
}

impl Links {
    /// Absolute URLs below `base`, which is complete, or relative ones below `prefix`.
    pub(crate) fn new(base: Option<&str>, prefix: &str) -> Self {
        Self {
            base: base.unwrap_or(prefix).trim_end_matches('/').to_owned(),
        }
    }

    pub(crate) fn blob(&self, repo: &RepoName, digest: &Digest) -> HeaderValue {
        value(&format!("{}/v2/{repo}/blobs/{digest}", self.base))
    }

    pub(crate) fn manifest(&self, repo: &RepoName, digest: &Digest) -> HeaderValue {
        value(&format!("{}/v2/{repo}/manifests/{digest}", self.base))
    }

    pub(crate) fn upload(&self, repo: &RepoName, id: &UploadId) -> HeaderValue {
        value(&format!("{}/v2/{repo}/blobs/uploads/{id}", self.base))
    }

    /// The value of a `Link` to the next page of what `path` names, RFC 8288.
    pub(crate) fn next(&self, path: &str, parameters: &[(&str, &str)]) -> HeaderValue {
        let query: Vec<String> = parameters
            .iter()
            .map(|(name, value)| format!("{name}={}", percent::encode(value)))
            .collect();
        let query = query.join("&");
        value(&format!("<{}{path}?{query}>; rel=\"next\"", self.base))
    }
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("parsed names and encoded text are visible")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_relative_unless_an_address_is_configured() {
        let repo = "a/b".parse().unwrap();
        let digest = boxyard_oci::Algorithm::Sha256.digest(b"");

        let relative = Links::new(None, "").blob(&repo, &digest);
        let absolute =
            Links::new(Some("https://registry.example:8443/"), "/unseen").blob(&repo, &digest);

        assert_eq!(relative, format!("/v2/a/b/blobs/{digest}"));
        assert_eq!(
            absolute,
            format!("https://registry.example:8443/v2/a/b/blobs/{digest}")
        );
    }

    #[test]
    fn relative_locations_have_the_prefix() {
        let repo = "a/b".parse().unwrap();
        let digest = boxyard_oci::Algorithm::Sha256.digest(b"");

        let location = Links::new(None, "/registry").blob(&repo, &digest);

        assert_eq!(location, format!("/registry/v2/a/b/blobs/{digest}"));
    }

    #[test]
    fn the_next_page_is_an_encoded_link() {
        let link = Links::new(None, "").next("/v2/_catalog", &[("last", "a b"), ("n", "2")]);

        assert_eq!(link, "</v2/_catalog?last=a%20b&n=2>; rel=\"next\"");
    }
}
