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

/// The same in every build: musl's own, made to be small, takes one lock for everybody, for which pushes over HTTP/2 need twice the processor.
///
/// `.cargo/config.toml` has its settings.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    commands::run(arguments::read(std::env::args_os()))
}
