//! What is remembered, within a bound of bytes.
//!
//! The way of S3-FIFO: what comes new has a tenth of the room and has to be asked for again
//! there to get into the rest, so that a walk through everything drives out nothing that is
//! wanted often. What was driven out lately and comes again goes there at once. A hit writes
//! one byte beside the value, so that nothing is moved about when something is found.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{BuildHasherDefault, Hasher},
};

use super::{Asked, Remembered, Seen};

/// What a slot costs beside what its key and its value point to, with its share of the queues.
const SLOT: usize = size_of::<Slot>() + 64;

/// The part of the room that what comes new has: one of so many.
const TRIAL: usize = 10;

/// How often something may be passed over for hits that it had.
const MOST_HITS: u8 = 3;

/// A map from hashes needs no second hash.
#[derive(Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _bytes: &[u8]) {
        debug_assert!(false, "only hashes are keys here");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// One shelf of several, each with a lock of its own.
#[derive(Debug)]
pub(super) struct Shelf {
    most: usize,
    bytes: usize,
    /// Of them on trial.
    trial_bytes: usize,
    index: HashMap<u64, usize, BuildHasherDefault<AsIs>>,
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    trial: VecDeque<usize>,
    proven: VecDeque<usize>,
    gone: VecDeque<u64>,
    gone_set: HashSet<u64, BuildHasherDefault<AsIs>>,
}

#[derive(Debug)]
struct Slot {
    hash: u64,
    key: Asked,
    value: Remembered,
    seen: Seen,
    bytes: usize,
    hits: u8,
    is_proven: bool,
}

impl Shelf {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            bytes: 0,
            trial_bytes: 0,
            index: HashMap::default(),
            slots: Vec::new(),
            free: Vec::new(),
            trial: VecDeque::new(),
            proven: VecDeque::new(),
            gone: VecDeque::new(),
            gone_set: HashSet::default(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn get(&mut self, hash: u64, key: &Asked) -> Option<(&Remembered, &Seen)> {
        let slot = self.slots[*self.index.get(&hash)?].as_mut()?;
        if slot.key != *key {
            return None;
        }
        slot.hits = (slot.hits + 1).min(MOST_HITS);
        Some((&slot.value, &slot.seen))
    }

    /// Keeps `value` in the place of what was kept under `key`.
    pub(super) fn keep(&mut self, hash: u64, key: Asked, value: Remembered, seen: Seen) {
        let bytes = SLOT + key.bytes() + value.bytes();
        if bytes > self.most / TRIAL {
            return;
        }
        let known = self.index.get(&hash).copied();
        if let Some(slot) = known.and_then(|at| self.slots[at].as_mut()) {
            self.bytes = self.bytes + bytes - slot.bytes;
            if !slot.is_proven {
                self.trial_bytes = self.trial_bytes + bytes - slot.bytes;
            }
            slot.key = key;
            slot.value = value;
            slot.seen = seen;
            slot.bytes = bytes;
        } else {
            let is_proven = self.gone_set.remove(&hash);
            self.add(Slot {
                hash,
                key,
                value,
                seen,
                bytes,
                hits: 0,
                is_proven,
            });
        }
        while self.bytes > self.most {
            self.make_room();
        }
    }

    fn add(&mut self, slot: Slot) {
        let (hash, bytes, is_proven) = (slot.hash, slot.bytes, slot.is_proven);
        let at = if let Some(at) = self.free.pop() {
            self.slots[at] = Some(slot);
            at
        } else {
            self.slots.push(Some(slot));
            self.slots.len() - 1
        };
        self.index.insert(hash, at);
        self.bytes += bytes;
        if is_proven {
            self.proven.push_back(at);
        } else {
            self.trial_bytes += bytes;
            self.trial.push_back(at);
        }
    }

    /// Looks at one slot, which goes or gets another chance.
    fn make_room(&mut self) {
        let from_trial = self.trial_bytes > self.most / TRIAL || self.proven.is_empty();
        let queue = if from_trial {
            &mut self.trial
        } else {
            &mut self.proven
        };
        let Some(at) = queue.pop_front() else {
            return;
        };
        let Some(slot) = self.slots[at].as_mut() else {
            return;
        };
        if from_trial {
            self.trial_bytes -= slot.bytes;
        }
        if slot.hits > 0 {
            slot.hits = if from_trial { 0 } else { slot.hits - 1 };
            slot.is_proven = true;
            self.proven.push_back(at);
            return;
        }
        let (hash, bytes) = (slot.hash, slot.bytes);
        self.slots[at] = None;
        self.free.push(at);
        self.index.remove(&hash);
        self.bytes -= bytes;
        if from_trial {
            self.note_gone(hash);
        }
    }

    /// Remembers the name of what went, of as much as is kept.
    fn note_gone(&mut self, hash: u64) {
        if self.gone_set.insert(hash) {
            self.gone.push_back(hash);
        }
        while self.gone.len() > self.index.len() {
            if let Some(oldest) = self.gone.pop_front() {
                self.gone_set.remove(&oldest);
            }
        }
    }
}
