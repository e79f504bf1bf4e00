//! What clients rely on for a while: what they were just told is there, and what they just sent.
//!
//! A push asks for each blob first and sends only what is missing, and a manifest may come long after its blobs.
//! So a HEAD by who may push, a mount, a finished upload and a push of a manifest promise that what follows will be accepted, for a window.
//! The collector takes nothing that is promised, and a promise waits for a collector that has just chosen the same thing.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use boxyard_oci::{Algorithm, Digest, RepoName};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncMutexGuard, watch};
use tokio::time::Instant;

/// How many promises are remembered one by one; when there are more, everything counts as promised.
const MOST: usize = 200_000;

/// The key of a promise of everything.
const EVERYTHING: i64 = 0;

/// What was promised, by a key of repository and digest.
///
/// Two things with the same key are both kept for as long as either is promised, which does no harm.
#[derive(Debug)]
pub(crate) struct Promises {
    window: Duration,
    state: Mutex<State>,
    /// Grows when a round of the collector begins, and when it ends.
    rounds: watch::Sender<u64>,
    /// One round at a time, or the end of one would let go of what another still removes.
    turn: AsyncMutex<()>,
}

#[derive(Debug)]
struct State {
    until: HashMap<i64, Instant>,
    /// Until when everything is promised.
    all_until: Option<Instant>,
    /// Removed in the round that goes on.
    going: HashSet<i64>,
    /// When so many are remembered, the old ones are dropped.
    sweep_at: usize,
}

/// A round of the collector; who was promised something it removes waits for its end.
#[derive(Debug)]
pub(crate) struct Round<'a> {
    promises: &'a Promises,
    _turn: AsyncMutexGuard<'a, ()>,
}

impl Promises {
    pub(crate) fn new(window: Duration) -> Self {
        Self {
            window,
            state: Mutex::new(State {
                until: HashMap::new(),
                all_until: None,
                going: HashSet::new(),
                sweep_at: 1024,
            }),
            rounds: watch::Sender::new(0),
            turn: AsyncMutex::default(),
        }
    }

    /// Promises everything for one window: after a crash nobody knows what was promised before.
    pub(crate) fn promise_all(&self, now: Instant) {
        self.lock().all_until = Some(now + self.window);
    }

    /// Takes over what an earlier run has promised.
    pub(crate) fn restore(&self, kept: Vec<(i64, Duration)>, now: Instant) {
        let mut state = self.lock();
        for (key, left) in kept {
            let until = now + left.min(self.window);
            if key == EVERYTHING {
                state.all_until = Some(until);
            } else {
                state.until.insert(key, until);
            }
        }
    }

    /// What still holds at `now`, for the next run.
    pub(crate) fn kept(&self, now: Instant) -> Vec<(i64, Duration)> {
        let state = self.lock();
        let everything = state.all_until.map(|until| (EVERYTHING, until));
        let promised = state.until.iter().map(|(key, until)| (*key, *until));
        let left = |(key, until): (i64, Instant)| (key, until.saturating_duration_since(now));
        let kept = promised.chain(everything).map(left);
        kept.filter(|(_, left)| !left.is_zero()).collect()
    }

    /// Whether something is promised.
    pub(crate) fn holds(&self, repo: Option<&RepoName>, digest: &Digest) -> bool {
        let (state, now) = (self.lock(), Instant::now());
        let key = repo.map(|repo| key(repo, digest));
        state.holds_all(now) || key.is_some_and(|key| state.holds(key, now))
    }

    /// Which round it is; what is looked up now is not older.
    pub(crate) fn round(&self) -> u64 {
        *self.rounds.borrow()
    }

    /// Promises what was found by a look that began in the round `looked`; false if a collector may have overtaken the look.
    pub(crate) fn promise_found(&self, repo: &RepoName, digest: &Digest, looked: u64) -> bool {
        let key = key(repo, digest);
        let mut state = self.lock();
        state.note(key, self.window, Instant::now());
        *self.rounds.borrow() == looked && !state.going.contains(&key)
    }

    /// Waits until the round `looked` is over.
    pub(crate) async fn next_round(&self, looked: u64) {
        // The sender lives as long as this, so the wait cannot fail.
        let _ = self
            .rounds
            .subscribe()
            .wait_for(|round| *round != looked)
            .await;
    }

    /// Promises what is about to be recorded, after a collector that is removing the same thing.
    pub(crate) async fn promise(&self, repo: &RepoName, digest: &Digest) {
        let key = key(repo, digest);
        let mut rounds = self.rounds.subscribe();
        loop {
            {
                let mut state = self.lock();
                state.note(key, self.window, Instant::now());
                if !state.going.contains(&key) {
                    return;
                }
                rounds.mark_unchanged();
            }
            if rounds.changed().await.is_err() {
                return;
            }
        }
    }

    /// Begins a round that removes those of `wanted` that are not promised, and says which these are.
    ///
    /// The round must not be dropped before what it removes is committed.
    pub(crate) async fn begin<T>(
        &self,
        wanted: Vec<T>,
        of: impl Fn(&T) -> Option<(&RepoName, &Digest)>,
    ) -> (Round<'_>, Vec<T>) {
        let turn = self.turn.lock().await;
        let now = Instant::now();
        let mut state = self.lock();
        let mut chosen = Vec::with_capacity(wanted.len());
        for one in wanted {
            let key = of(&one).map(|(repo, digest)| key(repo, digest));
            if key.is_some_and(|key| state.holds(key, now)) || state.holds_all(now) {
                continue;
            }
            state.going.extend(key);
            chosen.push(one);
        }
        self.rounds.send_modify(|round| *round += 1);
        let round = Round {
            promises: self,
            _turn: turn,
        };
        (round, chosen)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no code panics while it holds the promises")
    }
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        self.promises.lock().going.clear();
        self.promises.rounds.send_modify(|round| *round += 1);
    }
}

