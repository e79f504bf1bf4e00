//! Which lines are written, and how that is changed while the server runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::{Registry, reload};

/// How many parts of the program may have a level of their own at once.
const TARGETS: usize = 32;

type Handle = reload::Handle<Targets, Registry>;

/// The level of the log; clones change the same one.
#[derive(Clone, Debug)]
pub(crate) struct LogLevel(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// None where nothing is logged.
    handle: Option<Handle>,
    configured: LevelFilter,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    level: LevelFilter,
    targets: BTreeMap<String, LevelFilter>,
    /// When the configured level returns.
    until: Option<Timestamp>,
    /// Ends the wait for that.
    superseded: CancellationToken,
}

/// What is to be logged from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) level: LevelFilter,
    /// Only for this part of the program, such as `boxyard_registry`.
    pub(crate) target: Option<String>,
    /// Only for so long.
    pub(crate) lasts: Option<Duration>,
}

/// Too many parts of the program have a level of their own.
#[derive(Debug, thiserror::Error)]
#[error("{TARGETS} targets have a level of their own already: DELETE takes them back")]
pub(crate) struct TooManyTargets;

/// The filter of a level: libraries are only heard when they warn.
fn filter(level: LevelFilter, targets: &BTreeMap<String, LevelFilter>) -> Targets {
    Targets::new()
        .with_target("boxyard", level)
        .with_default(level.min(LevelFilter::WARN))
        .with_targets(
            targets
                .iter()
                .map(|(target, level)| (target.clone(), *level)),
        )
}

impl LogLevel {
    /// The configured level, and the filter that follows it.
    pub(super) fn new(configured: LevelFilter) -> (Self, reload::Layer<Targets, Registry>) {
        let (layer, handle) = reload::Layer::new(filter(configured, &BTreeMap::new()));
        (Self::with(configured, Some(handle)), layer)
    }

    /// The level of a log that nobody reads.
    pub(super) fn silent() -> Self {
        Self::with(LevelFilter::OFF, None)
    }

    fn with(configured: LevelFilter, handle: Option<Handle>) -> Self {
        let state = State {
            level: configured,
            targets: BTreeMap::new(),
            until: None,
            superseded: CancellationToken::new(),
        };
        Self(Arc::new(Inner {
            handle,
            configured,
            state: Mutex::new(state),
        }))
    }

    /// Changes what is logged; a change that lasts takes everything back in the end.
    pub(crate) fn change(&self, change: &Change) -> Result<(), TooManyTargets> {
        let mut state = self.lock();
        match &change.target {
            Some(target) => {
                let is_new = !state.targets.contains_key(target);
                if is_new && state.targets.len() == TARGETS {
                    return Err(TooManyTargets);
                }
                state.targets.insert(target.clone(), change.level);
            }
            None => state.level = change.level,
        }
        self.apply(&mut state);
        if let Some(lasts) = change.lasts {
            state.until = Timestamp::now().checked_add(lasts).ok();
            let (level, superseded) = (self.clone(), state.superseded.clone());
            tokio::spawn(async move {
                if timeout(lasts, superseded.cancelled()).await.is_err() {
                    level.reset();
                }
            });
        }
        tracing::warn!(level = %change.level, target = change.target, "the level of the log was changed");
        Ok(())
    }

    /// Returns to what the configuration says.
    pub(crate) fn reset(&self) {
        let mut state = self.lock();
        state.level = self.0.configured;
        state.targets.clear();
        self.apply(&mut state);
        tracing::info!("the level of the log is the configured one again");
    }

    /// What is logged now.
    pub(crate) fn describe(&self) -> Value {
        let state = self.lock();
        let targets = state.targets.iter();
        let targets: BTreeMap<_, _> = targets
            .map(|(name, level)| (name, level.to_string()))
            .collect();
        json!({
            "level": state.level.to_string(),
            "targets": targets,
            "configured": self.0.configured.to_string(),
            "until": state.until.map(|until| until.to_string()),
        })
    }

    fn apply(&self, state: &mut State) {
        state.superseded.cancel();
        state.superseded = CancellationToken::new();
        state.until = None;
        if let Some(handle) = &self.0.handle
            && let Err(error) = handle.reload(filter(state.level, &state.targets))
        {
            tracing::error!(%error, "change the level of the log");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0
            .state
            .lock()
            .expect("no code panics while it holds the level of the log")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(level: LevelFilter, target: Option<&str>, lasts: Option<Duration>) -> Change {
        Change {
            level,
            target: target.map(ToOwned::to_owned),
            lasts,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_that_lasts_is_taken_back() {
        let level = LogLevel::with(LevelFilter::INFO, None);
        let minute = Duration::from_mins(1);

        level
            .change(&change(LevelFilter::DEBUG, None, Some(minute)))
            .unwrap();
        assert_eq!(level.describe()["level"], "debug");
        timeout(2 * minute, std::future::pending::<()>())
            .await
            .unwrap_err();

        assert_eq!(level.describe()["level"], "info");
        assert_eq!(level.describe()["until"], Value::Null);
    }

    #[tokio::test(start_paused = true)]
    async fn a_newer_change_outlives_the_end_of_an_older_one() {
        let level = LogLevel::with(LevelFilter::INFO, None);
        let minute = Duration::from_mins(1);

        level
            .change(&change(LevelFilter::DEBUG, None, Some(minute)))
            .unwrap();
        level
            .change(&change(LevelFilter::ERROR, None, None))
            .unwrap();
        timeout(2 * minute, std::future::pending::<()>())
            .await
            .unwrap_err();

        assert_eq!(level.describe()["level"], "error");
    }

    #[tokio::test]
    async fn the_targets_are_bounded() {
        let level = LogLevel::with(LevelFilter::INFO, None);
        for number in 0..TARGETS {
            let target = format!("target_{number}");
            level
                .change(&change(LevelFilter::DEBUG, Some(&target), None))
                .unwrap();
        }

        let one_more = level.change(&change(LevelFilter::DEBUG, Some("x"), None));

        assert!(one_more.is_err());
    }
}
