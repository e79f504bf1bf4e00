//! A server that does nothing but what its handler does.

use std::convert::Infallible;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

pub(super) type Asked = Request<Incoming>;
pub(super) type Answer = Response<Full<Bytes>>;

/// Answers by `handler` until it is killed.
pub(super) fn serve<H, A>(address: SocketAddr, handler: H) -> Result<()>
where
    H: Fn(Asked) -> A + Clone + Send + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("start workers")?;
    runtime.block_on(accept(address, handler))
}

async fn accept<H, A>(address: SocketAddr, handler: H) -> Result<()>
where
    H: Fn(Asked) -> A + Clone + Send + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    let listener = TcpListener::bind(address).await.context("listen")?;
    loop {
        let (stream, _) = listener.accept().await.context("accept")?;
        stream.set_nodelay(true).context("send at once")?;
        let handler = handler.clone();
        let service = service_fn(move |request| {
            let answer = handler(request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        // A client that leaves in the middle is none of a floor's business.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
