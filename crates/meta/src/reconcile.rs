//! Taking in what the tree says, where it is newer than these tables.
//!
//! Whoever reads the tree notes first what these tables say, then reads the file, then hands
//! both in. An item counts only if nothing has changed in between, so a push or a delete that
//! overtakes the reader is never undone.

use std::time::SystemTime;

use boxyard_oci::{Digest, Manifest, RepoName, Tag};

use crate::{
    FindingKind, Meta, MetaError,
    blobs::{self, BlobState, Known},
    clock::Timestamp,
    digests, findings, manifests,
    projections::{Doubts, Key},
    repositories::{self, Repository},
    reviews,
    states::has_revision,
    tags,
    writer::Write,
};

/// One path of the tree, with what these tables said before it was read.
#[derive(Clone, Debug)]
pub enum Reconcile {
    /// A tag.
    Tag {
        /// Its repository.
        repo: RepoName,
        /// The tag.
        tag: Tag,
        /// What it named in these tables.
        seen: Option<Digest>,
        /// What it names in the tree.
        tree: Option<Digest>,
        /// When its link was written.
        modified: Option<SystemTime>,
    },
    /// A manifest.
    Revision {
        /// Its repository.
        repo: RepoName,
        /// Its digest.
        digest: Digest,
        /// Whether it was in these tables.
        seen: bool,
        /// What the tree holds.
        tree: Option<Manifest>,
        /// When its link was written.
        modified: Option<SystemTime>,
    },
    /// A link to a blob.
    Layer {
        /// Its repository.
        repo: RepoName,
        /// The digest that the link bears as its name.
        digest: Digest,
        /// The size of the blob in these tables, if it was there and not bad.
        seen: Option<u64>,
        /// The blob that the link leads to in the tree, if it is there.
        tree: Option<LayerInTree>,
    },
}

/// What a link to a blob leads to in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerInTree {
    /// The digest that the link says.
    pub target: Digest,
    /// The size of that blob's file.
    pub size: u64,
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// How many items these tables now agree with.
    pub applied: u64,
    /// How many were left alone, because something else is newer.
    pub skipped: u64,
    /// Blobs whose files have another size than this registry has hashed. They are bad now.
    pub damaged: Vec<Digest>,
    /// Blobs whose content was found wrong, and whose files have changed since.
    pub suspects: Vec<Digest>,
}

impl Meta {
    /// Takes in what the tree says, in one transaction.
    ///
    /// An item is skipped when its tables have changed since they were seen, while its owner
    /// waits in the projection queue, when a client has changed it in this run, and when its
    /// repository is complete. Other writers wait for a batch: keep it to some thousand items,
    /// those of a repository together.
    pub async fn reconcile(&self, items: Vec<Reconcile>) -> Result<Reconciled, MetaError> {
        self.write(move |tx| {
            let mut batch = Batch {
                tx,
                repository: None,
                result: Reconciled::default(),
            };
            items.iter().try_for_each(|item| batch.item(item))?;
            batch.leave()?;
            Ok(batch.result)
        })
        .await
    }
}

/// A batch on its way, at one repository at a time.
struct Batch<'a> {
    tx: &'a Write<'a>,
    repository: Option<Current>,
    result: Reconciled,
}

/// The repository that the last item was of.
struct Current {
    name: RepoName,
    row: Repository,
    doubts: Doubts,
    /// Whether something has gone, so that the catalog may have to lose it.
    shrunk: bool,
}

/// What became of one item.
enum Outcome {
    Applied,
    Skipped,
    Damaged(Digest),
    Suspect(Digest),
}

impl Batch<'_> {
    fn item(&mut self, item: &Reconcile) -> rusqlite::Result<()> {
        let outcome = self.outcome(item)?;
        match outcome {
            Outcome::Applied => self.result.applied += 1,
            Outcome::Skipped => self.result.skipped += 1,
            Outcome::Damaged(digest) => {
                self.result.applied += 1;
                self.result.damaged.push(digest);
            }
            Outcome::Suspect(digest) => {
                self.result.applied += 1;
                self.result.suspects.push(digest);
            }
        }
        Ok(())
    }

    fn outcome(&mut self, item: &Reconcile) -> rusqlite::Result<Outcome> {
        let tx = self.tx;
        let at = self.enter(item.repo())?;
        if at.row.complete || at.doubts.about(tx, || item.key(tx, &at.row))? {
            return Ok(Outcome::Skipped);
        }
        match item {
            Reconcile::Tag {
                tag,
                seen,
                tree,
                modified,
                ..
            } => at.tag(tx, tag, *seen, *tree, time(tx, *modified)),
            Reconcile::Revision {
                digest,
                seen,
                tree,
                modified,
                ..
            } => at.revision(tx, digest, *seen, tree.as_ref(), time(tx, *modified)),
            Reconcile::Layer {
                digest, seen, tree, ..
            } => at.layer(tx, digest, *seen, *tree),
        }
    }

    fn enter(&mut self, name: &RepoName) -> rusqlite::Result<&mut Current> {
        if self
            .repository
            .as_ref()
            .is_some_and(|current| current.name != *name)
        {
            self.leave()?;
        }
        let current = match self.repository.take() {
            Some(current) => current,
            None => Current::enter(self.tx, name)?,
        };
        Ok(self.repository.insert(current))
    }

    fn leave(&mut self) -> rusqlite::Result<()> {
        match self.repository.take() {
            Some(mut current) if current.shrunk => {
                repositories::unlist_if_empty(self.tx, &mut current.row)
            }
            _ => Ok(()),
        }
    }
}

