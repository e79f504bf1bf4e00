//! Blobs that a manifest names and a link promises, and whose files are not there.

use boxyard_blobs::{Link, LinkText, Tree};
use boxyard_meta::{Finding, FindingKind};
use boxyard_oci::{Digest, RepoName};

use crate::Registry;
use crate::error::{During, Internal, on_disk};

impl Registry {
    /// Reports what is missing among `loose`, the links of `repo` that lead to nothing.
    ///
    /// Asked when its manifests have been compared: a collector leaves links to what nobody names any more, and that is no damage.
    pub(crate) async fn report_missing(
        &self,
        repo: &RepoName,
        loose: &[Digest],
    ) -> Result<(), Internal> {
        if loose.is_empty() {
            return Ok(());
        }
        let named = self.meta.named_blobs(repo, loose).await;
        for digest in named.during("look for manifests that name blobs")? {
            if let Some(target) = self.link_target(repo, digest).await? {
                self.mark_missing(&target).await?;
            }
        }
        Ok(())
    }

    async fn link_target(
        &self,
        repo: &RepoName,
        digest: Digest,
    ) -> Result<Option<Digest>, Internal> {
        let (folder, repo) = (self.folder.clone(), repo.clone());
        let text = on_disk(move || {
            let (repo, digest) = (&repo, &digest);
            folder.read_link(Tree::Distribution, &Link::Layer { repo, digest })
        });
        Ok(match text.await.during("read a layer link")? {
            LinkText::To(target) => Some(target),
            LinkText::Absent | LinkText::Garbled => None,
        })
    }

    async fn mark_missing(&self, digest: &Digest) -> Result<(), Internal> {
        let claim = self.claims.claim(digest).await;
        let (folder, name) = (self.folder.clone(), *claim.digest());
        let size = on_disk(move || folder.blob_size(&name)).await;
        if size.during("look for a blob's file")?.is_some() {
            return Ok(());
        }
        let noted = self.meta.note_blob(digest, 0).await;
        noted.during("record a blob")?;
        let detail = "its file is missing, and a manifest names it";
        tracing::error!(blob.digest = %digest, "blob is damaged: {detail}; push it again to heal it");
        let finding = Finding {
            kind: FindingKind::BlobMissing,
            repo: None,
            subject: digest.to_string(),
            detail: detail.to_owned(),
        };
        let marked = self.meta.mark_blob_bad(digest, &finding).await;
        marked.during("record a missing blob")
    }
}
