//! Chores of the project: `cargo xtask tidy`, `cargo xtask conformance`, `cargo xtask bench`.
#![expect(clippy::print_stdout, reason = "these are commands that a person runs")]

mod bench;
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
    /// Measure this registry beside its peers: builds, installs them, and prints a table with ratios.
    Bench {
        /// What the bench itself understands: `--short`, `--runs N`, `--only TEXT`, `--out FILE`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
}

fn main() -> anyhow::Result<()> {
    match Chore::parse() {
        Chore::Tidy => tidy::run(),
        Chore::Conformance { results } => conformance::run(&results),
        Chore::Bench { words } => bench::run(&words),
    }
}
