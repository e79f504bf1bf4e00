//! The table, and whether it is what was asked for.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Result, bail};

use crate::cases::{Case, Goal};
use crate::machine;
use crate::measure::Measured;
use crate::peer::Peer;

/// How far a short run may be from a goal: it says little of everything, and the machine may be busy.
const SHORT: f64 = 2.5;

/// All measurements, by case and registry.
#[derive(Debug, Default)]
pub(crate) struct Results(BTreeMap<(&'static str, Peer), Vec<Measured>>);

impl Results {
    pub(crate) fn add(&mut self, case: &'static str, peer: Peer, measured: Measured) {
        self.0.entry((case, peer)).or_default().push(measured);
    }

    /// The measurement whose CPU time is the median.
    fn median(&self, case: &'static str, peer: Peer) -> Option<Measured> {
        let mut all = self.0.get(&(case, peer))?.clone();
        all.sort_by_key(|measured| measured.cpu);
        all.get(all.len() / 2).cloned()
    }

    /// The ratios to distribution 3.1.1: of the CPU time, and of the rate.
    pub(crate) fn ratios(&self, case: &'static str) -> Option<(f64, f64)> {
        let ours = self.median(case, Peer::Boxyard)?;
        let theirs = self.median(case, Peer::Distribution3)?;
        let cpu = ours.cpu.as_secs_f64() / theirs.cpu.as_secs_f64().max(1e-9);
        Some((cpu, ours.per_second / theirs.per_second.max(1e-9)))
    }
}

impl Goal {
    fn describe(self) -> String {
        match self {
            Self::Cpu(most) => format!("CPU ≤ {most}"),
            Self::Rate(least) => format!("rate ≥ {least}"),
            Self::Both { cpu, rate } => format!("CPU ≤ {cpu}, rate ≥ {rate}"),
        }
    }

    /// Whether the ratios are what is asked for, give or take `slack`.
    fn is_met(self, (cpu, rate): (f64, f64), slack: f64) -> bool {
        match self {
            Self::Cpu(most) => cpu <= most * slack,
            Self::Rate(least) => rate >= least / slack,
            Self::Both {
                cpu: most,
                rate: least,
            } => cpu <= most * slack && rate >= least / slack,
        }
    }
}

/// A table as Markdown.
pub(crate) fn table(cases: &[&Case], results: &Results) -> String {
    let mut text = String::from(
        "| work | registry | per second | CPU of the server | p50 ms | p99 ms | memory MiB |\n|---|---|---|---|---|---|---|\n",
    );
    for case in cases {
        for peer in Peer::ALL {
            let Some(measured) = results.median(case.name, peer) else {
                continue;
            };
            let _ = writeln!(
                text,
                "| {} | {} | {:.1} {} | {} | {:.2} | {:.2} | {} |",
                case.name,
                peer.name(),
                measured.per_second,
                case.unit,
                cpu(&measured, case.unit),
                measured.median.as_secs_f64() * 1e3,
                measured.p99.as_secs_f64() * 1e3,
                measured.memory >> 20
            );
        }
    }
    text.push_str(
        "\n| work | CPU, ratio | rate, ratio | asked for | met |\n|---|---|---|---|---|\n",
    );
    for case in cases {
        let Some(ratios) = results.ratios(case.name) else {
            continue;
        };
        let met = if case.goal.is_met(ratios, 1.0) {
            "yes"
        } else {
            "no"
        };
        let (cpu, rate) = ratios;
        let _ = writeln!(
            text,
            "| {} | {cpu:.3} | {rate:.2} | {} | {met} |",
            case.name,
            case.goal.describe()
        );
    }
    text
}

fn cpu(measured: &Measured, unit: &str) -> String {
    let seconds = measured.cpu.as_secs_f64();
    if unit == "GiB" {
        format!("{seconds:.2} s a GiB")
    } else {
        format!("{:.1} µs a {unit}", seconds * 1e6)
    }
}

/// The whole document.
pub(crate) fn page(table: &str) -> String {
    format!(
        "# Benchmarks\n\nMade by `cargo xtask bench`, which does the same work at each registry, one after the other, on plain HTTP over loopback.\nAll write durably, with metrics and the access log on; a push ends when everything that it has caused is on disk.\nThe median of the runs counts; the ratios are to distribution 3.1.1 in the same run.\n\nThe machine: {}.\n\n![Ratios to distribution 3.1.1](BENCHMARKS.svg)\n\n{table}",
        machine::describe()
    )
}

/// Fails where something was asked for and is not there; a short run only where it is missed by far.
pub(crate) fn judge(cases: &[&Case], results: &Results, short: bool) -> Result<()> {
    let slack = if short { SHORT } else { 1.0 };
    let missed: Vec<&str> = cases
        .iter()
        .filter(|case| {
            let ratios = results.ratios(case.name);
            ratios.is_some_and(|ratios| !case.goal.is_met(ratios, slack))
        })
        .map(|case| case.name)
        .collect();
    if missed.is_empty() {
        return Ok(());
    }
    bail!("not as fast as asked for: {}", missed.join("; "))
}
