//! What one measurement has found.

use std::fmt;
use std::time::Duration;

/// One measurement of one registry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    /// Units of work a second.
    pub(crate) per_second: f64,
    /// CPU time of the server for one unit.
    pub(crate) cpu: Duration,
    /// Half of the units took no longer.
    pub(crate) median: Duration,
    /// Ninety-nine of a hundred units took no longer.
    pub(crate) p99: Duration,
    /// The most anonymous memory that was seen, in bytes.
    pub(crate) memory: u64,
}

impl Measured {
    /// Sums up `latencies` of units that took `elapsed` together and cost the server `cpu`.
    pub(crate) fn of(
        mut latencies: Vec<Duration>,
        units: f64,
        elapsed: Duration,
        cpu: Duration,
        memory: u64,
    ) -> Self {
        latencies.sort_unstable();
        let at = |percent: usize| {
            let last = latencies.len().saturating_sub(1);
            let index = (latencies.len() * percent / 100).min(last);
            latencies.get(index).copied().unwrap_or_default()
        };
        Self {
            per_second: units / elapsed.as_secs_f64(),
            cpu: cpu.div_f64(units.max(1e-9)),
            median: at(50),
            p99: at(99),
            memory,
        }
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:.0}/s, CPU {:.1} µs, p50 {:.2} ms, p99 {:.2} ms, {} MiB",
            self.per_second,
            self.cpu.as_secs_f64() * 1e6,
            self.median.as_secs_f64() * 1e3,
            self.p99.as_secs_f64() * 1e3,
            self.memory >> 20
        )
    }
}
