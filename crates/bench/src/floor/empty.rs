//! A server that answers like a registry and looks at nothing.

use std::net::SocketAddr;

use anyhow::Result;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Response, StatusCode};

use super::handler::{self, Answer, Asked};

const MANIFEST: &[u8] = &[b'm'; 700];
const BLOB: &[u8] = &[b'b'; 4096];
const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// Answers until it is killed.
pub(crate) fn serve(address: SocketAddr) -> Result<()> {
    handler::serve(address, |request| {
        let answer = answer(&request);
        async move { answer }
    })
}

fn answer(request: &Asked) -> Answer {
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
