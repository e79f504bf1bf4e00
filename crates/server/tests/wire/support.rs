//! A server in this process, and a client that sends exactly what it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use boxyard_server::{Config, Logs, Place, Server, Sources};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes, shorter than anybody waits.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running server on a folder of its own.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    serving: Option<JoinHandle<()>>,
    _folder: TempDir,
}

impl Running {
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// Starts with more lines in its configuration; indented ones at the beginning belong to `http`.
    pub(crate) fn with(sections: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("config.yml");
        let root = folder.path().join("registry");
        let text = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\n\
             http:\n  addr: '127.0.0.1:0'\n  h2c: {{enabled: true}}\n{sections}\n",
            root.display()
        );
        std::fs::write(&path, text).unwrap();
        let config = Config::load(&Sources {
            path: Some(path),
            ..Sources::default()
        })
        .unwrap();
        let runtime = Runtime::new().unwrap();
        let server = runtime
            .block_on(Server::start(
                &config,
                &Logs::silent(),
                &CancellationToken::new(),
            ))
            .unwrap();
        let Place::Tcp(address) = server.place() else {
            panic!("it listens on an address")
        };
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let serving = std::thread::spawn(move || runtime.block_on(server.run(stopped)).unwrap());
        Self {
            address,
            stop,
            serving: Some(serving),
            _folder: folder,
        }
    }

    pub(crate) fn connect(&self) -> Wire {
        Wire::to(self.address)
    }

    /// Tells it to stop, as a signal does.
    pub(crate) fn tell_to_stop(&self) {
        self.stop.cancel();
    }

    /// Waits until it has stopped.
    pub(crate) fn wait(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.join().unwrap();
        }
    }

    /// Opens an upload and returns its path.
    pub(crate) fn begin_upload(&self, repo: &str) -> String {
        let answer = self.connect().ask(&format!(
            "POST /v2/{repo}/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        ));
        assert_eq!(answer.status, 202);
        answer.header("location").unwrap().to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tell_to_stop();
        if !std::thread::panicking() {
            self.wait();
        }
    }
}

/// A connection.
pub(crate) struct Wire(BufReader<TcpStream>);

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Wire {
    pub(crate) fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// Sends a request and reads the answer.
    pub(crate) fn ask(&mut self, request: &str) -> Answer {
        self.send(request);
        self.answer(!request.starts_with("HEAD "))
    }

    /// Reads one answer; an answer to HEAD has no body.
    pub(crate) fn answer(&mut self, has_body: bool) -> Answer {
        let status = self
            .line()
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status = status.expect("an answer begins with its status");
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            headers.push((name.to_lowercase(), value.to_owned()));
        }
        let mut answer = Answer {
            status,
            headers,
            body: Vec::new(),
        };
        if has_body && !matches!(status, 100 | 204 | 304) {
            self.body(&mut answer);
        }
        answer
    }

    fn body(&mut self, answer: &mut Answer) {
        if let Some(length) = answer.header("content-length") {
            answer.body = vec![0; length.parse().unwrap()];
            self.0.read_exact(&mut answer.body).unwrap();
            return;
        }
        assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
        loop {
            let length = usize::from_str_radix(&self.line(), 16).unwrap();
            let mut chunk = vec![0; length + 2];
            self.0.read_exact(&mut chunk).unwrap();
            answer.body.extend_from_slice(&chunk[..length]);
            if length == 0 {
                return;
            }
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Whether the server ends the connection now, without another word.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0) | Err(_))
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find_map(|(header, value)| (header == name).then_some(value.as_str()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}
