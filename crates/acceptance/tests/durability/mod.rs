//! Clients that work until the server dies, and that remember every answer.

mod ledger;
mod pusher;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use boxyard_testkit::{Client, TestServer, eventually};

pub(crate) use pusher::{Pusher, Verdict};

/// How many clients push at once.
const PUSHERS: u64 = 16;

/// All who push.
pub(crate) struct Crowd {
    pushers: Vec<Pusher>,
}

/// The same while they work.
pub(crate) struct Working {
    threads: Vec<JoinHandle<Pusher>>,
    answers: Receiver<()>,
}

impl Crowd {
    pub(crate) fn new(seed: u64) -> Self {
        let pusher = |number| Pusher::new(seed, number);
        Self {
            pushers: (0..PUSHERS).map(pusher).collect(),
        }
    }

    /// Sets all to work; each goes on until it hears nothing any more, or a failure that `judge` takes for that.
    pub(crate) fn work(self, server: &TestServer, judge: Verdict) -> Working {
        let (sender, answers) = channel();
        let start = |mut pusher: Pusher| {
            let (client, told): (Client, Sender<()>) = (Client::of(server), sender.clone());
            thread::spawn(move || {
                pusher.work(&client, judge, &told);
                pusher
            })
        };
        Working {
            threads: self.pushers.into_iter().map(start).collect(),
            answers,
        }
    }

    /// Asks the server for everything that it has ever acknowledged; all ask at once.
    pub(crate) fn verify(&mut self, server: &TestServer) {
        let client = Client::of(server);
        thread::scope(|scope| {
            for pusher in &mut self.pushers {
                scope.spawn(|| pusher.verify(&client));
            }
        });
    }

    /// Waits until the folder has the files of what is held and no others; how many these are.
    pub(crate) fn find_nothing_else(&self, root: &Path) -> usize {
        let held: BTreeSet<String> = self
            .pushers
            .iter()
            .flat_map(Pusher::held)
            .cloned()
            .collect();
        let blobs = root.join("docker/registry/v2/blobs/sha256");
        eventually("the files of what is held and no others", || {
            (files(&blobs) == held).then_some(())
        });
        held.len()
    }
}

/// The digests whose files are in a folder of blobs.
fn files(blobs: &Path) -> BTreeSet<String> {
    let list = |folder: &Path| {
        let entries = fs::read_dir(folder).expect("list a folder of blobs");
        let names = entries.map(|entry| entry.expect("read an entry").path());
        names.collect::<Vec<_>>()
    };
    let folders = list(blobs).into_iter().flat_map(|shard| list(&shard));
    let full = folders.filter(|folder| folder.join("data").exists());
    let name = |folder: &Path| {
        folder
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    full.filter_map(|folder| Some(format!("sha256:{}", name(&folder)?)))
        .collect()
}

impl Working {
    /// Waits until the server has acknowledged this many things.
    pub(crate) fn acknowledged(&self, count: u64) {
        for _ in 0..count {
            if self.answers.recv().is_err() {
                // All have stopped, and joining them tells why.
                return;
            }
        }
    }

    /// Waits until all have noticed that the server is dead.
    pub(crate) fn stop(self) -> Crowd {
        // What a pusher has found fails the test with its own words.
        let joined = |thread: JoinHandle<Pusher>| match thread.join() {
            Ok(pusher) => pusher,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        Crowd {
            pushers: self.threads.into_iter().map(joined).collect(),
        }
    }
}
