//! `/livez` and `/readyz`, for whoever watches from outside; they tell nobody more than that.

use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Method, Response, StatusCode};

use crate::app::App;
use crate::response::{Answer, ResponseBody};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Says that the process answers.
pub(super) fn live(method: &Method) -> Response<ResponseBody> {
    say(StatusCode::OK, "ok", method)
}

/// Says whether requests should be sent here.
pub(super) fn ready(app: &App, method: &Method) -> Response<ResponseBody> {
    let (is_ready, said) = app.health.readiness();
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    say(status, said, method)
}

fn say(status: StatusCode, text: &str, method: &Method) -> Response<ResponseBody> {
    let text = Bytes::from(format!("{text}\n"));
    Answer::new(status)
        .header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .content(method, TEXT, text)
}
