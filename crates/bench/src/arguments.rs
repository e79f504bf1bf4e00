//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::contender::Contender;

const HELP: &str = "\
Each kind of work is done by distribution 3.1.1, by 2.8.2, by this registry, and by what shows how little it could cost
(nginx, a handler that does nothing or only syncs, bare writes), one after the other, each over a folder of its own in target/bench.
Compare numbers of one run only: a machine is never the same twice. CPU time is the steadiest figure.

Examples:
  cargo xtask bench --out docs/BENCHMARKS.md        the whole, five times: the document and its plot
  cargo xtask bench --keep figures --out docs/BENCHMARKS.md
                                                    the same, but it can be stopped and goes on where it was
  cargo xtask bench --short                         little of everything, as ./test does it
  cargo xtask bench --list                          what there is
  cargo xtask bench --short --only manifest         some of it
  cargo xtask bench --runs 1 --only 'HEAD of a blob' --peer boxyard --peer distribution3
                                                    us and the peer, once

Environment:
  BOXYARD_BIN    the program to measure, instead of a fresh target/release/boxyard
  BOXYARD_TOOLS  where scripts/tools has installed the peers";

/// Measures this registry beside its peers and its floors, at the same work on one machine.
#[derive(Parser)]
#[command(name = "cargo xtask bench", after_help = HELP)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) hidden: Option<Hidden>,

    /// Do little of everything, and fail only where something asked for is missed by far
    #[arg(long)]
    pub(crate) short: bool,

    /// How often everything is done; the median counts [default: 5, or 1 with --short]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) runs: Option<usize>,

    /// Only work whose name contains this; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Vec<String>,

    /// Only these take part; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) peer: Vec<Name>,

    /// Name the work, who does it and what is asked for, and measure nothing
    #[arg(long)]
    pub(crate) list: bool,

    /// Keep every figure here as it comes, and do only what is not there yet
    ///
    /// A bench that was stopped goes on where it was, and one can be done in pieces, by --only, by the same program.
    #[arg(long, value_name = "FILE")]
    pub(crate) keep: Option<PathBuf>,

    /// Write the result here, as Markdown, with a plot beside it
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// What the bench starts itself as.
#[derive(Subcommand)]
pub(crate) enum Hidden {
    #[command(hide = true)]
    EmptyHandler { address: SocketAddr },
    #[command(hide = true)]
    RecordHandler { address: SocketAddr, path: PathBuf },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    Boxyard,
    Distribution3,
    Distribution2,
    Nginx,
    Empty,
    Disk,
    Record,
}

impl Name {
    fn contender(self) -> Contender {
        match self {
            Self::Boxyard => Contender::Boxyard,
            Self::Distribution3 => Contender::Distribution3,
            Self::Distribution2 => Contender::Distribution2,
            Self::Nginx => Contender::Nginx,
            Self::Empty => Contender::Empty,
            Self::Disk => Contender::Disk,
            Self::Record => Contender::Record,
        }
    }
}

impl Arguments {
    pub(crate) fn runs(&self) -> usize {
        self.runs.unwrap_or(if self.short { 1 } else { 5 })
    }

    pub(crate) fn wants(&self, work: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| work.contains(only.as_str()))
    }

    pub(crate) fn admits(&self, contender: Contender) -> bool {
        self.peer.is_empty() || self.peer.iter().any(|name| name.contender() == contender)
    }
}
