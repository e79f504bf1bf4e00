//! Whether bytes are really there: the file's size is compared before anything is promised of it.

use boxyard_blobs::Folder;
use boxyard_meta::{BlobRow, BlobState, Finding, FindingKind};
use boxyard_oci::{Digest, RepoName};

use crate::Registry;
use crate::error::{During, Internal, blocking};

/// A blob that a repository holds and whose bytes are there.
#[derive(Clone, Debug)]
pub(crate) struct Present {
    /// The name of the bytes, which differs from the asked one where that is an alias.
    pub(crate) target: Digest,
    pub(crate) row: BlobRow,
}

impl Registry {
    /// The blob under `digest` in `repo`, if its row is good and its file has the right size.
    ///
    /// A file that is missing or of another size makes the blob bad: a finding, and absent everywhere until somebody pushes it again.
    pub(crate) async fn present(
        &self,
        repo: &RepoName,
        digest: &Digest,
    ) -> Result<Option<Present>, Internal> {
        self.refresh_layer(repo, digest).await?;
        let Some(held) = self
            .meta
            .blob(repo, digest)
            .await
            .during("look up a blob")?
        else {
            return Ok(None);
        };
        let good = self.is_good(&held.target, &held.row).await?;
        Ok(good.then_some(Present {
            target: held.target,
            row: held.row,
        }))
    }

    /// Whether good bytes of `digest` with this size are stored already, durable and recorded.
    ///
    /// The row is asked first: a file without a row may not have been synced yet.
    pub(crate) async fn is_stored(&self, digest: &Digest, size: u64) -> Result<bool, Internal> {
        let row = self
            .meta
            .blob_anywhere(digest)
            .await
            .during("look up a blob")?;
        match row {
            Some(row) if row.size == size => self.is_good(digest, &row).await,
            _ => Ok(false),
        }
    }

    async fn is_good(&self, digest: &Digest, row: &BlobRow) -> Result<bool, Internal> {
        if row.state != BlobState::Present {
            return Ok(false);
        }
        if row.bytes.is_some() {
            return Ok(true);
        }
        let actual = file_size(&self.folder, digest).await?;
        if actual == Some(row.size) {
            return Ok(true);
        }
        self.mark_bad(digest, row.size, actual).await?;
        Ok(false)
    }

    /// Records that the file of `digest` is not what its row says.
    pub(crate) async fn mark_bad(
        &self,
        digest: &Digest,
        expected: u64,
        actual: Option<u64>,
    ) -> Result<(), Internal> {
        let (kind, detail) = damage(expected, actual);
        tracing::error!(blob.digest = %digest, "blob is damaged: {detail}; push it again to heal it");
        let finding = Finding {
            kind,
            repo: None,
            subject: digest.to_string(),
            detail,
        };
        self.meta
            .mark_blob_bad(digest, &finding)
            .await
            .during("record a damaged blob")
    }
}

fn damage(expected: u64, actual: Option<u64>) -> (FindingKind, String) {
    if let Some(actual) = actual {
        let detail = format!("its file has {actual} bytes instead of {expected}");
        return (FindingKind::BlobSize, detail);
    }
    let detail = format!("its file of {expected} bytes is missing");
    (FindingKind::BlobMissing, detail)
}

async fn file_size(folder: &Folder, digest: &Digest) -> Result<Option<u64>, Internal> {
    let (folder, digest) = (folder.clone(), *digest);
    blocking(move || folder.blob_size(&digest))
        .await
        .during("look for a blob's file")
}
