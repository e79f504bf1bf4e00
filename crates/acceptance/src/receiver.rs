//! Somebody who is told what happens in a registry: an HTTP server whose answers a test chooses.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use boxyard_testkit::eventually;
use serde_json::Value;

/// How a receiver answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// With this status and no body.
    Status(u16),
    /// With this status and this place to go to.
    Redirect(u16, String),
    /// Never.
    Silence,
    /// With a body that has no end.
    Endless,
    /// With this status for the first request on each path, and then with the other.
    FirstThen(u16, u16),
}

/// A request that a receiver has got.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The method and the path.
    pub line: String,
    /// The lines of the head after the first.
    pub headers: Vec<String>,
    /// The body as it came.
    pub body: String,
}

/// A receiver that listens on an address of its own until it is dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    heard: Mutex<Vec<Heard>>,
    answer: Mutex<Answer>,
    stopped: AtomicBool,
}

impl Heard {
    /// The only event that the request tells.
    #[track_caller]
    pub fn event(&self) -> Value {
        let envelope: Value = serde_json::from_str(&self.body).expect("the body is JSON");
        let events = envelope["events"].as_array().expect("there are events");
        assert_eq!(events.len(), 1, "{}", self.body);
        events[0].clone()
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

impl Receiver {
    /// Listens and says yes to everything.
    #[track_caller]
    pub fn start() -> Self {
        Self::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// Listens where another one has listened.
    #[track_caller]
    pub fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).expect("listen for notifications");
        let address = listener.local_addr().expect("ask for the address");
        let state = Arc::new(State {
            heard: Mutex::default(),
            answer: Mutex::new(Answer::Status(200)),
            stopped: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.stopped.load(Ordering::SeqCst) {
                    break;
                }
                let shared = Arc::clone(&shared);
                // A connection that breaks is the other side's business.
                thread::spawn(move || drop(stream.and_then(|stream| shared.serve(stream))));
            }
        });
        Self { address, state }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers like this from now on.
    pub fn answer(&self, answer: Answer) {
        *lock(&self.state.answer) = answer;
    }

    /// Everything that it has got.
    pub fn heard(&self) -> Vec<Heard> {
        lock(&self.state.heard).clone()
    }

    /// Waits until it has got so many requests, and takes the first of them.
    #[track_caller]
    pub fn take(&self, count: usize) -> Vec<Heard> {
        eventually(&format!("{count} notifications"), || {
            let mut heard = lock(&self.state.heard);
            (heard.len() >= count).then(|| heard.drain(..count).collect())
        })
    }

    /// Waits for one request that `is_it`.
    #[track_caller]
    pub fn wait_for(&self, what: &str, is_it: impl Fn(&Heard) -> bool) -> Heard {
        eventually(what, || self.heard().into_iter().find(&is_it))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        // It wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

impl State {
    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        while let Some(heard) = read(&mut stream)? {
            if self.stopped.load(Ordering::SeqCst) {
                return Ok(());
            }
            let is_first = {
                let mut all = lock(&self.heard);
                let is_first = all.iter().all(|other| other.body != heard.body);
                all.push(heard);
                is_first
            };
            let answer = lock(&self.answer).clone();
            let stream = stream.get_mut();
            match answer {
                Answer::Status(status) => respond(stream, status, "")?,
                Answer::FirstThen(first, then) => {
                    respond(stream, if is_first { first } else { then }, "")?;
                }
                Answer::Redirect(status, to) => {
                    respond(stream, status, &format!("Location: {to}\r\n"))?;
                }
                Answer::Silence => {}
                Answer::Endless => {
                    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
                    loop {
                        stream.write_all(&[b'x'; 4096])?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn respond(stream: &mut TcpStream, status: u16, headers: &str) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 {status} Status\r\n{headers}Content-Length: 0\r\n\r\n");
    stream.write_all(head.as_bytes())
}

/// The next request, unless the client has gone.
fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Heard>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        lines.push(line.to_owned());
    }
    let mut heard = Heard {
        line: lines.remove(0),
        headers: lines,
        body: String::new(),
    };
    let length = heard
        .header("content-length")
        .and_then(|length| length.parse().ok());
    stream
        .take(length.unwrap_or(0))
        .read_to_string(&mut heard.body)?;
    Ok(Some(heard))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
