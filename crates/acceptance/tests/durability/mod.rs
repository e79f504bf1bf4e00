//! Clients that work until the server dies, and that remember every answer.

mod ledger;
mod pusher;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use boxyard_testkit::{Client, TestServer};

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

    /// How many objects the server has acknowledged and has to have.
    pub(crate) fn held(&self) -> usize {
        self.pushers.iter().map(Pusher::held).sum()
    }
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
