//! Which command a path names.

use boxyard_oci::ErrorCode;
use http::request::Parts;
use http::{Method, Response, StatusCode};

use super::serve::Attendant;
use super::{collect, folder, repositories, scrub, tags, usage};
use crate::body::RequestBody;
use crate::error::ApiError;
use crate::response::ResponseBody;

/// Serves one request below `/admin/`.
pub(super) async fn serve(
    attendant: &Attendant,
    request: &Parts,
    body: RequestBody,
) -> Result<Response<ResponseBody>, ApiError> {
    let command = request.uri.path().strip_prefix("/admin/");
    let command = command.unwrap_or_default();
    if request.method != Method::POST {
        return Err(unknown(command));
    }
    let changes = matches!(command, "repositories/remove" | "tags/remove");
    if changes && attendant.app.limits.read_only {
        return Err(ApiError::read_only_command());
    }
    match command {
        "adopt" => Ok(folder::adopt(attendant)),
        "collect" => collect::collect(attendant, body).await,
        "hold" => Ok(folder::hold(attendant)),
        "repositories/remove" => repositories::remove(attendant, request, body).await,
        "repositories/summary" => repositories::summary(attendant, body).await,
        "scrub" => scrub::scrub(attendant, body).await,
        "settle" => Ok(folder::settle(attendant)),
        "tags/remove" => tags::remove(attendant, request, body).await,
        "tags/summary" => repositories::tags(attendant, body).await,
        "usage" => Ok(usage::usage(attendant)),
        _ => Err(unknown(command)),
    }
}

/// A command of another version.
fn unknown(command: &str) -> ApiError {
    ApiError::client(
        ErrorCode::Unsupported,
        &format!("this server does not know the command `{command}`: it is of another version"),
    )
    .with_status(StatusCode::NOT_FOUND)
}
