//! A token taken apart (RFC 7515 section 3.1), with nothing of it believed yet.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::json::{self, WrongType};
use super::key::Signature;

/// The longest token that is looked at.
const LENGTH: usize = 64 * 1024;

/// The parts of a token.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    pub(super) header: Header,
    /// Header and claims as they were signed.
    pub(super) message: &'a [u8],
    pub(super) signature: Signature<'a>,
    claims: &'a str,
}

/// What a token says about its signature.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) algorithm: Algorithm,
    fields: Map<String, Value>,
}

/// What is wrong with the form of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EnvelopeError {
    TooLong,
    Parts,
    Header,
    Claims,
    Signature,
    Algorithm,
    Critical,
    Type(WrongType),
}

impl From<WrongType> for EnvelopeError {
    fn from(wrong: WrongType) -> Self {
        Self::Type(wrong)
    }
}

impl<'a> Envelope<'a> {
    pub(super) fn open(token: &'a str) -> Result<Self, EnvelopeError> {
        if token.len() > LENGTH {
            return Err(EnvelopeError::TooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(EnvelopeError::Parts)?;
        let (header, claims) = message.split_once('.').ok_or(EnvelopeError::Parts)?;
        if claims.contains('.') {
            return Err(EnvelopeError::Parts);
        }
        let decoded = URL_SAFE_NO_PAD.decode(signature);
        let decoded = decoded.map_err(|_| EnvelopeError::Signature)?;
        if decoded.is_empty() {
            return Err(EnvelopeError::Signature);
        }
        Ok(Self {
            header: Header::read(object(header).ok_or(EnvelopeError::Header)?)?,
            message: message.as_bytes(),
            signature: Signature {
                text: signature,
                bytes: decoded,
            },
            claims,
        })
    }

    /// The claims, which whoever asks for them must have found signed.
    pub(super) fn claims(&self) -> Result<Map<String, Value>, EnvelopeError> {
        object(self.claims).ok_or(EnvelopeError::Claims)
    }
}

impl Header {
    fn read(fields: Map<String, Value>) -> Result<Self, EnvelopeError> {
        // What must be understood is not understood here (RFC 7515 section 4.1.11).
        if fields.contains_key("crit") {
            return Err(EnvelopeError::Critical);
        }
        let name = json::text(&fields, "alg")?.unwrap_or_default();
        let algorithm = name.parse().map_err(|_| EnvelopeError::Algorithm)?;
        Ok(Self { algorithm, fields })
    }

    /// The name of the key.
    pub(super) fn key_id(&self) -> Result<Option<&str>, WrongType> {
        Ok(json::text(&self.fields, "kid")?.filter(|id| !id.is_empty()))
    }

    /// The key itself.
    pub(super) fn key(&self) -> Result<Option<&Map<String, Value>>, WrongType> {
        match self.fields.get("jwk") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(key)) => Ok(Some(key)),
            Some(_) => Err(WrongType {
                name: "jwk",
                expected: "an object",
            }),
        }
    }

    /// Certificates that vouch for the key.
    pub(super) fn chain(&self) -> Result<Vec<&str>, WrongType> {
        json::texts(&self.fields, "x5c")
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    let text = URL_SAFE_NO_PAD.decode(part).ok()?;
    json::object(&text).ok()
}
