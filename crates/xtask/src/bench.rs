//! The bench, with everything that it needs.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Builds the release binary and the bench, installs the peers, and measures.
pub(crate) fn run(words: &[String]) -> Result<()> {
    let only_tells = |word: &String| matches!(word.as_str(), "--list" | "--help" | "-h");
    if std::env::var_os("BOXYARD_BIN").is_none() && !words.iter().any(only_tells) {
        step(
            "cargo",
            &["build", "--release", "--locked", "-p", "boxyard_cli"],
        )?;
        step("scripts/tools", &["apt", "go"])?;
    }
    let mut arguments = vec![
        "run",
        "--release",
        "--locked",
        "-q",
        "-p",
        "boxyard_bench",
        "--",
    ];
    arguments.extend(words.iter().map(String::as_str));
    step("cargo", &arguments)
}

fn step(program: &str, arguments: &[&str]) -> Result<()> {
    let status = Command::new(program)
        .args(arguments)
        .status()
        .with_context(|| format!("run {program}"))?;
    ensure!(
        status.success(),
        "`{program} {}` failed",
        arguments.join(" ")
    );
    Ok(())
}
