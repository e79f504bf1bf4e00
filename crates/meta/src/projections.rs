//! The projection queue: whose path in the tree may differ from what these tables say.
//!
//! A row names an owner and no operation, so it does not matter how often or in which order
//! changes came: the worker makes the path equal to the state it reads together with the row,
//! and the row goes only if nothing has queued the owner again meanwhile.

mod key;

use std::time::SystemTime;

use boxyard_oci::{Digest, RepoName, Tag};
use bytes::Bytes;
use rusqlite::{Connection, Row, types::Type};

use crate::{
    Meta, MetaError, StoredManifest, blobs, cache::stamps::Part, clock::Timestamp, column,
    findings, manifests, repositories::Repository, statements::Statements, writer::Write,
};

use self::key::{BLOB, LAYER, REVISION};
pub(crate) use self::key::{Key, TAG};

/// How many bytes of content one answer carries, beyond its first row.
const CONTENT: usize = 16 << 20;

/// How many queueings end in one change.
const ENDED_AT_ONCE: usize = 512;

/// Whose path in the tree it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// A blob's own file.
    Blob(Digest),
    /// The link that says that a repository holds a blob.
    Layer(RepoName, Digest),
    /// The link of a manifest, with the file of its payload.
    Revision(RepoName, Digest),
    /// The links of a tag.
    Tag(RepoName, Tag),
}

/// An owner whose path is to be made equal to a state.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Whose path it is.
    pub owner: Owner,
    /// Tells this queueing from later ones of the same owner.
    pub sequence: i64,
    /// What the path has to show.
    pub state: WantedState,
}

/// What a path has to show; `None` where it must not exist.
#[derive(Clone, Debug)]
pub enum WantedState {
    /// The content; `None` where the file is none of the projection's business any more.
    Blob(Option<Bytes>),
    /// The digest that the link says.
    Layer(Option<Digest>),
    /// The manifest.
    Revision(Option<StoredManifest>),
    /// What the tag names.
    Tag(Option<TagTarget>),
}

/// What a tag names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagTarget {
    /// The manifest's digest.
    pub digest: Digest,
    /// Whether distribution can read that manifest. A manifest that is not there is one of
    /// distribution's own making, so it counts as readable.
    pub expressible: bool,
}

impl Meta {
    /// The first `limit` owners that wait, in the order in which they were last queued, with
    /// what their paths have to show. Fewer come when their content is long.
    pub async fn projections(&self, limit: usize) -> Result<Vec<Wanted>, MetaError> {
        self.read(move |db| wanted(db, limit)).await
    }

    /// How many owners wait.
    pub async fn projection_backlog(&self) -> Result<u64, MetaError> {
        self.read(|db| {
            let count = db.one("SELECT COUNT(*) FROM projections", [], |row| {
                column::size(row, 0)
            })?;
            Ok(count.unwrap_or(0))
        })
        .await
    }

    /// The number of the last change that was queued, or a larger one.
    pub async fn last_queued(&self) -> Result<i64, MetaError> {
        self.read(last_sequence).await
    }

    /// Whether anything waits that was queued up to the number `last`.
    pub async fn waits_until(&self, last: i64) -> Result<bool, MetaError> {
        self.read(move |db| {
            let sql = "SELECT 1 FROM projections WHERE sequence <= $1 LIMIT 1";
            Ok(db.one(sql, [last], |_| Ok(()))?.is_some())
        })
        .await
    }

    /// How many bytes of content wait for their files.
    pub async fn waiting_bytes(&self) -> Result<u64, MetaError> {
        self.read(|db| {
            let sql = "SELECT COALESCE(SUM(LENGTH(bytes)), 0) FROM blob_bytes";
            Ok(db.one(sql, [], |row| column::size(row, 0))?.unwrap_or(0))
        })
        .await
    }

    /// Since when `owner` waits; `None` if it does not.
    pub async fn pending(&self, owner: &Owner) -> Result<Option<SystemTime>, MetaError> {
        let owner = owner.clone();
        self.read(move |db| {
            let Some(key) = Key::of(db, &owner)? else {
                return Ok(None);
            };
            let sql = "SELECT queued_at FROM projections
                       WHERE kind = $1 AND blob_id = $2 AND repository_id = $3 AND tag = $4";
            db.one(sql, key.params(), |row| {
                Ok(row.get::<_, Timestamp>(0)?.system())
            })
        })
        .await
    }

    /// Ends each of these queueings, whose owner stays if it was queued again meanwhile.
    ///
    /// The caller has synced the paths, so a blob's bytes leave the database with its row.
    pub async fn end_projections(&self, sequences: &[i64]) -> Result<(), MetaError> {
        let mut sequences = sequences.to_vec();
        sequences.sort_unstable();
        // Not all in one change, because what clients change meanwhile waits behind it.
        for some in sequences.chunks(ENDED_AT_ONCE) {
            let runs = runs(some);
            self.write(move |tx| runs.iter().try_for_each(|run| end(tx, *run)))
                .await?;
        }
        Ok(())
    }

