//! `GET /v2/`, end-1.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode};

use crate::response::{Answer, ResponseBody};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Says that this is a registry.
pub(super) fn base(method: &Method) -> Response<ResponseBody> {
    Answer::new(StatusCode::OK).content(method, JSON, Bytes::from_static(b"{}"))
}
