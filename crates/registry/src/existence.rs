//! Whether bytes are really there: the file's size is compared before anything is promised of it.

use boxyard_meta::{BlobRow, BlobState, Finding, FindingKind, HeldBlob, HeldSize};
use boxyard_oci::{Digest, RepoName};

use crate::Registry;
use crate::claims::Claim;
use crate::error::{During, Internal};

/// A blob that a repository holds and whose bytes are there.
#[derive(Clone, Debug)]
pub(crate) struct Present {
    pub(crate) row: BlobRow,
}

/// The size of a file that should have another one, or none where there is no file.
struct Misfit {
    actual: Option<u64>,
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
        let Some(held) = self.held(repo, digest).await? else {
            return Ok(None);
        };
        let row = self.good(&held.target, held.row).await?;
        Ok(row.map(|row| Present { row }))
    }

    /// What `repo` holds under the name `digest`, whatever its file is.
    pub(crate) async fn held(
        &self,
        repo: &RepoName,
        digest: &Digest,
    ) -> Result<Option<HeldBlob>, Internal> {
        self.refresh_layer(repo, digest).await?;
        let held = self.meta.blob(repo, digest).await;
        held.during("look up a blob")
    }

    /// The sizes of the blobs under `digests` in `repo`, by the same rules as [`Registry::present`]; none for what is not there.
    ///
    /// All are looked up at once, because a manifest names several and each look of its own would go to another thread and back.
    pub(crate) async fn sizes(
        &self,
        repo: &RepoName,
        digests: &[Digest],
    ) -> Result<Vec<Option<u64>>, Internal> {
        for digest in digests {
            self.refresh_layer(repo, digest).await?;
        }
        let held = self.meta.held_sizes(repo, digests).await;
        let held = held.during("look up blobs")?;
        let fits = self.have_files(&held).await?;
        let mut sizes = Vec::with_capacity(held.len());
        for (held, fits) in held.into_iter().zip(fits) {
            sizes.push(match held {
                Some(held) if fits => Some(held.size),
                // Somebody may just be replacing or removing it.
                Some(held) => self.good_at_rest(&held.target).await?.map(|row| row.size),
                None => None,
            });
        }
        Ok(sizes)
    }

    /// Which of these have their bytes, in the database or in a file of the right size.
    async fn have_files(&self, held: &[Option<HeldSize>]) -> Result<Vec<bool>, Internal> {
        let in_files = |one: &HeldSize| !one.is_waiting;
        let files = held.iter().flatten().filter(|one| in_files(one)).count();
        if files == 0 {
            return Ok(vec![true; held.len()]);
        }
        let (folder, held) = (self.folder.clone(), held.to_vec());
        let look = move |one: &Option<HeldSize>| match one.as_ref().filter(|one| in_files(one)) {
            Some(one) => Ok(folder.blob_size(&one.target)? == Some(one.size)),
            None => Ok(true),
        };
        let looked = self
            .looks
            .look(files, move || held.iter().map(look).collect());
        looked.await.during("look for the files of blobs")
    }

    /// Whether good bytes of `digest` with this size are stored already, durable and recorded.
    ///
    /// The row is asked first: a file without a row may not have been synced yet.
    /// Who asks has claimed the blob, so that the answer stays true until it is recorded.
    /// Who asks also has the bytes and stores them now if they are not, so that is no finding: another registry may have collected them.
    pub(crate) async fn is_stored(&self, claim: &Claim<'_>, size: u64) -> Result<bool, Internal> {
        let digest = claim.digest();
        let row = self.meta.blob_anywhere(digest).await;
        match row.during("look up a blob")? {
            // What another registry has written was neither hashed nor synced by this one.
            Some(row) if row.state == BlobState::Present && row.verified && row.size == size => {
                Ok(self.misfit(digest, &row).await?.is_none())
            }
            _ => Ok(false),
        }
    }

    /// The row of `digest` if its bytes are there.
    ///
    /// Where they are not, somebody may just be replacing or removing them, so nothing is said before they have done.
    async fn good(&self, digest: &Digest, row: BlobRow) -> Result<Option<BlobRow>, Internal> {
        if row.state != BlobState::Present {
            return Ok(None);
        }
        if self.misfit(digest, &row).await?.is_none() {
            return Ok(Some(row));
        }
        self.good_at_rest(digest).await
    }

    /// The same when nobody is changing the blob.
    pub(crate) async fn good_at_rest(&self, digest: &Digest) -> Result<Option<BlobRow>, Internal> {
        let claim = self.claims.claim(digest).await;
        self.claimed_good(&claim).await
    }

    async fn claimed_good(&self, claim: &Claim<'_>) -> Result<Option<BlobRow>, Internal> {
        let digest = claim.digest();
        let row = self
            .meta
            .blob_anywhere(digest)
            .await
            .during("look up a blob")?;
        let Some(row) = row.filter(|row| row.state == BlobState::Present) else {
            return Ok(None);
        };
        match self.misfit(digest, &row).await? {
            None => Ok(Some(row)),
            Some(Misfit { actual }) => {
                self.mark_bad(digest, row.size, actual).await?;
                Ok(None)
            }
        }
    }

    /// Whether `digest` has a file of this size.
    pub(crate) async fn has_file(&self, digest: &Digest, size: u64) -> Result<bool, Internal> {
        Ok(self.file_size(digest).await? == Some(size))
    }

    async fn file_size(&self, digest: &Digest) -> Result<Option<u64>, Internal> {
        let (folder, digest) = (self.folder.clone(), *digest);
        let looked = self.looks.look(1, move || folder.blob_size(&digest));
        looked.await.during("look for a blob's file")
    }

    /// How the bytes of `digest` differ from what its row says, if they do.
    async fn misfit(&self, digest: &Digest, row: &BlobRow) -> Result<Option<Misfit>, Internal> {
        if row.bytes.is_some() {
            return Ok(None);
        }
        let actual = self.file_size(digest).await?;
        Ok((actual != Some(row.size)).then_some(Misfit { actual }))
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