    /// Forgets what waits, because the tree is of another line and wins.
    ///
    /// Blobs stay: whatever the tree is, their content is what their digests say, and for a
    /// part of it this database is the only place.
    pub async fn drop_projections(&self) -> Result<(), MetaError> {
        self.write(|tx| {
            tx.change("DELETE FROM projections WHERE kind > $1", [BLOB])
                .map(drop)
        })
        .await
    }
}

/// Queues an owner of `repository` whose state has changed.
///
/// Its path is written anew, so what was wrong with it is no finding any more.
pub(crate) fn queue(tx: &Write<'_>, repository: &Repository, key: &Key) -> rusqlite::Result<()> {
    touch(tx, repository, key)?;
    heal(tx, repository, key)?;
    let sql = "INSERT INTO projections (kind, blob_id, repository_id, tag, sequence, queued_at)
               VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (kind, blob_id, repository_id, tag)
               DO UPDATE SET sequence = excluded.sequence, queued_at = excluded.queued_at";
    insert(tx, sql, key)
}

/// Queues an owner of `repository` whose state is what it was: a push that repeats another
/// still repairs the path, but a row that waits already keeps its place before what needs it.
pub(crate) fn queue_again(
    tx: &Write<'_>,
    repository: &Repository,
    key: &Key,
) -> rusqlite::Result<()> {
    touch(tx, repository, key)?;
    heal(tx, repository, key)?;
    insert_missing(tx, key)
}

fn heal(tx: &Write<'_>, repository: &Repository, key: &Key) -> rusqlite::Result<()> {
    if findings::any(tx)?
        && let Some(subject) = key.subject(tx)?
    {
        findings::heal(tx, repository.id, &subject)?;
    }
    Ok(())
}

/// Queues the file of the blob with this number, whose bytes are in the database.
pub(crate) fn queue_blob(tx: &Write<'_>, blob: i64) -> rusqlite::Result<()> {
    insert_missing(tx, &Key::blob(blob))
}

/// Whether what the tree says of an owner is not to be believed.
pub(crate) struct Doubts {
    /// Whether anything waits to be written, in whichever repository.
    queued: bool,
    /// Whether a client has changed anything of this repository before it was complete.
    touched: bool,
}

impl Doubts {
    /// Asks once what is so for no owner of `repository` mostly; otherwise each is looked for.
    pub(crate) fn of(db: &Connection, repository: i64) -> rusqlite::Result<Self> {
        let queued = "SELECT 1 FROM projections WHERE sequence > 0 LIMIT 1";
        let touched = "SELECT 1 FROM touched WHERE repository_id = $1 LIMIT 1";
        Ok(Self {
            queued: db.one(queued, [], |_| Ok(()))?.is_some(),
            touched: db.one(touched, [repository], |_| Ok(()))?.is_some(),
        })
    }

    /// Whether the path of an owner waits to be written, or a client has changed the owner in this
    /// run before its repository was complete.
    ///
    /// `key` looks for it where that is not known without; nothing is in doubt that has none.
    pub(crate) fn about(
        &self,
        db: &Connection,
        key: impl FnOnce() -> rusqlite::Result<Option<Key>>,
    ) -> rusqlite::Result<bool> {
        if !self.queued && !self.touched {
            return Ok(false);
        }
        let Some(key) = key()? else {
            return Ok(false);
        };
        let queued = "SELECT 1 FROM projections
                      WHERE kind = $1 AND blob_id = $2 AND repository_id = $3 AND tag = $4";
        let touched = "SELECT 1 FROM touched
                       WHERE kind = $1 AND blob_id = $2 AND repository_id = $3 AND tag = $4";
        let any = |sql| Ok::<_, rusqlite::Error>(db.one(sql, key.params(), |_| Ok(()))?.is_some());
        Ok((self.queued && any(queued)?) || (self.touched && any(touched)?))
    }
}

/// Forgets that the file of the blob with this number waits.
pub(crate) fn drop_blob(tx: &Write<'_>, blob: i64) -> rusqlite::Result<()> {
    let sql = "DELETE FROM projections
               WHERE kind = $1 AND blob_id = $2 AND repository_id = $3 AND tag = $4";
    tx.change(sql, Key::blob(blob).params()).map(drop)
}

/// The largest number in this queue, that of the releases and that of the events.
pub(crate) fn last_sequence(db: &Connection) -> rusqlite::Result<i64> {
    let mut last = 0;
    for sql in [
        "SELECT COALESCE(MAX(sequence), 0) FROM projections",
        "SELECT COALESCE(MAX(sequence), 0) FROM releases",
        "SELECT COALESCE(MAX(sequence), 0) FROM events",
    ] {
        last = db.one(sql, [], |row| row.get(0))?.unwrap_or(0).max(last);
    }
    Ok(last)
}

fn touch(tx: &Write<'_>, repository: &Repository, key: &Key) -> rusqlite::Result<()> {
    if repository.complete {
        return Ok(());
    }
    let sql = "INSERT INTO touched (kind, blob_id, repository_id, tag) VALUES ($1, $2, $3, $4)
               ON CONFLICT (repository_id, kind, blob_id, tag) DO NOTHING";
    tx.change(sql, key.params()).map(drop)
}

