//! What one measurement has found.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Something that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    /// Units of work a second.
    Rate,
    /// CPU seconds of the server for one unit.
    Cpu,
    /// Half of the units took no more seconds.
    Median,
    /// Ninety-nine of a hundred units took no more seconds, with every client asking again at once.
    P99,
    /// The same at a fixed rate of arrivals: half of what distribution 3.1.1 can do.
    PacedP99,
    /// The most anonymous memory that was seen, in bytes.
    Memory,
    /// The 99th percentile as a multiple of the same without what else goes on.
    Strain,
    /// How many seconds the whole took.
    Time,
}

/// The figures of one measurement of one registry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured(BTreeMap<Figure, f64>);

impl Figure {
    /// In the order of a table's columns.
    pub(crate) const ALL: [Self; 8] = [
        Self::Rate,
        Self::Time,
        Self::Cpu,
        Self::Median,
        Self::P99,
        Self::PacedP99,
        Self::Strain,
        Self::Memory,
    ];

    /// How it is called in a table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Cpu => "CPU",
            Self::Median => "p50",
            Self::P99 => "p99",
            Self::PacedP99 => "p99 at half the peer's rate",
            Self::Memory => "memory",
            Self::Strain => "p99 beside the quiet p99",
            Self::Time => "time",
        }
    }

    /// A value of it, for a person.
    pub(crate) fn show(self, value: f64, unit: &str) -> String {
        match self {
            Self::Rate if unit == "GiB" => format!("{:.0} MiB/s", value * 1024.0),
            Self::Rate => format!("{}/s", significant(value)),
            Self::Cpu if unit == "GiB" => format!("{value:.3} s/GiB"),
            Self::Cpu => format!("{} µs", significant(value * 1e6)),
            Self::Median | Self::P99 | Self::PacedP99 => {
                format!("{} ms", significant(value * 1e3))
            }
            Self::Memory => format!("{:.0} MiB", value / f64::from(1 << 20)),
            Self::Strain => format!("{} ×", significant(value)),
            Self::Time => format!("{} s", significant(value)),
        }
    }
}

/// Three digits are what a measurement is worth.
pub(crate) fn significant(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        0.0..0.1 => format!("{value:.4}"),
        0.1..1.0 => format!("{value:.3}"),
        1.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

impl Measured {
    pub(crate) fn with(mut self, figure: Figure, value: f64) -> Self {
        self.0.insert(figure, value);
        self
    }

    pub(crate) fn get(&self, figure: Figure) -> Option<f64> {
        self.0.get(&figure).copied()
    }

    /// Every figure that there is.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Figure, f64)> {
        self.0.iter().map(|(figure, value)| (*figure, *value))
    }

    /// With the figures of `latencies` in the order of size.
    pub(crate) fn with_latencies(self, mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        self.with(Figure::Median, at(&latencies, 50))
            .with(Figure::P99, at(&latencies, 99))
    }
}

/// The value below which `percent` of the sorted latencies are, in seconds.
pub(crate) fn at(sorted: &[Duration], percent: usize) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let index = (sorted.len() * percent / 100).min(last);
    sorted.get(index).map_or(0.0, Duration::as_secs_f64)
}

/// The value in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// The figures with the unit of the work.
pub(crate) struct Shown<'a>(pub(crate) &'a Measured, pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut joint = "";
        for (figure, value) in &self.0.0 {
            let value = figure.show(*value, self.1);
            write!(formatter, "{joint}{} {value}", figure.name())?;
            joint = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_value_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn one_in_a_hundred_may_take_longer() {
        let latencies: Vec<_> = (0..100).map(Duration::from_millis).collect();

        assert!((at(&latencies, 99) - 0.099).abs() < 1e-9);
        assert!((at(&latencies, 50) - 0.050).abs() < 1e-9);
    }
}
