//! What an adopted folder holds without need, so that the collector looks at it.

use boxyard_meta::ReviewKind;
use boxyard_oci::{Digest, RepoName};

use crate::Registry;
use crate::error::{During, Internal, on_disk};

/// Objects asked about in one transaction.
const PAGE: usize = 1_000;

impl Registry {
    /// Looks at whatever nothing uses in a repository that is read for the first time.
    pub(crate) async fn review_adopted(&self, repo: &RepoName) -> Result<(), Internal> {
        let adopted = self.meta.was_adopted(repo).await;
        if adopted.during("look up a repository")? {
            // Since then, whatever changes queues itself.
            return Ok(());
        }
        let mut after = Some(0);
        while let Some(position) = after {
            let next = self.meta.review_adopted(repo, position, PAGE).await;
            after = next.during("look for what a repository does not need")?;
        }
        Ok(())
    }

    /// Looks at files of blobs that no repository holds.
    ///
    /// A folder that cannot be read stops nothing; its files stay.
    pub(crate) async fn review_files(&self) {
        let mut after: Option<Digest> = None;
        loop {
            match self.review_page_of_files(after).await {
                Ok(Some(last)) => after = Some(last),
                Ok(None) => return,
                Err(error) => {
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(%error, source, "files that nobody holds could not be looked for");
                    return;
                }
            }
        }
    }

    async fn review_page_of_files(
        &self,
        after: Option<Digest>,
    ) -> Result<Option<Digest>, Internal> {
        let folder = self.folder.clone();
        let listed = on_disk(move || folder.blobs(after.as_ref(), PAGE));
        let (page, _) = listed.await.during("list the files of blobs")?;
        let reviewed = self.meta.review_files(&page).await;
        reviewed.during("look for files that nobody holds")?;
        Ok(page.last().copied())
    }

    /// From now on the time of what was found runs.
    pub(crate) async fn begin_adopted_reviews(&self) -> Result<(), Internal> {
        for kind in [ReviewKind::Blob, ReviewKind::Manifest, ReviewKind::File] {
            loop {
                let begun = self.meta.begin_adopted_reviews(kind, PAGE).await;
                if begun.during("begin the time of what was found")? == 0 {
                    break;
                }
            }
        }
        Ok(())
    }
}
