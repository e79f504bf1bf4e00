//! The bench: the same work at this registry and at its peers, one after the other on one machine.
//!
//! `cargo xtask bench` builds what it needs and runs this.
//! Compare numbers of one run only: a machine is never the same twice.
#![expect(clippy::print_stderr, reason = "this is a command that a person runs")]

mod cases;
mod connection;
mod load;
mod machine;
mod measure;
mod peer;
mod plot;
mod process;
mod report;

use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;

use cases::Case;
use measure::Measured;
use peer::Peer;

/// Measures this registry and its peers.
#[derive(Parser)]
#[command(name = "bench")]
struct Arguments {
    /// Do little of everything, and fail where this registry has lost a ratio by far
    #[arg(long)]
    short: bool,

    /// How often everything is done; the median counts
    #[arg(long, default_value_t = 5)]
    runs: usize,

    /// Only the cases whose names contain this
    #[arg(long)]
    only: Option<String>,

    /// Write the result here, as Markdown, with a plot beside it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runs = if arguments.short { 1 } else { arguments.runs };
    let cases: Vec<&Case> = cases::ALL
        .iter()
        .filter(|case| {
            let only = arguments.only.as_deref();
            only.is_none_or(|only| case.name.contains(only))
        })
        .collect();
    let mut results = report::Results::default();
    for run in 0..runs {
        for case in &cases {
            for peer in Peer::ALL {
                let measured = measure_one(case, peer, arguments.short)
                    .with_context(|| format!("{} at {}", case.name, peer.name()))?;
                eprintln!(
                    "run {}: {}: {}: {measured}",
                    run + 1,
                    case.name,
                    peer.name()
                );
                results.add(case.name, peer, measured);
            }
        }
    }
    let table = report::table(&cases, &results);
    eprintln!("{table}");
    if let Some(path) = &arguments.out {
        let text = report::page(&table);
        std::fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
        let plot = path.with_extension("svg");
        let drawn = plot::ratios(&cases, &results);
        std::fs::write(&plot, drawn).with_context(|| format!("write {}", plot.display()))?;
    }
    report::judge(&cases, &results, arguments.short)
}

/// Each measurement has a folder and a server of its own, so that none finds what another has left.
fn measure_one(case: &Case, peer: Peer, short: bool) -> anyhow::Result<Measured> {
    let server = peer.serve()?;
    (case.run)(&server, short)
}
