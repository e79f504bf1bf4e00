//! SHA-256, a write and a sync of the same bytes: what a durable push cannot go below.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use boxyard_testkit::sha256;
use bytes::Bytes;

use crate::measure::{Figure, Measured};
use crate::process;

/// Hashes, writes and syncs each file, as many at once as a registry has clients; each is worth so much of a unit.
pub(crate) fn keep(folder: &Path, files: &[Bytes], clients: usize, worth: f64) -> Result<Measured> {
    let next = AtomicUsize::new(0);
    let before = process::cpu(std::process::id())?;
    let begun = Instant::now();
    let latencies = thread::scope(|scope| {
        let clients: Vec<_> = (0..clients)
            .map(|_| scope.spawn(|| keep_next(folder, files, &next)))
            .collect();
        let all: Result<Vec<_>> = clients
            .into_iter()
            .map(|client| {
                client
                    .join()
                    .map_err(|_| anyhow!("a client has panicked"))?
            })
            .collect();
        all
    })?
    .concat();
    let elapsed = begun.elapsed();
    let cpu = process::cpu(std::process::id())?.saturating_sub(before);
    let units = f64::from(u32::try_from(files.len()).unwrap_or(0)) * worth;
    Ok(Measured::default()
        .with(Figure::Rate, units / elapsed.as_secs_f64())
        .with(Figure::Cpu, cpu.as_secs_f64() / units)
        .with_latencies(latencies))
}

fn keep_next(folder: &Path, files: &[Bytes], next: &AtomicUsize) -> Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some(bytes) = files.get(number) else {
            return Ok(latencies);
        };
        let begun = Instant::now();
        keep_one(&folder.join(number.to_string()), bytes)?;
        latencies.push(begun.elapsed());
    }
}

fn keep_one(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = File::create(path).context("make a file")?;
    let digest = sha256(bytes);
    file.write_all(bytes).context("write a file")?;
    file.sync_data().context("sync a file")?;
    let named = path.with_file_name(digest.replace(':', "-"));
    fs::rename(path, named).context("name a file by its digest")
}
