//! The `boxyard` command.
#![expect(clippy::print_stderr, reason = "this is a command that a person runs")]

mod administration;
mod arguments;
mod certificate;
mod check;
mod commands;
mod config;
mod confirm;
mod healthcheck;
mod htpasswd;
mod listing;
mod maintenance;
mod memory;
mod output;
mod pattern;
mod progress;
mod serve;
mod tag;
mod welcome;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::run(arguments::read(std::env::args_os()))
}
