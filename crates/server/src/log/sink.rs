//! Where lines go: a thread writes them, so that a reader who stalls holds nobody up.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// How many lines may wait to be written.
const WAITING: usize = 4_096;
/// Bytes written in one go, where that many wait.
const BATCH: usize = 64 << 10;

/// Takes lines and writes them in the background, in their order.
///
/// When too many wait they are counted instead, and the count is written as soon as there is room.
#[derive(Clone, Debug)]
pub(crate) struct Sink {
    lines: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

/// Ends the writing when it is dropped, after what waits is written.
#[derive(Debug)]
pub(crate) struct SinkGuard {
    lines: SyncSender<Message>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
enum Message {
    Line(String),
    End,
}

impl Sink {
    /// Writes to `out` until the guard is dropped.
    pub(crate) fn new(out: impl Write + Send + 'static) -> (Self, SinkGuard) {
        let (lines, waiting) = sync_channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lost);
        let writer = thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write(out, &waiting, &counted))
            .expect("the process may have a few threads");
        let guard = SinkGuard {
            lines: lines.clone(),
            writer: Mutex::new(Some(writer)),
        };
        (Self { lines, lost }, guard)
    }

    /// A sink that nobody reads.
    #[cfg(test)]
    pub(crate) fn discarding() -> Self {
        let (lines, _) = sync_channel(1);
        Self {
            lines,
            lost: Arc::default(),
        }
    }

    /// Hands over a line, which ends with a line feed.
    pub(crate) fn write(&self, line: String) {
        match self.lines.try_send(Message::Line(line)) {
            // After the end nobody listens.
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Drop for SinkGuard {
    fn drop(&mut self) {
        let writer = self.writer.lock().ok().and_then(|mut writer| writer.take());
        if let Some(writer) = writer {
            // A full queue is being emptied, so that this waits for as long as that takes.
            let _ = self.lines.send(Message::End);
            let _ = writer.join();
        }
    }
}

/// What is said of lines that are not there.
fn loss(count: u64) -> String {
    format!("level=warning msg=\"log lines were lost: their reader was too slow\" count={count}\n")
}

fn write(mut out: impl Write, waiting: &Receiver<Message>, lost: &AtomicU64) {
    let mut batch = String::new();
    let mut ended = false;
    while !ended {
        let Ok(first) = waiting.recv() else {
            return;
        };
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Line(line) => batch.push_str(&line),
                Message::End => ended = true,
            }
            next = (!ended && batch.len() < BATCH)
                .then(|| waiting.try_recv().ok())
                .flatten();
        }
        let missing = lost.swap(0, Ordering::Relaxed);
        if missing > 0 {
            batch.push_str(&loss(missing));
        }
        // There is no place left to complain to.
        let _ = out.write_all(batch.as_bytes()).and_then(|()| out.flush());
        batch.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_written_in_order_before_the_guard_is_gone() {
        let out = Shared::default();
        let (sink, guard) = Sink::new(out.clone());

        for number in 0..1_000 {
            sink.write(format!("{number}\n"));
        }
        drop(guard);

        let written = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        let expected: Vec<String> = (0..1_000).map(|number| number.to_string()).collect();
        assert_eq!(written.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_stalled_reader_loses_lines_and_is_told_how_many() {
        let out = Shared::default();
        let held = out.0.lock().unwrap();
        let (sink, guard) = Sink::new(out.clone());
        // The writer takes at most one batch out of the queue before it stalls.
        for _ in 0..2 * WAITING + BATCH {
            sink.write("x\n".to_owned());
        }
        drop(held);
        drop(guard);

        let written = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        assert!(written.contains("log lines were lost"));
    }
}