impl Current {
    fn enter(tx: &Write<'_>, name: &RepoName) -> rusqlite::Result<Self> {
        let row = repositories::ensure(tx, name)?;
        let doubts = Doubts::of(tx, row.id)?;
        Ok(Self {
            name: name.clone(),
            row,
            doubts,
            shrunk: false,
        })
    }

    fn tag(
        &mut self,
        tx: &Write<'_>,
        tag: &Tag,
        seen: Option<Digest>,
        tree: Option<Digest>,
        time: Timestamp,
    ) -> rusqlite::Result<Outcome> {
        let named = tags::named(tx, self.row.id, tag)?;
        if named.map(|(_, digest)| digest) != seen {
            return Ok(Outcome::Skipped);
        }
        match tree {
            Some(digest) => {
                let before = named.map(|(number, _)| number);
                tags::move_from(tx, &self.row, tag, before, &digest, time)?;
                repositories::list(tx, &mut self.row)?;
            }
            None => self.shrunk |= tags::remove(tx, &self.row, tag)?,
        }
        Ok(Outcome::Applied)
    }

    fn revision(
        &mut self,
        tx: &Write<'_>,
        digest: &Digest,
        seen: bool,
        tree: Option<&Manifest>,
        time: Timestamp,
    ) -> rusqlite::Result<Outcome> {
        if has_revision(tx, self.row.id, digest)? != seen {
            return Ok(Outcome::Skipped);
        }
        match tree {
            Some(manifest) => {
                manifests::store(tx, &self.row, manifest, time)?;
                repositories::list(tx, &mut self.row)?;
                if self.row.adopted {
                    reviews::manifest_came(tx, &self.row, digests::number(tx, digest)?)?;
                }
            }
            None => self.shrunk |= manifests::remove(tx, &self.row, digest)?,
        }
        Ok(Outcome::Applied)
    }

    fn layer(
        &mut self,
        tx: &Write<'_>,
        digest: &Digest,
        seen: Option<u64>,
        tree: Option<LayerInTree>,
    ) -> rusqlite::Result<Outcome> {
        let held = blobs::held(tx, self.row.id, digest)?;
        if held.as_ref().and_then(|held| held.size) != seen {
            return Ok(Outcome::Skipped);
        }
        let Some(LayerInTree { target, size }) = tree else {
            // What waits for its file is not in the tree yet, even where its link is.
            if let Some(held) = held
                && !blobs::is_waiting(tx, held.target)?
            {
                blobs::release(tx, &self.row, held.name)?;
            }
            return Ok(Outcome::Applied);
        };
        let (blob, outcome) = adopt(tx, &target, size)?;
        let name = if target == *digest {
            blob
        } else {
            digests::number(tx, digest)?
        };
        let is_new = blobs::set_link(tx, &self.row, name, blob)?;
        if is_new && self.row.adopted {
            // At the first reading all are looked at together, when its manifests are known.
            reviews::blob_came(tx, &self.row, name)?;
        }
        Ok(outcome)
    }
}

impl Reconcile {
    fn repo(&self) -> &RepoName {
        match self {
            Self::Tag { repo, .. } | Self::Revision { repo, .. } | Self::Layer { repo, .. } => repo,
        }
    }

    fn key(&self, tx: &Write<'_>, repository: &Repository) -> rusqlite::Result<Option<Key>> {
        match self {
            Self::Tag { tag, .. } => Ok(Some(Key::tag(repository, tag))),
            Self::Revision { digest, .. } => Key::find_revision(tx, repository, digest),
            Self::Layer { digest, .. } => Key::find_layer(tx, repository, digest),
        }
    }
}

/// Takes in that the file of `digest` has `size` bytes; the blob's number.
///
/// A size that was hashed cannot change, so another one is damage; the right one again is a
/// repair by another program, unless it was the content that was found wrong.
fn adopt(tx: &Write<'_>, digest: &Digest, size: u64) -> rusqlite::Result<(i64, Outcome)> {
    let Some(blob) = blobs::known(tx, digest)? else {
        return Ok((blobs::add(tx, digest, size, false)?, Outcome::Applied));
    };
    let outcome = if blob.size == size || !blob.verified {
        accept(tx, digest, size, &blob)?
    } else if blobs::is_waiting(tx, blob.id)? {
        // The file is not written yet, or not again.
        Outcome::Applied
    } else {
        blobs::set_state(tx, blob.id, BlobState::Bad)?;
        Outcome::Damaged(*digest)
    };
    Ok((blob.id, outcome))
}

fn accept(tx: &Write<'_>, digest: &Digest, size: u64, blob: &Known) -> rusqlite::Result<Outcome> {
    if blob.state == Some(BlobState::Present) && blob.size == size {
        return Ok(Outcome::Applied);
    }
    if blob.state == Some(BlobState::Bad) {
        let subject = digest.to_string();
        if findings::is_open(tx, FindingKind::BlobDamaged, &subject)? {
            let is_unchanged = blob.size == size;
            return Ok(if is_unchanged {
                Outcome::Applied
            } else {
                Outcome::Suspect(*digest)
            });
        }
        findings::resolve(tx, &subject)?;
    }
    blobs::set_present(tx, blob.id, size, blob.verified)?;
    Ok(Outcome::Applied)
}

fn time(tx: &Write<'_>, modified: Option<SystemTime>) -> Timestamp {
    modified.map_or(tx.now, Timestamp::from_system)
}

#[cfg(test)]
mod tests;
