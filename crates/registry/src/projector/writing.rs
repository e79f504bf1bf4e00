//! Writes what a round has to show.

use std::collections::HashSet;
use std::io;
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use boxyard_blobs::{Batch, Folder, Link, Tree};
use boxyard_meta::{Owner, StoredManifest, TagTarget, Wanted, WantedState};
use boxyard_oci::{Digest, RepoName, Tag};

/// So many make a small piece: enough to be synced by their filesystem and not one by one.
const SMALL: usize = 20;
/// Where a piece takes so long, a sync is dear, as with a journal on a disk that turns: the next piece is larger.
const DEAR: Duration = Duration::from_millis(10);
/// What clients have of the disk and the processors after each small piece.
const REST: Duration = Duration::from_millis(2);

/// How much is synced at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pieces {
    /// A little: a commit waits behind whatever the disk has been given before it.
    Small,
    /// Everything, which costs the least.
    One,
}

/// What has become of a round.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The numbers of the queueings that have ended.
    pub(super) done: Vec<i64>,
    /// Why others have not.
    pub(super) failure: Option<io::Error>,
    /// The content that could not be written.
    lacking: HashSet<Digest>,
}

impl Written {
    /// Makes the paths of `wanted` show what they have to, and syncs them.
    pub(super) fn of(folder: &Folder, mut wanted: Vec<Wanted>, pieces: Pieces) -> Self {
        wanted.sort_by_key(|wanted| order(&wanted.state));
        let mut written = Self::default();
        match pieces {
            Pieces::One => written.add(folder, &wanted),
            Pieces::Small => written.add_in_pieces(folder, &wanted),
        }
        written
    }

    fn add_in_pieces(&mut self, folder: &Folder, mut wanted: &[Wanted]) {
        let mut size = SMALL;
        while !wanted.is_empty() {
            let (piece, rest) = wanted.split_at(size.min(wanted.len()));
            let begun = Instant::now();
            self.add(folder, piece);
            size = size_after(size, begun.elapsed());
            if !rest.is_empty() {
                park_timeout(REST);
            }
            wanted = rest;
        }
    }

    /// Writes a piece in one batch; where that fails, one by one, so that one bad path stops no other.
    fn add(&mut self, folder: &Folder, piece: &[Wanted]) {
        if self.failure.is_none() && write_together(folder, piece).is_ok() {
            self.done.extend(piece.iter().map(|one| one.sequence));
            return;
        }
        for one in piece {
            self.add_one(folder, one);
        }
    }

    fn add_one(&mut self, folder: &Folder, one: &Wanted) {
        // A link to what could not be written waits for it.
        if leads_to(&one.state).is_some_and(|target| self.lacking.contains(target)) {
            return;
        }
        match write_together(folder, std::slice::from_ref(one)) {
            Ok(()) => self.done.push(one.sequence),
            Err(error) => {
                self.failure = Some(error);
                self.lacking.extend(content_of(&one.owner));
            }
        }
    }
}

/// The size of the piece that follows one of `size`, which took so long.
fn size_after(size: usize, took: Duration) -> usize {
    if took < DEAR { size } else { size * 2 }
}

/// What is read by way of this link.
fn leads_to(state: &WantedState) -> Option<&Digest> {
    match state {
        WantedState::Layer(target) => target.as_ref(),
        WantedState::Tag(target) => target.as_ref().map(|target| &target.digest),
        WantedState::Blob(_) | WantedState::Revision(_) => None,
    }
}

/// The content whose file is written for this owner.
fn content_of(owner: &Owner) -> Option<Digest> {
    match owner {
        Owner::Blob(digest) | Owner::Revision(_, digest) => Some(*digest),
        Owner::Layer(..) | Owner::Tag(..) => None,
    }
}

/// Deletes go from the tag down, and what is new is built from the blob up, so that distribution never meets a link to nothing.
fn order(state: &WantedState) -> u8 {
    match state {
        WantedState::Tag(None) => 0,
        WantedState::Revision(None) => 1,
        WantedState::Layer(None) => 2,
        WantedState::Blob(_) => 3,
        WantedState::Layer(Some(_)) => 4,
        WantedState::Revision(Some(_)) => 5,
        WantedState::Tag(Some(_)) => 6,
    }
}

fn write_together(folder: &Folder, wanted: &[Wanted]) -> io::Result<()> {
    let mut batch = folder.batch();
    for one in wanted {
        write_one(&mut batch, &one.owner, &one.state);
    }
    batch.finish()
}

fn write_one(batch: &mut Batch, owner: &Owner, state: &WantedState) {
    match (owner, state) {
        (Owner::Blob(digest), WantedState::Blob(Some(bytes))) => {
            batch.write_blob(digest, bytes.clone());
        }
        (Owner::Layer(repo, digest), WantedState::Layer(Some(target))) => {
            batch.write_link(Tree::Distribution, &Link::Layer { repo, digest }, target);
        }
        (Owner::Layer(repo, digest), WantedState::Layer(None)) => {
            batch.remove_layer(Tree::Distribution, repo, digest);
        }
        (Owner::Revision(repo, digest), WantedState::Revision(Some(stored))) => {
            write_revision(batch, repo, digest, stored);
        }
        (Owner::Revision(repo, digest), WantedState::Revision(None)) => {
            batch.remove_revision(Tree::Distribution, repo, digest);
            batch.remove_revision(Tree::Own, repo, digest);
        }
        (Owner::Tag(repo, tag), WantedState::Tag(Some(target))) => {
            write_tag(batch, repo, tag, target);
        }
        (Owner::Tag(repo, tag), WantedState::Tag(None)) => {
            batch.remove_tag(Tree::Distribution, repo, tag);
            batch.remove_tag(Tree::Own, repo, tag);
        }
        // The bytes of a blob are a file already, or the owner and its state do not belong together.
        _ => {}
    }
}

fn write_revision(batch: &mut Batch, repo: &RepoName, digest: &Digest, stored: &StoredManifest) {
    batch.write_blob(digest, stored.payload.clone());
    let link = Link::Revision { repo, digest };
    if stored.schema1 || stored.expressible {
        if batch.is_in_own_tree(repo) {
            batch.remove_revision(Tree::Own, repo, digest);
        }
        batch.make_repository(Tree::Distribution, repo);
        batch.write_link(Tree::Distribution, &link, digest);
        return;
    }
    batch.remove_revision(Tree::Distribution, repo, digest);
    batch.write_media_type(repo, digest, stored.media_type.as_str());
    batch.write_link(Tree::Own, &link, digest);
}

fn write_tag(batch: &mut Batch, repo: &RepoName, tag: &Tag, target: &TagTarget) {
    let digest = &target.digest;
    let (tree, other) = if target.expressible {
        (Tree::Distribution, Tree::Own)
    } else {
        (Tree::Own, Tree::Distribution)
    };
    if other == Tree::Distribution || batch.is_in_own_tree(repo) {
        batch.remove_tag(other, repo, tag);
    }
    batch.write_link(tree, &Link::TagIndex { repo, tag, digest }, digest);
    batch.write_link(tree, &Link::TagCurrent { repo, tag }, digest);
}

#[cfg(test)]
mod tests;
