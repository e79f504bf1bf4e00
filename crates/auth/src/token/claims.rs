//! What a token says: who somebody is, what they may do, and for how long.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::json::{self, WrongType};
use crate::identity::{Grant, TokenIdentity};

/// How many resources a token may name.
const RESOURCES: usize = 1_024;
/// How many actions a token may name for one resource.
const ACTIONS: usize = 64;
/// How far the clocks of token server and registry may be apart.
const LEEWAY: i64 = 60;

/// What is wrong with the claims of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClaimsError {
    Type(WrongType),
    TooMuchAccess,
    Issuer,
    Audience,
    Expired,
    NotYet,
}

impl From<WrongType> for ClaimsError {
    fn from(wrong: WrongType) -> Self {
        Self::Type(wrong)
    }
}

/// Reads claims, and believes them if they are `issuer`'s, for `audience`, and for `now`; with the second in which they expire.
pub(super) fn read(
    claims: &Map<String, Value>,
    issuer: &str,
    audience: &str,
    now: SystemTime,
) -> Result<(TokenIdentity, i64), ClaimsError> {
    // Everything is read first, so that a token whose claims are malformed is never believed.
    let from = json::text(claims, "iss")?.unwrap_or_default();
    let subject = json::text(claims, "sub")?.filter(|subject| !subject.is_empty());
    let audiences = audiences(claims)?;
    let expires = time(claims, "exp")?;
    let begins = time(claims, "nbf")?.unwrap_or(i64::MIN);
    time(claims, "iat")?;
    json::text(claims, "jti")?;
    let (access, classes) = access(claims)?;

    if from != issuer {
        return Err(ClaimsError::Issuer);
    }
    if !audiences.contains(&audience) {
        return Err(ClaimsError::Audience);
    }
    let now = seconds(now);
    let end = expires.unwrap_or(0).saturating_add(LEEWAY);
    if now >= end {
        return Err(ClaimsError::Expired);
    }
    if now < begins.saturating_sub(LEEWAY) {
        return Err(ClaimsError::NotYet);
    }
    let identity = TokenIdentity {
        subject: subject.map(ToOwned::to_owned),
        access,
        classes,
    };
    Ok((identity, end))
}

/// The audiences: one text, or a list of them (RFC 7519 section 4.1.3).
fn audiences(claims: &Map<String, Value>) -> Result<Vec<&str>, WrongType> {
    match claims.get("aud") {
        Some(Value::String(one)) => Ok(vec![one]),
        _ => json::texts(claims, "aud"),
    }
}

/// Seconds since 1970, which may have a fraction (RFC 7519 section 2, `NumericDate`).
fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, WrongType> {
    let wrong = WrongType {
        name,
        expected: "a number of seconds",
    };
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => {
            let whole = number.as_i64();
            let fraction = || number.as_f64().map(truncated);
            whole.or_else(fraction).map(Some).ok_or(wrong)
        }
        Some(_) => Err(wrong),
    }
}

/// The whole seconds of a time; one that no clock will reach is the last that there is.
fn truncated(seconds: f64) -> i64 {
    const FAR: f64 = 1e15;
    if seconds >= FAR {
        return i64::MAX;
    }
    if seconds <= -FAR {
        return i64::MIN;
    }
    format!("{:.0}", seconds.floor())
        .parse()
        .unwrap_or(i64::MIN)
}

fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

type Granted = (Vec<Grant>, Vec<(String, String)>);

fn access(claims: &Map<String, Value>) -> Result<Granted, ClaimsError> {
    let wrong = WrongType {
        name: "access",
        expected: "a list of objects",
    };
    let entries = match claims.get("access") {
        None | Some(Value::Null) => return Ok(Granted::default()),
        Some(Value::Array(entries)) => entries,
        Some(_) => return Err(wrong.into()),
    };
    if entries.len() > RESOURCES {
        return Err(ClaimsError::TooMuchAccess);
    }
    let mut granted = Granted::default();
    for entry in entries {
        let (grant, class) = one(entry.as_object().ok_or(wrong)?)?;
        if grant.kind == "repository" {
            let class = class.unwrap_or_else(|| "image".to_owned());
            granted.1.push((grant.name.clone(), class));
        }
        granted.0.push(grant);
    }
    Ok(granted)
}

/// One grant, and what its resource is for where the entry says so.
fn one(entry: &Map<String, Value>) -> Result<(Grant, Option<String>), ClaimsError> {
    let actions = json::texts(entry, "actions")?;
    if actions.len() > ACTIONS {
        return Err(ClaimsError::TooMuchAccess);
    }
    let (kind, suffix) = parted(json::text(entry, "type")?.unwrap_or_default());
    let class = json::text(entry, "class")?.filter(|class| !class.is_empty());
    let grant = Grant {
        kind: kind.to_owned(),
        name: json::text(entry, "name")?.unwrap_or_default().to_owned(),
        actions: actions.into_iter().map(ToOwned::to_owned).collect(),
    };
    Ok((grant, class.or(suffix).map(ToOwned::to_owned)))
}

/// The type and the class of `repository(plugin)`.
fn parted(kind: &str) -> (&str, Option<&str>) {
    let parts = kind.strip_suffix(')').and_then(|rest| rest.split_once('('));
    match parts {
        Some((kind, class)) if !class.is_empty() => (kind, Some(class)),
        _ => (kind, None),
    }
}
