//! Many clients that ask at once.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};

use crate::connection::Connection;
use crate::measure::{Figure, Measured, at};
use crate::process;
use crate::site::Server;

/// How a load is made.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// Connections, each with a thread of its own.
    pub(crate) clients: u32,
    /// A token for each connection, from the front again when there are fewer.
    pub(crate) tokens: Vec<String>,
    /// No unit of work begins later.
    pub(crate) time: Duration,
    /// Nor are there more than so many units.
    pub(crate) most: u32,
    /// How much of what is counted one unit of work is.
    pub(crate) worth: f64,
}

/// As long as it takes.
pub(crate) const FOREVER: Duration = Duration::from_hours(1);

/// When the units of work begin.
#[derive(Clone, Copy)]
enum Pace {
    /// As soon as a client is free.
    AtOnce,
    /// By the clock, whoever is free: so many a second.
    Arriving(f64),
}

/// Does units of work one after the other on each connection; `work` gets the number of the client and of the unit.
///
/// The work has ended when everything that it has caused is on disk.
pub(crate) fn run<W>(server: &Server, load: &Load, work: W) -> Result<Measured>
where
    W: Fn(&mut Connection, u32, u32) -> io::Result<()> + Sync,
{
    // What was pushed before is not measured.
    server.settle()?;
    let before = server.cpu()?;
    let begun = Instant::now();
    let done = AtomicBool::new(false);
    let (latencies, memory) = thread::scope(|scope| {
        let watch = scope.spawn(|| most_memory(server.pid(), &done));
        let latencies = crowd(server, load, Pace::AtOnce, 0, &work);
        done.store(true, Ordering::Relaxed);
        Ok::<_, anyhow::Error>((latencies?, join(watch)?))
    })?;
    server.settle()?;
    let elapsed = begun.elapsed();
    let cpu = server.cpu()?.saturating_sub(before);
    let units = f64::from(u32::try_from(latencies.len())?) * load.worth;
    Ok(Measured::default()
        .with(Figure::Rate, units / elapsed.as_secs_f64())
        .with(Figure::Cpu, cpu.as_secs_f64() / units.max(1e-9))
        .with(Figure::Memory, memory)
        .with_latencies(latencies))
}

/// The latencies of units that arrive at a fixed rate, counted from when each was due, in order of size.
///
/// Units count on from `first`, for work that cannot be done twice.
pub(crate) fn arrive<W>(
    server: &Server,
    load: &Load,
    rate: f64,
    first: u32,
    work: W,
) -> Result<Vec<Duration>>
where
    W: Fn(&mut Connection, u32, u32) -> io::Result<()> + Sync,
{
    ensure!(rate > 0.0, "nothing arrives at a rate of {rate}");
    let mut latencies = crowd(server, load, Pace::Arriving(rate), first, &work)?;
    latencies.sort_unstable();
    Ok(latencies)
}

/// The 99th percentile of arrivals at a fixed rate, in seconds.
pub(crate) fn paced_p99<W>(
    server: &Server,
    load: &Load,
    rate: f64,
    first: u32,
    work: W,
) -> Result<f64>
where
    W: Fn(&mut Connection, u32, u32) -> io::Result<()> + Sync,
{
    Ok(at(&arrive(server, load, rate, first, work)?, 99))
}

fn crowd<W>(server: &Server, load: &Load, pace: Pace, first: u32, work: &W) -> Result<Vec<Duration>>
where
    W: Fn(&mut Connection, u32, u32) -> io::Result<()> + Sync,
{
    let next = AtomicU32::new(first);
    let mut connections = Vec::new();
    for client in 0..load.clients {
        let token = &load.tokens[client as usize % load.tokens.len()];
        connections.push((client, server.connect(token)?));
    }
    let turn = Turn {
        next: &next,
        begun: Instant::now(),
        first,
        load,
        pace,
    };
    thread::scope(|scope| {
        let clients: Vec<_> = connections
            .into_iter()
            .map(|(client, mut connection)| {
                scope.spawn(move || turn.units(|unit| work(&mut connection, client, unit)))
            })
            .collect();
        // All are waited for, also when one has failed.
        let ended: Vec<_> = clients.into_iter().map(join).collect();
        let all: Result<Vec<_>> = ended.into_iter().map(|ended| ended?).collect();
        Ok(all?.concat())
    })
}

/// What the clients share.
#[derive(Clone, Copy)]
struct Turn<'a> {
    next: &'a AtomicU32,
    begun: Instant,
    first: u32,
    load: &'a Load,
    pace: Pace,
}

impl Turn<'_> {
    fn units(self, mut work: impl FnMut(u32) -> io::Result<()>) -> Result<Vec<Duration>> {
        let mut latencies = Vec::new();
        loop {
            let unit = self.next.fetch_add(1, Ordering::Relaxed);
            let begun = match self.pace {
                Pace::AtOnce => Instant::now(),
                Pace::Arriving(rate) => {
                    self.begun + Duration::from_secs_f64(f64::from(unit - self.first) / rate)
                }
            };
            if unit >= self.load.most || begun >= self.begun + self.load.time {
                return Ok(latencies);
            }
            wait_until(begun);
            work(unit)?;
            latencies.push(begun.elapsed());
        }
    }
}

fn wait_until(due: Instant) {
    loop {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        thread::park_timeout(left);
    }
}

fn join<T>(thread: ScopedJoinHandle<'_, T>) -> Result<T> {
    thread.join().map_err(|_| anyhow!("a client has panicked"))
}

/// The most anonymous memory that was seen until the work was done, in bytes.
#[expect(clippy::cast_precision_loss, reason = "no memory is so large")]
fn most_memory(pid: u32, done: &AtomicBool) -> f64 {
    let mut most = 0;
    while !done.load(Ordering::Relaxed) {
        most = most.max(process::anonymous_memory(pid).unwrap_or(0));
        thread::park_timeout(Duration::from_millis(20));
    }
    most as f64
}
