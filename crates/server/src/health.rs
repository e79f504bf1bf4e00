//! Whether the registry is well, and what stands in its way.

pub(crate) mod checks;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

/// What the checks have found, and how far the server has come.
///
/// It is asked by every request, so that asking costs two reads of memory.
#[derive(Debug)]
pub(crate) struct Health {
    phase: AtomicU8,
    failing: AtomicUsize,
    /// Whether uploads are refused because there is no room, which is no failure: pulls go on.
    is_full: AtomicBool,
    checks: Vec<Check>,
}

/// How far the server has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// The folder is not open yet; another process may have it.
    Starting,
    /// Requests are served.
    Serving,
    /// Running requests end, and no others are taken.
    Draining,
}

/// Why the registry is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NotReady {
    /// It is only starting.
    Starting,
    /// It is stopping.
    Draining,
    /// A check fails.
    Failing,
}

/// Something that must be well, by the name that distribution gives it.
#[derive(Debug)]
struct Check {
    name: String,
    /// How often in a row it must fail before it counts; once is enough for nought.
    threshold: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How often it has failed in a row, up to the threshold.
    failures: u32,
    /// What is wrong, once that counts.
    wrong: Option<String>,
}

/// One of the checks, for whoever runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CheckId(usize);

impl Health {
    /// A server that starts, with nothing to check.
    pub(crate) fn new() -> Self {
        Self {
            phase: AtomicU8::new(Phase::Starting as u8),
            failing: AtomicUsize::new(0),
            is_full: AtomicBool::new(false),
            checks: Vec::new(),
        }
    }

    /// Adds a check that is well so far.
    pub(crate) fn add(&mut self, name: String, threshold: u32) -> CheckId {
        self.checks.push(Check {
            name,
            threshold: threshold.max(1),
            state: Mutex::default(),
        });
        CheckId(self.checks.len() - 1)
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Takes what a check has found: nothing, or what is wrong.
    pub(crate) fn update(&self, id: CheckId, found: Result<(), String>) {
        let check = &self.checks[id.0];
        let mut state = check.lock();
        match found {
            Ok(()) => {
                state.failures = 0;
                if state.wrong.take().is_some() {
                    self.failing.fetch_sub(1, Ordering::Relaxed);
                    tracing::info!(check = check.name, "the check succeeds again");
                }
            }
            Err(wrong) => {
                state.failures = state.failures.saturating_add(1);
                if state.failures < check.threshold {
                    tracing::warn!(check = check.name, wrong, "the check fails");
                } else if state.wrong.replace(wrong.clone()).is_none() {
                    self.failing.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(
                        check = check.name,
                        wrong,
                        "the check fails: requests are answered with 503 until it succeeds"
                    );
                }
            }
        }
    }

    /// Takes whether uploads find room.
    pub(crate) fn note_room(&self, has_room: bool) {
        self.is_full.store(!has_room, Ordering::Relaxed);
    }

    /// What `/readyz` says: in one line, and whether requests should be sent here.
    pub(crate) fn readiness(&self) -> (bool, &'static str) {
        match self.ready() {
            Ok(()) if self.is_full.load(Ordering::Relaxed) => {
                (true, "ok, but storage is full: uploads are refused")
            }
            Ok(()) => (true, "ok"),
            Err(why) => (false, why.as_str()),
        }
    }

    /// Whether no check fails.
    pub(crate) fn is_well(&self) -> bool {
        self.failing.load(Ordering::Relaxed) == 0
    }

    /// Whether requests should be sent here.
    fn ready(&self) -> Result<(), NotReady> {
        let phase = self.phase.load(Ordering::Relaxed);
        if phase == Phase::Starting as u8 {
            Err(NotReady::Starting)
        } else if phase == Phase::Draining as u8 {
            Err(NotReady::Draining)
        } else if self.is_well() {
            Ok(())
        } else {
            Err(NotReady::Failing)
        }
    }

    /// What is wrong, by the name of the check.
    pub(crate) fn failures(&self) -> BTreeMap<&str, String> {
        let wrong = |check: &Check| check.lock().wrong.clone();
        self.checks
            .iter()
            .filter_map(|check| Some((check.name.as_str(), wrong(check)?)))
            .collect()
    }
}

impl Check {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no code panics while it holds a check")
    }
}

impl NotReady {
    /// The reason in one line.
    fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "the folder is not open yet",
            Self::Draining => "the registry is stopping",
            Self::Failing => "a health check fails",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong() -> Result<(), String> {
        Err("it is gone".to_owned())
    }

    #[test]
    fn a_check_counts_after_as_many_failures_in_a_row_as_its_threshold_says() {
        let mut health = Health::new();
        let check = health.add("disk".to_owned(), 3);

        for result in [wrong(), wrong(), Ok(()), wrong(), wrong()] {
            health.update(check, result);
            assert!(health.is_well());
        }
        health.update(check, wrong());

        assert!(!health.is_well());
        assert_eq!(
            health.failures(),
            BTreeMap::from([("disk", "it is gone".to_owned())])
        );
    }

    #[test]
    fn one_success_ends_a_failure() {
        let mut health = Health::new();
        let check = health.add("disk".to_owned(), 0);
        health.update(check, wrong());
        health.update(check, wrong());
        assert!(!health.is_well());

        health.update(check, Ok(()));

        assert!(health.is_well());
        assert!(health.failures().is_empty());
    }

    #[test]
    fn ready_is_who_serves_and_is_well() {
        let mut health = Health::new();
        let check = health.add("disk".to_owned(), 0);
        assert_eq!(health.ready(), Err(NotReady::Starting));

        health.enter(Phase::Serving);
        assert_eq!(health.ready(), Ok(()));

        health.update(check, wrong());
        assert_eq!(health.ready(), Err(NotReady::Failing));

        health.enter(Phase::Draining);
        assert_eq!(health.ready(), Err(NotReady::Draining));
    }
}
