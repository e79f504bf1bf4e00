//! `/v2/token`: tokens of our own, as Docker's token authentication has them.
//!
//! By GET with `Basic` and a query, and by POST with a form, as OAuth 2 has it.
//! Who sends no password gets a token of what anybody may do.

use boxyard_auth::{Holder, Identity, scope};
use boxyard_oci::ErrorCode;
use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Method, Response, StatusCode};
use jiff::Timestamp;
use serde_json::json;

use super::route::RouteError;
use crate::access::{Asked, Credentials, Issued};
use crate::app::App;
use crate::body::RequestBody;
use crate::error::ApiError;
use crate::query::Query;
use crate::response::{Answer, ResponseBody};
use crate::seen::Seen;

/// The longest form that is read.
const FORM_BYTES: usize = 64 << 10;
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Issues a token.
pub(super) async fn serve(
    app: &App,
    asked: Asked<'_>,
    seen: &Seen,
    body: RequestBody,
) -> Result<Response<ResponseBody>, ApiError> {
    if !app.access.issues() {
        return Err(RouteError::NotFound.into());
    }
    let method = &asked.request.method;
    let (identity, scopes) = if *method == Method::POST {
        by_form(app, asked, body).await?
    } else {
        let scopes = Query::of(&asked.request.uri).form("scope")?;
        (app.access.password_or_certificate(asked).await?, scopes)
    };
    if let Some(name) = identity.name() {
        seen.identify(name);
    }
    let issued = app.access.issue(holder(identity), scope::parse(&scopes));
    Ok(answer(&issued, method))
}

async fn by_form(
    app: &App,
    asked: Asked<'_>,
    body: RequestBody,
) -> Result<(Identity, Vec<String>), ApiError> {
    let bytes = body.collect(FORM_BYTES).await?;
    let text = std::str::from_utf8(&bytes).map_err(|_| malformed(&"the form is not UTF-8"))?;
    let form = Query::of_form(text);
    let first = |name| form.form(name).map(|values| values.into_iter().next());
    match first("grant_type")?.as_deref() {
        Some("password") => {}
        // There are no refresh tokens, so whoever has one has it from elsewhere; clients go on with GET.
        _ => return Err(malformed(&"`grant_type` must be `password`")),
    }
    let (user, password) = (first("username")?, first("password")?);
    let credentials = match (user, password) {
        (Some(user), Some(password)) => Credentials::Basic {
            user,
            password: password.as_str().into(),
        },
        _ => return Err(malformed(&"`username` and `password` are missing")),
    };
    let identity = app.access.by_password(asked, credentials).await?;
    Ok((identity, form.form("scope")?))
}

fn malformed(reason: &dyn std::fmt::Display) -> ApiError {
    ApiError::client(ErrorCode::Unsupported, reason).with_status(StatusCode::BAD_REQUEST)
}

fn holder(identity: Identity) -> Holder {
    match identity {
        Identity::User(name) => Holder::User(name),
        Identity::Certificate(name) => Holder::Certificate(name),
        Identity::Anonymous | Identity::Token(_) | Identity::Ticket(_) => Holder::Anonymous,
    }
}

fn answer(issued: &Issued, method: &Method) -> Response<ResponseBody> {
    let at = Timestamp::try_from(issued.at).unwrap_or_default();
    let body = json!({
        "token": issued.text,
        "access_token": issued.text,
        "scope": scope::write(&issued.granted),
        "expires_in": issued.seconds,
        "issued_at": at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    });
    Answer::new(StatusCode::OK)
        .header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .content(method, JSON, Bytes::from(body.to_string()))
}
