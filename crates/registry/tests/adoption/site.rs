//! A registry over a folder, and everything that a test does with it.

use std::sync::Arc;

use boxyard_auth::{Action, Gate, Identity, Permit, Pull};
use boxyard_oci::{Digest, MediaType, Reference};
use boxyard_registry::{
    Body, DeleteError, FindingKind, MountSource, Options, PullError, PushError, PushManifestError,
    Pushed, Registry, Silent, StoredManifest, Way,
};
use boxyard_testkit::{Blob, Image, Index};
use bytes::{BufMut, Bytes};
use futures_util::{StreamExt, stream};

use crate::tree::Tree;

/// A registry whose workers run only when a test asks them to.
pub(crate) struct Site {
    pub(crate) registry: Arc<Registry>,
}

impl Site {
    pub(crate) async fn open(tree: &Tree) -> Self {
        Self::open_with(Options::at(tree.root())).await
    }

    pub(crate) async fn open_with(options: Options) -> Self {
        let registry = Registry::open(options).await.unwrap();
        Self { registry }
    }

    /// Compares the whole folder with the database.
    pub(crate) async fn index(&self) {
        let progress = self.registry.adopt(|_| {}).await.unwrap();
        assert_eq!(progress.failed, 0);
    }

    /// Lets the folder follow the database.
    pub(crate) async fn settle(&self) {
        self.registry.settle().await.unwrap();
    }

    pub(crate) async fn stop(self) {
        self.registry.stop().await.unwrap();
    }

    /// Pulls a manifest by tag or digest.
    pub(crate) async fn manifest(
        &self,
        repo: &str,
        reference: &str,
    ) -> Result<StoredManifest, PullError> {
        let reference: Reference = reference.parse().unwrap();
        self.registry.manifest(&permit(repo), &reference).await
    }

    /// The digest that a tag leads to, if there is a manifest to serve.
    pub(crate) async fn resolve(&self, repo: &str, tag: &str) -> Option<String> {
        let found = self.manifest(repo, tag).await.ok()?;
        Some(found.digest.to_string())
    }

    /// Pulls a blob whole.
    pub(crate) async fn blob(&self, repo: &str, digest: &str) -> Option<Vec<u8>> {
        let digest: Digest = digest.parse().unwrap();
        let found = self.registry.blob(&permit(repo), &digest).await;
        let blob = match found {
            Ok(blob) => blob,
            Err(PullError::BlobUnknown) => return None,
            Err(error) => panic!("{repo}@{digest}: {error}"),
        };
        let size = blob.size();
        let mut pieces = Box::pin(blob.read(0, size, Way::Copied));
        let mut bytes = Vec::new();
        while let Some(piece) = pieces.next().await {
            bytes.put(piece.unwrap());
        }
        Some(bytes)
    }

    /// What a HEAD of a blob tells.
    pub(crate) async fn blob_size(&self, repo: &str, digest: &str) -> Option<u64> {
        let digest: Digest = digest.parse().unwrap();
        let permit = permit(repo);
        let size = self.registry.blob_size(&permit, None, &digest);
        size.await.ok()
    }

    /// Every tag, by pages of `limit`; none of a repository that is not known.
    pub(crate) async fn tags(&self, repo: &str, limit: usize) -> Vec<String> {
        let (mut found, mut after) = (Vec::new(), None::<String>);
        let permit = permit(repo);
        loop {
            let page = self.registry.tags(&permit, after.as_deref(), limit);
            let page = match page.await {
                Err(PullError::NameUnknown) => return found,
                page => page.unwrap(),
            };
            found.extend(page.items.iter().map(ToString::to_string));
            if !page.more {
                return found;
            }
            assert_eq!(page.items.len(), limit);
            after = found.last().cloned();
        }
    }

    /// Every repository, by pages of `limit`.
    pub(crate) async fn catalog(&self, limit: usize) -> Vec<String> {
        let list = Gate::open().list(&Identity::Anonymous).unwrap();
        let (mut found, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.registry.catalog(&list, after.as_deref(), limit);
            let page = page.await.unwrap();
            found.extend(page.items.iter().map(ToString::to_string));
            if !page.more {
                return found;
            }
            assert_eq!(page.items.len(), limit);
            after = found.last().cloned();
        }
    }

