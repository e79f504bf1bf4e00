//! The same over HTTP/2 without TLS, which some clients begin with.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::header::CONTENT_LENGTH;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::support::Running;

type Body = UnsyncBoxBody<Bytes, Infallible>;

const PIECE: usize = 1 << 16;

async fn connect(server: &Running) -> SendRequest<Body> {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (requests, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    requests
}

/// A body of so many pieces, whose length nobody announces.
fn pieces(count: usize) -> Body {
    let piece = |_| Ok(Frame::data(Bytes::from(vec![b' '; PIECE])));
    StreamBody::new(stream::iter((0..count).map(piece))).boxed_unsync()
}

async fn send(
    requests: &mut SendRequest<Body>,
    method: &str,
    path: &str,
    body: Body,
) -> Response<Incoming> {
    let uri = format!("http://x{path}");
    let request = Request::builder().method(method).uri(uri).body(body);
    requests.send_request(request.unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_reaches_a_client_that_still_sends() {
    let server = tokio::task::spawn_blocking(Running::start).await.unwrap();
    let mut requests = connect(&server).await;

    let refused = send(&mut requests, "PUT", "/v2/a/manifests/x", pieces(256)).await;
    let status = refused.status();
    let text = refused.into_body().collect().await.unwrap().to_bytes();
    let next = send(&mut requests, "GET", "/v2/", Empty::new().boxed_unsync()).await;

    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(text.starts_with(b"{\"errors\""));
    assert_eq!(next.status(), StatusCode::OK);
    tokio::task::spawn_blocking(move || drop(server))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_goes_up_and_comes_down() {
    let server = tokio::task::spawn_blocking(Running::start).await.unwrap();
    let mut requests = connect(&server).await;
    let content = vec![b' '; 8 * PIECE];
    let digest = boxyard_oci::Algorithm::Sha256.digest(&content);

    let target = format!("/v2/a/blobs/uploads/?digest={digest}");
    let pushed = send(&mut requests, "POST", &target, pieces(8)).await;
    let path = format!("/v2/a/blobs/{digest}");
    let pulled = send(&mut requests, "GET", &path, Empty::new().boxed_unsync()).await;

    assert_eq!(pushed.status(), StatusCode::CREATED);
    assert_eq!(
        pulled.into_body().collect().await.unwrap().to_bytes(),
        content
    );
    tokio::task::spawn_blocking(move || drop(server))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_has_no_body_for_who_asks_by_head() {
    let server = tokio::task::spawn_blocking(Running::start).await.unwrap();
    let mut requests = connect(&server).await;
    let nowhere = "/v2/a/manifests/nowhere";

    let mut ask = async |method| {
        let answer = send(&mut requests, method, nowhere, Empty::new().boxed_unsync()).await;
        let (head, body) = answer.into_parts();
        (head, body.collect().await.unwrap().to_bytes())
    };
    let (head, nothing) = ask("HEAD").await;
    let (_, text) = ask("GET").await;

    assert_eq!(head.status, StatusCode::NOT_FOUND);
    assert!(nothing.is_empty());
    let length = head.headers[CONTENT_LENGTH].to_str().unwrap();
    assert_eq!(length, text.len().to_string());
    tokio::task::spawn_blocking(move || drop(server))
        .await
        .unwrap();
}
