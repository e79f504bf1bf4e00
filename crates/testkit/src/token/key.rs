//! Keys that sign tokens.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair, RsaPublicKeyComponents,
};
use aws_lc_rs::{hmac, signature};
use serde_json::{Value, json};

use super::base64url;

/// The type of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// RSA of 2048 bits.
    Rsa,
    /// An elliptic curve.
    P256,
    /// A larger one.
    P384,
    /// The largest.
    P521,
    /// Edwards's curve.
    Ed25519,
}

/// A private key, or a secret that both sides know.
pub struct SigningKey {
    inner: Inner,
}

enum Inner {
    Pair(KeyKind, rcgen::KeyPair),
    Secret(Vec<u8>),
}

impl KeyKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Rsa, Self::P256, Self::P384, Self::P521, Self::Ed25519];

    /// The algorithms that a key of this type signs by.
    pub fn algorithms(self) -> &'static [&'static str] {
        match self {
            Self::Rsa => &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
            Self::P256 => &["ES256"],
            Self::P384 => &["ES384"],
            Self::P521 => &["ES512"],
            Self::Ed25519 => &["EdDSA"],
        }
    }

    fn generation(self) -> &'static rcgen::SignatureAlgorithm {
        match self {
            Self::Rsa => &rcgen::PKCS_RSA_SHA256,
            Self::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Self::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            Self::P521 => &rcgen::PKCS_ECDSA_P521_SHA512,
            Self::Ed25519 => &rcgen::PKCS_ED25519,
        }
    }

    fn curve(self) -> Option<(&'static str, usize, &'static EcdsaSigningAlgorithm)> {
        match self {
            Self::P256 => Some(("P-256", 32, &ECDSA_P256_SHA256_FIXED_SIGNING)),
            Self::P384 => Some(("P-384", 48, &ECDSA_P384_SHA384_FIXED_SIGNING)),
            Self::P521 => Some(("P-521", 66, &ECDSA_P521_SHA512_FIXED_SIGNING)),
            Self::Rsa | Self::Ed25519 => None,
        }
    }
}

impl SigningKey {
    /// A new key.
    pub fn new(kind: KeyKind) -> Self {
        let pair = rcgen::KeyPair::generate_for(kind.generation()).expect("make a key");
        Self {
            inner: Inner::Pair(kind, pair),
        }
    }

    /// The key of a file in PEM (PKCS #8).
    #[track_caller]
    pub fn from_pem(kind: KeyKind, pem: &str) -> Self {
        let pair = rcgen::KeyPair::from_pkcs8_pem_and_sign_algo(pem, kind.generation());
        Self {
            inner: Inner::Pair(kind, pair.expect("the text is a private key")),
        }
    }

    /// A secret.
    pub fn secret(bytes: &[u8]) -> Self {
        Self {
            inner: Inner::Secret(bytes.to_owned()),
        }
    }

    /// The key pair, for certificates; a secret has none.
    #[track_caller]
    pub(super) fn pair(&self) -> &rcgen::KeyPair {
        match &self.inner {
            Inner::Pair(_, pair) => pair,
            Inner::Secret(_) => panic!("a secret has no certificate"),
        }
    }

