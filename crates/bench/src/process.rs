//! What a process has used.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// CPU time of all threads of a process and of its children, user and system.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let stat =
        fs::read_to_string(format!("/proc/{pid}/stat")).context("read the server's CPU time")?;
    // The name of the program may have blanks and brackets of its own.
    let (_, fields) = stat
        .rsplit_once(')')
        .context("find the fields behind the name")?;
    let fields: Vec<u64> = fields
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0))
        .collect();
    let ticks: u64 = fields.iter().skip(11).take(2).sum();
    let own = Duration::from_nanos(ticks * 1_000_000_000 / rustix::param::clock_ticks_per_second());
    children(pid)
        .into_iter()
        .try_fold(own, |sum, child| Ok(sum + cpu(child)?))
}

/// The processes that the first thread of a process has started.
fn children(pid: u32) -> Vec<u32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let listed = listed.unwrap_or_default();
    listed
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .collect()
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
