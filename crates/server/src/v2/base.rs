//! `GET /v2/`, end-1, and the page that people see first.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode};

use crate::response::{Answer, ResponseBody};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Says that this is a registry.
pub(super) fn base(method: &Method) -> Response<ResponseBody> {
    Answer::new(StatusCode::OK).content(method, JSON, Bytes::from_static(b"{}"))
}

/// Says to people what this is.
pub(super) fn root(method: &Method) -> Response<ResponseBody> {
    let text = b"Boxyard, a container registry. Its API is under /v2/.\n";
    Answer::new(StatusCode::OK).content(method, TEXT, Bytes::from_static(text))
}
