//! Many clients that ask at once.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use boxyard_testkit::eventually;

use crate::connection::Connection;
use crate::measure::Measured;
use crate::peer::Server;
use crate::process;

/// How a load is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Connections, each with a thread of its own.
    pub(crate) clients: u32,
    /// How many units of work are done in all.
    pub(crate) units: u32,
    /// How much of what is counted one unit of work is.
    pub(crate) worth: f64,
}

/// Does the units one after the other on each connection; `work` gets the number of the client and of the unit.
///
/// The work has ended when everything that it has caused is on disk.
pub(crate) fn run<W>(server: &Server, load: Load, work: W) -> Result<Measured>
where
    W: Fn(&mut Connection, u32, u32) -> io::Result<()> + Sync,
{
    let next = AtomicU32::new(0);
    let done = AtomicBool::new(false);
    // What was pushed before is not measured.
    settle(server)?;
    let before = server.cpu()?;
    let begun = Instant::now();
    let (latencies, memory) = thread::scope(|scope| {
        let watch = scope.spawn(|| watch_memory(server.pid(), &done));
        let clients: Vec<_> = (0..load.clients)
            .map(|client| {
                let (next, work) = (&next, &work);
                scope.spawn(move || {
                    client_work(server, load, next, |connection, unit| {
                        work(connection, client, unit)
                    })
                })
            })
            .collect();
        let latencies: Result<Vec<_>> = clients.into_iter().map(|client| join(client)?).collect();
        done.store(true, Ordering::Relaxed);
        let memory = join(watch);
        Ok::<_, anyhow::Error>((latencies?.concat(), memory?))
    })?;
    settle(server)?;
    let elapsed = begun.elapsed();
    let cpu = server.cpu()?.saturating_sub(before);
    let units = f64::from(load.units) * load.worth;
    Ok(Measured::of(latencies, units, elapsed, cpu, memory))
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> Result<T> {
    thread
        .join()
        .map_err(|_| anyhow::anyhow!("a client has panicked"))
}

fn client_work(
    server: &Server,
    load: Load,
    next: &AtomicU32,
    work: impl Fn(&mut Connection, u32) -> io::Result<()>,
) -> Result<Vec<Duration>> {
    let mut connection = Connection::open(server.address).context("connect")?;
    let mut latencies = Vec::new();
    loop {
        let unit = next.fetch_add(1, Ordering::Relaxed);
        if unit >= load.units {
            return Ok(latencies);
        }
        let begun = Instant::now();
        work(&mut connection, unit)?;
        latencies.push(begun.elapsed());
    }
}

/// The most memory that was seen until the work was done.
fn watch_memory(pid: u32, done: &AtomicBool) -> u64 {
    let mut most = 0;
    eventually_done(done, || {
        most = most.max(process::anonymous_memory(pid).unwrap_or(0));
    });
    most
}

fn eventually_done(done: &AtomicBool, mut look: impl FnMut()) {
    while !done.load(Ordering::Relaxed) {
        look();
        thread::park_timeout(Duration::from_millis(20));
    }
}

/// Waits until the tree shows what was answered.
fn settle(server: &Server) -> Result<()> {
    eventually("the tree to follow", || match server.backlog() {
        Ok(0) => Some(Ok(())),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}
