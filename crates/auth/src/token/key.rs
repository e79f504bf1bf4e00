//! A key that may sign, and the algorithms that it may sign by.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ParsedPublicKey,
    VerificationAlgorithm,
};
use jsonwebtoken::DecodingKey;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521, OID_SIG_ED25519,
};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::algorithm::Algorithm;

/// The sizes of RSA keys that are taken, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;
/// The shortest secret that is taken, in bytes; HS384 and HS512 want more (RFC 7518 section 3.2).
const SECRET_BYTES: usize = 32;

/// A key whose type alone decides which algorithms it is used with, whatever a token says.
#[derive(Clone)]
pub(super) enum VerifyingKey {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    Elliptic {
        curve: Curve,
        /// The uncompressed point: `04`, x, y.
        point: Vec<u8>,
    },
    Ed25519 {
        point: Vec<u8>,
    },
    Secret(Vec<u8>),
}

/// A curve that tokens are signed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

/// Why a key is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The type of the key, or its curve, is none that tokens are signed with.
    #[error(
        "its type is none of RSA, EC on P-256, P-384 or P-521, Ed25519, and `oct` in a file of JSON Web Keys"
    )]
    Unsupported,
    /// The size of an RSA key is out of bounds.
    #[error("an RSA key of {bits} bits is not taken: expected {} to {}", RSA_BITS.start(), RSA_BITS.end())]
    RsaSize {
        /// The size of its modulus.
        bits: usize,
    },
    /// The exponent of an RSA key is even, one, or larger than anybody uses.
    #[error("its RSA exponent is not an odd number of 3 or more that fits into 32 bits")]
    RsaExponent,
    /// The point of the key is none of its curve, or one that proves nothing.
    #[error("its point is not a usable one of its curve")]
    Point,
    /// A secret that can be guessed.
    #[error(
        "a secret of {bytes} bytes is not taken: expected at least {}",
        SECRET_BYTES
    )]
    ShortSecret {
        /// The length of the secret.
        bytes: usize,
    },
    /// A parameter of a JSON Web Key is missing, or no base64 without padding.
    #[error("its parameter `{name}` is missing or malformed")]
    Parameter {
        /// The name of the parameter.
        name: &'static str,
    },
}

impl VerifyingKey {
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        let modulus = without_leading_zeros(modulus);
        let exponent = without_leading_zeros(exponent);
        let leading = modulus.first().map_or(8, |byte| byte.leading_zeros());
        let bits = (modulus.len() * 8).saturating_sub(leading as usize);
        if !RSA_BITS.contains(&bits) {
            return Err(KeyError::RsaSize { bits });
        }
        let odd = exponent.last().is_some_and(|byte| byte % 2 == 1);
        if !odd || exponent == [1] || exponent.len() > 4 {
            return Err(KeyError::RsaExponent);
        }
        Ok(Self::Rsa {
            modulus: modulus.to_vec(),
            exponent: exponent.to_vec(),
        })
    }

    pub(super) fn elliptic(curve: Curve, point: Vec<u8>) -> Result<Self, KeyError> {
        let uncompressed = point.first() == Some(&4);
        if !uncompressed || ParsedPublicKey::new(curve.verification(), &point).is_err() {
            return Err(KeyError::Point);
        }
        Ok(Self::Elliptic { curve, point })
    }

    pub(super) fn ed25519(point: &[u8]) -> Result<Self, KeyError> {
        let Ok(point) = <[u8; 32]>::try_from(point) else {
            return Err(KeyError::Point);
        };
        if is_of_small_order(point) {
            return Err(KeyError::Point);
        }
        Ok(Self::Ed25519 {
            point: point.to_vec(),
        })
    }

    pub(super) fn secret(bytes: Vec<u8>) -> Result<Self, KeyError> {
        if bytes.len() < SECRET_BYTES {
            return Err(KeyError::ShortSecret { bytes: bytes.len() });
        }
        Ok(Self::Secret(bytes))
    }

    /// The key of a certificate.
    pub(super) fn of_certificate(info: &SubjectPublicKeyInfo<'_>) -> Result<Self, KeyError> {
        let kind = &info.algorithm.algorithm;
        if *kind == OID_SIG_ED25519 {
            return Self::ed25519(&info.subject_public_key.data);
        }
        if *kind == OID_KEY_TYPE_EC_PUBLIC_KEY {
            let parameters = info.algorithm.parameters.as_ref();
            let curve = parameters.and_then(|value| value.as_oid().ok());
            let curve = curve.and_then(|oid| Curve::of_certificate(&oid));
            let point = info.subject_public_key.data.to_vec();
            return Self::elliptic(curve.ok_or(KeyError::Unsupported)?, point);
        }
        match info.parsed() {
            Ok(PublicKey::RSA(key)) => Self::rsa(key.modulus, key.exponent),
            _ => Err(KeyError::Unsupported),
        }
    }

    /// Whether this key may sign by `algorithm`.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm as A;
        match self {
            Self::Rsa { .. } => matches!(
                algorithm,
                A::Rs256 | A::Rs384 | A::Rs512 | A::Ps256 | A::Ps384 | A::Ps512
            ),
            Self::Elliptic { curve, .. } => matches!(
                (curve, algorithm),
                (Curve::P256, A::Es256) | (Curve::P384, A::Es384) | (Curve::P521, A::Es512)
            ),
            Self::Ed25519 { .. } => algorithm == A::EdDsa,
            Self::Secret(secret) => match algorithm {
                A::Hs256 => true,
                A::Hs384 => secret.len() >= 48,
                A::Hs512 => secret.len() >= 64,
                _ => false,
            },
        }
    }

    /// Whether `signature`, in base64, is this key's over `message`.
    pub(super) fn verifies(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &Signature,
    ) -> bool {
        if !self.fits(algorithm) {
            return false;
        }
        let Some(known) = by_crate(algorithm) else {
            return self.verifies_p521(message, &signature.bytes);
        };
        let key = match self {
            Self::Rsa { modulus, exponent } => {
                DecodingKey::from_rsa_raw_components(modulus, exponent)
            }
            Self::Elliptic { point, .. } => DecodingKey::from_ec_der(point),
            Self::Ed25519 { point } => DecodingKey::from_ed_der(point),
            Self::Secret(secret) => DecodingKey::from_secret(secret),
        };
        jsonwebtoken::crypto::verify(signature.text, message, &key, known).unwrap_or(false)
    }

    fn verifies_p521(&self, message: &[u8], signature: &[u8]) -> bool {
        let Self::Elliptic { point, .. } = self else {
            return false;
        };
        let verified = ECDSA_P521_SHA512_FIXED.verify_sig(point, message, signature);
        verified.is_ok()
    }
}

