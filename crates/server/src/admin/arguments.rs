//! What a command asks for.

use boxyard_oci::ErrorCode;
use http::StatusCode;
use serde::de::DeserializeOwned;

use crate::body::RequestBody;
use crate::error::ApiError;

/// The longest arguments: a page of tags.
const LONGEST: usize = 1 << 20;

/// Reads the arguments of a command.
pub(super) async fn read<T: DeserializeOwned>(body: RequestBody) -> Result<T, ApiError> {
    let text = body.collect(LONGEST).await?;
    serde_json::from_slice(&text).map_err(|error| {
        ApiError::client(
            ErrorCode::Unsupported,
            &format!("the arguments of the command cannot be read: {error}"),
        )
        .with_status(StatusCode::BAD_REQUEST)
    })
}
