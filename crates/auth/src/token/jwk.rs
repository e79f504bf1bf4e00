//! JSON Web Keys (RFC 7517), in a file that we trust and in the headers of strangers.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::json;
use super::key::{Curve, KeyError, VerifyingKey};

/// A key and what its JSON says beside it.
#[derive(Clone, Debug)]
pub(super) struct Jwk {
    pub(super) key: VerifyingKey,
    pub(super) id: Option<String>,
    /// The only algorithm that it is for, where it says so.
    pub(super) algorithm: Option<Algorithm>,
}

/// What becomes of one key of a set.
#[derive(Clone, Debug)]
pub(super) enum Read {
    /// It may sign tokens.
    Usable(Box<Jwk>),
    /// It is for something else, or of a type that is not known here (RFC 7517 section 5).
    Ignored,
}

/// Reads one key of a set.
pub(super) fn read(object: &Map<String, Value>) -> Result<Read, KeyError> {
    let use_of = text(object, "use")?;
    let name = text(object, "alg")?;
    let algorithm = name.map(str::parse::<Algorithm>);
    if use_of.is_some_and(|name| name != "sig") || matches!(algorithm, Some(Err(_))) {
        return Ok(Read::Ignored);
    }
    let key = match key(object) {
        Ok(key) => key,
        Err(KeyError::Unsupported) => return Ok(Read::Ignored),
        Err(error) => return Err(error),
    };
    Ok(Read::Usable(Box::new(Jwk {
        key,
        id: text(object, "kid")?
            .filter(|id| !id.is_empty())
            .map(ToOwned::to_owned),
        algorithm: algorithm.and_then(Result::ok),
    })))
}

/// The public key, or the secret, that an object has the parameters of (RFC 7518 section 6, RFC 8037 section 2).
pub(super) fn key(object: &Map<String, Value>) -> Result<VerifyingKey, KeyError> {
    let curve = || text(object, "crv").map(Option::unwrap_or_default);
    match text(object, "kty")? {
        None => Err(KeyError::Parameter { name: "kty" }),
        Some("RSA") => VerifyingKey::rsa(&bytes(object, "n")?, &bytes(object, "e")?),
        Some("EC") => {
            let curve = Curve::of_name(curve()?).ok_or(KeyError::Unsupported)?;
            let mut point = vec![4];
            for name in ["x", "y"] {
                let coordinate = bytes(object, name)?;
                if coordinate.len() != curve.coordinate() {
                    return Err(KeyError::Parameter { name });
                }
                point.extend(coordinate);
            }
            VerifyingKey::elliptic(curve, point)
        }
        Some("OKP") if curve()? == "Ed25519" => VerifyingKey::ed25519(&bytes(object, "x")?),
        Some("oct") => VerifyingKey::secret(bytes(object, "k")?),
        Some(_) => Err(KeyError::Unsupported),
    }
}

fn text<'a>(
    object: &'a Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'a str>, KeyError> {
    json::text(object, name).map_err(|_| KeyError::Parameter { name })
}

fn bytes(object: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, KeyError> {
    let decoded = text(object, name)?.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    decoded.ok_or(KeyError::Parameter { name })
}