    /// Signs `message`; a secret by whatever algorithm, a key by those of its type.
    #[track_caller]
    pub fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        match &self.inner {
            Inner::Pair(kind, pair) => sign(*kind, &pair.serialize_der(), algorithm, message),
            Inner::Secret(secret) => {
                let algorithm = match algorithm {
                    "HS384" => hmac::HMAC_SHA384,
                    "HS512" => hmac::HMAC_SHA512,
                    _ => hmac::HMAC_SHA256,
                };
                let key = hmac::Key::new(algorithm, secret);
                hmac::sign(&key, message).as_ref().to_vec()
            }
        }
    }

    /// The public key, or the secret, as a JSON Web Key without a name.
    pub fn jwk(&self) -> Value {
        match &self.inner {
            Inner::Secret(secret) => json!({ "kty": "oct", "k": base64url(secret) }),
            Inner::Pair(kind, pair) => {
                let raw = pair.public_key_raw();
                if let Some((curve, length, _)) = kind.curve() {
                    let (x, y) = raw[1..].split_at(length);
                    return json!({
                        "kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y),
                    });
                }
                if *kind == KeyKind::Ed25519 {
                    return json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url(raw) });
                }
                let pair = RsaKeyPair::from_pkcs8(&pair.serialize_der()).expect("read the key");
                let parts = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({ "kty": "RSA", "n": base64url(&parts.n), "e": base64url(&parts.e) })
            }
        }
    }

    /// The same with a name.
    pub fn named_jwk(&self, id: &str) -> Value {
        let mut jwk = self.jwk();
        jwk["kid"] = json!(id);
        jwk
    }

    /// The public key as it is in certificates (`SubjectPublicKeyInfo`).
    #[track_caller]
    pub fn public_der(&self) -> Vec<u8> {
        rcgen::PublicKeyData::subject_public_key_info(self.pair())
    }

    /// The public key in PEM, which attackers use as a secret.
    #[track_caller]
    pub fn public_pem(&self) -> String {
        self.pair().public_key_pem()
    }

    /// The thumbprint of the public key (RFC 7638).
    pub fn thumbprint(&self) -> String {
        let jwk = self.jwk();
        let sorted: BTreeMap<_, _> = jwk
            .as_object()
            .expect("a key is an object")
            .iter()
            .collect();
        let text = serde_json::to_string(&sorted).expect("a map becomes JSON");
        base64url(digest(&SHA256, text.as_bytes()).as_ref())
    }

    /// The name that distribution 2 has for the public key.
    #[track_caller]
    pub fn libtrust_id(&self) -> String {
        let hash = digest(&SHA256, &self.public_der());
        let mut bits = String::new();
        for byte in &hash.as_ref()[..30] {
            write!(bits, "{byte:08b}").expect("a text takes everything");
        }
        let letters: Vec<char> = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".chars().collect();
        let letter = |five: &[u8]| {
            let number = std::str::from_utf8(five).ok();
            let number = number.and_then(|text| usize::from_str_radix(text, 2).ok());
            letters[number.expect("five bits are a number")]
        };
        let name: Vec<char> = bits.as_bytes().chunks(5).map(letter).collect();
        let groups: Vec<String> = name.chunks(4).map(String::from_iter).collect();
        groups.join(":")
    }
}

fn sign(kind: KeyKind, pkcs8: &[u8], algorithm: &str, message: &[u8]) -> Vec<u8> {
    let random = SystemRandom::new();
    if let Some((_, _, signing)) = kind.curve() {
        let pair = EcdsaKeyPair::from_pkcs8(signing, pkcs8).expect("read the key");
        let signature: signature::Signature = pair.sign(&random, message).expect("sign");
        return signature.as_ref().to_vec();
    }
    if kind == KeyKind::Ed25519 {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).expect("read the key");
        return pair.sign(message).as_ref().to_vec();
    }
    let encoding: &'static dyn RsaEncoding = match algorithm {
        "RS384" => &RSA_PKCS1_SHA384,
        "RS512" => &RSA_PKCS1_SHA512,
        "PS256" => &RSA_PSS_SHA256,
        "PS384" => &RSA_PSS_SHA384,
        "PS512" => &RSA_PSS_SHA512,
        _ => &RSA_PKCS1_SHA256,
    };
    let pair = RsaKeyPair::from_pkcs8(pkcs8).expect("read the key");
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(encoding, &random, message, &mut signature)
        .expect("sign");
    signature
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner {
            Inner::Pair(kind, _) => write!(formatter, "a key of type {kind:?}"),
            Inner::Secret(_) => formatter.write_str("a secret"),
        }
    }
}