/// Queues an owner whose path somebody else has changed, unless it waits already.
pub(crate) fn insert_missing(tx: &Write<'_>, key: &Key) -> rusqlite::Result<()> {
    let sql = "INSERT INTO projections (kind, blob_id, repository_id, tag, sequence, queued_at)
               VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (kind, blob_id, repository_id, tag) DO NOTHING";
    insert(tx, sql, key)
}

fn insert(tx: &Write<'_>, sql: &str, key: &Key) -> rusqlite::Result<()> {
    let (kind, blob, repository, tag) = key.params();
    let params = (kind, blob, repository, tag, tx.next_sequence(), tx.now);
    tx.change(sql, params).map(drop)
}

/// Numbers without a gap: the first and the last of them.
type Run = (i64, i64);

/// Numbers in their order as runs: what pushes queue together mostly ends together.
fn runs(sequences: &[i64]) -> Vec<Run> {
    let runs = sequences.chunk_by(|one, next| *next == one + 1);
    runs.filter_map(|run| Some((*run.first()?, *run.last()?)))
        .collect()
}

/// A number is given to one queueing alone, so it tells the owner without asking for its repository.
fn end(tx: &Write<'_>, (first, last): Run) -> rusqlite::Result<()> {
    // The engine takes the first column of a key for one that finds few rows, which `kind` does not: with `+` it goes by the sequence.
    let sql = "SELECT blob_id FROM projections
               WHERE sequence BETWEEN $1 AND $2 AND +kind = $3";
    for blob in tx.all(sql, (first, last, BLOB), |row| row.get(0))? {
        let sql = "DELETE FROM blob_bytes WHERE blob_id = $1";
        tx.change_of(&[Part::Blob(blob)], sql, [blob])?;
    }
    let sql = "DELETE FROM projections WHERE sequence BETWEEN $1 AND $2";
    tx.change(sql, [first, last]).map(drop)
}

/// A row of the queue.
struct Queued {
    sequence: i64,
    blob: i64,
    repository: i64,
    owner: Owner,
}

fn wanted(db: &Connection, limit: usize) -> rusqlite::Result<Vec<Wanted>> {
    let sql = "SELECT p.sequence, p.kind, p.blob_id, p.repository_id, p.tag, r.name, n.digest
               FROM projections p LEFT JOIN repositories r ON r.id = p.repository_id
               LEFT JOIN blobs n ON n.id = p.blob_id
               WHERE p.sequence > 0 ORDER BY p.sequence LIMIT $1";
    let queued = db.all(sql, [column::limit(limit)], queued)?;
    let mut wanted = Vec::with_capacity(queued.len());
    let mut content = 0;
    for one in queued {
        let state = state(db, &one)?;
        content += state.content();
        wanted.push(Wanted {
            owner: one.owner,
            sequence: one.sequence,
            state,
        });
        if content > CONTENT {
            break;
        }
    }
    Ok(wanted)
}

fn queued(row: &Row<'_>) -> rusqlite::Result<Queued> {
    let repo = || column::repo(row, 5);
    let digest = || column::digest(row, 6);
    let owner = match row.get(1)? {
        BLOB => Owner::Blob(digest()?),
        LAYER => Owner::Layer(repo()?, digest()?),
        REVISION => Owner::Revision(repo()?, digest()?),
        TAG => Owner::Tag(repo()?, column::tag(row, 4)?),
        _ => return Err(column::malformed(1, Type::Integer, "kind of owner")),
    };
    Ok(Queued {
        sequence: row.get(0)?,
        blob: row.get(2)?,
        repository: row.get(3)?,
        owner,
    })
}

fn state(db: &Connection, of: &Queued) -> rusqlite::Result<WantedState> {
    let (blob, repository) = (of.blob, of.repository);
    Ok(match &of.owner {
        Owner::Blob(_) => WantedState::Blob(blobs::waiting(db, blob)?),
        Owner::Layer(..) => WantedState::Layer(blobs::link(db, repository, blob)?),
        Owner::Revision(..) => WantedState::Revision(manifests::stored(db, repository, blob)?),
        Owner::Tag(_, tag) => WantedState::Tag(tag_target(db, repository, tag)?),
    })
}

fn tag_target(db: &Connection, repository: i64, tag: &Tag) -> rusqlite::Result<Option<TagTarget>> {
    let sql = "SELECT n.digest, m.expressible FROM tags t
               JOIN blobs n ON n.id = t.blob_id
               LEFT JOIN manifests m
                   ON m.repository_id = t.repository_id AND m.blob_id = t.blob_id
               WHERE t.repository_id = $1 AND t.name = $2";
    db.one(sql, (repository, tag.as_str()), |row| {
        Ok(TagTarget {
            digest: column::digest(row, 0)?,
            expressible: row.get::<_, Option<bool>>(1)?.unwrap_or(true),
        })
    })
}

impl WantedState {
    fn content(&self) -> usize {
        match self {
            Self::Blob(Some(bytes)) => bytes.len(),
            Self::Revision(Some(manifest)) => manifest.payload.len(),
            Self::Blob(None) | Self::Layer(_) | Self::Revision(None) | Self::Tag(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests;
