//! What these tables say of many owners at once, for those who compare them with the tree.

use boxyard_oci::{Digest, EdgeKind, RepoName, Tag};
use rusqlite::Connection;

use crate::{
    Meta, MetaError, blobs, manifests,
    projections::{Doubts, Key},
    repositories::{self, Repository},
    statements::Statements,
    tags,
};

impl Meta {
    /// For each of `tags` what it names, and whether the tree is not to be believed about it.
    pub async fn tag_states(
        &self,
        repo: &RepoName,
        tags: &[Tag],
    ) -> Result<Vec<(Option<Digest>, bool)>, MetaError> {
        let tags = tags.to_vec();
        let key = |_: &Connection, repository: &Repository, tag: &Tag| {
            Ok(Some(Key::tag(repository, tag)))
        };
        self.states(repo, tags, key, tags::target).await
    }

    /// For each of `digests` whether there is such a manifest, and whether the tree is not to
    /// be believed about it.
    pub async fn revision_states(
        &self,
        repo: &RepoName,
        digests: &[Digest],
    ) -> Result<Vec<(bool, bool)>, MetaError> {
        let digests = digests.to_vec();
        self.states(repo, digests, Key::find_revision, has_revision)
            .await
    }

    /// For each of `digests` the size of the blob that is held under this name, unless it is
    /// bad, and whether the tree is not to be believed about it.
    pub async fn layer_states(
        &self,
        repo: &RepoName,
        digests: &[Digest],
    ) -> Result<Vec<(Option<u64>, bool)>, MetaError> {
        let digests = digests.to_vec();
        self.states(repo, digests, Key::find_layer, layer_size)
            .await
    }

    /// Those of `digests` that a manifest of `repo` needs.
    pub async fn named_blobs(
        &self,
        repo: &RepoName,
        digests: &[Digest],
    ) -> Result<Vec<Digest>, MetaError> {
        let (repo, digests) = (repo.clone(), digests.to_vec());
        self.read(move |db| {
            let sql = "SELECT 1 FROM edges
                       WHERE blob_id = (SELECT id FROM blobs WHERE digest = $1)
                       AND repository_id = (SELECT id FROM repositories WHERE name = $2)
                       AND kind <> $3 LIMIT 1";
            let subject = EdgeKind::Subject.as_u8();
            let mut named = Vec::new();
            for digest in digests {
                let params = (digest.to_bytes(), repo.as_str(), subject);
                if db.one(sql, params, |_| Ok(()))?.is_some() {
                    named.push(digest);
                }
            }
            Ok(named)
        })
        .await
    }

    async fn states<Name, State>(
        &self,
        repo: &RepoName,
        names: Vec<Name>,
        key: fn(&Connection, &Repository, &Name) -> rusqlite::Result<Option<Key>>,
        state: fn(&Connection, i64, &Name) -> rusqlite::Result<State>,
    ) -> Result<Vec<(State, bool)>, MetaError>
    where
        Name: Send + 'static,
        State: Default + Send + 'static,
    {
        let repo = repo.clone();
        self.read(move |db| {
            let Some(repository) = repositories::find(db, &repo)? else {
                return Ok(names.iter().map(|_| (State::default(), false)).collect());
            };
            let doubts = Doubts::of(db, repository.id)?;
            let one = |name| {
                let state = state(db, repository.id, name)?;
                Ok((state, doubts.about(db, || key(db, &repository, name))?))
            };
            names.iter().map(one).collect()
        })
        .await
    }
}

pub(crate) fn has_revision(
    db: &Connection,
    repository: i64,
    digest: &Digest,
) -> rusqlite::Result<bool> {
    Ok(manifests::expressible(db, repository, digest)?.is_some())
}

fn layer_size(db: &Connection, repository: i64, digest: &Digest) -> rusqlite::Result<Option<u64>> {
    Ok(blobs::held(db, repository, digest)?.and_then(|held| held.size))
}

#[cfg(test)]
mod tests;
