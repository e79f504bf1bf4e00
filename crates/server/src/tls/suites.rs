//! Cipher suites by the names that Go, and so distribution, has for them.

use rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES;
use rustls::version::TLS13;
use rustls::{CipherSuite, SupportedCipherSuite, SupportedProtocolVersion};

/// What Go knows beside ours: suites without forward secrecy or without authenticated encryption.
const WEAK: [&str; 10] = [
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
];

/// Why there is no suite of a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SuiteError {
    /// Distribution has it, and it is too weak.
    #[error("`{name}` is too weak to be served here; there are {}", known())]
    Weak {
        /// The name.
        name: String,
    },
    /// Nobody has it.
    #[error("`{name}` is no cipher suite; there are {}", known())]
    Unknown {
        /// The name.
        name: String,
    },
}

/// The suite of a name.
pub(crate) fn find(name: &str) -> Result<SupportedCipherSuite, SuiteError> {
    let found = ALL_CIPHER_SUITES
        .iter()
        .find(|suite| self::name(suite) == name);
    let name = name.to_owned();
    match found {
        Some(suite) => Ok(*suite),
        None if WEAK.contains(&name.as_str()) => Err(SuiteError::Weak { name }),
        None => Err(SuiteError::Unknown { name }),
    }
}

/// The suites to offer where `chosen` are named, which may be none, and `versions` are served; the quickest first.
///
/// Go has no choice among those of TLS 1.3, so a list that names none of them leaves them all, and it has its own order of them.
pub(crate) fn offered(
    chosen: &[SupportedCipherSuite],
    versions: &[&'static SupportedProtocolVersion],
) -> Vec<SupportedCipherSuite> {
    let names_1_3 = chosen.iter().any(is_1_3);
    let mut offered: Vec<_> = ALL_CIPHER_SUITES
        .iter()
        .filter(|suite| versions.contains(&suite.version()))
        .filter(|suite| {
            let is_named = chosen.contains(suite);
            is_named || chosen.is_empty() || (is_1_3(suite) && !names_1_3)
        })
        .copied()
        .collect();
    offered.sort_by_key(|suite| Cipher::of(suite.suite()));
    offered
}

/// What a suite encrypts with, in the order that Go's servers prefer where the processor knows AES.
///
/// Many clients ask for AES-256 first, and a large part of what a pull costs over TLS is its cipher: AES-128 takes ten rounds of fourteen and is as safe against whatever can be built today.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cipher {
    Aes128,
    Aes256,
    Other,
}

impl Cipher {
    fn of(suite: CipherSuite) -> Self {
        let name = suite.as_str().unwrap_or_default();
        if name.contains("AES_128_GCM") {
            Self::Aes128
        } else if name.contains("AES_256_GCM") {
            Self::Aes256
        } else {
            Self::Other
        }
    }
}

/// Whether the processor of this machine knows AES; where it does not, clients choose.
pub(super) fn is_aes_quick() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    return std::arch::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

/// Whether a client's processor knows AES too: then it does not ask for `ChaCha20` first.
pub(super) fn is_aes_wanted(asked: &[CipherSuite]) -> bool {
    let mut known = asked.iter().filter(|asked| {
        let is_same = |suite: &SupportedCipherSuite| suite.suite() == **asked;
        ALL_CIPHER_SUITES.iter().any(is_same)
    });
    known
        .next()
        .is_none_or(|first| Cipher::of(*first) != Cipher::Other)
}

fn is_1_3(suite: &SupportedCipherSuite) -> bool {
    suite.version() == &TLS13
}

fn name(suite: &SupportedCipherSuite) -> String {
    let name = match suite.suite() {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        other => return other.as_str().unwrap_or_default().to_owned(),
    };
    name.to_owned()
}

fn known() -> String {
    let names: Vec<_> = ALL_CIPHER_SUITES
        .iter()
        .map(|suite| format!("`{}`", name(suite)))
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use rustls::version::TLS12;

    use super::*;

    const CHACHA: &str = "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256";

    fn names(chosen: &[&str], versions: &[&'static SupportedProtocolVersion]) -> Vec<String> {
        let chosen: Vec<_> = chosen.iter().map(|name| find(name).unwrap()).collect();
        offered(&chosen, versions).iter().map(name).collect()
    }

    #[test]
    fn every_suite_is_found_by_its_name_in_go() {
        for suite in ALL_CIPHER_SUITES {
            assert_eq!(find(&name(suite)).unwrap().suite(), suite.suite());
        }
    }

    #[test]
    fn other_names_are_answered_with_those_that_there_are() {
        let weak = find(WEAK[0]).unwrap_err().to_string();
        let unknown = find("TLS_FISH").unwrap_err().to_string();

        assert!(weak.contains("too weak") && weak.contains(CHACHA), "{weak}");
        assert!(
            unknown.contains("`TLS_FISH` is no cipher suite"),
            "{unknown}"
        );
        assert!(unknown.contains("`TLS_AES_128_GCM_SHA256`"), "{unknown}");
    }

    #[test]
    fn without_a_choice_everything_of_the_versions_is_offered() {
        assert_eq!(names(&[], &[&TLS13, &TLS12]).len(), ALL_CIPHER_SUITES.len());
        assert_eq!(names(&[], &[&TLS13]).len(), 3);
    }

    #[test]
    fn a_choice_of_1_2_leaves_those_of_1_3() {
        let names = names(&[CHACHA], &[&TLS13, &TLS12]);

        assert_eq!(names.len(), 4);
        assert!(names.contains(&CHACHA.to_owned()));
    }

    #[test]
    fn the_quickest_suites_are_offered_first() {
        let names = names(&[], &[&TLS13]);

        assert_eq!(names[0], "TLS_AES_128_GCM_SHA256");
        assert_eq!(names[2], "TLS_CHACHA20_POLY1305_SHA256");
    }

    #[test]
    fn a_client_without_aes_asks_for_something_else_first() {
        let grease = CipherSuite::Unknown(0x0a0a);
        let aes = CipherSuite::TLS13_AES_256_GCM_SHA384;
        let chacha = CipherSuite::TLS13_CHACHA20_POLY1305_SHA256;

        assert!(is_aes_wanted(&[grease, aes, chacha]));
        assert!(!is_aes_wanted(&[grease, chacha, aes]));
    }

    #[test]
    fn a_choice_of_1_3_is_one() {
        let chosen = ["TLS_AES_256_GCM_SHA384", CHACHA];

        assert_eq!(names(&chosen, &[&TLS13, &TLS12]), chosen);
        assert_eq!(names(&chosen, &[&TLS13]), chosen[..1]);
    }
}
