//! HTTP/2 over TLS, one request at a time.
//!
//! Windows and frames are those of Go's client, which most clients of a registry have.

use std::future::poll_fn;
use std::io;

use bytes::Bytes;
use h2::client::{self, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderName, HeaderValue, Request, Response};
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsConnector;

use super::{Answer, Way, connect};
use crate::tls;

const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 1 << 30;

pub(crate) struct Connection {
    /// It runs only while an answer is waited for.
    runtime: Runtime,
    sender: SendRequest<Bytes>,
    authorization: HeaderValue,
}

impl Connection {
    pub(super) fn open(way: Way, token: &str) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let stream = connect(way)?;
        stream.set_nonblocking(true)?;
        let sender = runtime.block_on(shake_hands(stream))?;
        let authorization = HeaderValue::try_from(format!("Bearer {token}"));
        Ok(Self {
            runtime,
            sender,
            authorization: authorization.map_err(io::Error::other)?,
        })
    }

    pub(super) fn ask(
        &mut self,
        method: &str,
        target: &str,
        headers: &str,
        body: &Bytes,
    ) -> io::Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("https://{}{target}", tls::NAME))
            .header("authorization", self.authorization.clone())
            .header("content-length", body.len());
        for line in headers.lines() {
            let Some((name, value)) = line.split_once(": ") else {
                continue;
            };
            let name = HeaderName::try_from(name).map_err(io::Error::other)?;
            request = request.header(name, value);
        }
        let request = request.body(()).map_err(io::Error::other)?;
        let sender = self.sender.clone();
        self.runtime
            .block_on(exchange(sender, request, body.clone()))
            .map_err(io::Error::other)
    }
}

async fn shake_hands(stream: std::net::TcpStream) -> io::Result<SendRequest<Bytes>> {
    let stream = tokio::net::TcpStream::from_std(stream)?;
    let config = tls::client(b"h2").map_err(io::Error::other)?;
    let name = tls::NAME.try_into().map_err(io::Error::other)?;
    let stream = TlsConnector::from(config).connect(name, stream).await?;
    let (sender, connection) = client::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .enable_push(false)
        .handshake(stream)
        .await
        .map_err(io::Error::other)?;
    // It ends with the connection, and whoever asks is told by the answer that does not come.
    tokio::spawn(async move { connection.await.ok() });
    Ok(sender)
}

async fn exchange(
    sender: SendRequest<Bytes>,
    request: Request<()>,
    body: Bytes,
) -> Result<Answer, h2::Error> {
    let mut sender = sender.ready().await?;
    let (answer, stream) = sender.send_request(request, body.is_empty())?;
    if !body.is_empty() {
        send(stream, body).await?;
    }
    let (head, mut body) = answer.await?.into_parts();
    let head = Response::from_parts(head, ());
    let location = head.headers().get("location");
    let location = location.and_then(|value| value.to_str().ok());
    Ok(Answer {
        status: head.status().as_u16(),
        location: location.map(str::to_owned),
        length: skip(&mut body).await?,
    })
}

/// Sends a body as fast as the other side lets it in.
async fn send(mut stream: SendStream<Bytes>, mut body: Bytes) -> Result<(), h2::Error> {
    while !body.is_empty() {
        stream.reserve_capacity(body.len().min(1 << 20));
        let Some(capacity) = poll_fn(|context| stream.poll_capacity(context)).await else {
            return Ok(());
        };
        let piece = body.split_to(capacity?.min(body.len()));
        stream.send_data(piece, body.is_empty())?;
    }
    Ok(())
}

async fn skip(body: &mut RecvStream) -> Result<u64, h2::Error> {
    let mut length = 0;
    while let Some(piece) = body.data().await {
        let piece = piece?;
        length += piece.len() as u64;
        body.flow_control().release_capacity(piece.len())?;
    }
    Ok(length)
}