/// A signature as its token has it, and decoded.
#[derive(Debug)]
pub(super) struct Signature<'a> {
    pub(super) text: &'a str,
    pub(super) bytes: Vec<u8>,
}

impl Curve {
    /// The curve's name in JSON Web Keys.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// The length of one coordinate, in bytes.
    pub(super) const fn coordinate(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        let curves = [Self::P256, Self::P384, Self::P521];
        curves.into_iter().find(|curve| curve.name() == name)
    }

    fn of_certificate(oid: &x509_parser::der_parser::oid::Oid<'_>) -> Option<Self> {
        let curves = [
            (OID_EC_P256, Self::P256),
            (OID_NIST_EC_P384, Self::P384),
            (OID_NIST_EC_P521, Self::P521),
        ];
        curves
            .into_iter()
            .find_map(|(known, curve)| (known == *oid).then_some(curve))
    }

    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED,
            Self::P384 => &ECDSA_P384_SHA384_FIXED,
            Self::P521 => &ECDSA_P521_SHA512_FIXED,
        }
    }
}

/// What `jsonwebtoken` calls an algorithm; P-521 it does not know.
fn by_crate(algorithm: Algorithm) -> Option<jsonwebtoken::Algorithm> {
    use jsonwebtoken::Algorithm as Known;
    Some(match algorithm {
        Algorithm::EdDsa => Known::EdDSA,
        Algorithm::Hs256 => Known::HS256,
        Algorithm::Hs384 => Known::HS384,
        Algorithm::Hs512 => Known::HS512,
        Algorithm::Rs256 => Known::RS256,
        Algorithm::Rs384 => Known::RS384,
        Algorithm::Rs512 => Known::RS512,
        Algorithm::Es256 => Known::ES256,
        Algorithm::Es384 => Known::ES384,
        Algorithm::Es512 => return None,
        Algorithm::Ps256 => Known::PS256,
        Algorithm::Ps384 => Known::PS384,
        Algorithm::Ps512 => Known::PS512,
    })
}

/// A number as JSON Web Keys have it (RFC 7518 section 2, `Base64urlUInt`).
fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let start = number.iter().position(|byte| *byte != 0);
    &number[start.unwrap_or(number.len())..]
}

/// The y coordinates of the points whose order divides eight, and the ways to write them that are not reduced.
///
/// Under such a key one signature fits many messages.
const SMALL_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";

fn is_of_small_order(mut point: [u8; 32]) -> bool {
    // The highest bit is the sign of x.
    point[31] &= 0x7f;
    let mut hexadecimal = String::new();
    for byte in point {
        hexadecimal.push(char::from(HEXADECIMAL[usize::from(byte >> 4)]));
        hexadecimal.push(char::from(HEXADECIMAL[usize::from(byte & 15)]));
    }
    SMALL_ORDER.contains(&hexadecimal.as_str())
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { modulus, .. } => write!(formatter, "RSA of {} bits", modulus.len() * 8),
            Self::Elliptic { curve, .. } => formatter.write_str(curve.name()),
            Self::Ed25519 { .. } => formatter.write_str("Ed25519"),
            Self::Secret(_) => formatter.write_str("a secret"),
        }
    }
}