impl State {
    fn note(&mut self, key: i64, window: Duration, now: Instant) {
        if self.until.len() >= self.sweep_at {
            self.until.retain(|_, until| *until > now);
            self.sweep_at = (self.until.len() * 2).clamp(1024, MOST);
            if self.until.len() >= MOST {
                self.until = HashMap::new();
                self.all_until = Some(now + window);
                self.sweep_at = 1024;
            }
        }
        self.until.insert(key, now + window);
    }

    fn holds(&self, key: i64, now: Instant) -> bool {
        self.until.get(&key).is_some_and(|until| *until > now)
    }

    fn holds_all(&self, now: Instant) -> bool {
        self.all_until.is_some_and(|until| until > now)
    }
}

/// A number for what is promised, the same in every run.
fn key(repo: &RepoName, digest: &Digest) -> i64 {
    let mut hasher = Algorithm::Sha256.hasher();
    hasher.update(repo.as_str().as_bytes());
    hasher.update(&[0]);
    hasher.update(&digest.to_bytes());
    let hash = hasher.finish();
    let first = hash.as_bytes().first_chunk().copied();
    i64::from_le_bytes(first.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const WINDOW: Duration = Duration::from_hours(1);

    fn repo() -> RepoName {
        "team/app".parse().unwrap()
    }

    fn digest(content: &[u8]) -> Digest {
        Algorithm::Sha256.digest(content)
    }

    async fn begin<'a>(promises: &'a Promises, digests: &[Digest]) -> (Round<'a>, Vec<Digest>) {
        let wanted = digests.iter().map(|digest| (repo(), *digest)).collect();
        let begun = promises.begin(wanted, |(repo, digest)| Some((repo, digest)));
        let (round, chosen) = begun.await;
        (
            round,
            chosen.into_iter().map(|(_, digest)| digest).collect(),
        )
    }

    async fn chosen(promises: &Promises, digests: &[Digest]) -> Vec<Digest> {
        begin(promises, digests).await.1
    }

    #[tokio::test]
    async fn a_round_waits_for_the_one_before_it() {
        let promises = Promises::new(WINDOW);
        let (one, other) = (digest(b"1"), digest(b"2"));

        let (first, _) = begin(&promises, &[one]).await;
        assert!(begin(&promises, &[other]).now_or_never().is_none());
        drop(first);

        assert_eq!(chosen(&promises, &[other]).await, [other]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_promised_is_not_chosen_until_the_window_has_passed() {
        let promises = Promises::new(WINDOW);
        let (one, other) = (digest(b"1"), digest(b"2"));

        promises.promise(&repo(), &one).await;

        assert_eq!(chosen(&promises, &[one, other]).await, [other]);
        tokio::time::advance(WINDOW).await;
        assert_eq!(chosen(&promises, &[one, other]).await, [one, other]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_promise_waits_for_the_end_of_a_round_that_removes_the_same_thing() {
        let promises = Promises::new(WINDOW);
        let (repo, one) = (repo(), digest(b"1"));

        let (round, _) = begin(&promises, &[one]).await;
        let mut waiting = Box::pin(promises.promise(&repo, &one));

        assert!((&mut waiting).now_or_never().is_none());
        assert!(
            promises
                .promise(&repo, &digest(b"2"))
                .now_or_never()
                .is_some()
        );
        drop(round);
        waiting.await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_a_round_may_have_overtaken_is_repeated() {
        let promises = Promises::new(WINDOW);
        let (repo, one) = (repo(), digest(b"1"));

        let looked = promises.round();
        assert!(promises.promise_found(&repo, &one, looked));
        chosen(&promises, &[digest(b"2")]).await;
        assert!(!promises.promise_found(&repo, &one, looked));
        assert!(promises.promise_found(&repo, &one, promises.round()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_promises_promises_everything_and_needs_no_more_memory() {
        let promises = Promises::new(WINDOW);
        let remembered = {
            let (mut state, now) = (promises.lock(), Instant::now());
            for key in 0..=i64::try_from(MOST).unwrap() {
                state.note(key, WINDOW, now);
            }
            state.until.len()
        };
        assert!(remembered <= MOST);

        assert!(chosen(&promises, &[digest(b"1")]).await.is_empty());
        let next = Promises::new(WINDOW);
        next.restore(promises.kept(Instant::now()), Instant::now());
        assert!(chosen(&next, &[digest(b"1")]).await.is_empty());
        tokio::time::advance(WINDOW).await;
        assert_eq!(chosen(&promises, &[digest(b"1")]).await, [digest(b"1")]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_run_keeps_to_what_still_holds() {
        let promises = Promises::new(WINDOW);
        promises.promise(&repo(), &digest(b"old")).await;
        tokio::time::advance(WINDOW / 2).await;
        promises.promise(&repo(), &digest(b"new")).await;
        tokio::time::advance(WINDOW / 2).await;

        let kept = promises.kept(Instant::now());
        let next = Promises::new(WINDOW);
        next.restore(kept, Instant::now());

        let all = [digest(b"old"), digest(b"new")];
        assert_eq!(chosen(&next, &all).await, [digest(b"old")]);
    }
}
