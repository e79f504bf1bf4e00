//! Chores of the project: `cargo xtask tidy`, `cargo xtask conformance`.
#![expect(clippy::print_stdout, reason = "these are commands that a person runs")]

mod conformance;
mod tidy;

use clap::Parser;

/// Chores of the project.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
enum Chore {
    /// Check what the compiler does not: layering, file sizes, words, prose.
    Tidy,
    /// Run the OCI conformance suite with everything switched on against the built binary.
    Conformance {
        /// Keep the suite's report in this folder.
        #[arg(long, default_value = "target/conformance")]
        results: std::path::PathBuf,
    },
}

fn main() -> anyhow::Result<()> {
    match Chore::parse() {
        Chore::Tidy => tidy::run(),
        Chore::Conformance { results } => conformance::run(&results),
    }
}
