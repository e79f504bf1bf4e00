//! What a process has used.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// CPU time of all threads of a process, user and system.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let stat =
        fs::read_to_string(format!("/proc/{pid}/stat")).context("read the server's CPU time")?;
    // The name of the program may have blanks and brackets of its own.
    let (_, fields) = stat
        .rsplit_once(')')
        .context("find the fields behind the name")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks: u64 = [11, 12]
        .iter()
        .map(|index| {
            fields
                .get(*index)
                .and_then(|field| field.parse::<u64>().ok())
                .unwrap_or(0)
        })
        .sum();
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_nanos(ticks * 1_000_000_000 / per_second))
}

/// Memory of a process that is not the page cache's, in bytes.
pub(crate) fn anonymous_memory(pid: u32) -> Result<u64> {
    let status =
        fs::read_to_string(format!("/proc/{pid}/status")).context("read the server's memory")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kibibytes.context("find RssAnon")? * 1024)
}
