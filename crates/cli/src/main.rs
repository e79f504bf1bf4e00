//! The `boxyard` command.
#![expect(clippy::print_stderr, reason = "this is a command that a person runs")]

mod arguments;
mod certificate;
mod commands;
mod config;
mod healthcheck;
mod maintenance;
mod serve;
mod welcome;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::run(arguments::read(std::env::args_os()))
}
