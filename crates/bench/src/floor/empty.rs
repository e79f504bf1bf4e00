//! A server that answers like a registry and looks at nothing.

use std::convert::Infallible;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

const MANIFEST: &[u8] = &[b'm'; 700];
const BLOB: &[u8] = &[b'b'; 4096];
const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// Answers until it is killed.
pub(crate) fn serve(address: SocketAddr) -> Result<()> {
    let runtime = Builder::new_multi_thread().enable_all().build();
    runtime.context("start workers")?.block_on(accept(address))
}

async fn accept(address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(address).await.context("listen")?;
    loop {
        let (stream, _) = listener.accept().await.context("accept")?;
        stream.set_nodelay(true).context("send at once")?;
        let service = service_fn(|request| async move { Ok::<_, Infallible>(answer(&request)) });
        // A client that leaves in the middle is none of a floor's business.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

fn answer(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    let is_missing = path.ends_with("00000000");
    let body = if is_missing {
        &[]
    } else if path.contains("/manifests/") {
        MANIFEST
    } else {
        BLOB
    };
    let mut response = Response::new(match *request.method() {
        Method::HEAD => Full::default(),
        _ => Full::new(Bytes::from_static(body)),
    });
    let headers = response.headers_mut();
    headers.insert("content-length", body.len().into());
    for (name, value) in [
        ("content-type", "application/vnd.oci.image.manifest.v1+json"),
        ("docker-content-digest", DIGEST),
        ("docker-distribution-api-version", "registry/2.0"),
        ("etag", DIGEST),
    ] {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    if is_missing {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}
