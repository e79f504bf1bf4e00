//! What there is of an upload apart from its bytes.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::SystemTime;

use boxyard_oci::Algorithm;
use jiff::Timestamp;
use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};

/// The unguessable name of an upload: a UUID in its usual form, lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId(String);

/// The text is no upload id.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an upload id has 32 lower-case hexadecimal digits in five groups")]
pub struct UploadIdError;

impl UploadId {
    /// A new id, of which 122 bits are random.
    ///
    /// # Panics
    /// If the system has no random bytes to give.
    pub fn random() -> Self {
        let mut bytes = [0_u8; 16];
        let mut filled = 0;
        while filled < bytes.len() {
            match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
                Err(rustix::io::Errno::INTR) => {}
                read => filled += read.expect("every kernel that runs this has random bytes"),
            }
        }
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = format!("{:032x}", u128::from_be_bytes(bytes));
        let groups = [
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..],
        ];
        Self(groups.join("-"))
    }

    /// The id as it stands in paths and locations.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UploadId {
    type Err = UploadIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |(position, byte): (usize, u8)| match position {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        };
        if text.len() == 36 && text.bytes().enumerate().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(UploadIdError)
        }
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What we keep of an upload and distribution does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sidecar {
    /// Who began it.
    pub owner: Option<String>,
    /// The algorithm of the digest that it will be finished with, if that was said.
    pub algorithm: Option<Algorithm>,
}

#[derive(Default, Deserialize, Serialize)]
struct SidecarFile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    algorithm: Option<String>,
}

impl Sidecar {
    pub(crate) fn to_json(&self) -> io::Result<Vec<u8>> {
        let file = SidecarFile {
            owner: self.owner.clone(),
            algorithm: self.algorithm.map(|algorithm| algorithm.to_string()),
        };
        serde_json::to_vec(&file).map_err(io::Error::from)
    }

    /// Reads what may have been cut short; the bytes of the upload are what counts.
    pub(crate) fn from_json(json: &[u8]) -> Self {
        let file: SidecarFile = serde_json::from_slice(json).unwrap_or_default();
        Self {
            owner: file.owner,
            algorithm: file.algorithm.and_then(|name| name.parse().ok()),
        }
    }
}

/// A time as distribution writes it to `startedat`: whole seconds, UTC.
pub(crate) fn started_text(started: SystemTime) -> io::Result<String> {
    let seconds = Timestamp::try_from(started)
        .and_then(|exact| Timestamp::from_second(exact.as_second()))
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    Ok(seconds.to_string())
}

/// Reads a `startedat` file.
pub(crate) fn parse_started(text: &[u8]) -> Option<SystemTime> {
    let timestamp: Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(timestamp.into())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_random_id_is_a_version_4_uuid_and_never_the_same() {
        let ids: HashSet<UploadId> = (0..1000).map(|_| UploadId::random()).collect();

        assert_eq!(ids.len(), 1000);
        for id in ids {
            assert_eq!(&id.as_str()[14..15], "4");
            assert!("89ab".contains(&id.as_str()[19..20]));
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn an_id_that_could_name_another_path_is_none() {
        for text in [
            "",
            "..",
            "0fbfbd56-4d39-4e57-9b39-3d0b4a3f5c1",
            "0fbfbd56-4d39-4e57-9b39-3d0b4a3f5c111",
            "0FBFBD56-4d39-4e57-9b39-3d0b4a3f5c11",
            "0fbfbd5634d3934e5739b3933d0b4a3f5c11",
            "------------------------------------",
            "../../../../../../../../../../../etc",
            "0fbfbd56-4d39-4e57-9b39-3d0b4a3f5c1\0",
        ] {
            assert_eq!(text.parse::<UploadId>(), Err(UploadIdError), "{text:?}");
        }
    }

    #[test]
    fn a_sidecar_survives_and_a_damaged_one_is_an_empty_one() {
        let sidecar = Sidecar {
            owner: Some("alice \"quoted\"".to_owned()),
            algorithm: Some(Algorithm::Sha512),
        };

        let json = sidecar.to_json().unwrap();

        assert_eq!(Sidecar::from_json(&json), sidecar);
        assert_eq!(Sidecar::from_json(&json[..9]), Sidecar::default());
        assert_eq!(
            Sidecar::from_json(b"{\"algorithm\":\"md5\"}"),
            Sidecar::default()
        );
    }

    #[test]
    fn a_start_has_whole_seconds_and_is_read_with_any_offset() {
        let noon = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_700);
        let whole = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);

        assert_eq!(started_text(noon).unwrap(), "2023-11-14T22:13:20Z");
        assert_eq!(parse_started(b"2023-11-14T22:13:20Z"), Some(whole));
        assert_eq!(parse_started(b"2023-11-14T20:13:20-02:00"), Some(whole));
        assert_eq!(parse_started(b"yesterday"), None);
        assert_eq!(parse_started(b"\xff"), None);
    }
}
