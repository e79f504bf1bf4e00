//! Everything that a registry serves, in a form that can be compared.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use boxyard_oci::{EdgeKind, Manifest};
use boxyard_registry::{PullError, StoredManifest};
use boxyard_testkit::sha256;

use crate::site::Site;

/// What is served under each name: manifests by tag and by digest, blobs, referrers.
pub(crate) type Served = BTreeMap<String, String>;

impl Site {
    /// Lists everything, page by page, and pulls all of it.
    pub(crate) async fn served(&self) -> Served {
        let mut served = Served::new();
        for repo in self.catalog(3).await {
            served.insert(repo.clone(), "listed".to_owned());
            for tag in self.tags(&repo, 3).await {
                self.follow(&repo, &tag, &mut served).await;
            }
        }
        served
    }

    /// Notes a manifest and everything that it leads to.
    async fn follow(&self, repo: &str, reference: &str, served: &mut Served) {
        let mut references = vec![reference.to_owned()];
        while let Some(reference) = references.pop() {
            let name = format!("{repo} {reference}");
            if served.contains_key(&name) {
                continue;
            }
            match self.manifest(repo, &reference).await {
                Ok(found) => {
                    let (digest, media_type) = (found.digest, &found.media_type);
                    let content = format!("{digest} {media_type} {}", sha256(&found.payload));
                    served.insert(name, content);
                    references.extend(self.below(repo, found, served).await);
                }
                Err(error @ PullError::Internal(_)) => panic!("{name}: {error}"),
                Err(error) => {
                    served.insert(name, error.to_string());
                }
            }
        }
    }

    /// Notes the blobs of a manifest and who refers to it; answers what may be manifests.
    async fn below(&self, repo: &str, found: StoredManifest, served: &mut Served) -> Vec<String> {
        let mut below = vec![found.digest.to_string()];
        let manifest = Manifest::adopt(found.payload, Some(&found.media_type), found.digest);
        for edge in manifest.unwrap().edges() {
            below.push(edge.digest.to_string());
            // A manifest is no blob of the repository.
            if !matches!(edge.kind, EdgeKind::Child | EdgeKind::Subject) {
                self.note(repo, &edge.digest.to_string(), served).await;
            }
        }
        let referrers = self.referrers(repo, &found.digest.to_string()).await;
        served.insert(
            format!("{repo} {} referrers", found.digest),
            referrers.join(" "),
        );
        below.extend(referrers);
        below
    }

    async fn note(&self, repo: &str, digest: &str, served: &mut Served) {
        let name = format!("{repo} blob {digest}");
        if let Entry::Vacant(entry) = served.entry(name) {
            let content = self.blob(repo, digest).await;
            entry.insert(content.map_or("absent".to_owned(), sha256));
        }
    }
}
