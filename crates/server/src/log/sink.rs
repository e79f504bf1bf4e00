//! Where lines go: a thread writes them, so that a reader who stalls holds nobody up.

use std::io::Write;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How many bytes of lines may wait to be written.
const WAITING: usize = 4 << 20;
/// So many bytes are written at once, without waiting for more.
const BATCH: usize = 64 << 10;

/// Takes lines and writes them in the background, in their order.
///
/// To wake a thread and to write a line cost more than the rest of a small request.
/// So lines gather in one buffer for a moment, and whoever adds one wakes the writer only if it rests, or if a whole batch has come together.
/// When too many wait they are counted instead, and the count is written as soon as there is room.
#[derive(Clone, Debug)]
pub(crate) struct Sink(Arc<Shared>);

/// Ends the writing when it is dropped, after what waits is written.
#[derive(Debug)]
pub(crate) struct SinkGuard {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// Told the writer that there is something to do, in the states in which it waits for that.
    change: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    lines: Vec<u8>,
    lost: u64,
    writer: State,
    ended: bool,
}

/// What the writer does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// It looks again by itself.
    #[default]
    Busy,
    /// It waits for more lines, but not for long.
    Gathers,
    /// It waits for the first line.
    Rests,
}

impl Sink {
    /// Writes to `out` until the guard is dropped; a line is written when it is `gather` old, or before.
    pub(crate) fn new(out: impl Write + Send + 'static, gather: Duration) -> (Self, SinkGuard) {
        let shared = Arc::new(Shared::default());
        let written = Arc::clone(&shared);
        let writer = thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write(out, &written, gather))
            .expect("the process may have a few threads");
        let guard = SinkGuard {
            shared: Arc::clone(&shared),
            writer: Some(writer),
        };
        (Self(shared), guard)
    }

    /// A sink that nobody reads.
    #[cfg(test)]
    pub(crate) fn discarding() -> Self {
        Self(Arc::default())
    }

    /// Hands over a line, which ends with a line feed.
    pub(crate) fn write(&self, line: &str) {
        let mut queue = self.0.lock();
        // After the end nobody listens.
        if queue.ended {
            return;
        }
        let before = queue.lines.len();
        if before + line.len() > WAITING {
            queue.lost += 1;
            return;
        }
        queue.lines.extend_from_slice(line.as_bytes());
        let is_batch = before < BATCH && queue.lines.len() >= BATCH;
        let wakes = match queue.writer {
            State::Busy => false,
            State::Gathers => is_batch,
            State::Rests => true,
        };
        if wakes {
            queue.writer = State::Busy;
            drop(queue);
            self.0.change.notify_one();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SinkGuard {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.change.notify_one();
        if let Some(writer) = self.writer.take() {
            // It empties the queue first.
            let _ = writer.join();
        }
    }
}

/// What is said of lines that are not there.
fn loss(count: u64) -> String {
    format!("level=warning msg=\"log lines were lost: their reader was too slow\" count={count}\n")
}

fn write(mut out: impl Write, shared: &Shared, gather: Duration) {
    let mut batch = Vec::new();
    loop {
        let (lost, ended) = take(shared, gather, &mut batch);
        if lost > 0 {
            batch.extend_from_slice(loss(lost).as_bytes());
        }
        // There is no place left to complain to.
        let _ = out.write_all(&batch).and_then(|()| out.flush());
        if ended {
            return;
        }
        batch.clear();
        // A burst does not keep its memory.
        batch.shrink_to(BATCH);
    }
}

/// Waits for lines and takes them; with how many were lost, and whether these are the last ones.
fn take(shared: &Shared, gather: Duration, batch: &mut Vec<u8>) -> (u64, bool) {
    let mut queue = shared.lock();
    while queue.lines.is_empty() && queue.lost == 0 && !queue.ended {
        queue.writer = State::Rests;
        let rested = shared.change.wait(queue);
        queue = rested.unwrap_or_else(PoisonError::into_inner);
    }
    queue.writer = State::Gathers;
    let gathered = shared.change.wait_timeout_while(queue, gather, |queue| {
        !queue.ended && queue.lines.len() < BATCH
    });
    let (mut queue, _) = gathered.unwrap_or_else(PoisonError::into_inner);
    queue.writer = State::Busy;
    mem::swap(&mut queue.lines, batch);
    (mem::take(&mut queue.lost), queue.ended)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    const SOON: Duration = Duration::from_millis(1);
    const NEVER: Duration = Duration::from_hours(1);
    const PATIENCE: Duration = Duration::from_secs(10);

    #[derive(Clone, Default)]
    struct Shelf(Arc<Mutex<Vec<u8>>>);

    impl Write for Shelf {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Sends on what it is given, each time that it is.
    struct Pipe(Sender<Vec<u8>>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn piped(gather: Duration) -> (Sink, SinkGuard, Receiver<Vec<u8>>) {
        let (pipe, written) = channel();
        let (sink, guard) = Sink::new(Pipe(pipe), gather);
        (sink, guard, written)
    }

    #[test]
    fn lines_are_written_in_order_before_the_guard_is_gone() {
        for gather in [Duration::ZERO, SOON, NEVER] {
            let out = Shelf::default();
            let (sink, guard) = Sink::new(out.clone(), gather);

            for number in 0..1_000 {
                sink.write(&format!("{number}\n"));
            }
            drop(guard);

            let written = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
            let expected: Vec<String> = (0..1_000).map(|number| number.to_string()).collect();
            assert_eq!(written.lines().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn no_line_of_many_threads_is_lost_at_an_orderly_stop() {
        let out = Shelf::default();
        let (sink, guard) = Sink::new(out.clone(), SOON);

        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..5_000).for_each(|_| sink.write("a line of some length\n")));
            }
        });
        drop(guard);

        let written = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        assert_eq!(written.lines().count(), 40_000);
        assert!(written.lines().all(|line| line == "a line of some length"));
    }

    #[test]
    fn a_line_that_none_follows_is_written_when_its_time_is_over() {
        let (sink, _guard, written) = piped(SOON);

        for line in ["one\n", "two\n"] {
            sink.write(line);
            assert_eq!(written.recv_timeout(PATIENCE).unwrap(), line.as_bytes());
        }
    }

    #[test]
    fn lines_that_come_soon_after_another_are_written_at_once() {
        let (sink, guard, written) = piped(NEVER);

        for line in ["one\n", "two\n", "three\n"] {
            sink.write(line);
        }
        drop(guard);

        assert_eq!(written.recv().unwrap(), b"one\ntwo\nthree\n");
        assert!(written.recv().is_err());
    }

    #[test]
    fn a_whole_batch_waits_for_nothing() {
        let (sink, _guard, written) = piped(NEVER);
        let line = "x".repeat(1_023) + "\n";

        for _ in 0..BATCH / line.len() {
            sink.write(&line);
        }

        assert_eq!(written.recv_timeout(PATIENCE).unwrap().len(), BATCH);
    }

    #[test]
    fn a_stalled_reader_loses_lines_and_is_told_how_many() {
        let out = Shelf::default();
        let held = out.0.lock().unwrap();
        let (sink, guard) = Sink::new(out.clone(), Duration::ZERO);
        let line = "x".repeat(1_023) + "\n";
        // The writer takes what waits at most once before it stalls.
        for _ in 0..3 * WAITING / line.len() {
            sink.write(&line);
        }
        drop(held);
        drop(guard);

        let written = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        let lines = written.lines().filter(|line| line.starts_with('x')).count();
        let lost = 3 * WAITING / line.len() - lines;
        let told = written
            .lines()
            .filter_map(|line| line.rsplit_once("count="));
        let told: usize = told.map(|(_, count)| count.parse::<usize>().unwrap()).sum();
        assert!(lost > 0 && written.contains("log lines were lost"));
        assert_eq!(told, lost);
    }
}
