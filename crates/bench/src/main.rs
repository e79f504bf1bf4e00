//! The bench: the same work at this registry, at its peers and at bare floors, one after the other on one machine.
//!
//! `cargo xtask bench` builds what it needs and runs this.
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "this is a command that a person runs"
)]

mod arguments;
mod bout;
mod cases;
mod connection;
mod contender;
mod floor;
mod goal;
mod kept;
mod load;
mod machine;
mod measure;
mod plot;
mod process;
mod progress;
mod realm;
mod report;
mod seed;
mod site;
mod tls;
mod yard;

use std::path::Path;

use anyhow::{Context, Result};
use clap::Parser;

use arguments::{Arguments, Hidden};
use bout::{Bout, Turn};
use cases::Case;
use contender::Contender;
use kept::Kept;
use measure::{Figure, Measured, Shown};
use progress::Progress;
use report::Results;
use yard::Yard;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.hidden {
        Some(Hidden::EmptyHandler { address }) => return floor::empty::serve(address),
        Some(Hidden::RecordHandler { address, path }) => {
            return floor::record::serve(address, &path);
        }
        None => {}
    }
    let cases: Vec<&Case> = cases::all()
        .into_iter()
        .filter(|case| arguments.wants(case.name) && (case.is_in_short || !arguments.short))
        .collect();
    if arguments.list {
        list(&cases, &arguments);
        return Ok(());
    }
    let yard = Yard::open()?;
    let results = measure(&cases, &arguments)?;
    println!("{}", report::figures(&cases, &results));
    println!("{}", report::goals(&cases, &results));
    if let Some(path) = &arguments.out {
        write(path, &cases, &results, arguments.runs())?;
    }
    yard.clear()?;
    report::judge(&cases, &results, arguments.short)
}

fn list(cases: &[&Case], arguments: &Arguments) {
    for case in cases {
        println!("{}", case.name);
        let who: Vec<&str> = contenders(case, arguments)
            .iter()
            .map(|contender| contender.name())
            .collect();
        println!("    by {}", who.join(", "));
        for goal in case.goals {
            println!("    asked for: {}", goal.describe(case.unit));
        }
    }
}

fn contenders(case: &Case, arguments: &Arguments) -> Vec<Contender> {
    let all = case.contenders(arguments.short);
    all.filter(|contender| arguments.admits(*contender))
        .collect()
}

/// Runs take turns, so that what a machine does meanwhile hits everyone alike.
fn measure(cases: &[&Case], arguments: &Arguments) -> Result<Results> {
    let mut results = Results::default();
    let mut kept = match &arguments.keep {
        Some(path) => Kept::open(path)?,
        None => Kept::default(),
    };
    let bouts: usize = cases
        .iter()
        .map(|case| contenders(case, arguments).len())
        .sum();
    let mut progress = Progress::new(bouts, arguments.runs());
    for run in 0..arguments.runs() {
        for case in cases {
            for by in contenders(case, arguments) {
                let work = case.name.to_owned();
                let turn = Turn { run, work, by };
                if let Some(measured) = kept.find(&turn) {
                    progress.skip();
                    results.add(case.name, by, measured);
                    continue;
                }
                take(case, &turn, arguments.short, &mut results, &mut progress)
                    .map_or(Ok(()), |measured| kept.add(&turn, &measured))?;
            }
        }
    }
    Ok(results)
}

/// What the contender does of the work, unless it fails: the others are worth the hour that they take.
fn take(
    case: &Case,
    turn: &Turn,
    short: bool,
    results: &mut Results,
    progress: &mut Progress,
) -> Option<Measured> {
    let bout = Bout {
        contender: turn.by,
        short,
        peer_rate: results.last(case.name, Contender::Distribution3, Figure::Rate),
    };
    let name = format!("{}: {}", case.name, turn.by.name());
    match (case.run)(&bout) {
        Ok(measured) => {
            let shown = Shown(&measured, case.unit);
            progress.next(&format!("{name}: {shown}"));
            results.add(case.name, turn.by, measured.clone());
            Some(measured)
        }
        Err(error) => {
            progress.next(&format!("{name}: FAILED: {error:#}"));
            results.fail(name);
            None
        }
    }
}

fn write(path: &Path, cases: &[&Case], results: &Results, runs: usize) -> Result<()> {
    let text = report::page(cases, results, runs);
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
    let plot = path.with_extension("svg");
    let drawn = plot::draw(cases, results);
    std::fs::write(&plot, drawn).with_context(|| format!("write {}", plot.display()))
}
