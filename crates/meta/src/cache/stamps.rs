//! When what the tables say was changed, so that whoever remembers something of them knows
//! whether it still holds.
//!
//! What is remembered says at which moment it was read and which [`Part`]s of the tables it was
//! read from. The writer stamps every part that a group of changes touches: before the commit
//! as changing, so that everybody asks the tables; after the commit, and before anybody is
//! answered, with a new moment. What was read at an earlier moment does not hold any more then,
//! whether it was read before the commit or while it went on.
//!
//! Parts share stamps by a hash. Two that do cost each other a read now and then, and nothing
//! else.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

use boxyard_oci::Tag;

/// How many stamps there are; a power of two.
const STAMPS: usize = 1 << 15;

/// The moment of what is changing: nothing was read later.
const CHANGING: u64 = u64::MAX;

/// A part of the tables that changes as one. Numbers are those of rows, which stay what they
/// are once they are committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part<'a> {
    /// What a tag of a repository names.
    Tag(i64, &'a Tag),
    /// Which tags a repository has.
    Tags(i64),
    /// A manifest of a repository, by the number of its digest.
    Manifest(i64, i64),
    /// What a repository holds under the name with this number.
    Link(i64, i64),
    /// A blob, by the number of its digest.
    Blob(i64),
    /// Which repositories the catalog shows.
    Catalog,
}

/// The stamp of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(usize);

/// When something was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(u64);

/// When something was read, and from which parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    at: Moment,
    parts: [Place; 2],
}

/// The stamps. Only the writer changes them.
#[derive(Debug)]
pub(crate) struct Stamps {
    hasher: RandomState,
    now: AtomicU64,
    /// Nothing that was read earlier holds.
    floor: AtomicU64,
    times: Box<[AtomicU64]>,
}

impl Default for Stamps {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            now: AtomicU64::new(0),
            floor: AtomicU64::new(0),
            times: (0..STAMPS).map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

impl Stamps {
    /// The moment of a read that begins now. It is asked for before the read begins.
    pub(crate) fn now(&self) -> Moment {
        Moment(self.now.load(Ordering::SeqCst))
    }

    /// What was read at `at` from two parts.
    pub(crate) fn seen(&self, at: Moment, one: Part<'_>, other: Part<'_>) -> Seen {
        let parts = [self.place(one), self.place(other)];
        Seen { at, parts }
    }

    /// What was read at `at` from one part.
    pub(crate) fn seen_one(&self, at: Moment, part: Part<'_>) -> Seen {
        let parts = [self.place(part); 2];
        Seen { at, parts }
    }

    pub(crate) fn place(&self, part: Part<'_>) -> Place {
        let hash = self.hasher.hash_one(part);
        // The remainder of a power of two fits everywhere.
        let place = hash % STAMPS as u64;
        Place(usize::try_from(place).unwrap_or(0))
    }

    /// Whether what was seen is what the tables say now.
    pub(crate) fn hold(&self, seen: &Seen) -> bool {
        let Moment(at) = seen.at;
        let unchanged = |place: &Place| self.times[place.0].load(Ordering::SeqCst) <= at;
        self.floor.load(Ordering::SeqCst) <= at && seen.parts.iter().all(unchanged)
    }

    /// Before the commit of a group that touches `places`.
    pub(crate) fn changing(&self, places: &[Place]) {
        for place in places {
            self.times[place.0].store(CHANGING, Ordering::SeqCst);
        }
    }

    /// After that commit, before anybody is answered.
    pub(crate) fn changed(&self, places: &[Place]) {
        let next = self.now.load(Ordering::SeqCst) + 1;
        for place in places {
            self.times[place.0].store(next, Ordering::SeqCst);
        }
        self.now.store(next, Ordering::SeqCst);
    }

    /// From now on nothing that was or will be read holds.
    pub(crate) fn doubt(&self) {
        self.floor.store(CHANGING, Ordering::SeqCst);
    }

    /// From now on what is read holds again, and nothing that was read before.
    pub(crate) fn trust(&self) {
        let next = self.now.load(Ordering::SeqCst) + 1;
        self.now.store(next, Ordering::SeqCst);
        self.floor.store(next, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Part<'_> = Part::Blob(1);
    const OTHER: Part<'_> = Part::Manifest(1, 2);

    #[test]
    fn what_was_read_holds_until_one_of_its_parts_changes() {
        let stamps = Stamps::default();
        let seen = stamps.seen(stamps.now(), ONE, OTHER);
        let third = stamps.place(Part::Catalog);

        stamps.changing(&[third]);
        assert!(stamps.hold(&seen));
        stamps.changed(&[third]);
        assert!(stamps.hold(&seen));
        stamps.changing(&[stamps.place(OTHER)]);
        assert!(!stamps.hold(&seen));
        stamps.changed(&[stamps.place(OTHER)]);
        assert!(!stamps.hold(&seen));

        assert!(stamps.hold(&stamps.seen(stamps.now(), ONE, OTHER)));
    }

    #[test]
    fn what_is_read_while_it_changes_never_holds() {
        let stamps = Stamps::default();
        let place = [stamps.place(ONE)];

        stamps.changing(&place);
        let seen = stamps.seen_one(stamps.now(), ONE);

        assert!(!stamps.hold(&seen));
        stamps.changed(&place);
        assert!(!stamps.hold(&seen));
    }

    #[test]
    fn in_doubt_nothing_holds_and_afterwards_only_what_is_read_anew() {
        let stamps = Stamps::default();
        let before = stamps.seen_one(stamps.now(), ONE);

        stamps.doubt();
        let meanwhile = stamps.seen_one(stamps.now(), ONE);
        assert!(!stamps.hold(&before) && !stamps.hold(&meanwhile));
        stamps.trust();

        assert!(!stamps.hold(&before) && !stamps.hold(&meanwhile));
        assert!(stamps.hold(&stamps.seen_one(stamps.now(), ONE)));
    }
}
