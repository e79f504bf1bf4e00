//! How long the folder's work takes, under distribution's name.

use std::time::Duration;

use boxyard_registry::{Action, Stopwatch};
use prometheus::{DEFAULT_BUCKETS, Histogram, HistogramOpts, HistogramVec};

use super::Metrics;

/// The times of each kind of work.
#[derive(Debug)]
pub(crate) struct StorageMetrics {
    times: [Histogram; Action::ALL.len()],
}

impl StorageMetrics {
    /// Of the driver that the configuration names.
    pub(crate) fn new(metrics: &Metrics, driver: &str) -> Self {
        let options = HistogramOpts::new(
            "registry_storage_action_seconds",
            "The number of seconds that the storage action takes",
        );
        let options = options.buckets(DEFAULT_BUCKETS.to_vec());
        let times = HistogramVec::new(options, &["driver", "action"]);
        let times = metrics.register(times.expect("the names are valid ones"));
        Self {
            times: Action::ALL.map(|action| times.with_label_values(&[driver, action.as_str()])),
        }
    }
}

impl Stopwatch for StorageMetrics {
    fn took(&self, action: Action, time: Duration) {
        self.times[action as usize].observe(time.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_work_has_its_times() {
        let metrics = Metrics::new(false);
        let storage = StorageMetrics::new(&metrics, "filesystem");

        storage.took(Action::Move, Duration::from_millis(30));

        let text = metrics.render().unwrap();
        for line in [
            "registry_storage_action_seconds_bucket{action=\"Move\",driver=\"filesystem\",le=\"0.025\"} 0",
            "registry_storage_action_seconds_bucket{action=\"Move\",driver=\"filesystem\",le=\"0.05\"} 1",
            "registry_storage_action_seconds_count{action=\"Delete\",driver=\"filesystem\"} 0",
        ] {
            assert!(text.contains(&format!("{line}\n")), "no `{line}` in {text}");
        }
    }
}