    /// The digests of what refers to `subject`.
    pub(crate) async fn referrers(&self, repo: &str, subject: &str) -> Vec<String> {
        let subject: Digest = subject.parse().unwrap();
        let permit = permit(repo);
        let page = self.registry.referrers(&permit, &subject, None, None, 100);
        let descriptors = page.await.unwrap().descriptors.into_iter();
        descriptors
            .map(|descriptor| descriptor.digest.to_string())
            .collect()
    }

    pub(crate) async fn findings(&self) -> Vec<(FindingKind, String)> {
        let found = self.registry.findings(None, 1000).await.unwrap();
        found
            .into_iter()
            .map(|stored| (stored.finding.kind, stored.finding.subject))
            .collect()
    }

    pub(crate) async fn push_blob(&self, repo: &str, bytes: &Bytes) -> Result<(), PushError> {
        let digest = boxyard_oci::Algorithm::Sha256.digest(bytes);
        self.registry
            .push_blob(&permit(repo), &digest, body(bytes), &Silent::teller())
            .await
    }

    pub(crate) async fn push_manifest(
        &self,
        repo: &str,
        reference: &str,
        manifest: &Blob,
    ) -> Result<Pushed, PushManifestError> {
        let reference: Reference = reference.parse().unwrap();
        let media_type: MediaType = manifest.media_type.parse().unwrap();
        self.registry
            .push_manifest(
                &permit(repo),
                &reference,
                Some(&media_type),
                manifest.bytes.clone(),
                Vec::new(),
                &Silent::teller(),
            )
            .await
    }

    pub(crate) async fn push_image(&self, repo: &str, reference: &str, image: &Image) {
        for blob in image.blobs() {
            self.push_blob(repo, &blob.bytes).await.unwrap();
        }
        let pushed = self.push_manifest(repo, reference, &image.manifest).await;
        pushed.unwrap();
    }

    pub(crate) async fn push_index(&self, repo: &str, reference: &str, index: &Index) {
        for image in &index.images {
            self.push_image(repo, &image.manifest.digest, image).await;
        }
        let pushed = self.push_manifest(repo, reference, &index.manifest).await;
        pushed.unwrap();
    }

    pub(crate) async fn mount(&self, from: &str, to: &str, digest: &str) -> bool {
        type Nowhere = fn(&boxyard_oci::RepoName) -> Option<Permit<Pull>>;
        let digest: Digest = digest.parse().unwrap();
        let source = MountSource::<Nowhere>::From(permit(from));
        let mounted = self
            .registry
            .mount(&permit(to), &digest, source, &Silent::teller())
            .await;
        mounted.unwrap()
    }

    pub(crate) async fn delete_tag(&self, repo: &str, tag: &str) -> Result<(), DeleteError> {
        let tag = tag.parse().unwrap();
        self.registry
            .delete_tag(&permit(repo), &tag, &Silent::teller())
            .await
    }

    pub(crate) async fn delete_manifest(
        &self,
        repo: &str,
        digest: &str,
    ) -> Result<(), DeleteError> {
        let digest = digest.parse().unwrap();
        self.registry
            .delete_manifest(&permit(repo), &digest, &Silent::teller())
            .await
    }

    pub(crate) async fn delete_blob(&self, repo: &str, digest: &str) -> Result<(), DeleteError> {
        let digest = digest.parse().unwrap();
        self.registry
            .delete_blob(&permit(repo), &digest, &Silent::teller())
            .await
    }
}

pub(crate) fn permit<A: Action>(repo: &str) -> Permit<A> {
    let repo = repo.parse().unwrap();
    Gate::open().permit(&Identity::Anonymous, &repo).unwrap()
}

pub(crate) fn body(bytes: &Bytes) -> Body {
    Box::pin(stream::iter([Ok(bytes.clone())]))
}

/// Asks `check` of the folder at every time of its life: just opened, compared, opened again, and when the database is lost.
///
/// What is served must not depend on what was compared or asked before.
pub(crate) async fn at_all_times(tree: &Tree, check: impl AsyncFn(&Site)) {
    let just_opened = Site::open(tree).await;
    check(&just_opened).await;
    just_opened.index().await;
    check(&just_opened).await;
    just_opened.stop().await;
    let opened_again = Site::open(tree).await;
    check(&opened_again).await;
    opened_again.index().await;
    check(&opened_again).await;
    opened_again.stop().await;
    tree.lose_database();
    let rebuilt = Site::open(tree).await;
    rebuilt.index().await;
    check(&rebuilt).await;
    rebuilt.stop().await;
}
