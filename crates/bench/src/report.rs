//! The tables, and whether they show what was asked for.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Result, bail, ensure};

use crate::cases::Case;
use crate::contender::Contender;
use crate::machine;
use crate::measure::{Figure, Measured, median, significant};

/// All measurements, by work and contender.
#[derive(Debug, Default)]
pub(crate) struct Results {
    measured: BTreeMap<(String, Contender), Vec<Measured>>,
    failed: Vec<String>,
}

impl Results {
    pub(crate) fn add(&mut self, case: &str, contender: Contender, measured: Measured) {
        let key = (case.to_owned(), contender);
        self.measured.entry(key).or_default().push(measured);
    }

    /// Remembers that something could not be measured at all.
    pub(crate) fn fail(&mut self, name: String) {
        self.failed.push(name);
    }

    /// The figure in the middle of all runs.
    pub(crate) fn median(&self, case: &str, contender: Contender, figure: Figure) -> Option<f64> {
        median(self.values(case, contender, figure))
    }

    /// Our figure as a multiple of that of distribution 3.1.1.
    pub(crate) fn ratio(&self, case: &str, figure: Figure) -> Option<f64> {
        let ours = self.median(case, Contender::Boxyard, figure)?;
        let theirs = self.median(case, Contender::Distribution3, figure)?;
        Some(ours / theirs.max(1e-12))
    }

    /// What the last run has found.
    pub(crate) fn last(&self, case: &str, contender: Contender, figure: Figure) -> Option<f64> {
        self.values(case, contender, figure).pop()
    }

    fn values(&self, case: &str, contender: Contender, figure: Figure) -> Vec<f64> {
        let runs = self.measured.get(&(case.to_owned(), contender));
        runs.into_iter()
            .flatten()
            .filter_map(|measured| measured.get(figure))
            .collect()
    }

    /// The median, with the least and the most where there were several runs.
    fn show(&self, case: &Case, contender: Contender, figure: Figure) -> String {
        let mut values = self.values(case.name, contender, figure);
        values.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (values.first(), values.last()) else {
            return String::new();
        };
        let shown = |value: f64| figure.show(value, case.unit);
        let middle = shown(values[values.len() / 2]);
        if values.len() < 2 {
            return middle;
        }
        let (least, most) = (shown(*least), shown(*most));
        let least = least.split(' ').next().unwrap_or_default();
        format!("{middle} ({least}–{most})")
    }
}

/// What was asked for, and what was found.
pub(crate) fn goals(cases: &[&Case], results: &Results) -> String {
    let mut text = String::from("| work | asked for | found | met |\n|---|---|---|---|\n");
    for case in cases {
        for goal in case.goals {
            let Some(verdict) = goal.judge(case.name, results, case.others) else {
                continue;
            };
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} |",
                case.name,
                goal.describe(case.unit),
                goal.show(verdict.found, case.unit),
                if verdict.is_met { "yes" } else { "**no**" }
            );
        }
    }
    text
}

/// Every figure of every contender.
pub(crate) fn figures(cases: &[&Case], results: &Results) -> String {
    let mut text = String::new();
    for case in cases {
        let columns: Vec<Figure> = Figure::ALL
            .into_iter()
            .filter(|figure| {
                let mut all = Contender::ALL.into_iter();
                all.any(|contender| results.median(case.name, contender, *figure).is_some())
            })
            .collect();
        if columns.is_empty() {
            continue;
        }
        let names: Vec<&str> = columns.iter().map(|figure| figure.name()).collect();
        let _ = writeln!(
            text,
            "### {}\n\n| a unit is a {} | {} |\n|---|{}",
            capital(case.name),
            case.unit,
            names.join(" | "),
            "---|".repeat(names.len())
        );
        for contender in Contender::ALL {
            let values: Vec<String> = columns
                .iter()
                .map(|figure| results.show(case, contender, *figure))
                .collect();
            if values.iter().any(|value| !value.is_empty()) {
                let _ = writeln!(text, "| {} | {} |", contender.name(), values.join(" | "));
            }
        }
        text.push('\n');
    }
    text
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// The whole document.
pub(crate) fn page(cases: &[&Case], results: &Results, runs: usize) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "# Benchmarks\n\n\
        Boxyard {version} beside CNCF distribution, at the same work, one after the other on one machine.\n\
        `cargo xtask bench --out docs/BENCHMARKS.md` has made this page, and `cargo xtask bench --help` tells how to do it again.\n\n\
        The machine: {}.\n\n\
        ![Boxyard's CPU time and tail latency as shares of distribution's](BENCHMARKS.svg)\n\n\
        ## How it is measured\n\n\
        - Everything is durable; clients show a token, the same one everywhere; metrics and the access log are on.\n\
        - A push has ended when everything that it has caused, the tree included, is on disk.\n\
        - Clients and servers share the machine over its loopback.\n  CPU is the time of the server's process alone, for one unit of work.\n\
        - Of {runs} runs, which take turns, the median counts; the least and the most stand behind it.\n\
        - “p99 at half the peer's rate”: requests arrive by the clock, half as many a second as distribution 3.1.1 can do, and each counts from when it was due.\n\
        - Memory is anonymous memory, sampled: mapped files are the page cache's.\n\
        - A floor is the least that the work can cost: nginx with `sendfile` on the same file, a handler that looks at nothing or only syncs a record, or SHA-256 with a write and a sync of the same bytes.\n\n\
        ## What was asked for\n\n\
        A multiple is of distribution 3.1.1 in the same runs, where nothing else is said.\n\n{}\n\
        ## All figures\n\n{}",
        machine::describe(),
        goals(cases, results),
        figures(cases, results).trim_end().to_owned() + "\n"
    )
}

/// Fails where something was asked for and is not there; a short run only where it is missed by far.
pub(crate) fn judge(cases: &[&Case], results: &Results, short: bool) -> Result<()> {
    let mut missed = Vec::new();
    for case in cases {
        for goal in case.goals {
            let verdict = goal.judge(case.name, results, case.others);
            let is_missed = |verdict: &crate::goal::Verdict| {
                if short {
                    verdict.is_far
                } else {
                    !verdict.is_met
                }
            };
            if let Some(verdict) = verdict.filter(is_missed) {
                missed.push(format!(
                    "{}: {}, found {}",
                    case.name,
                    goal.describe(case.unit),
                    significant(verdict.found)
                ));
            }
        }
    }
    ensure!(
        results.failed.is_empty(),
        "not measured: {}",
        results.failed.join("; ")
    );
    if missed.is_empty() {
        return Ok(());
    }
    let far = if short { "far from" } else { "not" };
    bail!("{far} what is asked for:\n  {}", missed.join("\n  "))
}
