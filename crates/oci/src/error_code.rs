use std::fmt;

/// What went wrong, in the words of the distribution specification and of CNCF distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The repository does not hold the blob.
    BlobUnknown,
    /// An upload is not what it should be.
    BlobUploadInvalid,
    /// There is no such upload.
    BlobUploadUnknown,
    /// A digest is malformed, or not that of the content.
    DigestInvalid,
    /// A manifest names content that the repository does not hold.
    ManifestBlobUnknown,
    /// A manifest cannot be accepted.
    ManifestInvalid,
    /// The repository has no such manifest.
    ManifestUnknown,
    /// A repository's name is malformed.
    NameInvalid,
    /// There is no such repository.
    NameUnknown,
    /// A length is not that of the content.
    SizeInvalid,
    /// The caller has to say who it is.
    Unauthorized,
    /// The caller may not do this.
    Denied,
    /// The registry does not do this.
    Unsupported,
    /// The caller asks too often.
    TooManyRequests,
    /// A tag is malformed.
    TagInvalid,
    /// A range does not fit the content.
    RangeInvalid,
    /// The size of a page is malformed or too large.
    PaginationNumberInvalid,
    /// The registry cannot serve at the moment.
    Unavailable,
    /// The registry failed.
    Unknown,
}

impl ErrorCode {
    /// Every code there is.
    pub const ALL: [Self; 19] = [
        Self::BlobUnknown,
        Self::BlobUploadInvalid,
        Self::BlobUploadUnknown,
        Self::DigestInvalid,
        Self::ManifestBlobUnknown,
        Self::ManifestInvalid,
        Self::ManifestUnknown,
        Self::NameInvalid,
        Self::NameUnknown,
        Self::SizeInvalid,
        Self::Unauthorized,
        Self::Denied,
        Self::Unsupported,
        Self::TooManyRequests,
        Self::TagInvalid,
        Self::RangeInvalid,
        Self::PaginationNumberInvalid,
        Self::Unavailable,
        Self::Unknown,
    ];

    /// The code as it is written in an answer.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::BlobUploadInvalid => "BLOB_UPLOAD_INVALID",
            Self::BlobUploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestBlobUnknown => "MANIFEST_BLOB_UNKNOWN",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::SizeInvalid => "SIZE_INVALID",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Denied => "DENIED",
            Self::Unsupported => "UNSUPPORTED",
            Self::TooManyRequests => "TOOMANYREQUESTS",
            Self::TagInvalid => "TAG_INVALID",
            Self::RangeInvalid => "RANGE_INVALID",
            Self::PaginationNumberInvalid => "PAGINATION_NUMBER_INVALID",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// What to tell a person when nothing more precise is known.
    pub fn message(self) -> &'static str {
        match self {
            Self::BlobUnknown => "blob is not in this repository",
            Self::BlobUploadInvalid => "upload is invalid",
            Self::BlobUploadUnknown => "upload does not exist or has ended",
            Self::DigestInvalid => "digest is malformed or does not match the content",
            Self::ManifestBlobUnknown => {
                "manifest references content that is not in this repository"
            }
            Self::ManifestInvalid => "manifest is invalid",
            Self::ManifestUnknown => "manifest is not in this repository",
            Self::NameInvalid => "repository name is invalid",
            Self::NameUnknown => "repository does not exist",
            Self::SizeInvalid => "length does not match the content",
            Self::Unauthorized => "authentication is required",
            Self::Denied => "access to the resource is denied",
            Self::Unsupported => "operation is not supported",
            Self::TooManyRequests => "too many requests",
            Self::TagInvalid => "tag is invalid",
            Self::RangeInvalid => "range does not fit the content",
            Self::PaginationNumberInvalid => "page size is invalid",
            Self::Unavailable => "registry is unavailable",
            Self::Unknown => "registry failed",
        }
    }

    /// The HTTP status that CNCF distribution answers with.
    pub fn status(self) -> u16 {
        match self {
            Self::DigestInvalid
            | Self::ManifestBlobUnknown
            | Self::ManifestInvalid
            | Self::NameInvalid
            | Self::PaginationNumberInvalid
            | Self::SizeInvalid
            | Self::TagInvalid => 400,
            Self::Unauthorized => 401,
            Self::Denied => 403,
            Self::BlobUnknown
            | Self::BlobUploadInvalid
            | Self::BlobUploadUnknown
            | Self::ManifestUnknown
            | Self::NameUnknown => 404,
            Self::Unsupported => 405,
            Self::RangeInvalid => 416,
            Self::TooManyRequests => 429,
            Self::Unknown => 500,
            Self::Unavailable => 503,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_is_written_in_capitals_and_has_its_own_words() {
        let mut seen = HashSet::new();
        for code in ErrorCode::ALL {
            let capitals = code
                .as_str()
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_');
            assert!(capitals, "{code}");
            assert!(
                seen.insert(code.as_str()) && seen.insert(code.message()),
                "{code}"
            );
            assert!((400..600).contains(&code.status()), "{code}");
        }
    }

    #[test]
    fn codes_that_clients_act_upon_have_the_status_they_expect() {
        let rows = [
            (ErrorCode::Unauthorized, 401),
            (ErrorCode::Denied, 403),
            (ErrorCode::ManifestUnknown, 404),
            (ErrorCode::BlobUploadUnknown, 404),
            (ErrorCode::Unsupported, 405),
            (ErrorCode::RangeInvalid, 416),
            (ErrorCode::TooManyRequests, 429),
        ];
        for (code, status) in rows {
            assert_eq!(code.status(), status, "{code}");
        }
    }
}
