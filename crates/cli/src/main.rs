//! The `boxyard` command.
#![expect(clippy::print_stderr, reason = "this is a command that a person runs")]

mod administration;
mod archive;
mod arguments;
mod backup;
mod certificate;
mod check;
mod collect;
mod commands;
mod config;
mod confirm;
mod export;
mod healthcheck;
mod htpasswd;
mod image_name;
mod import;
mod listing;
mod maintenance;
mod manual;
mod memory;
mod outcome;
mod output;
mod pattern;
mod platform;
mod progress;
mod repo;
mod scrub;
mod serve;
mod size;
mod table;
mod tag;
mod usage;
mod welcome;

use std::process::ExitCode;

/// In the place of musl's own, which is made to be small; `.cargo/config.toml` has its settings.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    commands::run(arguments::read(std::env::args_os()))
}
