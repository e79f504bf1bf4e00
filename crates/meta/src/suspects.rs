//! Damaged blobs whose files have changed since: somebody may have repaired them.

use boxyard_oci::Digest;

use crate::{
    Meta, MetaError,
    blobs::{self, BlobState},
    cache::stamps::Part,
    column, findings,
};

impl Meta {
    /// Takes in what hashing a suspect has shown: its file has `size` bytes, and is `intact` or not.
    pub async fn judge_suspect(
        &self,
        digest: &Digest,
        size: u64,
        intact: bool,
    ) -> Result<(), MetaError> {
        let digest = *digest;
        self.write(move |tx| {
            let known = blobs::known(tx, &digest)?;
            let Some(blob) = known.filter(|blob| blob.state == Some(BlobState::Bad)) else {
                return Ok(());
            };
            if intact {
                findings::resolve(tx, &digest.to_string())?;
                return blobs::set_present(tx, blob.id, size, true);
            }
            // So that it is not hashed again before it changes again.
            let sql = "UPDATE blobs SET size = $1 WHERE id = $2";
            let params = (column::integer(size), blob.id);
            tx.change_of(&[Part::Blob(blob.id)], sql, params).map(drop)
        })
        .await
    }
}

#[cfg(test)]
mod tests;
