//! What the database has of one repository, whole: the side of a comparison that the tree may have lost.

use boxyard_oci::{Digest, RepoName, Tag};

use crate::Registry;
use crate::error::{During, Internal};

/// Rows read in one transaction.
const PAGE: usize = 1_000;

impl Registry {
    /// All blobs that the database has in the repository, among which the tree may have lost some.
    pub(crate) async fn rows_of_layers(&self, repo: &RepoName) -> Result<Vec<Digest>, Internal> {
        let mut names: Vec<Digest> = Vec::new();
        loop {
            let page = self
                .meta
                .all_layers(repo, names.last(), PAGE)
                .await
                .during("list blobs")?;
            let more = page.len() == PAGE;
            names.extend(page.into_iter().map(|(digest, _)| digest));
            if !more {
                return Ok(names);
            }
        }
    }

    pub(crate) async fn rows_of_manifests(&self, repo: &RepoName) -> Result<Vec<Digest>, Internal> {
        let mut names: Vec<Digest> = Vec::new();
        loop {
            let page = self.meta.all_revisions(repo, names.last(), PAGE).await;
            let page = page.during("list manifests")?;
            let more = page.len() == PAGE;
            names.extend(page);
            if !more {
                return Ok(names);
            }
        }
    }

    pub(crate) async fn rows_of_tags(&self, repo: &RepoName) -> Result<Vec<Tag>, Internal> {
        let mut names: Vec<Tag> = Vec::new();
        loop {
            let page = self
                .meta
                .all_tags(repo, names.last(), PAGE)
                .await
                .during("list tags")?;
            let more = page.len() == PAGE;
            names.extend(page.into_iter().map(|(tag, _)| tag));
            if !more {
                return Ok(names);
            }
        }
    }
}
