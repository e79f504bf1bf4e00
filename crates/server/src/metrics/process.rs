//! What the system says of this process, under the names that every client library of Prometheus has.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::{Counter, Gauge};

use super::Metrics;

/// Ticks of the processor's clock in a second, which Linux shows to every program alike.
const TICKS: f64 = 100.0;
/// What clients of Prometheus show where the system has no limit: 2 to the 64th.
const WITHOUT_LIMIT: f64 = 18_446_744_073_709_551_616.0;

/// The numbers of this process.
#[derive(Debug)]
pub(super) struct Process {
    cpu: Counter,
    resident: Gauge,
    size: Gauge,
    most: Gauge,
    open_files: Gauge,
    files: Gauge,
    threads: Gauge,
}

impl Process {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let gauge = |name: &str, help: &str| {
            metrics.register(Gauge::new(name, help).expect("the name is a valid one"))
        };
        let started = gauge(
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
        );
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        started.set(now.unwrap_or(Duration::ZERO).as_secs_f64());
        let cpu = Counter::new(
            "process_cpu_seconds_total",
            "Total user and system CPU time spent in seconds.",
        );
        Self {
            cpu: metrics.register(cpu.expect("the name is a valid one")),
            resident: gauge(
                "process_resident_memory_bytes",
                "Resident memory size in bytes.",
            ),
            size: gauge(
                "process_virtual_memory_bytes",
                "Virtual memory size in bytes.",
            ),
            most: gauge(
                "process_virtual_memory_max_bytes",
                "Maximum amount of virtual memory available in bytes.",
            ),
            open_files: gauge("process_open_fds", "Number of open file descriptors."),
            files: gauge(
                "process_max_fds",
                "Maximum number of open file descriptors.",
            ),
            threads: gauge("process_threads", "Number of threads of the process."),
        }
    }

    /// Asks the system; what it does not say stays as it was. Blocks for moments: `/proc` is no disk.
    pub(super) fn look(&self) {
        if let Some(spent) = fs::read_to_string("/proc/self/stat")
            .ok()
            .and_then(|text| cpu(&text))
        {
            self.cpu.inc_by((spent - self.cpu.get()).max(0.0));
        }
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let set = |gauge: &Gauge, value: Option<f64>| {
            if let Some(value) = value {
                gauge.set(value);
            }
        };
        set(
            &self.resident,
            field(&status, "VmRSS:").map(|kib| kib * 1_024.0),
        );
        set(
            &self.size,
            field(&status, "VmSize:").map(|kib| kib * 1_024.0),
        );
        set(&self.threads, field(&status, "Threads:"));
        let open = fs::read_dir("/proc/self/fd").map(Iterator::count);
        set(
            &self.open_files,
            open.ok()
                .and_then(|count| u32::try_from(count).ok())
                .map(f64::from),
        );
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        set(&self.files, limit(&limits, "Max open files"));
        set(&self.most, limit(&limits, "Max address space"));
    }
}

/// The first number behind a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// The limit of this name; where there is none, the largest number that the system knows.
fn limit(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(WITHOUT_LIMIT),
        soft => soft.parse().ok(),
    }
}

/// Seconds of the processor, from `/proc/self/stat`: the name in parentheses may have spaces.
fn cpu(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_the_processor_is_the_users_and_the_systems() {
        let stat = "7 (box) yard) S 1 7 7 0 -1 4194560 9 0 0 0 250 50 0 0 20 0 4 0 1 2 3";

        assert_eq!(cpu(stat), Some(3.0));
    }

    #[test]
    fn a_limit_that_is_none_is_the_largest_number() {
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax address space  unlimited  unlimited  bytes\nMax open files  1024  4096  files\n";

        assert_eq!(limit(limits, "Max address space"), Some(WITHOUT_LIMIT));
        assert_eq!(limit(limits, "Max open files"), Some(1_024.0));
    }

    #[test]
    fn this_process_has_numbers() {
        let metrics = Metrics::new(false);
        let text = metrics.render().unwrap();

        for name in [
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_max_fds",
        ] {
            let value = text
                .lines()
                .find_map(|line| line.strip_prefix(&format!("{name} ")));
            assert!(value.unwrap().parse::<f64>().unwrap() > 0.0, "{text}");
        }
    }
}
