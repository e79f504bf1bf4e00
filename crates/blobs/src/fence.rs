//! Who may write to an upload: the last one who opened it.
//!
//! An older writer that has not noticed yet must not write into a file that has become a blob.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::session::UploadId;

type Turn = Arc<Mutex<u64>>;

/// The uploads that somebody has open.
#[derive(Debug, Default)]
pub(crate) struct Fences {
    turns: Mutex<HashMap<UploadId, Turn>>,
}

/// One opening of an upload.
#[derive(Debug)]
pub(crate) struct Fence {
    fences: Arc<Fences>,
    id: UploadId,
    turn: Turn,
    mine: u64,
}

/// Proof that nobody else writes; while it lives, nobody takes the upload over.
pub(crate) struct Writing<'a> {
    _turn: MutexGuard<'a, u64>,
}

impl Fences {
    /// Takes an upload over from whoever had it open, once their write under way has ended.
    pub(crate) fn take(self: &Arc<Self>, id: &UploadId) -> Fence {
        let turn = Arc::clone(self.lock().entry(id.clone()).or_default());
        let mine = {
            let mut current = turn.lock().unwrap_or_else(PoisonError::into_inner);
            *current += 1;
            *current
        };
        Fence {
            fences: Arc::clone(self),
            id: id.clone(),
            turn,
            mine,
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UploadId, Turn>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fence {
    pub(crate) fn id(&self) -> &UploadId {
        &self.id
    }

    /// The right to write now, unless somebody has taken the upload over.
    pub(crate) fn writing(&self) -> Option<Writing<'_>> {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        (*turn == self.mine).then_some(Writing { _turn: turn })
    }
}

impl Drop for Fence {
    fn drop(&mut self) {
        let mut turns = self.fences.lock();
        // One reference is the table's, one is ours: nobody else has it open.
        if Arc::strong_count(&self.turn) == 2 {
            turns.remove(&self.id);
        }
    }
}
